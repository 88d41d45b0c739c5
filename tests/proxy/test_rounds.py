from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

import pytest

from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.rounds import Rounds
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits

REGULAR = LoopbackEndpoint("regular", "regular", "127.0.0.1", 8080)
SOCKS = LoopbackEndpoint("socks5", "socks5@1080", "127.0.0.1", 1080)
UPSTREAM = LoopbackEndpoint("upstream", "upstream:http://p:1", "127.0.0.1", 8081)


@dataclass
class World:
    """A proxy that answers, or not, as the test says; a clock that the test moves."""

    settings: HealthSettings = field(default_factory=HealthSettings)
    endpoints: list[LoopbackEndpoint] = field(default_factory=lambda: [REGULAR])
    now_s: float = 100.0
    asked: list[tuple[float, str, float]] = field(default_factory=list)
    """When, what, with which limit."""
    hangs: set[str] = field(default_factory=set)
    fails: dict[str, OSError] = field(default_factory=dict)
    takes_s: dict[str, float] = field(default_factory=dict)
    results: list[SelfTestResult] = field(default_factory=list)
    sent_s: float = float("inf")
    """How long ago others were sent something."""

    def __post_init__(self) -> None:
        self.rounds = Rounds(self, self.results.append, self.settings, lambda: self.now_s)
        self.tasks: set[asyncio.Task[None]] = set()
        self._hung: list[tuple[float, asyncio.Event]] = []

    async def get(self, endpoint: LoopbackEndpoint, limit_s: float) -> None:
        await self._ask(f"get {endpoint.spec}", limit_s)

    async def connect(self, endpoint: LoopbackEndpoint, limit_s: float) -> None:
        await self._ask("connect", limit_s)

    async def upstream(self, endpoint: LoopbackEndpoint, url: str, limit_s: float) -> None:
        await self._ask(f"upstream {url}", limit_s)

    def others_answered(self, within_s: float) -> bool:
        return self.sent_s < within_s

    async def _ask(self, what: str, limit_s: float) -> None:
        self.asked.append((self.now_s, what, limit_s))
        if what in self.hangs:
            over = asyncio.Event()
            self._hung.append((self.now_s + limit_s, over))
            await over.wait()
            raise TimeoutError
        self.now_s += self.takes_s.get(what, 0.0)
        if what in self.fails:
            raise self.fails[what]

    def start(self, test: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(test)
        self.tasks.add(task)

    async def run(self, seconds: float) -> None:
        """One round each second."""
        for _ in range(round(seconds)):
            self.rounds.begin(self.endpoints, self.start)
            await self._settle()
            self.now_s += 1.0
            for until_s, over in self._hung:
                if until_s <= self.now_s:
                    over.set()
            await self._settle()

    async def _settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        for task in [task for task in self.tasks if task.done()]:
            task.result()
            self.tasks.discard(task)

    def starts(self, what: str) -> list[float]:
        return [at_s - 100.0 for at_s, asked, _ in self.asked if asked == what]

    def failing(self) -> dict[str, str | None]:
        return {name: judge.failing for name, judge in self.rounds.judges.items()}


async def test_a_well_proxy_is_asked_each_second_and_tunnelled_through_each_fifth() -> None:
    """With the limits of the settings; every mode gets its GET, one of them the CONNECT."""
    world = World(endpoints=[SOCKS, UPSTREAM, REGULAR])
    await world.run(11)
    for name in ("get socks5@1080", "get upstream:http://p:1", "get regular"):
        assert world.starts(name) == [float(n) for n in range(11)]
    assert world.starts("connect") == [0, 5, 10]
    assert {limit for _, _, limit in world.asked} == {2.0}
    assert set(world.failing()) == {"get socks5@1080", "get upstream:http://p:1", "get regular", "connect"}
    assert world.rounds.proven and not any(world.failing().values())


async def test_a_mode_without_connect_is_proven_without() -> None:
    """SOCKS alone: no CONNECT is asked for, nor waited for."""
    world = World(endpoints=[SOCKS])
    await world.run(1)
    assert world.rounds.proven and world.starts("connect") == []


@pytest.mark.parametrize("silent", ["get regular", "get socks5@1080", "connect"])
async def test_nothing_is_proven_before_all_have_passed(silent: str) -> None:
    """Mastery waits for every mode and for the tunnel."""
    world = World(endpoints=[SOCKS, REGULAR], fails={silent: OSError("no")})
    await world.run(3)
    assert not world.rounds.proven
    world.fails.clear()
    await world.run(1)
    assert world.rounds.proven


async def test_no_answer_is_noticed_after_three_seconds() -> None:
    """GETs begin each second whether or not the one before has ended; at most three are open; two failures are one."""
    world = World()
    await world.run(2)
    world.hangs.add("get regular")
    await world.run(3)  # the first two ended at 4 and 5
    assert world.failing()["get regular"] == "no answer to GET for 2.0 s, limit 2.0, 2 times in a row"
    world.rounds.settings = replace(HealthSettings(), get=Limits(60.0, 2, 2))
    await world.run(10)
    assert len(world.tasks) == 3, "no more are open at a time"


async def test_an_error_is_noticed_after_two_rounds() -> None:
    """The evidence is the system's own word."""
    world = World()
    await world.run(1)
    world.fails["get regular"] = OSError(24, "Too many open files")
    await world.run(1)
    assert world.failing()["get regular"] is None
    await world.run(1)
    assert world.failing()["get regular"] == "GET failed: Too many open files, 2 times in a row"
    world.fails.clear()
    await world.run(1)
    assert world.failing()["get regular"] is not None
    await world.run(1)
    assert world.failing()["get regular"] is None


@pytest.mark.parametrize("wrong", ["slow", "failed"])
async def test_a_get_that_is_slow_or_fails_is_followed_by_a_connect_at_once(wrong: str) -> None:
    """Not five seconds later; a GET within half of its limit is not slow."""
    world = World(takes_s={"get regular": 0.9})
    await world.run(2)
    assert len(world.starts("connect")) == 1
    world = World()
    await world.run(2)
    if wrong == "slow":
        world.takes_s["get regular"] = 1.1
    else:
        world.fails["get regular"] = OSError("no")
    await world.run(1)
    assert world.starts("connect") == [0, pytest.approx(3.1 if wrong == "slow" else 2.0)]


async def test_a_connect_that_fails_is_repeated_each_second_until_that_is_settled() -> None:
    """A failure is known two seconds later, and its end as well."""
    world = World()
    await world.run(5)
    world.fails["connect"] = OSError("TLS: UNKNOWN_PROTOCOL")
    await world.run(2)
    assert world.starts("connect") == [0, 5, 6]
    assert world.failing()["connect"] == "CONNECT failed: TLS: UNKNOWN_PROTOCOL, 2 times in a row"
    world.fails.clear()
    await world.run(5)
    assert world.starts("connect") == [0, 5, 6, 7, 8]
    assert world.failing()["connect"] is None


async def test_a_connect_that_hangs_is_not_followed_by_another_before_it_has_ended() -> None:
    """It is the dear one; two that found nobody are a failure, four seconds after the first began."""
    world = World(hangs={"connect"})
    await world.run(4)
    assert world.starts("connect") == [0, 2]
    assert world.failing()["connect"] == "no answer to CONNECT for 2.0 s, limit 2.0, 2 times in a row"


async def test_a_busy_proxy_is_not_a_sick_one() -> None:
    """A self-test over its limit is no failure if others were answered meanwhile, and the evidence says so."""
    world = World()
    await world.run(1)
    world.hangs = {"get regular", "connect"}
    for _ in range(8):
        world.rounds.answered()
        await world.run(1)
    assert not any(world.failing().values())
    newest = world.rounds.judges["get regular"].newest
    assert newest is not None and not newest.passed and newest.duration_s == 2.0
    assert newest.evidence == "no answer to GET for 2.0 s, limit 2.0, but others were answered"


async def test_bytes_in_a_tunnel_are_an_answer() -> None:
    """mitmproxy tells nothing of them; the kernel does, for the time of the self-test and no longer."""
    world = World()
    await world.run(1)
    world.hangs, world.sent_s = {"get regular"}, 1.9
    await world.run(4)
    assert not any(world.failing().values()) and world.rounds.judges["get regular"].unsettled is False
    world.sent_s = 2.1
    await world.run(3)
    assert world.failing()["get regular"]


async def test_a_refused_connection_counts_whoever_is_answered() -> None:
    """Only slowness is excused: out of descriptors is a failure however many old connections still work."""
    world = World(fails={"get regular": OSError(24, "Too many open files")})
    for _ in range(3):
        world.rounds.answered()
        await world.run(1)
    assert world.failing()["get regular"]


async def test_a_doubt_is_ended_by_tests_that_began_after_it_rise_times() -> None:
    """What was under way says nothing: it may be what stood still."""
    world = World(hangs={"get regular"})
    world.rounds.begin(world.endpoints, world.start)
    await world._settle()
    world.hangs.clear()
    world.now_s += 1.0
    await world.run(2)
    assert world.rounds.proven
    world.rounds.doubt()
    assert not world.rounds.proven
    await world.run(1)
    assert not world.rounds.proven
    await world.run(1)
    assert world.rounds.proven


async def test_a_mode_that_is_added_later_takes_back_no_proof() -> None:
    """It is judged from then on, like the others; one that is removed is forgotten, also while it is asked."""
    world = World()
    await world.run(2)
    world.endpoints.append(SOCKS)
    world.hangs.add("get socks5@1080")
    await world.run(1)
    assert world.rounds.proven
    await world.run(3)
    assert world.failing()["get socks5@1080"]
    world.endpoints.remove(SOCKS)
    await world.run(3)
    assert set(world.failing()) == {"get regular", "connect"} and world.rounds.proven


async def test_the_upstream_test_is_slow_to_judge_and_proves_nothing() -> None:
    """Each tenth second; three failures; a node does not wait for it, and a slow server is not excused by others."""
    url = "https://www.example.com/"
    world = World(settings=HealthSettings(upstream=url), hangs={f"upstream {url}"})
    await world.run(1)
    assert world.rounds.proven
    for _ in range(23):
        world.rounds.answered()
        await world.run(1)
    assert world.starts(f"upstream {url}") == [0, 10, 20]
    assert world.failing()["upstream"] is None
    world.rounds.doubt()
    await world.run(2)
    assert world.failing()["upstream"] == f"no answer to GET {url} for 5.0 s, limit 5.0, 3 times in a row"
    assert world.rounds.proven, "a server that does not answer keeps no node out"
    world.rounds.settings = HealthSettings(upstream=url, upstream_limits=Limits(60.0, 2, 3))
    await world.run(24)
    assert world.starts(f"upstream {url}")[3:] == [30], "one at a time"
    world.rounds.settings = HealthSettings()
    await world.run(1)
    assert "upstream" not in world.failing()


async def test_other_limits_hold_from_then_on() -> None:
    """For the next self-test and for the row that is being counted."""
    world = World(fails={"get regular": OSError("no")}, settings=HealthSettings(get=Limits(2.0, 1, 9)))
    await world.run(2)
    assert not any(world.failing().values())
    world.rounds.settings = HealthSettings(get=Limits(0.5, 1, 3))
    await world.run(1)
    assert world.failing()["get regular"] == "GET failed: no, 3 times in a row"
    assert world.asked[-1][2] in (0.5, 2.0) and (102.0, "get regular", 0.5) in world.asked
