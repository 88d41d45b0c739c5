"""Planned switches by consent: real nodes, reports and drivers in virtual time; only kernel and proxy are fakes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.members.switching import CONFIRMED_S
from wsa_proxy.members.switching import PASSED_ON_S
from wsa_proxy.members.switching import PROOF_S
from wsa_proxy.runtime.group_switch import Departure
from wsa_proxy.runtime.group_switch import ProxySide

SETTLED_S = 5.0
USUAL_S = 0.005
"""Two masters at once, when one takes over from the other: these frames travel at once."""


def owners(hosts: Sequence[Host]) -> str:
    return "".join(host.name for host in hosts if host.state == "master")


class Watch:
    """How long there was nobody, and how long there were two, at the longest, among these."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self.hosts = hosts
        self._now_s = hosts[0].loop.time
        self._longest_s: dict[int, float] = {}
        self._owners, self._since_s = len(owners(hosts)), self._now_s()
        for host in hosts:
            host.node._tell_others = lambda vhid, transition: self.look()

    def look(self) -> None:
        now_s, count = self._now_s(), min(2, len(owners(self.hosts)))
        self._longest_s[self._owners] = max(self._longest_s.get(self._owners, 0.0), now_s - self._since_s)
        if count != self._owners:
            self._owners, self._since_s = count, now_s

    @property
    def none_s(self) -> float:
        self.look()
        return self._longest_s.get(0, 0.0)

    @property
    def two_s(self) -> float:
        self.look()
        return self._longest_s.get(2, 0.0)


async def make(make_host: MakeHost, names: str = "abc", **changes: Any) -> list[Host]:
    ranks = {"a": (1, 255, 0), "b": (2, 200, 55), "c": (9, 100, 155)}
    hosts = []
    for name in names:
        number, priority, advskew = ranks[name]
        hosts.append(make_host(name, number, priority=priority, advskew=advskew, **changes))
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    await asyncio.sleep(SETTLED_S)
    assert owners(hosts) == "a"
    return hosts


def answer(host: Host, to: str = "") -> asyncio.Task[dict[str, Any]]:
    return asyncio.get_running_loop().create_task(host.node.switch("1", to))


async def done(host: Host, to: str = "") -> str:
    told = await answer(host, to)
    assert "error" not in told, told
    (text,) = told["changes"]
    return str(text)


async def refused(host: Host, to: str = "") -> str:
    told = await answer(host, to)
    assert "changes" not in told, told
    return str(told["error"])


def away(host: Host) -> str | None:
    """The node to which it was switched, by its own status."""
    told = host.node.status()["groups"][0]["members"]["switched_away"]
    return told and str(told["to"])


WAYS: list[dict[str, Any]] = [
    {},
    {"preempt": False},
    {"security": ("sealed",)},
    {"security": ("sealed",), "preempt": False},
    {"virtual_mac": True},
    {"security": ("sealed",), "virtual_mac": True},
    {"security": ("sealed",), "virtual_ips": ("10.0.0.3/24", "fd00::3/64")},
]


@pytest.mark.parametrize("changes", WAYS)
@pytest.mark.parametrize("by", "abc")
async def test_there_and_back(make_host: MakeHost, changes: dict[str, Any], by: str) -> None:
    """To the worst of three, from any of them: it stays there; then to the best, and nobody is demoted any more."""
    hosts = a, b, c = await make(make_host, **changes)
    giver = next(host for host in hosts if host.name == by)
    watch = Watch(hosts)
    assert await done(giver, "c") == "group 1: node c is master"
    assert owners(hosts) == "c" and (away(a), away(b), away(c)) == ("c", "c", None)
    assert a.last_transition() == "MASTER -> BACKUP better_advertisement_received"
    await asyncio.sleep(30)
    assert owners(hosts) == "c" and a.driver.demotions.reasons == {"switch": "switched to c by the operator"}
    listed = {each["node"]: each for each in c.node.status()["groups"][0]["members"]["list"]}
    assert listed["a"]["switched_away"]["to"] == "c" and listed["a"]["is_ready"] and listed["a"]["health"] == "well"
    assert c.node.status()["groups"][0]["members"]["redundancy"]["healthy_standbys"] == 2
    await done(giver, "a")
    await asyncio.sleep(30)
    assert owners(hosts) == "a" and not any(host.driver.virtual_host.demotion or away(host) for host in hosts)
    assert watch.none_s == 0 and watch.two_s <= USUAL_S


async def test_the_addresses_go_as_on_an_orderly_stop(make_host: MakeHost) -> None:
    """Kept until the successor is heard, then silently, then released; no bow-out; said first, then advertised."""
    a, b = await make(make_host, "ab", security=("sealed",))
    a.journal.clear()
    await done(a)
    await asyncio.sleep(2.5)  # no connection is there, but one could have begun until the successor was heard
    assert b.holds and not a.holds
    said = [each for each in a.journal if each != "settle"]
    assert said[0] == "advertise v4 1/240" and "hold silently" in said and said[-2:] == ["close connections", "release"]
    assert not any("255/255" in each for each in a.journal)


async def test_the_best_standby_is_taken_if_none_is_named(make_host: MakeHost) -> None:
    """By priority; the one that is unwell is passed over."""
    hosts = _, b, _ = await make(make_host)
    await done(hosts[0])
    assert owners(hosts) == "b"
    await done(hosts[2], "a")
    b.node.operator.demote("broken")
    await asyncio.sleep(1)
    await done(b)
    assert owners(hosts) == "c"


async def test_what_is_refused(make_host: MakeHost) -> None:
    """Each with its reason; the master goes on, and nobody is demoted."""
    a, b, c = await make(make_host)
    assert await refused(a, "a") == "group 1: node a is master already"
    assert await refused(b, "x") == "group 1: no member is called x"
    b.node.operator.demote("it hums")
    await asyncio.sleep(0.2)
    assert "node b: demoted by the operator: it hums" in await refused(c, "b")
    c.running = False
    await asyncio.sleep(4)
    assert "node c: last heard" in await refused(a, "c")
    assert "node b: demoted" in (told := await refused(a)) and "node c: last heard" in told
    assert owners([a, b]) == "a" and a.driver.virtual_host.demotion == 0


def proves(host: Host, prove: Any) -> None:
    switch = host.node.switches.groups[1]
    switch._proxy = ProxySide(prove=prove)


async def test_the_node_proves_itself_first(make_host: MakeHost) -> None:
    """Asked once, by the order; what it says decides, and nothing has moved until then."""
    hosts = a, b = await make(make_host, "ab")
    asked: list[float] = []

    async def says(why_not: str, after_s: float) -> str:
        asked.append(a.loop.now)
        await asyncio.sleep(after_s)
        return why_not

    proves(b, lambda: says("GET failed: refused", 0.5))
    assert await refused(a) == "group 1: node b cannot serve: GET failed: refused; a goes on"
    proves(b, lambda: says("", PROOF_S + 1))
    assert await refused(a) == f"group 1: node b has not said within {PROOF_S:g} s that it is ready; a goes on"
    proves(b, lambda: 1 / 0)
    assert "could not be asked: ZeroDivisionError" in await refused(a)
    assert len(asked) == 2 and owners(hosts) == "a" and b.journal.count("acquire") == 0
    proves(b, lambda: says("", 1.0))
    await done(a)
    assert owners(hosts) == "b" and len(asked) == 3


async def test_nothing_moves_without_the_word_of_each(make_host: MakeHost) -> None:
    """A third node that might take over instead."""
    hosts = _a, b, c = await make(make_host)
    c.node.switches.groups[1].close()  # as one of an earlier version: its reports say nothing of it
    c.node.reporting.groups[1].on_report = []
    assert f"node c has not confirmed it within {CONFIRMED_S:g} s; a goes on" in await refused(b, "b")
    await asyncio.sleep(3)
    assert owners(hosts) == "a" and b.driver.virtual_host.demotion == 0


async def test_nobody_takes_an_order_up(make_host: MakeHost) -> None:
    """All masters are gone, or do not hear."""
    hosts = a, b = await make(make_host, "ab")
    a.lan.carries_report = lambda sender, receiver: (sender, receiver) != ("b", "a")
    began_s = a.loop.now
    assert f"no master has taken it up within {PASSED_ON_S:g} s" in await refused(b)
    assert PASSED_ON_S <= a.loop.now - began_s < PASSED_ON_S + 0.2 and owners(hosts) == "a"


async def test_orders_from_two_nodes_at_once(make_host: MakeHost) -> None:
    """One is carried out, the other hears why not."""
    hosts = _, b, c = await make(make_host)
    watch = Watch(hosts)
    one, other = await asyncio.gather(answer(b, "b"), answer(c, "c"))
    won = [name for name, told in (("b", one), ("c", other)) if "changes" in told]
    assert len(won) == 1 and owners(hosts) == won[0]
    (error,) = [told["error"] for told in (one, other) if "error" in told]
    assert f"a switch to node {won[0]} is under way" in error
    assert watch.none_s == 0 and watch.two_s <= USUAL_S


@pytest.mark.parametrize("security", [("sealed",), ("carp",)])
async def test_what_is_lost_is_repeated(make_host: MakeHost, security: tuple[str, ...]) -> None:
    """Two of five reports, throughout."""
    hosts = a, _, c = await make(make_host, security=security)
    random = Random(1)
    a.lan.carries_report = lambda sender, receiver: random.random() < 0.6
    watch = Watch(hosts)
    await done(c, "c")
    assert owners(hosts) == "c" and watch.none_s == 0 and watch.two_s <= USUAL_S


async def test_the_advertisement_of_the_move_is_lost(make_host: MakeHost) -> None:
    """It is said again a moment later, not an interval later."""
    hosts = a, _b = await make(make_host, "ab", security=("sealed",))
    lost = 1

    def carries(sender: str, receiver: str) -> bool:
        nonlocal lost
        if sender == "a" and a.driver.virtual_host.demotion and lost:
            lost -= 1
            return False
        return True

    a.lan.carries_advertisement = carries
    began_s = a.loop.now
    await done(a)
    assert owners(hosts) == "b" and lost == 0 and a.loop.now - began_s < 0.5


async def test_nobody_takes_over(make_host: MakeHost) -> None:
    """The node does not hear the advertisements: the master has been master all the time, and goes on undemoted."""
    hosts = a, _b, _ = await make(make_host)
    a.lan.carries_advertisement = lambda sender, receiver: receiver != "b"
    watch = Watch(hosts)
    assert await refused(a, "b") == "group 1: node b has not taken over; a goes on"
    await asyncio.sleep(0.5)
    assert owners(hosts) == "a" and watch.none_s == 0 and a.holds and not a.driver.leaving.keeps
    assert [host.driver.virtual_host.demotion for host in hosts] == [0, 0, 0]
    a.lan.carries_advertisement = lambda sender, receiver: True
    await asyncio.sleep(20)
    assert owners(hosts) == "a"


@pytest.mark.parametrize("preempt", [True, False])
@pytest.mark.parametrize("how", ["cable", "operator", "proxy"])
async def test_it_ends_when_the_other_fails(make_host: MakeHost, preempt: bool, how: str) -> None:
    """On all nodes, at once; then whoever is best is master, as usual."""
    hosts = a, b, c = await make(make_host, preempt=preempt, security=("sealed",))
    await done(a, "c")
    await asyncio.sleep(10)
    watch = Watch(hosts)
    if how == "cable":
        c.running = False
    elif how == "operator":
        c.node.operator.demote("enough")
    else:
        a.lan.carries_report = lambda sender, receiver: False  # the bow-out alone, as its guardian says it
        c.node.set_health(type(c.node.health)(hard="the listener is gone", soft=None))
    await asyncio.sleep(0.1 if how != "cable" else 3.5)
    # After a bow-out the best one follows at once, and alone: nobody is demoted any more when it is judged.
    first = "a" if how == "proxy" else owners([a, b])
    assert owners([a, b]) == first and len(first) == 1 and watch.none_s <= (3.3 if how == "cable" else 0.0)
    assert how != "proxy" or watch.two_s == 0.0
    assert a.driver.virtual_host.demotion == b.driver.virtual_host.demotion == 0 and away(a) is None
    await asyncio.sleep(10)
    assert not preempt or owners([a, b]) == "a"


async def test_a_new_life_is_not_bound(make_host: MakeHost) -> None:
    """Whoever restarts the node switched away wants it to work: it preempts, and the decision is over on all."""
    hosts = a, b, c = await make(make_host)
    await done(a, "c")
    a.node.stop("restart")
    a.node.close()
    again = make_host("a", 1, priority=255, advskew=0)
    await again.start()
    await asyncio.sleep(10)
    hosts = [again, b, c]
    assert owners(hosts) == "a" and not any(host.driver.virtual_host.demotion or away(host) for host in hosts)


@pytest.mark.parametrize("at_s", [0.0, 0.02, 0.05, 0.06, 0.1, 0.2])
@pytest.mark.parametrize("who", "abc")
async def test_somebody_dies_in_the_middle(make_host: MakeHost, who: str, at_s: float) -> None:
    """At any moment, without a word: never longer without an owner than after any death, never two for long."""
    hosts = await make(make_host, security=("sealed",))
    victim = next(host for host in hosts if host.name == who)
    proves(hosts[2], lambda: asyncio.sleep(0.05, ""))
    watch = Watch([host for host in hosts if host is not victim])
    order = answer(hosts[1], "c")
    await asyncio.sleep(at_s)
    victim.running = False
    victim.node.set_health(type(victim.node.health)(hard="dead", soft=None))
    await order
    await asyncio.sleep(10)
    others = [host for host in hosts if host is not victim]
    assert len(owners(others)) == 1 and watch.none_s < 4.0 and watch.two_s <= USUAL_S


async def test_the_node_stops_in_the_middle(make_host: MakeHost) -> None:
    """Its own order counts; the addresses are with somebody at every moment, and go here."""
    hosts = a, _b = await make(make_host, "ab", security=("sealed",))
    watch = Watch(hosts)
    order = answer(a)
    await asyncio.sleep(0.01)
    a.node.stop("orderly stop")
    a.node.close()
    await order
    await asyncio.sleep(1)
    assert owners(hosts) == "b" and not a.holds and watch.none_s < 0.02


async def slowly(departure: Departure, addresses: object) -> None:
    """The last answers take 0.3 s, as they may."""
    departure.begin("switch")
    while departure.awaits_successor:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    departure.fall_silent()
    await asyncio.sleep(0.3)
    departure.let_go("switch")


async def test_the_other_one_dies_while_the_last_answers_leave(make_host: MakeHost) -> None:
    """Who has the address silently is master again, and keeps it when the last answer has left."""
    hosts = a, b = await make(make_host, "ab", security=("sealed",))
    a.node.switches.groups[1]._proxy = ProxySide(hand_over=slowly)
    watch = Watch(hosts)
    order = answer(a)
    while owners(hosts) != "b":  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    assert a.driver.leaving.keeps and "hold silently" in a.journal
    b.node.set_health(type(b.node.health)(hard="the listener is gone", soft=None))
    await asyncio.sleep(0.02)
    assert owners(hosts) == "a" and not order.done() and not a.driver.leaving.keeps
    await order
    await asyncio.sleep(1)
    assert owners(hosts) == "a" and a.holds and "release" not in a.journal and watch.none_s <= 0.011


async def test_whoever_was_switched_away_knows_first_that_it_is_its_turn(make_host: MakeHost) -> None:
    """The report comes before the advertisement: one of these is enough, and nothing is waited for."""
    hosts = _, b = await make(make_host, "ab", security=("sealed",))
    await done(b)
    await asyncio.sleep(3)
    b.journal.clear()
    await done(b, "a")
    said = [each for each in b.journal if each.startswith("advertise")]
    assert said[0] == "advertise v4 1/240" and all("own MAC" in each for each in said[1:]) and owners(hosts) == "a"


async def test_it_comes_to_its_end_whatever_fails(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that cannot be made, and nobody is heard any more: time passes all the same."""
    a, b = await make(make_host, "ab")
    proves(b, lambda: asyncio.sleep(1.0, ""))
    order = answer(a)
    await asyncio.sleep(0.001)
    a.lan.carries_report = lambda sender, receiver: False

    def fails(**more: Any) -> None:
        raise RuntimeError("nobody has thought of this")

    with monkeypatch.context() as patch:
        patch.setattr(a.node.reporting.groups[1], "send", fails)
        await asyncio.sleep(0.06)
    assert "a goes on" in (await order)["error"]
