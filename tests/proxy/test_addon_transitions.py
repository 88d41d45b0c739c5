"""Other addons hear of each transition, after the turn in which it was made, and none keeps another one from it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from typing import Any

import pytest

from tests.proxy.processes import until
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.proxy import addon_transitions
from wsa_proxy.proxy.addon_hooks import FailoverRedundancyData
from wsa_proxy.proxy.addon_hooks import FailoverTransitionData
from wsa_proxy.proxy.addon_transitions import AddonTransitions
from wsa_proxy.runtime.record import Transition

REPORT = ReportTransition(State.BACKUP, State.MASTER, "master_silent", "silent_s=3.21")
TAKEOVER = Transition(datetime(2026, 1, 1, tzinfo=UTC), REPORT, "operator (page)")


class World:
    def __init__(self) -> None:
        self.told: list[Any] = []
        self.handlers: dict[str, Callable[..., Any]] = {"listens": self.told.append}
        self.transitions = AddonTransitions(handlers=lambda _: self.handlers, limit_s=0.02)

    def broken(self, _: FailoverTransitionData) -> None:
        raise KeyError("x")

    async def hangs(self, data: FailoverTransitionData) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            self.told.append("ended")


@pytest.mark.parametrize("factory", [None, asyncio.eager_task_factory])
async def test_every_addon_is_told_but_not_in_the_middle_of_the_turn(factory: Any) -> None:
    """Also where tasks are eager, as mitmproxy's are; several in their order."""
    asyncio.get_running_loop().set_task_factory(factory)
    world = World()
    for vhid in (1, 2):
        world.transitions.tell(vhid, TAKEOVER)
    assert world.told == []
    for _ in range(3):
        await asyncio.sleep(0)
    assert world.told == [
        FailoverTransitionData(vhid, "backup", "master", "master_silent", "silent_s=3.21", "operator (page)")
        for vhid in (1, 2)
    ]


async def test_one_that_raises_or_hangs_keeps_nobody_from_it(caplog: pytest.LogCaptureFixture) -> None:
    """It is told in the log, with where; what hangs is cancelled at the limit."""
    world = World()
    world.handlers = {"broken": world.broken, "hangs": world.hangs, **world.handlers}
    with caplog.at_level(logging.WARNING):
        world.transitions.tell(1, TAKEOVER)
        await until(lambda: "ended" in world.told)
        await asyncio.sleep(0)
    assert len(world.told) == 2
    assert "failover_transition of the addon broken raised" in caplog.text and "KeyError: 'x'" in caplog.text
    assert "failover_transition of the addon hangs: not done in 0.0 s" in caplog.text


async def test_calls_do_not_pile_up(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Above the bound they are told in the log instead; when some have ended, there is room again."""
    monkeypatch.setattr(addon_transitions, "CALLS_MAX", 2)
    world = World()
    world.handlers = {"hangs": world.hangs}
    for _ in range(3):
        world.transitions.tell(7, TAKEOVER)
    await until(lambda: world.told.count("ended") == 2)
    assert caplog.text.count("group 7 is master: the addon hangs is not told") == 1
    world.handlers = {"listens": world.told.append}
    await asyncio.sleep(0)
    world.transitions.tell(7, TAKEOVER)
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(world.told) == 3


async def test_lost_redundancy_is_told_by_a_hook_of_its_own() -> None:
    """By this name, with the number and the sentence of the log."""
    asked: list[str] = []
    told: list[Any] = []

    def handlers(name: str) -> dict[str, Callable[..., Any]]:
        asked.append(name)
        return {"pager": told.append}

    AddonTransitions(handlers=handlers).tell_redundancy(7, 0, "no healthy standby: b: last heard 2.9 s ago")
    assert told == []
    for _ in range(3):
        await asyncio.sleep(0)
    assert asked == ["failover_redundancy"]
    assert told == [FailoverRedundancyData(7, 0, "no healthy standby: b: last heard 2.9 s ago")]
