"""Tickles between real kernels: a lost client is told, a client that is served notices nothing."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies
from scapy.layers.inet import IP
from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from tests.learning_switch import Tap
from tests.net.lost_clients import PORT
from tests.net.lost_clients import VIP4
from tests.net.lost_clients import VIP6
from tests.net.lost_clients import Takeover
from tests.net.lost_clients import client_of
from tests.net.lost_clients import hold_both
from tests.net.lost_clients import key
from tests.net.lost_clients import listen
from tests.net.lost_clients import make_connected
from wsa_proxy.net import tickle
from wsa_proxy.net.addresses import set_arp
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Client
from wsa_proxy.net.tickle import CLIENTS_AT_FIRST_MAX
from wsa_proxy.net.tickle import Tickler
from wsa_proxy.net.tickle import segments

BOTH = (VIP4, VIP6)
FIREWALL = """
table inet strict {
    counter dropped { }
    chain in {
        type filter hook input priority filter; policy drop
        icmpv6 type != echo-request accept
        ct state established,related accept
        ct state invalid counter name dropped drop
        %s
    }
    chain out { type filter hook output priority filter; policy accept; ct state invalid counter name dropped drop; }
}
"""
ACK, RST = 0x10, 0x04


def told(client: socket.socket) -> bool:
    """A client that only waits for data has learnt within a second that its connection is gone."""
    client.settimeout(1.0)
    try:
        return client.recv(1) == b"not with anything that somebody has sent"
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def flags(tap: Tap) -> list[int]:
    """Of the TCP segments that a host has sent."""
    return [int(frame[TCP].flags) for frame in map(Ether, tap.queued()) if TCP in frame]


@pytest.mark.parametrize("address", BOTH)
@pytest.mark.parametrize("walled", [False, True], ids=["open", "firewalls"])
def test_a_client_that_waits_is_told_in_one_round_trip(lan: Any, address: Address, walled: bool) -> None:
    """Whatever its numbers are, and though a firewall at its host lets only one of the four pass, and one at the new
    node knows nothing of the connection: one question of the client, one reset."""
    if walled and shutil.which("nft") is None:
        pytest.skip("nft is missing: apt-get install nftables")
    takeover = Takeover(lan)
    if walled:
        takeover.firewall("client", FIREWALL % "")
        takeover.firewall("b", FIREWALL % f"tcp dport {PORT} accept")
    clients = [takeover.connect_in(address, *halves) for halves in itertools.product((False, True), repeat=2)]
    takeover.happens()
    sent, answered = Tap("b"), Tap("client")
    with takeover.switch.on("b"):
        tickler = Tickler(socket.if_nametoindex("eth0"))
        for client in clients:
            tickler.send(client_of(client))
    assert [told(client) for client in clients] == [True] * 4
    assert sorted(flags(sent)) == [RST] * 4 + [ACK] * 16
    # Where more than one passes, the rest finds no connection any more, and is answered with resets.
    said = sorted(flags(answered))
    assert said == [RST] * (len(said) - 4) + [ACK] * 4 and len(said) <= (4 if walled else 16)
    if walled:
        assert takeover.dropped("client") == 12 and takeover.dropped("b") == 0


EDGES = (0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1)


@pytest.mark.parametrize("address", BOTH)
def test_a_number_that_is_right_by_chance(lan: Any, address: Address) -> None:
    """One of the four may be in the client's window; it has no answer, but another one of them has."""
    hold_both(lan)
    other = "10.0.0.2" if address.version == 4 else "fd00:77::2"
    pairs = list(itertools.product(EDGES, EDGES))
    with lan.on_the_right():
        clients = [
            make_connected((other, 4000 + number), (str(address), PORT), pair) for number, pair in enumerate(pairs)
        ]
    tickler = Tickler(lan.index)
    for client in clients:
        tickler.send(client_of(client))
    assert [pair for client, pair in zip(clients, pairs, strict=True) if not told(client)] == []


@pytest.mark.parametrize("address", BOTH)
def test_a_client_that_is_served_here_notices_nothing(lan: Any, address: Address) -> None:
    """Its answer is a repeated acknowledgement; both directions go on, with what was on its way."""
    hold_both(lan)
    listening = listen(address)
    with lan.on_the_right():
        client = socket.create_connection((str(address), PORT))
    ours = listening.accept()[0]
    sent = lan.wire(lambda frame: TCP in Ether(frame) and Ether(frame)[TCP].flags & RST)
    goes_on(client, ours, lambda: Tickler(lan.index).send(client_of(client)))
    assert sent.queued() == []


def goes_on(client: socket.socket, ours: socket.socket, disturb: Callable[[], None]) -> None:
    """Bytes go both ways, before, while and after; byte for byte."""
    for each in (client, ours):
        each.settimeout(5)
    for number in range(8):
        ours.sendall(bytes([number]) * 5000)
        client.sendall(bytes([number + 100]) * 3000)
        disturb()
        assert client.recv(5000, socket.MSG_WAITALL) == bytes([number]) * 5000
        assert ours.recv(3000, socket.MSG_WAITALL) == bytes([number + 100]) * 3000


@pytest.mark.parametrize("address", BOTH)
def test_a_client_that_another_node_serves_notices_nothing(lan: Any, address: Address) -> None:
    """``b`` believes that it must tell the client, which is ``a``'s: what the client answers goes to ``a``."""
    takeover = Takeover(lan)
    client = takeover.connect(address)
    with takeover.switch.on("b"):
        lan.ip(f"address add {address}/{address.max_prefixlen} dev lo {'nodad' if address.version == 6 else ''}")
        index = socket.if_nametoindex("eth0")
        set_arp(
            "eth0", index
        )  # as a node does, else the kernel's question for the client says that the address is here
        tickler = Tickler(index)
        tickler.send(client_of(client))
    sent = Tap("b")
    goes_on(client, takeover.served[-1], lambda: tickler.send(client_of(client)))
    assert set(flags(sent)) == {ACK}


def test_who_has_no_such_connection_says_so_to_nobody(lan: Any) -> None:
    """A client that has gone, or is there anew from the same port, takes no harm; and its own resets do none here."""
    hold_both(lan)
    listening = listen(VIP4)
    with lan.on_the_right():
        client = socket.create_connection((str(VIP4), PORT), source_address=("10.0.0.2", 4000))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone = client_of(client)
    client.close()
    Tickler(lan.index).send(gone)
    listening.accept()[0].close()
    with lan.on_the_right():
        again = socket.socket()
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("10.0.0.2", 4000))
    again.connect((str(VIP4), PORT))
    assert client_of(again) == gone
    goes_on(again, listening.accept()[0], lambda: Tickler(lan.index).send(gone))


@given(strategies.binary(min_size=12, max_size=12) | strategies.binary(min_size=36, max_size=36))
def test_the_four_segments(client: Client) -> None:
    """scapy reads what is meant in each of them, and finds the checksum that we have reckoned."""
    read, half = (IP if len(client) == 12 else IPv6), len(client) // 2
    found = set()
    for packet in segments(client):
        segment = read(packet)
        tcp = segment[TCP]
        assert key(segment.src, tcp.sport, segment.dst, tcp.dport) == client
        assert tcp.flags == "A" and not tcp.options and not tcp.payload and half in (6, 18)
        found.add((tcp.seq, tcp.ack))
        tcp.chksum = None
        assert bytes(segment[TCP]) == packet[-20:]
    assert found == set(itertools.product((0, 2**31), repeat=2))


def test_a_checksum_of_zero() -> None:
    """The remainder of the sum is 0, where ones' complement has two zeros: scapy and the kernel send this one."""
    client = key("10.0.0.100", 8080, "10.0.0.2", 0)
    checksum = int.from_bytes(segments(client)[0][-4:-2])
    client = key("10.0.0.100", 8080, "10.0.0.2", checksum)
    packet = segments(client)[0]
    segment = IP(packet)
    segment[TCP].chksum = None
    assert packet[-4:-2] == bytes(segment[TCP])[-4:-2] == bytes(2)


@pytest.mark.parametrize("address", BOTH)
def test_on_the_wire(lan: Any, address: Address) -> None:
    """tcpdump finds all checksums correct, the kernel's of the IPv4 header included."""
    hold_both(lan)
    wire = lan.wire(lambda frame: address.packed in frame and TCP in Ether(frame))
    Tickler(lan.index).send(key(address, PORT, "10.0.0.2" if address.version == 4 else "fd00:77::2", 4000))
    said = lan.tcpdump([frame for frame in wire.take(8) if Ether(frame).src == lan.mac()], "-vv")
    assert said.count("(correct)") == 4 and "incorrect" not in said and "bad cksum" not in said


def test_a_client_on_the_link(lan: Any) -> None:
    """Link-local addresses do not say on which of two; the tickler knows."""
    address = ip_address("fe80::100")
    lan.ip(f"address add {address}/128 dev {lan.LEFT} nodad")
    lan.wait_askable(address)
    lan.ip("link add other type veth peer name rehto")
    for interface in ("rehto", "other"):
        lan.ip(f"link set {interface} up")
    lan.wait_up("other")
    lan.ip("route add fe80::/64 dev other metric 1")
    with lan.on_the_right():
        index = socket.if_nametoindex(lan.RIGHT)
        client = make_connected(("fe80::2", 4000, 0, index), (str(address), PORT, 0, index))
    Tickler(lan.index).send(key(address, PORT, "fe80::2", 4000))
    assert told(client)


def test_rules_of_routing_by_source_hold(lan: Any) -> None:
    """Where only what comes from the virtual IP has a way to the client."""
    hold_both(lan)
    lan.ip("route add 10.9.9.9/32 via 10.0.0.2 table 100")
    lan.ip(f"rule add from {VIP4} lookup 100")
    wire = lan.wire(lambda frame: ip_address("10.9.9.9").packed in frame)
    Tickler(lan.index).send(key(VIP4, PORT, "10.9.9.9", 4000))
    assert len(wire.take(4)) == 4
    with pytest.raises(OSError) as raised:
        Tickler(lan.index).send(key(VIP4, PORT, "10.8.8.8", 4000))
    assert raised.value.errno == errno.ENETUNREACH


def test_a_full_buffer_is_told_and_empties(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients whose hosts are gone as well: their segments wait until the kernel has given up asking for them."""
    monkeypatch.setattr(tickle, "SEND_BUFFER_BYTES", 20_000)
    hold_both(lan)
    tickler = Tickler(lan.index)
    with pytest.raises(BlockingIOError):
        for number in range(10, 250):
            tickler.send(key(VIP4, PORT, f"10.0.0.{number}", 4000))
    lan.ip(f"neighbour flush dev {lan.LEFT}")
    with lan.on_the_right():
        client = make_connected(("10.0.0.2", 4000), (str(VIP4), PORT))
    tickler.send(client_of(client))
    assert told(client)


def test_a_crowd_of_clients_that_are_gone_keeps_nobody_else_waiting(lan: Any) -> None:
    """The buffer is asked for: the kernel's usual one would be full with the seventieth."""
    hold_both(lan)
    tickler = Tickler(lan.index)
    for number in range(10, 110):
        tickler.send(key(VIP4, PORT, f"10.0.0.{number}", 4000))


@pytest.mark.parametrize("version", [4, 6])
def test_clients_behind_a_router_that_is_not_known_yet(lan: Any, version: int) -> None:
    """So many may be told before it has said where it is: what waits for that arrives, and of every client all four."""
    hold_both(lan)
    address, router, network = (VIP4, "10.0.0.2", "10.9.0.") if version == 4 else (VIP6, "fd00:77::2", "fd00:99::")
    others = [ip_address(f"{network}{number}") for number in range(1, CLIENTS_AT_FIRST_MAX + 1)]
    lan.ip(f"route add {network}0/{112 if version == 6 else 24} via {router}")
    with lan.on_the_right():
        mac = lan.mac(lan.RIGHT)
        lan.ip(f"address del {router}/{64 if version == 6 else 24} dev {lan.RIGHT}")
    wire = lan.wire(lambda frame: TCP in Ether(frame))
    tickler = Tickler(lan.index)
    for other in others:
        tickler.send(key(address, PORT, other, 4000))
    assert wire.queued() == []
    lan.ip(f"neighbour replace {router} lladdr {mac} dev {lan.LEFT}")
    found = wire.take(4 * len(others))
    assert [sum(other.packed in frame for frame in found) for other in others] == [4] * len(others)


def test_without_the_address_or_the_right(lan: Any) -> None:
    """Told with the kernel's errno, and no descriptor is left."""
    hold_both(lan)
    before = len(os.listdir("/proc/self/fd"))
    tickler = Tickler(lan.index)
    elsewhere = key("10.0.0.99", PORT, "10.0.0.2", 4000)
    with pytest.raises(OSError) as raised:
        tickler.send(elsewhere)
    assert raised.value.errno == errno.EADDRNOTAVAIL
    lan.lose_privileges()
    with pytest.raises(PermissionError):
        tickler.send(key(VIP4, PORT, "10.0.0.2", 4000))
    assert len(os.listdir("/proc/self/fd")) == before


def test_closed(lan: Any) -> None:
    """One socket for each address that was needed, none afterwards; harmless when repeated, and to be used again."""
    hold_both(lan)
    before = len(os.listdir("/proc/self/fd"))
    tickler = Tickler(lan.index)
    for number in range(3):
        tickler.send(key(VIP4, PORT, "10.0.0.2", 4000 + number))
        tickler.send(key(VIP6, PORT, "fd00:77::2", 4000 + number))
    assert len(os.listdir("/proc/self/fd")) == before + 2
    for _ in range(2):
        tickler.close()
        assert len(os.listdir("/proc/self/fd")) == before
    tickler.send(key(VIP4, PORT, "10.0.0.2", 4000))
