"""The tests of the addons are joined with the self-tests, and a change of their reason is told at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.test import tflow

from wsa_proxy.proxy.addon_errors import AddonErrors
from wsa_proxy.proxy.addon_health import AddonHealth
from wsa_proxy.proxy.addon_hooks import FailoverHealthData
from wsa_proxy.proxy.addon_tests import AddonTests
from wsa_proxy.proxy.held_requests import HeldRequests
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.health import SelfTestResult

WELL = Health(hard=None, soft=None, tests=(SelfTestResult("regular", True, "", 0.01, 100.0),))


class World:
    """Sleeping moves the clock and lets the others run."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.told: list[tuple[float, str | None]] = []
        self.reason = ""
        self.handlers: dict[str, Callable[..., Any]] = {"mine": self.failover_health}
        clock: Callable[[], float] = lambda: self.now_s  # noqa: E731
        self.errors = AddonErrors(clock=clock, addons=lambda: [])
        self.held = HeldRequests(clock=clock, addons=lambda: [])
        self.tests = AddonTests(
            lambda: self.told.append((round(self.now_s, 1), self.tests.join(WELL).soft)),
            clock=clock,
            sleep=self.sleep,
            errors=self.errors,
            held=self.held,
            asked=AddonHealth(clock=clock, handlers=lambda _: self.handlers),
        )

    async def sleep(self, duration_s: float) -> None:
        until_s = self.now_s + duration_s
        while self.now_s < until_s - 1e-9:
            if duration_s == 0.1:
                self.now_s += 0.1  # the look is the clock of the others
            await asyncio.sleep(0)

    def failover_health(self, data: FailoverHealthData) -> None:
        if self.reason:
            data.demote(self.reason)

    async def until(self, time_s: float) -> None:
        while self.now_s < time_s:  # noqa: ASYNC110 - it is this that makes the time pass
            await asyncio.sleep(0)


async def test_what_the_addons_do_and_say_is_joined_with_the_self_tests() -> None:
    """Each has a line in the status; the self-tests' reason comes first, and nothing here is a hard failure."""
    world = World()
    running = asyncio.create_task(world.tests.run())  # noqa: TID251
    await world.until(102)
    assert world.told == []
    names = [test.name for test in world.tests.join(WELL).tests]
    assert names == ["regular", "addons", "held", "addon mine"] and world.tests.join(WELL).soft is None
    world.reason = "disk full"
    await world.until(104)
    assert [soft for _, soft in world.told] == ["addon mine: disk full"] and world.told[0][0] <= 103.2
    sick = Health(hard="gone", soft="no answer to GET in 2.0 s")
    assert (world.tests.join(sick).hard, world.tests.join(sick).soft) == ("gone", "no answer to GET in 2.0 s")
    world.reason = ""
    await world.until(106)
    assert [soft for _, soft in world.told] == ["addon mine: disk full", None]
    running.cancel()


async def test_held_requests_are_told_within_two_and_a_half_seconds_and_forgiven() -> None:
    """By the observers; the operator's word ends it at once."""
    world = World()
    running = asyncio.create_task(world.tests.run())  # noqa: TID251
    await world.until(103)
    for _ in range(3):
        hook = HttpRequestHook(tflow.tflow(client_conn=tflow.tclient_conn()))
        for observer in world.tests.observers:
            observer.began(hook)
    await world.until(106)
    at_s, soft = world.told[0]
    assert 105.0 <= at_s <= 105.5 and soft is not None and "3 hooks `request`" in soft
    assert world.tests.forgive("restored") == [f"held counts as well again: it was {soft}"]
    assert world.tests.forgive("restored") == []
    assert world.told[-1][1] is None and len(world.told) == 2
    running.cancel()


async def test_errors_are_heard_of_while_it_runs_and_no_longer() -> None:
    """Nothing of ours stays in mitmproxy's log when it is over."""
    filters = logging.getLogger("mitmproxy.addonmanager").filters
    world = World()
    running = asyncio.create_task(world.tests.run())  # noqa: TID251
    await world.until(101)
    assert len(filters) == 1
    running.cancel()
    await asyncio.wait([running])
    assert filters == []
