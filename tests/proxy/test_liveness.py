from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

import pytest

from tests.proxy.processes import Origin
from tests.proxy.processes import Proxy
from tests.proxy.processes import connected
from tests.proxy.processes import exchange
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.liveness import Liveness
from wsa_proxy.proxy.modes import ListenerError
from wsa_proxy.proxy.self_tests import SelfTests
from wsa_proxy.runtime.health import UNPROVEN
from wsa_proxy.runtime.health import Health

type Start = Callable[..., Proxy]

REGULAR = LoopbackEndpoint("regular", "regular", "127.0.0.1", 8080)
SOCKS = LoopbackEndpoint("socks5", "socks5@1080", "127.0.0.1", 1080)


@dataclass
class World:
    """A listener, a proxy and a clock that do what the test says. Sleeping moves the clock and nothing else."""

    now_s: float = 100.0
    wrong: str | None = None
    cannot_reopen: str | None = None
    reopened_at_s: list[float] = field(default_factory=list)
    answers: list[Exception | None] = field(default_factory=list)
    """What the next self-tests get; the last one for ever."""
    late_s: float = 0.0
    told: list[Health] = field(default_factory=list)
    endpoints: tuple[LoopbackEndpoint, ...] = (REGULAR,)
    others_answered: int = 0

    def __post_init__(self) -> None:
        self.liveness = Liveness(
            self, self.told.append, SelfTests(), clock=lambda: self.now_s, sleep=self.sleep, ask=self.ask
        )

    async def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s + self.late_s

    def broken(self) -> str | None:
        return self.wrong

    async def reopen(self) -> None:
        self.reopened_at_s.append(self.now_s)
        if self.cannot_reopen:
            raise ListenerError(self.cannot_reopen)
        self.wrong = None

    def loopback_endpoints(self) -> tuple[LoopbackEndpoint, ...]:
        return self.endpoints

    async def ask(self, endpoint: LoopbackEndpoint) -> None:
        for _ in range(self.others_answered):
            self.liveness.sign_of_life()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            self.now_s += 2.0 if isinstance(answer, TimeoutError) else 0.0
            raise answer

    async def rounds(self, count: int = 1) -> Health:
        for _ in range(count):
            await self.liveness._test_round()
        return self.told[-1]


async def test_the_first_answer_ends_the_unproven_state() -> None:
    """The proxy is unproven until its first self-test has passed."""
    world = World(answers=[None])
    assert world.liveness.health == UNPROVEN
    health = await world.rounds()
    assert (health.hard, health.soft) == (None, None)
    assert [(test.name, test.passed) for test in health.tests] == [("regular", True)]


async def test_a_first_test_that_fails_says_why() -> None:
    """A proxy that never answered does not serve, with the evidence; one answer is enough to begin."""
    world = World(answers=[ConnectionRefusedError(111, "Connection refused"), None])
    assert (await world.rounds()).hard == "the first self-test failed: GET failed: Connection refused"
    assert (await world.rounds()).hard is None


async def test_three_failures_in_a_row_are_soft_and_one_success_heals() -> None:
    """Two are not enough, three are; the phrase does not change while it lasts."""
    world = World(answers=[None, TimeoutError(), TimeoutError(), TimeoutError(), TimeoutError(), None])
    await world.rounds()
    assert (await world.rounds(2)).soft is None
    assert (await world.rounds()).soft == "no answer to GET in 2.0 s, 3 times"
    health = await world.rounds()
    assert (health.hard, health.soft) == (None, "no answer to GET in 2.0 s, 3 times")
    assert (await world.rounds()).soft is None


async def test_a_busy_proxy_is_not_a_sick_one() -> None:
    """A self-test over its limit is no failure if others were answered meanwhile, and the evidence says so."""
    world = World(answers=[None, TimeoutError()])
    await world.rounds()
    world.others_answered = 7
    health = await world.rounds(5)
    assert health.soft is None
    assert health.tests[0].evidence == "no answer to GET in 2.0 s, but 7 others were answered"
    assert health.tests[0].duration_s == 2.0


async def test_a_refused_connection_counts_whoever_is_answered() -> None:
    """Only slowness is excused: out of descriptors is a failure however many old connections still work."""
    world = World(answers=[None, OSError(24, "Too many open files")], others_answered=7)
    assert (await world.rounds(4)).soft == "GET failed: Too many open files, 3 times"


async def test_every_mode_has_to_answer() -> None:
    """With two modes the proxy is proven when both have answered."""
    world = World(answers=[None, TimeoutError(), None, None], endpoints=(REGULAR, SOCKS))
    assert (await world.rounds()).hard == "the first self-test failed: no answer to SOCKS greeting in 2.0 s"
    assert (await world.rounds()).hard is None


async def test_a_broken_socket_is_hard_at_once_and_reopened_once_a_second() -> None:
    """Told before anything is tried; healed only when the sockets are back and a self-test has passed."""
    world = World(answers=[None])
    await world.rounds()
    world.wrong, world.cannot_reopen = "the listening socket of 10.0.0.3 port 8080 is gone", "port taken"
    for _ in range(17):
        await world.sleep(0.125)
        await world.liveness._look_at_listener()
    assert world.told[-1].hard == world.wrong
    assert world.reopened_at_s == [100.125, 101.125, 102.125]
    assert await still_hard(world)
    world.cannot_reopen = None
    await world.sleep(1.0)
    await world.liveness._look_at_listener()
    assert "not proven to work again yet" in str(world.told[-1].hard)
    assert (await world.rounds()).hard is None


async def test_who_runs_again_has_proven_nothing() -> None:
    """After an error that nobody has foreseen, the next self-test decides."""
    world = World(answers=[None, KeyError("mitmproxy changed")])
    await world.rounds()
    world.liveness._sleep = lambda _: asyncio.sleep(0)
    with pytest.raises(ExceptionGroup):
        await world.liveness.run()
    assert world.liveness.health.hard == UNPROVEN.hard
    world.answers = [None]
    assert (await world.rounds()).hard is None


async def still_hard(world: World) -> bool:
    """A self-test that passes on loopback does not excuse a deaf virtual IP."""
    return (await world.rounds()).hard == world.wrong


async def test_the_lag_is_the_greatest_of_the_last_second() -> None:
    """One late turn is remembered for ten looks, then forgotten."""
    world = World(answers=[None])
    lags_s = []

    async def sleep(duration_s: float) -> None:
        lags_s.append(round(world.liveness.loop_lag_s, 3))
        if len(lags_s) == 15:
            raise asyncio.CancelledError
        world.now_s += duration_s + (0.7 if len(lags_s) == 2 else 0.01)

    world.liveness = Liveness(world, world.told.append, SelfTests(), clock=lambda: world.now_s, sleep=sleep)
    with pytest.raises(asyncio.CancelledError):
        await world.liveness._watch()
    assert lags_s == [0.0, 0.01, *[0.7] * 10, 0.01, 0.01, 0.01]


def test_self_tests_leave_no_trace(start_proxy: Start, origin: Origin) -> None:
    """In mitmdump's output there are the clients' lines and no line of any of our self-tests."""
    proxy = start_proxy()
    proxy.wait_healthy()
    with connected("127.0.0.77", proxy.port) as client:
        assert exchange(client, f"http://127.0.0.1:{origin.port}/").endswith(b"hello")
    proxy.wait_until("client disconnect")
    assert len(re.findall(r"client connect$", proxy.log, re.M)) == 1
    assert ".invalid" not in proxy.log
    assert len([bind for bind in proxy.binds() if bind == ("127.0.0.1", 0)]) >= 1, "there were self-tests"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n\r\nsomebody else"])
async def test_somebody_elses_answer_is_no_proof(answer: bytes) -> None:
    """What does not repeat the token was not answered by this proxy."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        endpoint = LoopbackEndpoint("regular", "regular", *server.sockets[0].getsockname())
        world = World(answers=[None], endpoints=(endpoint,))
        liveness = Liveness(world, world.told.append, SelfTests())
        await liveness._test_round()
    assert not world.told[-1].tests[0].passed
    assert "the first self-test failed: GET failed:" in str(world.told[-1].hard)


async def test_a_doubt_is_ended_by_a_test_that_began_after_it() -> None:
    """What was under way when the guardian gave the addresses up says nothing: it may be what stood still."""
    world = World(answers=[None])
    await world.rounds()
    ask = world.liveness._ask

    async def doubted(endpoint: LoopbackEndpoint) -> None:
        await ask(endpoint)
        world.liveness.doubt("the loop stood still for 1.2 s")

    world.liveness._ask = doubted
    unproven = "the loop stood still for 1.2 s; not proven to work again yet"
    assert (await world.rounds()).hard == unproven and world.told[-2].hard == unproven
    world.liveness._ask = ask
    assert (await world.rounds()).hard is None
