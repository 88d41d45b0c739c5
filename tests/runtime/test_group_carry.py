"""What becomes of open connections when the virtual IP moves in order: real nodes and pages in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from tests.runtime.carried import Clients
from tests.runtime.carried import before
from tests.runtime.carried import carry
from tests.runtime.carried import client
from tests.runtime.carried import is_silent
from tests.runtime.carried import mac
from tests.runtime.carried import steered
from tests.runtime.carried import with_clients
from tests.runtime.test_group_switch import done
from tests.runtime.test_group_switch import make
from tests.runtime.test_group_switch import owners
from tests.runtime.world import MakeHost
from tests.test_carry_text import QUIET
from wsa_proxy.net.ports import Address
from wsa_proxy.runtime.group_carry import AT_ONCE_MAX


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


async def test_a_third_node_has_all_of_a_settled_list_before_it_acquires(make_host: MakeHost) -> None:
    """However many they are: the unknown go to the node that it follows, or nowhere, and not to whom these are with."""
    a, b, c = await make(make_host, "abc", security=("sealed",))
    head = b"\x0a\x00\x00\x03\x1f\x90\xc0\x00\x02\x01"
    a.sockets.connected = {head + port.to_bytes(2) for port in range(10_000, 10_000 + 3 * AT_ONCE_MAX)}
    await asyncio.sleep(5)
    await done(a, "b")
    assert before(b, f"steer {AT_ONCE_MAX} and unknown", "acquire"), "the rest are unknown ones, and go to a"
    await asyncio.sleep(3)
    c.journal.clear()
    await done(b, "c")
    await asyncio.sleep(1)
    assert owners([a, b, c]) == "c"
    first = next(step for step in c.journal if step.startswith("steer"))
    assert first.split()[1] == str(3 * AT_ONCE_MAX) and before(c, first, "acquire", "announce")


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


async def test_what_begins_on_a_node_itself_is_no_clients_connection(make_host: MakeHost) -> None:
    """A member's questions to the service, for instance: neither carried, where they never leave the host, nor steered
    by the host on which they begin."""
    a, b = await with_clients(make_host, count=1)
    asks = {host: client(0)[:6] + bytes([10, 0, 0, host.number]) + b"\x9c\x40" for host in (a, b)}
    a.sockets.connected |= set(asks.values())
    await asyncio.sleep(2)
    await done(a, "b")
    await asyncio.sleep(0.1)
    assert set(steered(b)) == {client(0)}
    assert b.driver.record.transitions[-1].report.evidence.endswith("steered=1")
    await asyncio.sleep(2)
    assert carry(a)["drains"]["connections"] == 1


async def test_who_drains_says_so_more_often_than_its_interval_is(make_host: MakeHost) -> None:
    """Or three of its reports would be missing between two of them."""
    a = make_host("a", 1, security=("sealed",), advbase=5)
    b = make_host("b", 2, security=("sealed",), advbase=5, priority=200, advskew=55)
    a.lan.carries_report = lambda sender, receiver: True
    for host in (a, b):
        await host.start()
    await asyncio.sleep(40)
    a.sockets.connected = {client(1)}
    await asyncio.sleep(10)
    await done(a, "b")
    await asyncio.sleep(12)
    assert owners([a, b]) == "b" and set(steered(b)) == {client(1)} and not b.tickles.sent


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
