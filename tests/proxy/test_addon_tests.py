"""The tests of the addons look on, are asked for, ask, and are forgiven together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from wsa_proxy.proxy.addon_hooks import FailoverHealthData
from wsa_proxy.proxy.addon_tests import AddonTests
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits


class World:
    """mitmproxy with an addon that has a say; sleeping moves the clock and lets the others run."""

    name = "mine"

    def __init__(self) -> None:
        self.now_s = 100.0
        self.asked_at_s: list[float] = []
        self.tests = AddonTests(clock=lambda: self.now_s, sleep=self.sleep)

    async def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s
        await asyncio.sleep(0)

    def failover_health(self, data: FailoverHealthData) -> None:
        self.asked_at_s.append(self.now_s)
        self.now_s += 0.25
        data.demote("disk full")

    def softs(self) -> dict[str, str | None]:
        verdicts = [source.verdict(self.now_s) for source in self.tests.sources]
        return {result.name: soft for result, soft in verdicts}


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with taddons.context(world):
        yield world


async def test_the_addons_are_asked_once_a_second_and_errors_are_heard_of_meanwhile(world: World) -> None:
    """Nothing of ours stays in mitmproxy's log when it is over."""
    filters = logging.getLogger("mitmproxy.addonmanager").filters
    of_crashes = logging.getLogger("mitmproxy.proxy.server").filters
    assert world.softs() == {"addons": None, "crashes": None, "held": None, "failover_health": None}
    running = asyncio.create_task(world.tests.run())  # noqa: TID251
    while len(world.asked_at_s) < 4:  # noqa: ASYNC110 - it is this that makes the time pass
        await asyncio.sleep(0)
    assert world.asked_at_s == [100.0, 101.0, 102.0, 103.0] and (len(filters), len(of_crashes)) == (1, 1)
    assert world.softs() == {
        "addons": None,
        "crashes": None,
        "held": None,
        "failover_health": "addon mine: disk full",
    }
    running.cancel()
    await asyncio.wait([running])
    assert filters == [] and of_crashes == []


async def test_what_the_observers_saw_is_found_and_forgiven(world: World) -> None:
    """By the operator's word, at once."""
    for _ in range(3):
        hook = HttpRequestHook(tflow.tflow(client_conn=tflow.tclient_conn()))
        for observer in world.tests.observers:
            observer.began(hook)
    for _ in range(23):
        world.now_s += 0.1
        found = world.softs()
    assert found["held"] is not None and "3 hooks `request`" in found["held"] and found["addons"] is None
    assert world.tests.forgive("restored") == [f"it counts no more that {found['held']}"]
    assert world.tests.forgive("restored") == [] and world.softs()["held"] is None


async def test_other_limits_are_in_force_at_once(world: World) -> None:
    """Of each test its own, as the configuration has them; what was found by the old ones stays."""
    settings = HealthSettings(addons=Limits(1.0, 2, 9), held=Limits(5.0, 2, 1))
    hook = HttpRequestHook(tflow.tflow(client_conn=tflow.tclient_conn()))
    world.tests.observers[1].began(hook)
    for _ in range(60):
        world.now_s += 0.1
        assert world.softs()["held"] is None
    world.tests.change(settings)
    found = world.softs()["held"]
    assert found is not None and found.endswith("limit 5.0")
    world.tests.change(HealthSettings())
    assert world.softs()["held"] == found
    world.tests.change(settings)
    limits = {result.name: result.limits for result, _ in (each.verdict(world.now_s) for each in world.tests.sources)}
    assert limits == {
        "addons": settings.addons,
        "crashes": settings.addons,
        "held": settings.held,
        "failover_health": None,
    }
