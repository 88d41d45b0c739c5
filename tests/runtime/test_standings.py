"""What follows from the members' reports: who gives way, who is no healthy standby, what is said."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from tests.runtime.members import listed
from tests.runtime.members import members
from tests.runtime.members import start_three
from tests.runtime.test_group_switch import done
from tests.runtime.test_group_switch import make
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.standings import AFTER_BETTER_S_MAX
from wsa_proxy.runtime.standings import AFTER_EACH_BETTER_S
from wsa_proxy.runtime.standings import Standings


@pytest.fixture
async def three(make_host: MakeHost) -> list[Host]:
    return await start_three(make_host)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"virtual_ips": ("10.0.0.4/24",)}, "VIP 10.0.0.4/24, here 10.0.0.3/24"),
        ({"security": ("sealed",)}, "security sealed, here carp"),
        ({"vhid": 7}, "Failover Group ID 7, here 1"),
        ({"peers": (ip_address("10.0.0.1"),)}, "advertisements unicast, here multicast"),
    ],
)
async def test_what_would_make_two_masters_keeps_the_odd_one_out(
    make_host: MakeHost, changes: dict[str, Any], words: str
) -> None:
    """It stays in INIT and says why; nobody else is disturbed. When it is alone it serves."""
    odd = {"priority": 100, "advskew": 155} | changes
    hosts = [make_host("a", 1), make_host("b", 2, priority=200, advskew=55), make_host("c", 9, **odd)]
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    a, b, c = hosts
    for n in range(200):
        await asyncio.sleep(0.1)
        assert b.state == "backup" and c.state != "master", n
        if n > 20:
            assert c.state == "init"
    assert a.state == "master" and any(f"node c: {words}" in each for each in members(a)["findings"])
    assert "both would be master" in c.driver.obstacles["mismatch"]
    assert members(a)["redundancy"]["healthy_standbys"] == 1
    assert listed(a)["c"]["is_ready"] is False
    a.running = b.running = False
    await asyncio.sleep(12)
    assert c.state == "master" and "mismatch" not in c.driver.obstacles


async def waits_s(hosts: list[Host]) -> dict[str, float]:
    """How much longer each standby waits after the bow-out of the master, whose death nobody knows from a report."""
    hosts[0].lan.carries_report = lambda sender, receiver: False
    (master,) = (host for host in hosts if host.state == "master")
    master.driver.set_obstacle("test", "it goes")
    await asyncio.sleep(0.001)
    standbys = [host for host in hosts if host is not master]
    return {host.node.settings.node: host.driver.virtual_host.after_better_s for host in standbys}


async def test_a_bow_out_is_for_the_best_standby(make_host: MakeHost) -> None:
    """The others wait longer for each that comes before, among equals by the address; but nobody for long."""
    ranks = {"a": 255, "b": 200, "c": 100, "d": 100, "e": 50, "f": 40, "g": 30}
    hosts = [
        make_host(name, number, priority=priority, advskew=255 - priority)
        for number, (name, priority) in enumerate(ranks.items(), 10)
    ]
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    await asyncio.sleep(8)
    found = await waits_s(hosts)
    each = AFTER_EACH_BETTER_S
    assert found == {"b": 0, "c": 2 * each, "d": each, "e": 3 * each, "f": 3 * each, "g": 3 * each}
    assert 3 * each == AFTER_BETTER_S_MAX


@pytest.mark.parametrize(
    ("what", "waits"),
    [("nothing", {"b": 0, "c": 1}), ("b is demoted", {"b": 1, "c": 1}), ("both are", {"b": 0, "c": 1})],
)
async def test_who_is_demoted_comes_after_who_is_well(three: list[Host], what: str, waits: dict[str, int]) -> None:
    """It knows that of itself at once, though nobody else does yet; where all are demoted, the rank decides."""
    await asyncio.sleep(6)
    for host in {"nothing": [], "b is demoted": three[1:2], "both are": three[1:]}[what]:
        host.driver.set_demotion("test", 1, "it is slow")
    if what == "both are":
        await asyncio.sleep(2.5)
    assert await waits_s(three) == {name: AFTER_EACH_BETTER_S * count for name, count in waits.items()}


@pytest.mark.parametrize("demotion", [0, 1])
async def test_who_is_heard_no_more_is_not_waited_for(three: list[Host], demotion: int) -> None:
    """After less than three intervals; nor where all are demoted."""
    for host in three[1:]:
        host.driver.set_demotion("test", demotion, "it is slow")
    await asyncio.sleep(6)
    three[1].running = False
    await asyncio.sleep(4)
    assert await waits_s([three[0], three[2]]) == {"c": 0}


async def test_after_a_switch_the_best_one_waits_for_nobody(make_host: MakeHost) -> None:
    """A switch binds nobody any more once the node that was switched to bows out."""
    hosts = await make(make_host, "abc", security=("sealed",))
    await done(hosts[0], "c")
    await asyncio.sleep(10)
    assert await waits_s(hosts) == {"a": 0, "b": AFTER_EACH_BETTER_S}


@pytest.mark.parametrize(("late_s", "first"), [(0.015, "b"), (0.05, "c")])
async def test_a_best_standby_that_is_late_is_waited_for(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, late_s: float, first: str
) -> None:
    """Its loop may be busy for some milliseconds; for longer nobody waits."""
    hosts = await make(make_host, "abc", security=("sealed",), preempt=False)
    reckoned = Standings._better_standbys

    def better_standbys(self: Standings, now_s: float) -> float:
        return late_s / AFTER_EACH_BETTER_S if self._reports.settings.node == "b" else reckoned(self, now_s)

    monkeypatch.setattr(Standings, "_better_standbys", better_standbys)
    hosts[0].driver.set_obstacle("test", "it goes")
    await asyncio.sleep(0.1)
    assert [host.node.settings.node for host in hosts[1:] if "acquire" in host.journal] == [first]


async def test_who_joins_with_another_address_gives_way_to_who_serves(make_host: MakeHost) -> None:
    """Whatever its priority: the clients of the one that serves are not taken from it."""
    b, c = make_host("b", 2, priority=200, advskew=55), make_host("c", 9, priority=100, advskew=155)
    a = make_host("a", 1, virtual_ips=("10.0.0.4/24",))
    a.lan.carries_report = lambda sender, receiver: True
    await b.start()
    await c.start()
    await asyncio.sleep(6)
    await a.start()
    await asyncio.sleep(10)
    assert [a.state, b.state, c.state] == ["init", "master", "backup"]


async def test_another_authority_is_not_ready(make_host: MakeHost) -> None:
    """The odd one is demoted, so that another takes over before it does; alone it serves. Allowed, it is as any."""
    facts = [ProxyFacts(ca="aa"), ProxyFacts(ca="bb"), ProxyFacts(ca="aa")]
    a = make_host("a", 1, facts=facts[0])
    b = make_host("b", 2, priority=200, advskew=55, facts=facts[1])
    c = make_host("c", 9, priority=100, advskew=155, facts=facts[2])
    a.lan.carries_report = lambda sender, receiver: True
    for host in (a, b, c):
        await host.start()
    await asyncio.sleep(8)
    assert (b.driver.virtual_host.demotion, c.driver.virtual_host.demotion) == (1, 0)
    assert "certificate authority" in listed(a)["b"]["not_ready"][0]
    assert members(a)["redundancy"]["healthy_standbys"] == 1
    a.running = False
    await asyncio.sleep(8)
    assert (b.state, c.state) == ("backup", "master")
    c.running = False
    await asyncio.sleep(8)
    assert b.state == "master" and b.driver.virtual_host.demotion == 0


async def test_a_dead_standby_is_told_within_three_intervals(
    three: list[Host], caplog: pytest.LogCaptureFixture
) -> None:
    """And that it is back; in the log once each."""
    a, b, c = three
    told: list[tuple[int, int, str]] = []
    a.node.reporting.groups[1].standings.on_redundancy = lambda *what: told.append(what)
    await asyncio.sleep(8)
    b.running = c.running = False
    await asyncio.sleep(3)
    redundancy = members(a)["redundancy"]
    assert redundancy["healthy_standbys"] == 0 and 0 <= redundancy["lost_s"] < 1
    assert "b: last heard" in redundancy["why"] and "c: last heard" in redundancy["why"]
    assert caplog.text.count("carp vhid=1 no healthy standby: b: last heard") == 1
    b.running = True
    await asyncio.sleep(3)
    assert members(a)["redundancy"] == {"healthy_standbys": 1, "lost_s": None, "why": None}
    assert [(vhid, standbys, text.split(":")[0]) for vhid, standbys, text in told] == [
        (1, 0, "no healthy standby"),
        (1, 1, "there is a healthy standby again"),
    ]
    assert caplog.text.count("carp vhid=1 there is a healthy standby again: b") == 2  # b has missed the others, too


async def test_a_silence_is_told_when_it_begins(make_host: MakeHost) -> None:
    """Not at the next report of the node that tells it, which would be after three intervals and more."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: True
    await b.start()
    await asyncio.sleep(0.65)
    await a.start()
    await asyncio.sleep(8.36)  # b has reported just now
    b.running = False
    await asyncio.sleep(2.65)
    assert members(a)["redundancy"]["healthy_standbys"] == 1
    await asyncio.sleep(0.1)
    assert members(a)["redundancy"]["healthy_standbys"] == 0


async def test_the_same_secrets_in_another_order_are_the_same(make_host: MakeHost) -> None:
    """As they are while a new one is put first, on one node after the other."""
    phrases = (b"a good phrase", b"another good one")
    hosts = [make_host("a", 1, pass_phrases=phrases), make_host("b", 2, pass_phrases=phrases[::-1], advskew=55)]
    hosts.append(make_host("c", 9, pass_phrases=phrases[:1], advskew=155))
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    await asyncio.sleep(8)
    assert listed(hosts[0])["b"]["mismatches"] == []
    assert len(listed(hosts[0])["c"]["mismatches"]) == 1
