"""The timer fires at the deadline there is then, and costs nothing while that moves away."""

from __future__ import annotations

import asyncio
import math

from tests.runtime.virtual_time import VirtualTimeLoop
from wsa_proxy.runtime.timer import DeadlineTimer


class Work:
    """A deadline that the test moves, and when the work was done."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        self.deadline_s = math.inf
        self.done_at_s: list[float] = []
        self.timer = DeadlineTimer(loop.time, lambda: self.deadline_s, self._do)

    def _do(self) -> None:
        self.done_at_s.append(self.loop.now)
        self.deadline_s = math.inf

    def move(self, in_s: float) -> float:
        self.deadline_s = self.loop.now + in_s
        self.timer.arm()
        return self.deadline_s


async def test_the_work_is_done_at_the_deadline() -> None:
    """Once, neither before nor after it."""
    work = Work()
    due_s = work.move(3)
    await asyncio.sleep(10)
    assert work.done_at_s == [due_s]


async def test_a_deadline_that_moves_away_is_kept_and_needs_no_new_timer() -> None:
    """A backup that hears its master each second: the timer stays until it fires, too early, and does nothing."""
    work = Work()
    work.move(3)
    handle = work.timer._handle
    for _ in range(2):
        await asyncio.sleep(1)
        due_s = work.move(3)
        assert work.timer._handle is handle
    await asyncio.sleep(10)
    assert work.done_at_s == [due_s]


async def test_a_deadline_that_comes_nearer_is_kept() -> None:
    """A bow-out: not three seconds, but ten milliseconds."""
    work = Work()
    work.move(3)
    await asyncio.sleep(1)
    due_s = work.move(0.01)
    await asyncio.sleep(10)
    assert work.done_at_s == [due_s]


async def test_without_a_deadline_nothing_is_done() -> None:
    """It was taken back before it came, or the timer was closed."""
    work = Work()
    work.move(3)
    work.move(math.inf)
    assert work.timer._handle is None and work.timer.fires_at_s == math.inf
    assert work.move(3) == work.timer.fires_at_s
    work.timer.close()
    work.timer.close()
    assert work.timer.fires_at_s == math.inf
    await asyncio.sleep(10)
    assert work.done_at_s == []


async def test_an_overdue_deadline_is_due_at_once() -> None:
    """After a freeze; time is not turned back."""
    work = Work()
    work.move(-5)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert work.done_at_s == [work.loop.now]


async def test_catching_up_does_what_is_due_once_and_nothing_else() -> None:
    """The loop's own timer comes to nothing afterwards; before the deadline there is nothing to do."""
    work = Work()
    due_s = work.move(3)
    work.timer.catch_up()
    assert work.done_at_s == []
    work.loop.now += 4
    work.timer.catch_up()
    work.timer.catch_up()
    assert work.done_at_s == [due_s + 1] and work.timer.fires_at_s == math.inf
    next_s = work.move(3)
    handle = work.timer._handle
    await asyncio.sleep(1)
    assert work.done_at_s == [due_s + 1] and work.timer._handle is handle
    await asyncio.sleep(3)
    assert work.done_at_s == [due_s + 1, next_s]
