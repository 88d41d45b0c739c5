from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

import pytest

from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.liveness import Liveness
from wsa_proxy.proxy.modes import ListenerError
from wsa_proxy.runtime.health import UNPROVEN
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits

REGULAR = LoopbackEndpoint("regular", "regular", "127.0.0.1", 8080)


@dataclass
class World:
    """A listener, a proxy and a clock that do what the test says. Sleeping moves the clock and nothing else."""

    now_s: float = 100.0
    wrong: str | None = None
    cannot_reopen: str | None = None
    reopened_at_s: list[float] = field(default_factory=list)
    fails: Exception | None = None
    connect_fails: Exception | None = None
    told: list[Health] = field(default_factory=list)
    endpoints: tuple[LoopbackEndpoint, ...] = (REGULAR,)
    left: int = 1000
    on_ask: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.liveness = Liveness(
            self,
            self,
            self.told.append,
            sources=[self],
            clock=lambda: self.now_s,
            sleep=self.sleep,
            descriptors_left=lambda: self.left,
        )
        self.said: tuple[SelfTestResult, str | None] = (SelfTestResult("addons", True, "", 0.0, 0.0), None)

    async def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s

    def broken(self, now_s: float) -> str | None:
        assert now_s == self.now_s
        return self.wrong

    async def reopen(self) -> None:
        self.reopened_at_s.append(self.now_s)
        if self.cannot_reopen:
            raise ListenerError(self.cannot_reopen)
        self.wrong = None

    def loopback_endpoints(self) -> tuple[LoopbackEndpoint, ...]:
        return self.endpoints

    async def get(self, endpoint: LoopbackEndpoint, limit_s: float) -> None:
        self.on_ask()
        if self.fails is not None:
            raise self.fails

    async def connect(self, endpoint: LoopbackEndpoint, limit_s: float) -> None:
        await self.get(endpoint, limit_s)
        if self.connect_fails is not None:
            raise self.connect_fails

    async def upstream(self, endpoint: LoopbackEndpoint, url: str, limit_s: float) -> None:
        raise AssertionError("nobody has configured it")

    def others_answered(self, within_s: float) -> bool:
        return False

    def verdict(self, now_s: float) -> tuple[SelfTestResult, str | None]:
        return self.said

    async def rounds(self, count: int = 1) -> Health:
        """Self-tests, one round a second."""
        for _ in range(count):
            async with asyncio.TaskGroup() as tasks:
                self.liveness._rounds.begin(self.endpoints, lambda test: tasks.create_task(test))
            self.now_s += 1.0
        return self.told[-1]

    async def looks(self, count: int = 1) -> Health:
        """Eight a second, exactly."""
        for _ in range(count):
            self.now_s += 0.125
            await self.liveness._look()
        return self.liveness.health

    def test(self, name: str) -> SelfTestResult:
        return next(test for test in self.liveness.health.tests if test.name == name)


async def test_the_first_answers_end_the_unproven_state() -> None:
    """The proxy is unproven until its first self-tests have passed."""
    world = World()
    assert world.liveness.health == UNPROVEN
    health = await world.rounds()
    assert (health.hard, health.soft) == (None, None)
    assert [(test.name, test.passed) for test in health.tests] == [("get regular", True), ("connect", True)]


async def test_a_first_test_that_fails_says_why() -> None:
    """A proxy that never answered does not serve, with the evidence; one answer is enough to begin."""
    world = World(fails=ConnectionRefusedError(111, "Connection refused"))
    assert (await world.rounds()).hard == "the first self-test failed: GET failed: Connection refused"
    world.fails = None
    assert (await world.rounds()).hard is None


async def test_failures_in_a_row_are_soft_and_passes_in_a_row_heal() -> None:
    """The node serves on; the phrase does not change while it lasts, and each change is told once it is there."""
    world = World()
    await world.rounds()
    world.fails = OSError("no")
    assert (await world.rounds()).soft is None
    health = await world.rounds(3)
    assert (health.hard, health.soft) == (None, "GET failed: no, 2 times in a row")
    world.fails = None
    assert (await world.rounds()).soft == "GET failed: no, 2 times in a row"
    assert (await world.rounds()).soft is None


async def test_a_broken_socket_is_hard_at_once_and_reopened_once_a_second() -> None:
    """Told before anything is tried; healed only when the sockets are back and self-tests have passed since."""
    world = World()
    await world.rounds()
    world.wrong, world.cannot_reopen = "the listening socket of 10.0.0.3 port 8080 is gone", "port taken"
    started_s = world.now_s
    assert (await world.looks(17)).hard == world.wrong
    assert [at_s - started_s for at_s in world.reopened_at_s] == [0.125, 1.125, 2.125]
    assert not world.test("listener").passed and world.test("listener").evidence == world.wrong
    assert (await world.rounds(2)).hard == world.wrong, "what passes on loopback does not excuse a deaf virtual IP"
    world.cannot_reopen = None
    await world.looks(9)
    assert world.told[-1].hard == "the listening socket of 10.0.0.3 port 8080 is gone; not proven to work again yet"
    assert (await world.rounds()).hard is not None
    assert (await world.rounds()).hard is None
    await world.looks()
    assert world.test("listener").passed


async def test_a_doubt_is_ended_by_tests_that_began_after_it() -> None:
    """What was under way when the guardian gave the addresses up says nothing: it may be what stood still."""
    world = World()
    await world.rounds()
    unproven = "the loop stood still for 1.2 s; not proven to work again yet"

    def doubt() -> None:
        world.on_ask = lambda: None
        world.now_s += 0.1  # it has begun
        world.liveness.doubt("the loop stood still for 1.2 s")

    world.on_ask = doubt
    assert (await world.rounds()).hard == unproven
    assert unproven in [health.hard for health in world.told]
    assert (await world.rounds()).hard == unproven, "rise is two"
    assert (await world.rounds()).hard is None


async def test_few_descriptors_are_soft_before_there_is_none() -> None:
    """Half a second below the limit demotes, one second above it heals; the number is told."""
    world = World(left=15)
    await world.rounds()
    assert (await world.looks(4)).soft is None
    soft = (await world.looks()).soft
    assert soft == world.told[-1].soft == "only 15 file descriptors are left, limit 16, 5 times in a row"
    world.left = 16
    assert (await world.looks(9)).soft is not None
    assert (await world.looks()).soft is None
    assert world.told[-1].soft is None and world.test("descriptors").passed


async def test_other_limits_hold_from_then_on() -> None:
    """A reload changes them in place; what has been proven stays so."""
    world = World(left=15)
    await world.rounds()
    world.liveness.change(HealthSettings(descriptors=Limits(10, 10, 5)))
    assert (await world.looks(9)).soft is None
    world.liveness.change(HealthSettings(descriptors=Limits(20, 1, 1), get=Limits(2.0, 2, 1)))
    assert (await world.looks()).soft == "only 15 file descriptors are left, limit 20"
    world.left, world.fails = 1000, OSError("no")
    await world.looks()
    assert (await world.rounds()).soft == "GET failed: no" and world.liveness.health.hard is None


async def test_what_others_find_counts_as_well() -> None:
    """A further test is listed among the others, and its verdict is soft."""
    world = World()
    await world.rounds()
    world.said = (SelfTestResult("addons", False, "an addon raised", 0.0, world.now_s), "an addon raised, 9 times")
    assert (await world.looks()).soft == "an addon raised, 9 times"
    assert world.told[-1].soft == "an addon raised, 9 times" and not world.test("addons").passed
    world.said = (SelfTestResult("addons", True, "", 0.0, world.now_s), None)
    assert (await world.looks()).soft is None


async def test_a_change_is_told_and_nothing_else() -> None:
    """The looks, ten a second, say nothing while nothing changes."""
    world = World()
    await world.rounds()
    await world.looks()
    told = len(world.told)
    await world.looks(50)
    assert len(world.told) == told


async def test_who_runs_again_has_proven_nothing() -> None:
    """After an error that nobody has foreseen, the next self-tests decide."""
    world = World()
    await world.rounds()
    world.fails = KeyError("mitmproxy changed")
    world.liveness._sleep = lambda _: asyncio.sleep(0)
    with pytest.raises(ExceptionGroup):
        await world.liveness.run()
    assert world.liveness.health.hard == UNPROVEN.hard
    world.fails, world.connect_fails = None, OSError("no")
    assert (await world.rounds()).hard == "the first self-test failed: CONNECT failed: no"
    world.connect_fails = None
    assert (await world.rounds()).hard is None


async def test_the_lag_is_the_greatest_of_the_last_second() -> None:
    """One late turn is remembered for ten looks, then forgotten; it is told and never judged."""
    world = World()
    lags_s = []

    async def sleep(duration_s: float) -> None:
        lags_s.append(round(world.liveness.loop_lag_s, 3))
        if len(lags_s) == 15:
            raise asyncio.CancelledError
        world.now_s += duration_s + (0.7 if len(lags_s) == 2 else 0.01)

    world.liveness._sleep = sleep
    with pytest.raises(asyncio.CancelledError):
        await world.liveness._watch()
    assert lags_s == [0.0, 0.01, *[0.7] * 10, 0.01, 0.01, 0.01]
    assert world.test("loop").passed is None
    assert world.test("loop").evidence == "at most 0.010 s late within the last second"
