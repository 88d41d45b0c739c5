"""An orderly stop in virtual time: what comes after what, how long it may take, and what ends it sooner."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

import pytest

from wsa_proxy.proxy.connections import POLL_S
from wsa_proxy.proxy.planned_stop import CARRIED_SUCCESSOR_S_MAX
from wsa_proxy.proxy.planned_stop import DRAIN_S_MAX
from wsa_proxy.proxy.planned_stop import FINISH_S_MAX
from wsa_proxy.proxy.planned_stop import FRESH_S
from wsa_proxy.proxy.planned_stop import REASON
from wsa_proxy.proxy.planned_stop import SUCCESSOR_S_MAX
from wsa_proxy.proxy.planned_stop import PlannedStop

VIPS = [ip_address("10.0.0.3")]
NEVER_S = 1e9


class Handler:
    """A client connection that mitmproxy has closed already."""

    def __init__(self) -> None:
        self.client = self
        self.id = "client"
        self.transports: dict[Any, Any] = {}


class World:
    """A node and its proxy; everything that is asked of them, with the time since the beginning."""

    def __init__(self, *, timeout_s: float = 60.0) -> None:
        self.loop = asyncio.get_running_loop()
        self.began_s = self.loop.time()
        self.done: list[tuple[str, float]] = []
        self.is_needed = True
        self.drained_after_s = 0.0
        self.succeeded_after_s = 0.004
        self.answered_after_s = 0.02
        self.fresh_until_s = 0.0
        self.carried: frozenset[Any] = frozenset()
        self.carried_until_s = 0.0
        self.fails: str | None = None
        self.begun_s = NEVER_S
        self.silent = False
        self.stop = PlannedStop(self, timeout_s)  # type: ignore[arg-type]

    @property
    def now(self) -> float:
        return self.loop.time() - self.began_s

    def note(self, what: str) -> None:
        self.done.append((what, self.now))
        if what == self.fails:
            raise RuntimeError("broken")

    def at(self, what: str) -> float:
        (when,) = (when for each, when in self.done if each == what)
        return when

    @property
    def order(self) -> list[str]:
        return [what for what, _ in self.done]

    # the connections

    def leave(self, addresses: Any) -> None:
        self.note("every answer ends its connection" + ("" if addresses is None else f" on {len(addresses)}"))

    async def drain(self, addresses: Any, limit_s: float) -> None:
        self.note("drain all" if addresses is None else f"drain {' '.join(map(str, addresses))}")
        await asyncio.sleep(min(self.drained_after_s, limit_s))

    def end_idle(self, addresses: Any, close: Any) -> None: ...

    def unfinished(self, addresses: Any, *, fresh: bool) -> list[Handler]:
        if fresh and self.now < self.fresh_until_s:
            return [Handler()]
        return [Handler()] if self.now < self.answered_after_s else []

    # the departure

    @property
    def awaits_successor(self) -> bool:
        return self.begun_s < NEVER_S and not self.silent and self.now < self.begun_s + self.succeeded_after_s

    def begin(self, reason: str) -> None:
        self.begun_s = self.now
        self.note(f"bow out: {reason}")

    def fall_silent(self) -> None:
        self.silent = True
        self.note("silent")

    def let_go(self, reason: str) -> None:
        self.note(f"let go: {reason}")

    @property
    def drains(self) -> bool:
        return bool(self.carried) and self.now < self.carried_until_s

    def end(self, reason: str) -> None:
        self.note(f"end: {reason}")

    # the whole

    async def run(self) -> None:
        await self.stop.leave(self, VIPS)
        self.note("left")
        await self.stop.finish(lambda: self.note("stop listening"))
        self.note("finished")


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
def signals() -> Iterator[None]:
    yield
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


STEPS = [
    "every answer ends its connection",
    "drain 10.0.0.3",
    f"bow out: {REASON}",
    "silent",
    f"let go: {REASON}",
    f"end: {REASON}",
    "left",
    "stop listening",
    "drain all",
    "finished",
]


async def test_the_steps(world: World) -> None:
    """Short requests and a successor that comes: each step begins when the one before has reached what it waits for."""
    world.drained_after_s = 0.012
    world.answered_after_s = 0.1
    await world.run()
    assert world.order == STEPS
    assert world.at("drain 10.0.0.3") == 0
    assert 0.012 <= world.at(f"bow out: {REASON}") < 0.012 + 2 * POLL_S
    assert 0.004 <= world.at("silent") - world.at(f"bow out: {REASON}") < 0.004 + 2 * POLL_S
    assert 0.1 <= world.at(f"end: {REASON}") < 0.1 + 2 * POLL_S
    assert world.at("finished") < 0.1 + 4 * POLL_S


async def test_the_longest_it_can_take(world: World) -> None:
    """A request that is never answered, and nobody who takes over: three waits, then the timeout."""
    world.drained_after_s = world.succeeded_after_s = world.answered_after_s = NEVER_S
    await world.run()
    assert world.order == STEPS
    assert DRAIN_S_MAX <= world.at(f"bow out: {REASON}") < DRAIN_S_MAX + 2 * POLL_S
    assert SUCCESSOR_S_MAX <= world.at("silent") - world.at(f"bow out: {REASON}") < SUCCESSOR_S_MAX + 2 * POLL_S
    assert FINISH_S_MAX <= world.at(f"end: {REASON}") - world.at("silent") < FINISH_S_MAX + 2 * POLL_S
    assert 60 <= world.at("finished") < 60 + 2 * POLL_S


async def test_who_is_master_of_nothing_leaves_at_once(world: World) -> None:
    """No wait; only what is being answered on other addresses has its time."""
    world.is_needed = False
    world.drained_after_s = 2.0
    await world.run()
    assert world.order == ["every answer ends its connection", *STEPS[4:]]
    assert world.at("left") == 0 and 2 <= world.at("finished") < 2.1


@pytest.mark.parametrize("timeout_s", [0.0, 0.2, 0.35, 0.5])
async def test_the_timeout_bounds_everything(timeout_s: float) -> None:
    """Also where it is shorter than the three waits; all steps come."""
    world = World(timeout_s=timeout_s)
    world.drained_after_s = world.succeeded_after_s = world.answered_after_s = NEVER_S
    await world.run()
    assert [step for step in world.order if "drain" not in step] == [step for step in STEPS if "drain" not in step]
    assert timeout_s <= world.at("finished") < timeout_s + 6 * POLL_S


async def test_a_connection_that_has_asked_for_nothing_counts_for_a_moment(world: World) -> None:
    """Its request may be in the socket; a browser's spare connection has none, and keeps nobody waiting."""
    world.fresh_until_s = NEVER_S
    world.answered_after_s = 0
    await world.run()
    assert FRESH_S * 0.99 <= world.at(f"end: {REASON}") - world.at("silent") < FRESH_S + 2 * POLL_S


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("after_s", [0.1, 0.35, 0.6, 10.0])
async def test_a_second_signal_ends_it_at_once(
    world: World, signals: None, number: int, after_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    """In any of the waits; what is owed to the others is done."""
    world.drained_after_s = world.succeeded_after_s = world.answered_after_s = NEVER_S
    world.stop.follow_signals()
    world.loop.call_later(after_s, os.kill, os.getpid(), number)
    await world.run()
    assert world.order == [step for step in STEPS if step != "drain all" or after_s == 10.0]
    assert after_s <= world.at("finished") < after_s + 3 * POLL_S
    assert caplog.text.count("asked to stop once more") == 1


def test_in_a_thread_there_are_no_signals_to_follow() -> None:
    """The loop takes none there: the node leaves in order all the same."""

    async def stop() -> list[str]:
        world = World()
        world.stop.follow_signals()
        await world.run()
        return world.order

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, stop()).result() == STEPS


@pytest.mark.parametrize("step", STEPS[:6])
async def test_whatever_fails_the_node_leaves(step: str, world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Bow-out and release are the end of every way, and the process ends."""
    world.fails = step
    if step in STEPS[4:]:
        with pytest.raises(RuntimeError):
            await world.stop.leave(world, VIPS)
    else:
        await world.run()
        assert world.order[-6:] == STEPS[4:] and "broken" in caplog.text
    assert f"end: {REASON}" in world.order


async def test_the_end_is_not_forgotten_when_the_task_is_cancelled(world: World) -> None:
    """Somebody else ends the process meanwhile."""
    world.drained_after_s = NEVER_S
    leaving = asyncio.get_running_loop().create_task(world.stop.leave(world, VIPS))
    await asyncio.sleep(0.1)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert leaving.cancelled() and world.order[-1] == f"end: {REASON}"


CARRIED = [
    "every answer ends its connection",
    f"bow out: {REASON}",
    "silent",
    f"let go: {REASON}",
    f"end: {REASON}",
    "left",
    "stop listening",
    "drain all",
    "finished",
]


async def test_connections_that_are_carried_over_are_not_hurried(world: World) -> None:
    """Nothing is drained before the bow-out, and what is unfinished goes on until the last of it has ended."""
    world.carried, world.carried_until_s = frozenset(VIPS), 12.0
    world.drained_after_s = world.answered_after_s = 5.0
    await world.run()
    assert world.order == CARRIED
    assert world.at(f"bow out: {REASON}") == 0 and world.at(f"let go: {REASON}") < 0.01
    assert 12.0 <= world.at(f"end: {REASON}") < 12.0 + 2 * POLL_S


async def test_a_successor_of_carried_connections_has_a_second(world: World) -> None:
    """Requests are served meanwhile."""
    world.carried, world.succeeded_after_s = frozenset(VIPS), NEVER_S
    await world.run()
    assert CARRIED_SUCCESSOR_S_MAX <= world.at("silent") < CARRIED_SUCCESSOR_S_MAX + 2 * POLL_S


async def test_what_is_carried_over_has_the_timeout_too(caplog: pytest.LogCaptureFixture) -> None:
    """An idle tunnel has no end of its own; the log says that it was cut."""
    world = World(timeout_s=30.0)
    world.carried, world.carried_until_s = frozenset(VIPS), NEVER_S
    await world.run()
    assert [step for step in world.order if step != "drain all"] == [step for step in CARRIED if step != "drain all"]
    assert 30.0 <= world.at(f"end: {REASON}") < 30.0 + 2 * POLL_S
    assert "drain_timeout is over: the connections that are left are reset" in caplog.text


async def test_a_second_signal_ends_what_is_carried_over(
    world: World, signals: None, caplog: pytest.LogCaptureFixture
) -> None:
    """At once, as every wait."""
    world.carried, world.carried_until_s = frozenset(VIPS), NEVER_S
    world.stop.follow_signals()
    world.loop.call_later(3.0, os.kill, os.getpid(), signal.SIGTERM)
    await world.run()
    assert 3.0 <= world.at(f"end: {REASON}") < 3.0 + 2 * POLL_S
    assert "asked to stop once more" in caplog.text and "drain_timeout is over" not in caplog.text


async def test_of_two_addresses_only_one_is_carried_over(world: World) -> None:
    """The other one's clients have the time that they had: a group without a secret, say."""
    other = ip_address("10.0.0.4")
    world.carried, world.carried_until_s = frozenset(VIPS), 2.0
    await world.stop.leave(world, [*VIPS, other])
    assert "drain 10.0.0.4" in world.order
    assert 2.0 <= world.at(f"end: {REASON}") < 2.0 + 2 * POLL_S
