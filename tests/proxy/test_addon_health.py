"""Other addons say how the node is; what one of them does wrong is told and touches nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from collections.abc import Callable
from typing import Any

import pytest
from mitmproxy.test import taddons

from wsa_proxy.proxy.addon_health import AddonHealth
from wsa_proxy.proxy.addon_hooks import REASON_CHARACTERS_MAX
from wsa_proxy.proxy.addon_hooks import REASONS_MAX
from wsa_proxy.proxy.addon_hooks import FailoverHealthData

LIMIT_S = 0.05
LATE = "addon {}: no answer in 0.1 s, so it counts as nothing; addon full: disk full"


class World:
    def __init__(self) -> None:
        self.handlers: dict[str, Callable[[FailoverHealthData], Any]] = {}
        self.now_s = 100.0
        self.health = AddonHealth(clock=lambda: self.now_s, handlers=lambda _: self.handlers, limit_s=LIMIT_S)
        self.asked: list[str] = []
        self.released = asyncio.Event()

    async def round(self) -> tuple[bool | None, str, str | None]:
        """One round: whether all is well, the evidence, and why the node should be demoted."""
        await self.health.ask()
        result, soft = self.health.verdict(self.now_s)
        return result.passed, result.evidence, soft

    def well(self, _: FailoverHealthData) -> None:
        self.asked.append("well")

    def full(self, data: FailoverHealthData) -> None:
        data.demote("disk full")

    async def old(self, data: FailoverHealthData) -> None:
        await asyncio.sleep(0)
        data.demote("the list is 3 days old")
        data.demote("no update since 2 h")

    def broken(self, _: FailoverHealthData) -> None:
        raise KeyError("x")

    async def hangs(self, data: FailoverHealthData) -> None:
        self.asked.append("hangs")
        data.demote("too late")
        await asyncio.sleep(3600)

    async def stubborn(self, _: FailoverHealthData) -> None:
        self.asked.append("stubborn")
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                continue


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.released.set()
    world.health.close()


async def test_each_addon_gives_its_reasons(world: World) -> None:
    """With its name, of a script that of its file; async or not. The next time it may say something else."""
    world.handlers = {"well": world.well, "/etc/scripts/full.py": world.full, "old": world.old}
    said = "addon full.py: disk full; addon old: the list is 3 days old; addon old: no update since 2 h"
    assert await world.round() == (False, said, said)
    world.handlers = {"old": world.well}
    assert await world.round() == (True, "", None)
    world.handlers = {}
    assert await world.round() == (None, "no addon takes part", None)


async def test_one_that_raises_counts_as_nothing_and_is_told_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """What it knows is unknown; the others are heard."""
    world.handlers = {"broken": world.broken, "full": world.full}
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            passed, evidence, soft = await world.round()
    assert (passed, soft) == (False, "addon full: disk full")
    assert evidence == "addon broken: it raised KeyError, so it counts as nothing; addon full: disk full"
    assert caplog.text.count("failover_health of the addon broken: it raised KeyError") == 1
    assert "KeyError: 'x'" in caplog.text  # with where


async def test_one_that_takes_too_long_counts_as_nothing(world: World) -> None:
    """Not even what it had said before; it is cancelled, and asked again the next time."""
    world.handlers = {"hangs": world.hangs, "full": world.full}
    for count in range(1, 3):
        assert await world.round() == (False, LATE.format("hangs"), "addon full: disk full")
        await asyncio.sleep(0)
        assert world.asked == ["hangs"] * count


async def test_one_that_cannot_be_ended_is_not_asked_again_until_it_has_ended(world: World) -> None:
    """Questions do not pile up; what it says so late counts as nothing."""
    world.handlers = {"stubborn": world.stubborn, "full": world.full}
    for _ in range(3):
        assert await world.round() == (False, LATE.format("stubborn"), "addon full: disk full")
    assert world.asked == ["stubborn"]
    world.released.set()
    await world.round()
    assert await world.round() == (False, "addon full: disk full", "addon full: disk full")
    assert world.asked == ["stubborn"] * 2


async def test_real_addons_take_part_by_a_method() -> None:
    """Of an addon, of an addon inside of another one; who has none is not asked."""

    class Inner:
        name = "inner"

        def failover_health(self, data: FailoverHealthData) -> None:
            data.demote("inside")

    class Outer:
        name = "outer"
        addons = (Inner(),)

    with taddons.context(Outer()):
        health = AddonHealth(clock=lambda: 0.0)
        await health.ask()
    assert health.verdict(0.0)[1] == "addon inner: inside"


def test_a_reason_is_one_line_and_few_are_kept() -> None:
    """Whatever an addon says."""
    data = FailoverHealthData()
    for _ in range(REASONS_MAX + 1):
        data.demote("a\n b" + "x" * 1000)
    assert len(data.reasons) == REASONS_MAX
    assert data.reasons[0].startswith("a bxx") and len(data.reasons[0]) == REASON_CHARACTERS_MAX
