"""A long turn of the loop delays nothing that is due, as long as anything in it calls ``look``."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.runtime.fakes import FakeAddresses
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.runtime.beat import Beat

STEP_S = 0.008


async def master(make_host: MakeHost, **changes: object) -> Host:
    host = make_host("a", 1, **changes)
    await host.start()
    await asyncio.sleep(3.6)
    assert host.state == "master"
    host.journal.clear()
    host.fake_leases.batches.clear()
    return host


def long_turn(host: Host, duration_s: float, *, looking: bool = True) -> list[tuple[float, str]]:
    """One turn of the loop made of many short callbacks; when each thing was done, in seconds of the turn."""
    began_at_s, done = host.loop.now, list[tuple[float, str]]()
    while host.loop.now - began_at_s < duration_s:
        host.loop.now += STEP_S
        if looking:
            host.node.pulse.look()
        done += [(host.loop.now - began_at_s, what) for what in host.journal]
        host.journal.clear()
    return done


async def test_a_long_turn_delays_no_advertisement_and_no_renewal(make_host: MakeHost) -> None:
    """Two groups, a turn of 5 s: each interval and each beat are kept to within a step and a look."""
    host = await master(make_host, more_vhids=(2,))
    done = long_turn(host, 5.0)
    at_s = [when_s for when_s, each in done if each == "advertise v4 1/0"]
    assert len(at_s) == 10
    apart_s = [later - earlier for earlier, later in zip(at_s[::2], at_s[2::2], strict=False)]
    assert all(1.0 <= each <= 1.0 + 2 * (0.01 + STEP_S) for each in apart_s), apart_s
    assert 18 <= len(host.fake_leases.batches) <= 20 and set(host.fake_leases.batches) == {2}
    assert host.holds_group(1) and host.holds_group(2)


async def test_without_a_look_everything_waits(make_host: MakeHost) -> None:
    """What blocks in a single callback must not be lived over: nothing is sent, the lease ends."""
    host = await master(make_host)
    assert long_turn(host, 5.0, looking=False) == [] and host.fake_leases.batches == []
    assert not host.holds


async def test_after_the_long_turn_the_timers_go_on(make_host: MakeHost) -> None:
    """What was done in the turn is not done again by the timer that was due in it."""
    host = await master(make_host)
    long_turn(host, 3.3)
    host.fake_leases.batches.clear()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert host.journal == []
    await asyncio.sleep(10)
    assert host.journal.count("advertise v4 1/0") == 10 and len(host.fake_leases.batches) in (39, 40)


async def test_a_node_without_news_is_hardly_asked(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks come by the thousand: the drivers' timers are looked at once in 10 ms at most, and what is not due is left
    alone: of 255 groups hardly one is."""
    host = await master(make_host)
    pulse = host.node.pulse
    looks: list[float] = []
    real = pulse._catch_up

    def look(beat: Beat) -> None:
        looks.append(host.loop.now)
        real(beat)

    monkeypatch.setattr(pulse, "_catch_up", look)
    monkeypatch.setattr(host.driver.timer, "catch_up", lambda: pytest.fail("nothing is due"))
    for _ in range(1000):
        host.loop.now += 0.0001
        pulse.look()
    assert 9 <= len(looks) <= 10


@pytest.mark.parametrize("slow", ["the renewal", "another group"])
async def test_what_becomes_due_in_a_look_is_done_in_it(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    """Nobody knows when the next one comes."""
    host = await master(make_host, more_vhids=(2,))
    assert host.node.pulse.beat is not None
    pulse, (first, second) = host.node.pulse, host.node.pulse.beat.drivers
    due_s = second.timer.fires_at_s

    def take_long() -> None:
        host.loop.now = due_s + 0.001

    if slow == "the renewal":
        monkeypatch.setattr(pulse, "between", take_long)
    else:
        monkeypatch.setattr(first.timer, "fires_at_s", due_s - 0.02)
        monkeypatch.setattr(first.timer, "catch_up", take_long)
    host.loop.now = due_s - 0.01
    pulse.look()
    assert "advertise v4 1/0" in host.journal


async def test_a_look_inside_a_turn_begins_no_other_turn(make_host: MakeHost) -> None:
    """A master that leaves closes its clients; mitmproxy's hooks are called in the middle of that, and look."""
    looked: list[int] = []
    host = make_host("a", 1, more_vhids=(2,))
    host.when_closing = lambda: looked.append(inside())

    def inside() -> int:
        before = len(host.journal)
        host.loop.now += 1.1  # all is due
        host.node.pulse.look()
        return len(host.journal) - before

    await host.start()
    await asyncio.sleep(3.6)
    host.journal.clear()
    host.driver.set_obstacle("test", "leaves")
    assert looked == [0]
    host.node.pulse.look()
    assert "advertise v4 1/0" in host.journal  # of the other group, whose advertisement was due


async def test_a_look_inside_a_look_does_nothing(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has found to be due may take long, and whoever is called meanwhile may look as well."""
    host = await master(make_host)
    depth = [0]
    turn = host.driver.timer.catch_up

    def slow() -> None:
        depth[0] += 1
        assert depth == [1]
        host.loop.now += 0.02
        host.node.pulse.look()
        turn()
        depth[0] -= 1

    monkeypatch.setattr(host.driver.timer, "catch_up", slow)
    host.loop.now += 1.1
    host.node.pulse.look()
    assert depth == [0] and "advertise v4 1/0" in host.journal


async def test_a_failing_group_keeps_no_other_one_from_its_deadline(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """And whoever called the hook hears nothing of it."""
    host = await master(make_host, more_vhids=(2,))

    def fail() -> None:
        raise RuntimeError("a mistake of ours")

    host.driver.timer.catch_up = fail  # type: ignore[method-assign]
    assert host.node._beat is not None
    host.node._beat._leases.beat = fail  # type: ignore[assignment,method-assign]
    with caplog.at_level(logging.ERROR):
        done = long_turn(host, 1.1)
    assert "advertise v4 1/0" in [what for _, what in done]
    assert "carp vhid=1 failed to keep its deadline" in caplog.text and "renewal failed" in caplog.text


async def test_before_the_start_and_after_the_end_nothing_is_due(make_host: MakeHost) -> None:
    """Hooks are called from before ``running`` until after ``done``."""
    host = make_host("a", 1)
    host.node.pulse.look()
    assert host.journal == []
    await host.start()
    await asyncio.sleep(3.6)
    host.node.stop("the test is over")
    host.node.close()
    host.journal.clear()
    assert long_turn(host, 3.0) == []


async def test_a_takeover_of_many_groups_keeps_the_leases_of_the_first_ones(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred deadlines pass at once, and the kernel takes 25 ms for each: the loop does not turn for 2.5 s."""
    host = make_host("a", 1, more_vhids=range(2, 101))
    acquire, ended = FakeAddresses.acquire, list[int]()

    def watched(addresses: FakeAddresses) -> None:
        host.loop.now += 0.025
        ended.extend(vhid for vhid in host.leases_until_s if not host.holds_group(vhid))
        acquire(addresses)

    monkeypatch.setattr(FakeAddresses, "acquire", watched)
    await host.start()
    await asyncio.sleep(9)
    assert len(host.leases_until_s) == 100 and ended == []
