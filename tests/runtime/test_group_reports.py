"""Members that see each other: real nodes, reports and drivers in virtual time; only the kernel is a fake."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.carp.wire import Reject
from wsa_proxy.members.report import MEMBERS_MAX
from wsa_proxy.net.ports import Datagram
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.health import SelfTestResult


def members(host: Host) -> dict[str, Any]:
    told: dict[str, Any] = host.node.status()["groups"][0]["members"]
    return told


def listed(host: Host) -> dict[str, dict[str, Any]]:
    return {each["node"]: each for each in members(host)["list"]}


@pytest.fixture
async def three(make_host: MakeHost) -> list[Host]:
    hosts = [
        make_host("a", 1),
        make_host("b", 2, priority=200, advskew=55),
        make_host("c", 9, priority=100, advskew=155),
    ]
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    return hosts


async def test_all_see_all(three: list[Host]) -> None:
    """Within a few intervals, with role, health and age."""
    await asyncio.sleep(5)
    b = three[1]
    assert [host.state for host in three] == ["master", "backup", "backup"]
    for host in three:
        others = {each.name for each in three} - {host.name}
        assert set(listed(host)) == others
        assert all(each["is_fresh"] and each["age_s"] <= 1.0 and each["is_ready"] for each in listed(host).values())
        assert members(host)["findings"] == [] and members(host)["redundancy"]["healthy_standbys"] == 2
    assert listed(b)["a"]["state"] == "master" and listed(b)["a"]["priority"] == 255


@pytest.mark.parametrize("blocked", [{("a", "b"), ("a", "c")}, {("b", "a"), ("c", "a")}, "all"])
async def test_filtered_advertisements_make_no_second_master(three: list[Host], blocked: Any) -> None:
    """One owner throughout; then it dies, and is followed."""
    a, b, c = three
    await asyncio.sleep(5)
    a.lan.carries_advertisement = lambda sender, receiver: blocked != "all" and (sender, receiver) not in blocked
    for _ in range(600):
        await asyncio.sleep(0.1)
        assert [host.state for host in three] == ["master", "backup", "backup"]
    findings = members(b)["findings"] + members(a)["findings"]
    if blocked == "all" or ("a", "b") in blocked:
        assert any("advertisements are blocked between a and b" in each for each in findings), findings
    a.running = False
    await asyncio.sleep(4.5)
    assert b.state == "master" and c.state == ("backup" if blocked != "all" else c.state)


async def test_a_cold_start_behind_a_filter(make_host: MakeHost) -> None:
    """A node that has never heard an advertisement asks as well."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: True
    a.lan.carries_advertisement = lambda sender, receiver: False
    await a.start()
    await asyncio.sleep(5)
    await b.start()
    for _ in range(300):
        await asyncio.sleep(0.1)
        assert (a.state, b.state) == ("master", "backup")


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


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"virtual_ips": ("10.0.0.3/16",)}, "netmask 10.0.0.3/16, here 10.0.0.3/24"),
        ({"hostname": "other.example.com"}, "hostname other.example.com, here proxy.example.com"),
        ({"preempt": False}, "Failover Handling non-preemptive, here preemptive"),
        ({"port": 8081}, "port 8081, here 8080"),
        ({"virtual_mac": True}, "mac virtual, here interface"),
        ({"advbase": 2}, "advertisement interval 2 s, here 1 s"),
        ({"pass_phrases": (b"a good phrase", b"the next one")}, "list of Shared Secrets"),
        ({"facts": ProxyFacts(options={"ssl_insecure": "True"})}, "option ssl_insecure True, here none"),
    ],
)
async def test_what_differs_is_named_and_changes_nothing(
    make_host: MakeHost, changes: dict[str, Any], words: str
) -> None:
    """Exactly that, on both sides, and the odd one is as good a standby as any."""
    hosts = [make_host("a", 1), make_host("b", 2, priority=200, advskew=55, **changes)]
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    await asyncio.sleep(8)
    a, b = hosts
    assert (a.state, b.state) == ("master", "backup")
    (finding,) = members(a)["findings"]
    assert finding.startswith("node b: ") and words in finding
    assert len(members(b)["findings"]) == 1 and listed(a)["b"]["is_ready"]


async def test_another_secret_is_only_suspected(make_host: MakeHost) -> None:
    """It is said, and changes nothing."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    c = make_host("c", 9, priority=100, advskew=155, pass_phrases=(b"another phrase",))
    a.lan.carries_report = lambda sender, receiver: True
    for host in (a, b):
        await host.start()
    await asyncio.sleep(8)
    await c.start()
    await asyncio.sleep(2.5)
    assert (a.state, b.state) == ("master", "backup")
    assert any("another Shared Secret" in each for each in members(a)["findings"])
    assert listed(a).keys() == {"b"} and "c" not in a.driver.obstacles


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
    assert caplog.text.count("carp vhid=1 there is a healthy standby again: b") == 2  # b has missed the others, too


async def test_two_masters_that_do_not_hear_each_other_meet_through_their_reports(make_host: MakeHost) -> None:
    """As soon as reports pass again, within an interval: the better one stays, and announces itself again."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    await a.start()
    await b.start()
    a.lan.carries_advertisement = lambda sender, receiver: False
    await asyncio.sleep(8)
    assert (a.state, b.state) == ("master", "master")
    a.journal.clear()
    a.lan.carries_report = lambda sender, receiver: True
    await asyncio.sleep(2.1)
    assert (a.state, b.state) == ("master", "backup")
    assert "announce" in a.journal


async def test_a_replay_answers_nothing(make_host: MakeHost) -> None:
    """All that a dead master has ever said, said again to whom it was said: its successor comes no later."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: True
    await a.start()
    await b.start()
    await asyncio.sleep(8)
    recorded = list(a.lan.reports)
    a.running = False
    for _ in range(40):
        await asyncio.sleep(0.1)
        for report in recorded:
            a.lan.report_ports[1].inbox.put(Datagram("10.0.0.1", report))
    assert b.state == "master"
    assert members(b)["unread"]["replay"] > 100


async def test_a_master_that_does_not_serve_does_not_answer(make_host: MakeHost) -> None:
    """Its kernel has lost the address, or no self-test has passed for a while."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: True
    await a.start()
    await b.start()
    await asyncio.sleep(8)
    a.lan.carries_advertisement = lambda sender, receiver: False
    long_ago = SelfTestResult("get regular", True, "", 0.01, a.loop.time() - 60)
    a.node.health = Health(hard=None, soft=None, tests=(long_ago,))
    await asyncio.sleep(4)
    assert b.state == "master"


async def test_a_cold_node_is_told_the_time_of_the_group(make_host: MakeHost) -> None:
    """What a replay has taught it does not count: the next ones are old."""
    a = make_host("a", 1, security=("sealed",))
    a.lan.carries_report = lambda sender, receiver: True
    await a.start()
    await asyncio.sleep(4)
    captured = []
    for _ in range(5):
        captured.append(a.says(1, 0, 0))
        await asyncio.sleep(1)
    await asyncio.sleep(600)
    b = make_host("b", 2, priority=200, advskew=55, security=("sealed",))
    await b.start()
    b.inbox.items.clear()
    b.inbox.put(Packet(4, "10.0.0.1", a.mac, 255, captured[0]))
    await asyncio.sleep(0.01)
    assert b.driver.record.received == 1  # the first contact
    await asyncio.sleep(0.5)  # reports in both directions
    a.running = False
    b.inbox.put(Packet(4, "10.0.0.1", a.mac, 255, captured[1]))
    await asyncio.sleep(0.1)
    assert b.driver.record.rejects[Reject.STALE] + b.driver.record.rejects[Reject.REPLAY] == 1


async def test_without_a_secret_nothing_is_known(make_host: MakeHost) -> None:
    """And the status says so."""
    host = make_host("a", 1, pass_phrases=())
    host.lan.carries_report = lambda sender, receiver: True
    await host.start()
    await asyncio.sleep(8)
    assert host.lan.reports == [] and members(host)["reports"].startswith("no shared_secret")


async def test_a_flood_provokes_no_flood(three: list[Host]) -> None:
    """Old reports of lives that nobody knows any more: a few answers in an interval, and bounded memory."""
    a, b, _ = three
    await asyncio.sleep(6)
    recorded = list(a.lan.reports)
    a.running = False
    d = b.lan.report_ports[1].host
    before = len(a.lan.reports)
    reports = d.node.reporting.groups[1]
    reports.roster.members.clear()
    for _ in range(10):
        for report in recorded:
            b.lan.report_ports[1].inbox.put(Datagram("10.0.0.1", report))
        await asyncio.sleep(0.1)
    assert len(a.lan.reports) - before < 2 * 10
    assert len(reports.roster.members) <= MEMBERS_MAX


async def test_a_trouble_in_sending_is_said_once(make_host: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """And shown for as long as it lasts; advertisements go on."""
    host = make_host("a", 1)
    host.report_error = OSError(1, "Operation not permitted")
    await host.start()
    await asyncio.sleep(10)
    assert host.state == "master" and members(host)["reports"] == "Operation not permitted"
    assert caplog.text.count("member reports cannot be sent: Operation not permitted") == 1
    host.report_error = None
    await asyncio.sleep(2)
    assert members(host)["reports"] == "sent"
