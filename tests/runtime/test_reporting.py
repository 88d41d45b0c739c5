"""The reports of a whole node: its sockets, whose a datagram is, and what is bounded."""

from __future__ import annotations

import asyncio
import dataclasses
from ipaddress import ip_address
from typing import Any

import pytest

from tests.runtime.fakes import FakeReports
from tests.runtime.members import listed
from tests.runtime.members import members
from tests.runtime.members import start_three
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.members.cipher import Unread
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import AddressChanged
from wsa_proxy.net.ports import Datagram
from wsa_proxy.runtime.reload import make_plan
from wsa_proxy.runtime.reporting import OPENED_PER_S


@pytest.fixture
async def three(make_host: MakeHost) -> list[Host]:
    return await start_three(make_host)


async def test_without_a_secret_nothing_is_known(make_host: MakeHost) -> None:
    """And the status says so."""
    host = make_host("a", 1, pass_phrases=())
    host.lan.carries_report = lambda sender, receiver: True
    await host.start()
    await asyncio.sleep(8)
    assert host.lan.reports == [] and members(host)["reports"].startswith("no shared_secret")


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


async def test_an_interface_that_is_made_anew_gets_another_socket(make_host: MakeHost) -> None:
    """And one that is gone has none; nobody dies of it."""
    host = make_host("a", 1)
    host.lan.carries_report = lambda sender, receiver: True
    await host.start()
    await asyncio.sleep(2)
    before = host.lan.report_ports[0]
    host.set_link(running=False, index=0)
    await asyncio.sleep(0.1)
    assert before not in host.lan.report_ports
    host.set_link(running=True, index=3)
    await asyncio.sleep(3)
    assert len(host.lan.report_ports) == 1 and members(host)["reports"] == "sent"


async def test_groups_that_come_and_go(make_host: MakeHost) -> None:
    """One socket serves all groups of an interface and port; the last word of a group that ends is that it leaves."""
    a = make_host("a", 1, more_vhids=(2, 3))
    b = make_host("b", 2, priority=200, advskew=55, more_vhids=(2, 3))
    a.lan.carries_report = lambda sender, receiver: True
    await a.start()
    await b.start()
    await asyncio.sleep(2)
    assert len(a.lan.report_ports) == 2
    assert [len(group["members"]["list"]) for group in b.node.status()["groups"]] == [1, 1, 1]
    fewer = dataclasses.replace(a.node.settings, groups=a.node.settings.groups[:2])
    a.node.apply(make_plan(a.node.settings, fewer))
    await asyncio.sleep(0.1)
    third = b.node.status()["groups"][2]["members"]["list"][0]
    assert third["left"] and third["not_ready"] == ["stopped in order"]
    assert [each["is_fresh"] for each in b.node.status()["groups"][1]["members"]["list"]] == [True]
    a.node.close()
    assert len(a.lan.report_ports) == 1


async def test_garbage_is_counted_and_bounded(make_host: MakeHost) -> None:
    """Each kind under its name; beyond the allowance nothing is opened."""
    host = make_host("a", 1)
    host.lan.carries_report = lambda sender, receiver: True
    await host.start()
    await asyncio.sleep(1)
    (port,) = host.lan.report_ports
    own = host.lan.reports[0]
    wrong = [b"", b"x" * 40, own[:20], b"wsam\x02" + own[5:], own[:5] + b"\x09" + own[6:], own[:-1] + b"\x00", own]
    for datagram in wrong:
        port.inbox.put(Datagram("10.0.0.9", datagram))
    await asyncio.sleep(0.1)
    node, group = host.node.reporting.unread, members(host)["unread"]
    assert (node[Unread.MALFORMED], node[Unread.OTHER_VERSION], node[Unread.OTHER_GROUP]) == (3, 1, 1)
    assert (group["bad_secret"], group["echo"]) == (1, 1)
    for _ in range(3 * OPENED_PER_S):
        port.inbox.put(Datagram("10.0.0.9", own[:-1] + b"\x00"))
    await asyncio.sleep(1)
    assert members(host)["unread"]["bad_secret"] <= 2 * OPENED_PER_S + 1
    assert members(host)["unread"]["limit"] >= OPENED_PER_S
    assert members(host)["list"] == []


async def test_a_reload_changes_what_is_told(make_host: MakeHost) -> None:
    """Another priority and another port; the members stay known."""
    a, b = make_host("a", 1), make_host("b", 2, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: True
    await a.start()
    await b.start()
    await asyncio.sleep(2)
    group = dataclasses.replace(a.node.settings.groups[0], hostname="new.example.com")
    a.node.apply(make_plan(a.node.settings, dataclasses.replace(a.node.settings, groups=(group,))))
    await asyncio.sleep(1.1)
    assert members(b)["findings"] == ["node a: hostname new.example.com, here proxy.example.com"]
    assert listed(a)["b"]["is_fresh"]


async def test_where_reports_come_from_is_found_out_again_when_something_has_changed(
    three: list[Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each report needs it some four times: an address came, the kernel refused one, or the socket is another one."""
    host, asked = three[0], 0
    real = FakeReports.source_of

    def counted(port: FakeReports, *which: Any) -> Address | None:
        nonlocal asked
        asked += port.host is host
        return real(port, *which)

    monkeypatch.setattr(FakeReports, "source_of", counted)
    await asyncio.sleep(5)
    assert asked == 0
    host.address = "10.0.0.77"
    host.kernel_monitor.inbox.put(AddressChanged(host.index, ip_address("10.0.0.77"), present=True, permanent=True))
    await asyncio.sleep(2)
    assert asked == 1 and listed(three[1])["a"]["address"] == "10.0.0.77"
    host.report_error = OSError(22, "Invalid argument")
    await asyncio.sleep(2)
    host.report_error, host.address = None, "10.0.0.1"
    await asyncio.sleep(2)
    assert listed(three[1])["a"]["address"] == "10.0.0.1"
    host.set_link(running=False, index=0)
    host.address = "10.0.0.78"
    host.set_link(running=True, index=3)
    await asyncio.sleep(5)
    assert listed(three[1])["a"]["address"] == "10.0.0.78"
