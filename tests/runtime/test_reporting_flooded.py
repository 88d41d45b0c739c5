"""Whoever sends datagrams without a secret, or copies of those that have one, changes nothing that members do."""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.runtime.members import listed
from tests.runtime.members import members
from tests.runtime.members import start_three
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.members.cipher import Cipher
from wsa_proxy.members.report import Report
from wsa_proxy.members.report import unpack
from wsa_proxy.net.ports import Datagram
from wsa_proxy.runtime import group_reports
from wsa_proxy.runtime.group_reports import CONTACTS_PER_S

FORGED = Cipher(1, [bytes(32)], os.urandom).seal(b"of this group")
FOREIGN = Cipher(77, [bytes(32)], os.urandom).seal(b"of another cluster on this LAN")


async def flood(host: Host, datagrams: list[bytes], seconds: float) -> None:
    """Three thousand a second."""
    port = next(each for each in host.lan.report_ports if each.host is host)
    for number in range(round(seconds * 1000)):
        for each in range(3):
            port.inbox.put(Datagram("10.0.0.66", datagrams[(3 * number + each) % len(datagrams)]))
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("datagram", [FORGED, FOREIGN], ids=["forged", "foreign"])
async def test_no_planned_switch_is_undone(make_host: MakeHost, datagram: bytes) -> None:
    """The one who was switched away hears the other all the time, and so stays what it is."""
    hosts = a, _, c = await start_three(make_host)
    await asyncio.sleep(5)
    assert "changes" in await a.node.switch("1", "c")
    await flood(a, [datagram], 5)
    assert [host.state for host in hosts] == ["backup", "backup", "master"]
    assert listed(a)["c"]["is_fresh"] and members(a)["redundancy"]["healthy_standbys"] == 2
    assert a.driver.virtual_host.demotion == 1 and members(c)["findings"] == []


@pytest.mark.parametrize("vhid", [1, 77])
async def test_two_ids_for_one_address_make_no_two_owners(make_host: MakeHost, vhid: int) -> None:
    """The one that gave way goes on hearing to whom."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55, vhid=2)
    a.lan.carries_report = lambda sender, receiver: True
    await a.start()
    await b.start()
    await asyncio.sleep(8)
    assert (a.state, b.state) == ("master", "init")
    await flood(b, [Cipher(vhid, [bytes(32)], os.urandom).seal(b"x")], 5)
    assert (a.state, b.state) == ("master", "init")


async def test_what_was_recorded_is_not_read_again(make_host: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known by its number, at little cost; and it keeps no member from being heard."""
    a, b, _ = await start_three(make_host)
    await asyncio.sleep(6)
    recorded = list(a.lan.reports)
    before = members(b)["unread"]["replay"]
    read: list[bytes] = []

    def reads(packed: bytes) -> Report:
        read.append(packed)
        return unpack(packed)

    monkeypatch.setattr(group_reports, "unpack", reads)
    await flood(b, recorded, 5)
    assert listed(b)["a"]["is_fresh"] and listed(b)["c"]["is_fresh"]
    assert members(b)["redundancy"]["lost_s"] is None and (a.state, b.state) == ("master", "backup")
    assert members(b)["unread"]["replay"] - before > 5_000 and len(read) < 100


async def test_lives_that_nobody_knows_are_heard_a_little(make_host: MakeHost) -> None:
    """What others have said once, to a node that was not there: it has no time for all of it."""
    a, b, _ = await start_three(make_host)
    await asyncio.sleep(100)
    recorded = list(a.lan.reports)
    assert len(recorded) > 250
    d = make_host("d", 4, priority=50, advskew=205)
    a.lan.carries_report = lambda sender, receiver: "d" not in (sender, receiver)
    await d.start()
    await asyncio.sleep(0.01)
    port = a.lan.report_ports[-1]
    for report in recorded:
        port.inbox.put(Datagram("10.0.0.66", report))
    await asyncio.sleep(0.1)
    unread = members(d)["unread"]
    assert unread["contact"] <= CONTACTS_PER_S * 1.1 and unread["limit"] > 200
    a.lan.carries_report = lambda sender, receiver: True
    await asyncio.sleep(3)
    assert listed(d)["b"]["is_fresh"] and b.state == "backup"
