"""What becomes of open connections when the virtual IP moves: real nodes, reports and pages in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from ipaddress import ip_address
from ipaddress import ip_network
from typing import Any

import pytest

from tests.runtime.test_group_switch import answer
from tests.runtime.test_group_switch import done
from tests.runtime.test_group_switch import make
from tests.runtime.test_group_switch import owners
from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from tests.test_carry_text import QUIET
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Steered
from wsa_proxy.runtime.group_carry import AT_ONCE_MAX
from wsa_proxy.runtime.group_carry import UNICAST

GONE_S = 2.0
"""A node that drains says so twice a second, and three that are missing mean that it is gone."""


def client(number: int) -> bytes:
    """Of 10.0.0.3 port 8080."""
    return b"\x0a\x00\x00\x03\x1f\x90" + bytes([192, 0, 2, number]) + (40_000 + number).to_bytes(2, "big")


def crowd(first: int, last: int) -> set[bytes]:
    """Of one host; these ports, ``last`` not among them."""
    return {b"\x0a\x00\x00\x03\x1f\x90\xc0\x00\x02\x01" + port.to_bytes(2, "big") for port in range(first, last)}


def mac(host: Host) -> bytes:
    return bytes.fromhex(host.mac.replace(":", ""))


def carry(host: Host) -> dict[str, Any]:
    told: dict[str, Any] = host.node.status()["groups"][0]["carry"]
    return told


def steered(host: Host) -> dict[bytes, bytes]:
    """What its kernel sends on, and where to."""
    wanted = host.steering.in_force.get(1)
    return dict(wanted.targets) if wanted is not None else {}


def is_silent(host: Host) -> bool:
    return bool(host.ports is not None and getattr(host.ports.addresses, "silent", False))


class Clients:
    """The proxy's part; what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def leave(self, addresses: Collection[Address]) -> None:
        self.asked.append("leave")

    def end_resting(self, addresses: Collection[Address]) -> None:
        if self.asked[-1:] != ["end resting"]:
            self.asked.append("end resting")

    def stay(self, addresses: Collection[Address]) -> None:
        self.asked.append("stay")


async def with_clients(make_host: MakeHost, names: str = "ab", count: int = 3, **changes: Any) -> list[Host]:
    """a is master and has so many, which the others know of."""
    hosts = await make(make_host, names, security=("sealed",), **changes)
    hosts[0].sockets.connected = {client(number) for number in range(count)}
    await asyncio.sleep(3)
    for host in hosts:
        host.journal.clear()
    return hosts


def before(host: Host, *steps: str) -> bool:
    """They are in its journal in this order."""
    found = [host.journal.index(step) for step in steps]
    return found == sorted(found)


async def test_a_switch_carries_the_connections_over(make_host: MakeHost) -> None:
    """Steered before the address is acquired, unknown ones as well for a second; held silently until the last is gone;
    then nothing is left of it anywhere."""
    clients = Clients()
    a, b = await with_clients(make_host, clients=clients)
    assert carry(a) == QUIET
    await done(a, "b")
    await asyncio.sleep(0.2)
    assert owners([a, b]) == "b" and is_silent(a) and "release" not in a.journal
    assert before(b, "steer 3 and unknown", "acquire", "announce")
    assert steered(b) == {client(number): mac(a) for number in range(3)}
    wanted = b.steering.in_force[1]
    assert (wanted.device, wanted.devices, wanted.own_mac) == ("eth0", ("eth0",), mac(b))
    assert wanted.unknown == {(b"\x0a\x00\x00\x03", 8080): mac(a)} and mac(a) in wanted.members
    a.sockets.connected.add(client(9))  # its SYN was answered here, and nobody knew
    await asyncio.sleep(2)
    assert set(steered(b)) == {client(0), client(1), client(2), client(9)} and not b.steering.in_force[1].unknown
    assert carry(a)["drains"]["connections"] == 4 and 50 < carry(a)["drains"]["left_s"] < 60
    assert carry(b)["steers"] == [{"node": "a", "connections": 4, "settled": True}]
    a.sockets.connected = {client(2)}
    await asyncio.sleep(1)
    assert set(steered(b)) == {client(2)}
    assert a.driver.leaving.is_carried and clients.asked == ["leave", "end resting"]
    a.sockets.connected = set()
    await asyncio.sleep(1.2)
    assert a.journal[-3:-1] == ["close connections", "release"] and not is_silent(a)
    assert b.steering.in_force == {} and "steer nothing" in b.journal
    assert clients.asked == ["leave", "end resting", "stay"]
    assert carry(a)["drains"] is None and carry(b)["steers"] == [] and not a.tickles.sent and not b.tickles.sent
    assert a.driver.record.evidence.endswith(" carried=3") and b.driver.record.evidence.endswith(" steered=3")


async def test_connections_that_rest_are_looked_for_as_often_as_they_are_counted(make_host: MakeHost) -> None:
    """Each look goes through all of them, and there may be thousands."""

    class Counted(Clients):
        looks = 0

        def end_resting(self, addresses: Collection[Address]) -> None:
            self.looks += 1

    clients = Counted()
    a, _ = await with_clients(make_host, clients=clients)
    await done(a, "b")
    await asyncio.sleep(10)
    assert 15 <= clients.looks <= 22


async def test_at_drain_timeout_the_rest_is_reset(make_host: MakeHost) -> None:
    """By the node that has them: the connections are closed while the address is here, and nobody else is told."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(58)
    assert is_silent(a) and len(steered(b)) == 3
    await asyncio.sleep(4)
    assert a.journal[-3:-1] == ["close connections", "release"] and b.steering.in_force == {}
    assert not b.tickles.sent


async def test_a_stop_carries_them_over_too(make_host: MakeHost) -> None:
    """Its bow-out names nobody: whoever takes over steers."""
    a, b, c = await with_clients(make_host, "abc")
    departure = a.node.departure
    assert {str(each) for each in departure.carried} == {"10.0.0.3"}
    departure.begin("orderly stop")
    await asyncio.sleep(0.1)
    departure.fall_silent()
    departure.let_go("orderly stop")
    assert owners([a, b, c]) == "b" and a.state == "init" and departure.drains and is_silent(a)
    assert len(steered(b)) == 3 and not steered(c)
    a.sockets.connected = set()
    await asyncio.sleep(3)
    assert not departure.drains and not is_silent(a) and b.steering.in_force == {}


async def test_a_stop_that_nobody_follows_cuts_them(make_host: MakeHost) -> None:
    """To hold an address silently that nobody answers for helps no client."""
    a, b = await with_clients(make_host)
    b.running = False
    a.node.departure.begin("orderly stop")
    assert a.driver.leaving.is_carried
    a.node.departure.fall_silent()
    assert not a.node.departure.drains
    a.node.departure.let_go("orderly stop")
    assert a.journal[-2:] == ["close connections", "release"]


async def test_a_better_node_that_comes_back_steers_to_the_one_that_it_relieves(make_host: MakeHost) -> None:
    """Nobody has ordered anything: the master that yields has just heard its successor, and keeps what it has."""
    a, b = await with_clients(make_host)
    a.node.stop("upgrade")
    a.sockets.connected = set()
    await asyncio.sleep(5)
    b.sockets.connected = {client(7)}
    await asyncio.sleep(3)
    assert owners([a, b]) == "b"
    b.journal.clear()
    a.journal.clear()
    a.driver.set_obstacle("stop", None)
    await asyncio.sleep(4)
    assert owners([a, b]) == "a" and is_silent(b) and "close connections" not in b.journal
    assert before(a, "steer 1 and unknown", "acquire") and steered(a) == {client(7): mac(b)}
    b.sockets.connected = set()
    await asyncio.sleep(3)
    assert not is_silent(b) and a.steering.in_force == {}


async def test_after_a_crash_the_lost_ones_are_told(make_host: MakeHost) -> None:
    """After the announcement, and by nobody who is not master; nothing is steered to the dead."""
    a, b, c = await with_clients(make_host, "abc")
    a.running = False
    await asyncio.sleep(5)
    assert owners([b, c]) == "b" and set(b.tickles.sent) == {client(number) for number in range(3)}
    assert b.steering.in_force == {} and not c.tickles.sent
    told = carry(b)["told"]
    assert told["node"] == "a" and told["clients"] == 3 and 0 < told["age_s"] < 5
    assert [carry(host)["told_total"] for host in (b, c)] == [3, 0]
    assert "steered" not in b.driver.record.evidence and "told=3" in str(await b.node.chronicle.history.read("1"))


async def test_a_node_that_dies_while_it_drains(make_host: MakeHost) -> None:
    """Three of its reports are missing: what was steered to it is its own again, and told."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    a.running = False
    await asyncio.sleep(GONE_S)
    assert b.steering.in_force == {} and set(b.tickles.sent) == {client(number) for number in range(3)}


async def test_a_node_that_dies_while_it_steers(make_host: MakeHost) -> None:
    """The third one takes over: it steers to the node that still has them, and tells the dead one's."""
    a, b, c = await with_clients(make_host, "abc")
    await done(a, "b")
    b.sockets.connected = {client(20)}
    await asyncio.sleep(3)
    b.running = False
    await asyncio.sleep(6)
    (owner,) = [host for host in (a, c) if host.state == "master"]
    if owner is c:
        assert steered(c) == {client(number): mac(a) for number in range(3)}
    else:
        assert not is_silent(a) and not a.steering.in_force
    assert set(owner.tickles.sent) == {client(20)}


async def test_a_switch_back_before_the_end(make_host: MakeHost) -> None:
    """Its own connections are its own again, without a packet; the other one's are steered."""
    clients = Clients()
    a, b = await with_clients(make_host, clients=clients)
    await done(a, "b")
    b.sockets.connected = {client(20)}
    await asyncio.sleep(3)
    a.journal.clear()
    await done(b, "a")
    await asyncio.sleep(2)
    assert owners([a, b]) == "a" and is_silent(b)
    assert "close connections" not in a.journal and "release" not in a.journal
    assert steered(a) == {client(20): mac(b)} and carry(a)["drains"] is None and clients.asked.count("stay") == 1
    b.sockets.connected = set()
    await asyncio.sleep(3)
    assert a.steering.in_force == {} and b.steering.in_force == {} and not is_silent(b)
    assert not a.tickles.sent and not b.tickles.sent


async def test_two_switches_in_a_row(make_host: MakeHost) -> None:
    """The third node steers to both of the others, each straight."""
    a, b, c = await with_clients(make_host, "abc")
    await done(a, "b")
    b.sockets.connected = {client(20)}
    await asyncio.sleep(3)
    await done(b, "c")
    await asyncio.sleep(2)
    assert owners([a, b, c]) == "c"
    assert steered(c) == {client(0): mac(a), client(1): mac(a), client(2): mac(a), client(20): mac(b)}
    assert is_silent(a) and is_silent(b)


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


async def test_a_fence_ends_what_is_carried_over(make_host: MakeHost) -> None:
    """The guardian has removed the address: those connections are lost, and their clients are told by the master."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    a.driver.leaving.end()
    assert carry(a)["drains"] is None and not a.driver.leaving.is_carried
    a.sockets.connected = set()
    await asyncio.sleep(2)
    assert b.steering.in_force == {}


async def test_a_group_that_ends_meanwhile(make_host: MakeHost) -> None:
    """Its steering goes with it, and so does what it holds."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    b.node.reporting.close()
    assert b.steering.in_force == {}
    a.node.reporting.close()
    assert not is_silent(a) and not a.driver.leaving.is_carried


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


async def test_half_a_handshake_goes_on_and_is_told_nobody(make_host: MakeHost) -> None:
    """Whoever makes up SYNs would else choose whom the next master tells: neighbours that are not there, whose answers
    it waits for while true clients wait, or hosts that have nothing to do with it."""
    a, b = await with_clients(make_host)
    made_up = {client(number) for number in range(50, 90)}
    a.sockets.half_open = made_up
    await asyncio.sleep(2)
    assert a.node.carry_over.groups[1].carrying.left == 3
    await done(a, "b")
    await asyncio.sleep(2)
    assert set(steered(b)) == {client(number) for number in range(3)} | made_up
    await done(b, "a")
    await asyncio.sleep(4)
    a.running = False
    await asyncio.sleep(6)
    assert owners([b]) == "b" and set(b.tickles.sent) == {client(number) for number in range(3)}


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


async def test_the_virtual_mac_is_put_down_while_its_address_is_held_silently(make_host: MakeHost) -> None:
    """A frame for it that a switch sends to all its ports is not answered by two nodes; up again with the address."""
    a, b = await with_clients(make_host, virtual_mac=True)
    await done(a, "b")
    await asyncio.sleep(0.5)
    assert is_silent(a) and before(a, "hold silently", "settle") and "release" not in a.journal
    assert b.steering.in_force[1].devices == ("eth0", "carp1")
    a.journal.clear()
    await done(b, "a")
    await asyncio.sleep(0.5)
    assert owners([a, b]) == "a" and "settle" not in a.journal


async def test_a_stop_while_it_drains_goes_on_with_what_it_drains(make_host: MakeHost) -> None:
    """It is master of nothing: what was carried over before is not cut by the stop."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(3)
    departure = a.node.departure
    assert not departure.is_needed and {str(each) for each in departure.carried} == {"10.0.0.3"}
    departure.let_go("orderly stop")
    await asyncio.sleep(1)
    assert departure.drains and is_silent(a) and len(steered(b)) == 3
    departure.end("orderly stop")
    await asyncio.sleep(2)
    assert not is_silent(a) and not b.steering.in_force


@pytest.mark.parametrize("how", ["in order", "without a word"])
async def test_a_node_that_stops_waits_for_nobody_when_the_last_other_one_goes(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """Nothing reaches it any more, and it takes the addresses no more: who waits is told now, not at drain_timeout."""
    a, b = await with_clients(make_host)
    departure = a.node.departure
    departure.begin("orderly stop")
    await asyncio.sleep(2)
    assert owners([a, b]) == "b" and departure.drains
    if how == "in order":
        b.node.stop("orderly stop")
        b.node.reporting.close()
    else:
        b.running = False
    await asyncio.sleep(3)
    assert not departure.drains and a.journal[-3:-1] == ["close connections", "release"]
    assert "3 connections are reset: no other node is there" in caplog.text


async def test_a_node_that_only_switched_takes_its_connections_back_when_the_other_one_goes(
    make_host: MakeHost,
) -> None:
    """It drains until it is master again, though nobody steers to it meanwhile."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    b.running = False
    await asyncio.sleep(6)
    assert a.state == "master" and "close connections" not in a.journal


async def test_who_asks_on_the_host_that_takes_over_is_not_waited_for(make_host: MakeHost) -> None:
    """As a member does that probes the service while it becomes master: its own address is the answers' source then."""
    a, b = await with_clients(make_host, count=1)
    probe = b"\x0a\x00\x00\x03\x1f\x90" + ip_address(b.address).packed + (50_000).to_bytes(2, "big")
    a.sockets.connected |= {probe}
    await asyncio.sleep(2)
    assert carry(a)["drains"] is None
    await done(a, "b")
    await asyncio.sleep(2)
    assert set(steered(b)) == {client(0)} and carry(a)["drains"]["connections"] == 1
    a.sockets.connected = {probe}
    await asyncio.sleep(2)
    assert carry(a)["drains"] is None and not is_silent(a) and b.steering.in_force == {} and not b.tickles.sent


async def out_for_a_moment(host: Host) -> None:
    """Its cable; what it sends meanwhile reaches nobody, and its kernel drops what it held for later."""
    host.set_link(running=False)
    await asyncio.sleep(0.1)
    host.sockets.connected = set()
    await asyncio.sleep(0.6)
    host.set_link(running=True)


@pytest.mark.parametrize("preempt", [True, False])
async def test_who_could_not_be_told_because_the_link_was_down_is_told_by_the_next_master(
    make_host: MakeHost, *, preempt: bool
) -> None:
    """The other node, or this one itself: nobody takes over while the link is down, and who waits would wait on."""
    a, b = await with_clients(make_host, preempt=preempt)
    await out_for_a_moment(a)
    assert a.state in ("init", "backup") and not a.tickles.sent
    await asyncio.sleep(6)
    assert owners([a, b]) == ("a" if preempt else "b")
    assert set([*a.tickles.sent, *b.tickles.sent]) == {client(number) for number in range(3)}
    (teller,) = [host for host in (a, b) if host.tickles.sent]
    assert carry(teller)["told"]["node"] == "a" and carry(teller)["told"]["clients"] == 3
    sent = len(a.tickles.sent) + len(b.tickles.sent)
    await asyncio.sleep(3)
    if not preempt:
        await done(b, "a")
        await asyncio.sleep(3)
    assert len(a.tickles.sent) + len(b.tickles.sent) <= sent + 6, "the repetitions of the first time, and no more"
    assert a.steering.in_force == {} and b.steering.in_force == {}


async def test_a_link_that_is_down_for_a_moment_while_its_node_drains(make_host: MakeHost) -> None:
    """Likewise: the master is told nothing of a death, and tells who is still listed."""
    a, b = await with_clients(make_host)
    await done(a, "b")
    await asyncio.sleep(2)
    await out_for_a_moment(a)
    await asyncio.sleep(2)
    assert owners([a, b]) == "b" and set(b.tickles.sent) == {client(number) for number in range(3)}
    assert b.steering.in_force == {} and not is_silent(a)
