"""Where open connections are cut, as before, and what is more than a takeover may wait for."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from ipaddress import ip_network

import pytest

from tests.runtime.carried import before
from tests.runtime.carried import carry
from tests.runtime.carried import client
from tests.runtime.carried import crowd
from tests.runtime.carried import is_silent
from tests.runtime.carried import steered
from tests.runtime.carried import with_clients
from tests.runtime.test_group_switch import answer
from tests.runtime.test_group_switch import done
from tests.runtime.test_group_switch import make
from tests.runtime.test_group_switch import owners
from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import Steered
from wsa_proxy.runtime.group_carry import AT_ONCE_MAX
from wsa_proxy.runtime.group_carry import UNICAST


async def test_named_peers_may_be_where_no_frame_reaches_them(make_host: MakeHost) -> None:
    """In a network without multicast a steered connection would hang, where a cut one is known to be at its end."""
    a, b = await with_clients(make_host, peers=(ip_address("10.0.0.1"), ip_address("10.0.0.2")))
    assert carry(a)["why_not"] == UNICAST and not carry(a)["cannot_steer"]
    await done(a, "b")
    await asyncio.sleep(0.5)
    assert owners([a, b]) == "b" and not a.holds and not steered(b)


@pytest.mark.parametrize("why", ["no nf_tables here", "another segment", "alone", "nobody counts"])
async def test_without_steering_a_switch_is_the_plain_one(make_host: MakeHost, why: str) -> None:
    """The status says why, before it is needed."""
    a, b = await make(make_host, "ab", security=("sealed",))
    if why == "no nf_tables here":
        b.steering.trouble = why
        b.node.carry_over.groups[1].host_changed()
    elif why == "another segment":
        a.own_networks = [ip_network("192.0.2.0/24")]
    elif why == "alone":
        b.running = False
    else:
        a.node.carry_over.trouble = why
    await asyncio.sleep(6)
    expected = {
        "no nf_tables here": "node b cannot steer: no nf_tables here",
        "another segment": "node b (10.0.0.2) is not on this LAN segment",
        "alone": "no other member is heard",
        "nobody counts": why,
    }
    assert carry(a)["possible"] is False and carry(a)["why_not"] == expected[why]
    unable = {"no nf_tables here": [None, why], "nobody counts": [why, None]}
    assert [carry(host)["cannot_steer"] for host in (a, b)] == unable.get(why, [None, None])
    if why != "alone":
        a.journal.clear()
        await done(a, "b")
        await asyncio.sleep(0.5)
        assert owners([a, b]) == "b" and not a.driver.leaving.is_carried and not a.holds
        assert a.journal[-3:-1] == ["close connections", "release"]


async def test_a_kernel_that_refuses_to_steer_keeps_nobody_from_taking_over(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, and tried again as long as there is something to be steered."""
    a, b = await with_clients(make_host)
    b.steering.error = OSError("no memory")
    await done(a, "b")
    await asyncio.sleep(2)
    assert owners([a, b]) == "b" and caplog.text.count("connections cannot be steered: no memory") == 1
    b.steering.error = None
    await asyncio.sleep(0.2)
    assert len(steered(b)) == 3


async def test_more_connections_than_a_takeover_may_wait_for(make_host: MakeHost) -> None:
    """The first are known before the address is acquired, the rest a moment later; until then they are unknown ones."""
    a, b = await make(make_host, "ab", security=("sealed",))
    many = crowd(10_000, 12_000)
    a.sockets.connected = set(many)
    await asyncio.sleep(5)
    b.journal.clear()
    await done(a, "b")
    await asyncio.sleep(0.1)
    assert before(b, "steer 500 and unknown", "acquire", "steer 2000 and unknown")
    await asyncio.sleep(2)
    assert set(steered(b)) == many
    assert a.sockets.asked_apart > 0, "so many are counted by a thread"
    a.sockets.connected = set()
    await asyncio.sleep(3)
    assert b.steering.in_force == {} and not is_silent(a)


async def test_many_pages_are_one_change(make_host: MakeHost) -> None:
    """A list that changes from top to bottom is dozens of pages; with each of them the kernel would be told anew, and a
    member whose list never rests would stop this node's loop."""
    a, b = await make(make_host, "ab", security=("sealed",))
    a.sockets.connected = crowd(10_000, 13_000)
    await asyncio.sleep(5)
    await done(a, "b")
    await asyncio.sleep(2)
    b.journal.clear()
    a.sockets.connected = crowd(20_000, 23_000)
    await asyncio.sleep(0.8)
    assert set(steered(b)) == crowd(20_000, 23_000)
    assert 1 <= len([step for step in b.journal if step.startswith("steer")]) <= 5


async def test_a_node_of_another_id_has_no_part_in_it(make_host: MakeHost) -> None:
    """It means our address, so its reports are read; but it keeps no lists of this group, and nobody waits for it."""
    hosts = [make_host("a", 1, security=("sealed",)), make_host("b", 2, security=("sealed",), priority=200, advskew=55)]
    hosts.append(make_host("c", 9, security=("sealed",), priority=100, advskew=155, vhid=7))
    hosts[0].lan.carries_report = lambda sender, receiver: True
    for host in hosts:
        await host.start()
    await asyncio.sleep(6)
    reports = hosts[0].node.reporting.groups[1]
    assert {member.vhid for member in reports.roster.fresh(reports.now_s())} == {1, 7}
    pages: list[bytes] = []
    send_page = reports.send_page

    def record(packed: bytes) -> None:
        pages.append(packed)
        send_page(packed)

    reports.send_page = record  # type: ignore[method-assign]
    hosts[0].sockets.connected = {client(1)}
    await asyncio.sleep(10)
    assert len(pages) == 1


async def test_a_part_that_the_kernel_took_goes_with_the_rest_that_it_refused(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many connections it took the first, and never the others: when all have ended nothing is left in force."""
    a, b = await make(make_host, "ab", security=("sealed",))
    head = b"\x0a\x00\x00\x03\x1f\x90\xc0\x00\x02\x01"
    a.sockets.connected = {head + port.to_bytes(2, "big") for port in range(10_000, 10_000 + AT_ONCE_MAX + 1)}
    await asyncio.sleep(5)
    steer = b.steering.steer

    def steer_few(vhid: int, wanted: Steered | None) -> None:
        if wanted is not None and len(wanted.targets) > AT_ONCE_MAX:
            raise OSError("no memory")
        steer(vhid, wanted)

    monkeypatch.setattr(b.steering, "steer", steer_few)
    await done(a, "b")
    await asyncio.sleep(0.5)
    assert len(steered(b)) == AT_ONCE_MAX
    a.driver.leaving.end()
    a.sockets.connected = set()
    await asyncio.sleep(2)
    assert carry(b)["steers"] == [] and b.steering.in_force == {}


async def test_an_order_that_is_refused_changes_nothing(make_host: MakeHost) -> None:
    """Nobody drains, nobody steers."""
    a, b = await with_clients(make_host)
    told = await answer(a, "z")
    assert "error" in told and carry(a)["drains"] is None and not b.steering.in_force
