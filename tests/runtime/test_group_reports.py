"""Reports of one group, sent and heard: real nodes and drivers in virtual time; only the kernel is a fake."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.runtime.members import listed
from tests.runtime.members import members
from tests.runtime.members import start_three
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.carp.wire import Reject
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.client_page import MARK
from wsa_proxy.members.report import MEMBERS_MAX
from wsa_proxy.net.ports import Datagram
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime import report_of
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.health import SelfTestResult


@pytest.fixture
async def three(make_host: MakeHost) -> list[Host]:
    return await start_three(make_host)


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


async def test_of_two_masters_of_one_rank_one_stays(make_host: MakeHost) -> None:
    """They ask and answer each other at the same time: both would yield, and come back together."""
    a, b = make_host("a", 1), make_host("b", 2)
    for host in (a, b):
        await host.start()
    a.lan.carries_advertisement = lambda sender, receiver: False
    await asyncio.sleep(8)
    assert (a.state, b.state) == ("master", "master")
    for _ in ("acquainted", "asked", "answered"):
        before = len(a.lan.reports)
        for host in (a, b):
            host.node.reporting.groups[1].ask_owner()
        await asyncio.sleep(0.1)
        for report in a.lan.reports[before:]:
            for port in a.lan.report_ports:
                port.inbox.put(Datagram("10.0.0.9", report))
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    assert sorted((a.state, b.state)) == ["backup", "master"]


async def test_short_intervals_leave_time_to_answer_everybody(make_host: MakeHost) -> None:
    """Of 50 ms: a backup asks 38 ms before it takes over, and another one a moment later."""
    a, b, c = (make_host(name, number + 1, advbase=0, advskew=13 + number) for number, name in enumerate("abc"))
    a.lan.carries_report = lambda sender, receiver: True
    for host in (a, b, c):
        await host.start()
    await asyncio.sleep(2)
    a.lan.carries_advertisement = lambda sender, receiver: False
    for host in (b, c):
        host.node.reporting.groups[1].ask_owner()
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.005)
    heard = [host.node.reporting.groups[1].driver.virtual_host.last_master for host in (b, c)]
    assert heard == ["a", "a"], "by its reports; its advertisements are from 10.0.0.1"


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


async def test_an_answer_that_was_held_back_does_not_depose_its_successor(make_host: MakeHost) -> None:
    """Whoever keeps the last answers of a master that dies has nothing in hand a moment later."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: True
    await a.start()
    await b.start()
    await asyncio.sleep(8)
    a.lan.carries_advertisement = lambda sender, receiver: False
    a.lan.carries_report = lambda sender, receiver: (sender, receiver) != ("a", "b")
    before = len(a.lan.reports)
    await asyncio.sleep(3.3)
    assert b.state == "master"
    a.running = False
    held_back = a.lan.reports[before:]
    await asyncio.sleep(1.0)
    for report in held_back:
        a.lan.report_ports[1].inbox.put(Datagram("10.0.0.1", report))
    await asyncio.sleep(0.5)
    assert b.state == "master"
    assert listed(b)["a"]["age_s"] < 2, "they are believed, but answer nothing"


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


async def test_who_asks_often_is_answered_once(three: list[Host], monkeypatch: pytest.MonkeyPatch) -> None:
    """What an answer claims is looked up for each answer, not for each question."""
    a, b, _ = three
    await asyncio.sleep(6)
    looked_up: list[float] = []

    def serves(*values: Any) -> bool:
        looked_up.append(a.loop.now)
        return True

    monkeypatch.setattr(report_of, "serves", serves)
    for _ in range(20):
        b.node.reporting.groups[1].ask_owner()
    await asyncio.sleep(0.2)
    assert len([at_s for at_s in looked_up if at_s]) <= 2 * 3, "each of three nodes, at once and after a wait"


async def test_pages_of_clients_go_to_whoever_asked_for_them(three: list[Host]) -> None:
    """Unread by anybody else; what is not believed is counted by its reason, a report is no page, and nobody is given
    the pages of another group. Without somebody who asks nothing comes of them."""
    a, b, c = (host.node.reporting.groups[1] for host in three)
    await asyncio.sleep(3)
    given: list[bytes] = []

    def take(packed: bytes) -> Unread | None:
        given.append(packed)
        return Unread.REPLAY if len(given) > 1 else None

    b.on_page, c.on_page = take, lambda packed: None
    before, unread_c = b.unread.copy(), c.unread.copy()
    for page in (MARK + b"1", MARK + b"2"):
        a.send_page(page)
    await asyncio.sleep(1.5)
    assert given == [MARK + b"1", MARK + b"2"] and c.unread == unread_c
    assert b.unread == before | {Unread.REPLAY: before[Unread.REPLAY] + 1}
    b.receive_foreign(MARK + b"3", 2, "10.0.0.9")
    assert len(given) == 2 and b.unread[Unread.MALFORMED] == before[Unread.MALFORMED]


async def test_what_is_carried_is_in_the_next_report(three: list[Host]) -> None:
    """As it is then: the copies each time, the rest when it changes."""
    a, b, _ = (host.node.reporting.groups[1] for host in three)
    await asyncio.sleep(3)
    for drains, position in ((True, 3), (True, 4), (False, 4)):
        a.carry, a.copies = lambda drains=drains: {"drains": drains}, lambda at=position: {b.roster.life: at}  # type: ignore[misc]
        a.send()
        await asyncio.sleep(0.01)
        heard = b.roster.members[a.roster.life].newest
        assert (heard.carry, heard.copies) == ({"drains": drains}, {b.roster.life: position})


async def test_a_page_that_cannot_be_sent_is_a_trouble(three: list[Host]) -> None:
    """As a report that cannot."""
    a = three[0].node.reporting.groups[1]
    await asyncio.sleep(3)
    a._send = lambda datagram: "no way"
    a.send_page(MARK)
    assert a.trouble == "no way"
