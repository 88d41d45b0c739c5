from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import nullcontext
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_DEPRECATED
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_TENTATIVE
from scapy.layers.inet import ICMP
from scapy.layers.inet import IP
from scapy.layers.inet6 import ICMPv6ParamProblem
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from tests.net.receiving import received
from wsa_proxy.net import orders
from wsa_proxy.net.frames import Carp
from wsa_proxy.net.frames import read_advertisement
from wsa_proxy.net.netlink import HostAddress
from wsa_proxy.net.ports import NoWay
from wsa_proxy.net.ports import PartlySent
from wsa_proxy.net.unicast_socket import UnicastSocket
from wsa_proxy.net.ways import choose_source

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "carp-vectors.json").read_text())["vectors"]
F1 = next(vector for vector in VECTORS if vector["id"] == "F1")
PAYLOAD = bytes.fromhex(F1["packet_hex"])
VIRTUAL = [ip_address("10.0.0.3"), ip_address("fd00:77::3")]
RIGHT = ("10.0.0.2", "fd00:77::2")
LEFT = ("10.0.0.1", "fd00:77::1")


def open_socket(interface: str, *peers: str) -> UnicastSocket:
    """On the host where we are."""
    index = socket.if_nametoindex(interface)
    return UnicastSocket(interface, index, F1["vhid"], [ip_address(peer) for peer in peers], lambda: VIRTUAL)


def is_advertisement(frame: bytes) -> bool:
    return read_advertisement(frame) is not None


def is_complaint(frame: bytes) -> bool:
    """ICMP "protocol unreachable", ICMPv6 "unrecognized next header"."""
    packet = Ether(frame)
    icmp = packet.getlayer(ICMP)
    return (icmp is not None and (icmp.type, icmp.code) == (3, 2)) or bool(packet.haslayer(ICMPv6ParamProblem))


def nft(rules: str) -> None:
    if shutil.which("nft") is None:
        pytest.skip("nftables is missing: apt-get install nftables")
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


@contextmanager
def router(lan: Any) -> Iterator[None]:
    """A third host between two networks of their own: 10.1.0.0/24 with the left one, 10.2.0.0/24 with the right one."""
    for near, far in (("west", "to_west"), ("east", "to_east")):
        lan.ip(f"link add {near} type veth peer name {far}")
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.unshare(os.CLONE_NEWNET)
    there = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.setns(here, os.CLONE_NEWNET)
    lan.ip(f"link set east netns {lan.path_of_right}")
    for far in ("to_west", "to_east"):
        lan.ip(f"link set {far} netns /proc/{os.getpid()}/fd/{there}")
    os.setns(there, os.CLONE_NEWNET)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    for number, far in enumerate(("to_west", "to_east"), start=1):
        lan.ip(f"link set {far} addrgenmode none up")
        lan.ip(f"address add 10.{number}.0.254/24 dev {far}")
        lan.ip(f"address add fe80::254/64 dev {far} nodad")  # without one it asks for no neighbour
        lan.ip(f"address add fd00:{number}::254/64 dev {far} nodad")

    def host(near: str, number: int) -> None:
        lan.ip(f"link set {near} addrgenmode none up")
        lan.ip(f"address add 10.{number}.0.1/24 dev {near}")
        lan.ip(f"address add fe80::1/64 dev {near} nodad")
        lan.ip(f"address add fd00:{number}::1/64 dev {near} nodad")
        lan.wait_up(near)
        lan.ip(f"route add 10.0.0.0/8 via 10.{number}.0.254")
        lan.ip(f"route add fd00::/16 via fd00:{number}::254")

    os.setns(here, os.CLONE_NEWNET)
    host("west", 1)
    with lan.on_the_right():
        host("east", 2)
    os.setns(there, os.CLONE_NEWNET)
    for far in ("to_west", "to_east"):
        lan.wait_up(far)
    os.setns(here, os.CLONE_NEWNET)
    yield
    os.close(there)


def test_each_peer_gets_the_payload_with_the_headers_of_carp(lan: Any) -> None:
    """What scapy reads at the peer: FreeBSD's headers, TTL 255, the peer's own hardware address, our own addresses."""
    advertisements = open_socket(lan.LEFT, *RIGHT, "fe80::2")
    wire = lan.wire(is_advertisement)
    advertisements.send(4, PAYLOAD)
    (frame,) = wire.take(1)
    ipv4 = read_advertisement(frame)
    assert ipv4 is not None
    with lan.on_the_right():
        right_mac = lan.mac(lan.RIGHT)
    assert (ipv4[Ether].src, ipv4[Ether].dst) == (lan.mac(), right_mac)
    network = ipv4[IP]
    assert (network.src, network.dst, network.ttl, network.proto) == ("10.0.0.1", "10.0.0.2", 255, 112)
    assert (network.tos, network.id, str(network.flags), network.len) == (0xE0, 0, "DF", 56)
    assert bytes(ipv4[Carp]) == PAYLOAD
    advertisements.send(6, PAYLOAD)
    frames = [read_advertisement(frame) for frame in wire.take(2)]
    # In the order in which the kernel has found the neighbours.
    assert sorted((each[IPv6].src, each[IPv6].dst) for each in frames if each) == [
        ("fd00:77::1", "fd00:77::2"),
        ("fe80::1", "fe80::2"),
    ]
    for each in frames:
        assert each is not None
        network = each[IPv6]
        assert (each[Ether].dst, network.hlim, network.nh, network.tc, network.fl) == (right_mac, 255, 112, 0xE0, 0)
        assert bytes(each[Carp]) == PAYLOAD


def test_tcpdump_and_the_kernel_find_nothing_wrong(lan: Any) -> None:
    """tcpdump complains about no checksum, and the peer's kernel delivers it to who listens as FreeBSD's does: after
    the IP header's checks, whatever the TTL. (ucarp is no peer: it takes only what is sent to its multicast group.)"""
    advertisements = open_socket(lan.LEFT, *RIGHT)
    with lan.on_the_right():
        freebsd = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
    wire = lan.wire(is_advertisement)
    advertisements.send(4, PAYLOAD)
    advertisements.send(6, PAYLOAD)
    freebsd.settimeout(5)
    assert freebsd.recv(4096)[20:] == PAYLOAD
    text = lan.tcpdump(wire.take(2), "-vv", "-T", "carp")
    assert text.count(f"vhid={F1['vhid']} advbase={F1['advbase']} advskew={F1['advskew']}") == 2, text
    assert "bad" not in text and "ttl 255" in text


def test_two_nodes_with_a_router_between_them_hear_each_other(lan: Any) -> None:
    """In both IP versions and directions; a router has taken one of the TTL."""
    with router(lan):
        west = open_socket("west", "10.2.0.1", "fd00:2::1")
        with lan.on_the_right():
            east = open_socket("east", "10.1.0.1", "fd00:1::1")
        for sender, receiver, number in ((west, east, 1), (east, west, 2)):
            for version, source in ((4, f"10.{number}.0.1"), (6, f"fd00:{number}::1")):
                with lan.on_the_right() if sender is east else nullcontext():  # it asks for its addresses there
                    sender.send(version, PAYLOAD)  # type: ignore[arg-type]
                (packet,) = received(lan, receiver, 1)
                assert (packet.version, packet.source, packet.ttl) == (version, source, 254)
                assert packet.payload == PAYLOAD and packet.header_intact


@pytest.mark.parametrize("peer", RIGHT)
def test_the_kernel_does_not_answer_that_nobody_speaks_carp_here(lan: Any, peer: str) -> None:
    """Without our socket it sends ICMP to the peer for each advertisement; with it, it does not."""
    advertisements = open_socket(lan.LEFT, peer)
    wire = lan.wire(is_complaint)
    version = ip_address(peer).version
    advertisements.send(version, PAYLOAD)
    wire.take(1)
    with lan.on_the_right():
        theirs = open_socket(lan.RIGHT, *LEFT)
    for _ in range(3):
        advertisements.send(version, PAYLOAD)
    received(lan, theirs, 3)
    lan.ip(f"link set {lan.LEFT} down")  # by then the kernel has dealt with all of them
    assert wire.queued() == []
    # The raw socket has kept none of them: nobody would ever read it.
    assert not lan.readable([sender.fileno() for sender in theirs._senders.values()], 0)


def test_a_complaint_of_a_host_without_carp_is_no_error(lan: Any) -> None:
    """A peer whose proxy is not running answers with ICMP; the next advertisement is sent all the same."""
    advertisements = open_socket(lan.LEFT, *RIGHT)
    wire = lan.wire(is_complaint)
    for version in (4, 6):
        for _ in range(3):
            advertisements.send(version, PAYLOAD)
            wire.take(1)


def test_an_error_of_one_peer_does_not_keep_the_others_from_hearing(lan: Any) -> None:
    """The error names who did not get it; when nobody did, it is an error of another kind."""
    lan.ip("route add unreachable 10.9.0.0/16")
    lan.ip("route add prohibit 10.8.0.0/16")
    advertisements = open_socket(lan.LEFT, "10.9.0.1", "10.0.0.2", "10.8.0.1")
    wire = lan.wire(is_advertisement)
    with pytest.raises(PartlySent, match=r"on left to 10\.9\.0\.1: .*; 10\.8\.0\.1: "):
        advertisements.send(4, PAYLOAD)
    assert Ether(wire.take(1)[0])[IP].dst == "10.0.0.2"
    nobody = open_socket(lan.LEFT, "10.9.0.1", "10.8.0.1")
    with pytest.raises(OSError, match=r"10\.9\.0\.1") as raised:
        nobody.send(4, PAYLOAD)
    assert not isinstance(raised.value, (PartlySent, NoWay))
    far = open_socket(lan.LEFT, "10.9.0.1", "10.9.0.2")
    with pytest.raises(NoWay, match=r"10\.9\.0\.1: .*; 10\.9\.0\.2: "):
        far.send(4, PAYLOAD)


def test_an_output_firewall_is_named(lan: Any) -> None:
    """It stops raw sockets, unlike packet sockets; so the error says what may be the cause."""
    advertisements = open_socket(lan.LEFT, *RIGHT)
    nft("add table inet f; add chain inet f o { type filter hook output priority 0; policy drop; }")
    for version in (4, 6):
        with pytest.raises(OSError, match="an output firewall") as raised:
            advertisements.send(version, PAYLOAD)
        assert raised.value.errno == errno.EPERM and not isinstance(raised.value, PartlySent)


def test_an_input_firewall_does_not_make_us_deaf(lan: Any) -> None:
    """A host that lets in what it knows drops protocol 112; a deaf backup would be a second master."""
    nft("add table inet f; add chain inet f i { type filter hook input priority 0; policy drop; }")
    ours = open_socket(lan.LEFT, *RIGHT)
    lan.send_from_the_right(unicast(lan))
    assert received(lan, ours, 1)[0].payload == PAYLOAD


def unicast(lan: Any, payload: bytes = PAYLOAD, **fields: Any) -> bytes:
    """A frame of another maker than the code under test, to the left host."""
    values: dict[str, Any] = {"src": "10.0.0.2", "dst": "10.0.0.1", "ttl": 64, "proto": 112} | fields
    return bytes(Ether(src="02:00:00:00:00:02", dst=lan.mac(), type=0x0800) / IP(**values) / payload)


def test_what_is_heard(lan: Any) -> None:
    """Unicasts to this host with our id, IP options or not, each once, whatever its TTL; and multicasts that pass."""
    advertisements = open_socket(lan.LEFT, *RIGHT)
    ipv6: dict[str, Any] = {"src": "fd00:77::2", "dst": "fd00:77::1", "nh": 112, "hlim": 9}
    lan.send_from_the_right(
        unicast(lan),
        unicast(lan, options=[("NOP")] * 4),
        bytes(Ether(dst=lan.mac(), type=0x86DD) / IPv6(**ipv6) / PAYLOAD),
        bytes.fromhex(F1["frame_hex"]),
    )
    packets = received(lan, advertisements, 4)
    assert [packet.payload for packet in packets] == [PAYLOAD] * 4
    assert sorted(packet.ttl for packet in packets) == [9, 64, 64, 255]


def test_what_does_not_wake_the_loop(lan: Any) -> None:
    """Other ids, other protocols, frames to another host, tagged frames, and what we send ourselves."""
    advertisements = open_socket(lan.LEFT, *RIGHT)
    lan.ip(f"link set {lan.LEFT} promisc on")
    other_id = bytes([PAYLOAD[0], F1["vhid"] + 1]) + PAYLOAD[2:]
    to_another = bytearray(unicast(lan))
    to_another[:6] = bytes.fromhex("020000000099")
    tagged = bytearray(unicast(lan))
    tagged[12:12] = bytes.fromhex("81000014")
    lan.send_from_the_right(unicast(lan, other_id), unicast(lan, proto=17), bytes(to_another), bytes(tagged))
    advertisements.send(4, PAYLOAD)
    advertisements.send(6, PAYLOAD)
    assert not lan.readable(advertisements.fileno_list(), 0.2)
    lan.send_from_the_right(unicast(lan))
    received(lan, advertisements, 1)


def test_a_virtual_address_is_never_the_source(lan: Any) -> None:
    """Not even where the kernel would choose it. What was chosen is kept until an address came or went."""
    lan.ip(f"address flush dev {lan.LEFT}")
    lan.ip(f"address add 10.0.0.3/24 dev {lan.LEFT}")
    lan.ip(f"address add fd00:77::3/64 dev {lan.LEFT} nodad")
    advertisements = open_socket(lan.LEFT, *RIGHT)
    wire = lan.wire(is_advertisement)
    for version in (4, 6):
        with pytest.raises(OSError, match="no address of its own") as raised:
            advertisements.send(version, PAYLOAD)
        assert raised.value.errno == errno.EADDRNOTAVAIL
    for own in ("10.0.0.7/24", "fd00:77::7/64"):
        lifetime = "nodad" if ":" in own else "valid_lft 600 preferred_lft 600"
        lan.ip(f"address add {own} dev {lan.LEFT} {lifetime}")
    advertisements.send(4, PAYLOAD)
    advertisements.send(6, PAYLOAD)
    frames = [Ether(frame) for frame in wire.take(2)]
    assert (frames[0][IP].src, frames[1][IPv6].src) == ("10.0.0.7", "fd00:77::7")
    lan.ip(f"address add 10.0.0.8/24 dev {lan.LEFT}")

    def source() -> str:
        advertisements.send(4, PAYLOAD)
        text: str = Ether(wire.take(1)[0])[IP].src
        return text

    def envelope_source() -> str:
        (envelope,) = advertisements.envelopes(4, len(PAYLOAD))
        return str(ip_address(orders.decode_datagram(envelope + PAYLOAD)[2]))

    assert source() == envelope_source() == "10.0.0.7", "kept until somebody tells of the change"
    assert advertisements.envelopes(4, len(PAYLOAD)) is advertisements.envelopes(4, len(PAYLOAD))
    advertisements.refresh()
    assert source() == envelope_source() == "10.0.0.8"
    lan.ip(f"address del 10.0.0.8/24 dev {lan.LEFT}")
    with pytest.raises(OSError, match=r"10\.0\.0\.2"):
        advertisements.send(4, PAYLOAD)
    assert source() == "10.0.0.7", "the kernel has told"


def test_interface_down_and_gone(lan: Any) -> None:
    """A send on an interface that is down or gone raises OSError that names it; back up, it works again."""
    advertisements = open_socket(lan.LEFT, RIGHT[0])
    advertisements.send(4, PAYLOAD)
    lan.ip(f"link set {lan.LEFT} down")
    with pytest.raises(OSError, match=lan.LEFT):
        advertisements.send(4, PAYLOAD)
    assert advertisements.receive() == []
    lan.ip(f"link set {lan.LEFT} up")
    lan.wait_up(lan.LEFT)
    advertisements.send(4, PAYLOAD)
    lan.ip(f"link delete {lan.LEFT}")
    with pytest.raises(OSError, match=lan.LEFT):
        advertisements.send(4, PAYLOAD)
    assert advertisements.receive() == []
    advertisements.close()
    advertisements.close()
    assert advertisements.fileno_list() == []
    with pytest.raises(OSError, match="no socket for IPv4"):
        advertisements.send(4, PAYLOAD)


def test_without_the_privilege_it_says_which_one_is_needed(lan: Any) -> None:
    """Raw sockets need CAP_NET_RAW; no descriptor stays open."""
    index = lan.index
    lan.lose_privileges()
    before = len(os.listdir("/proc/self/fd"))
    for peer in RIGHT:
        with pytest.raises(OSError, match="CAP_NET_RAW") as raised:
            UnicastSocket(lan.LEFT, index, 1, [ip_address(peer)])
        assert raised.value.errno == errno.EPERM
    assert len(os.listdir("/proc/self/fd")) == before


FOREVER = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("own", "peer", "source"),
    [
        (["10.0.0.1/24", "10.5.0.1/24"], "10.5.0.9", "10.5.0.1"),
        (["10.0.0.1/24", "10.5.0.1/24"], "10.6.0.9", "10.0.0.1"),
        (["fe80::1/64", "fd00::1/64"], "fd00:9::1", "fd00::1"),
        (["fd00::1/64", "fe80::1/64"], "fe80::9", "fe80::1"),
        (["fe80::1/64"], "fd00:9::1", "fe80::1"),
        (["fd00::1/64 tentative", "fd00:1::1/64"], "fd00::9", "fd00:1::1"),
        (["fd00::1/64 deprecated", "fd00::2/64"], "fd00::9", "fd00::2"),
        (["10.0.0.1/24 leased", "10.0.0.2/24"], "10.0.0.9", "10.0.0.2"),
    ],
)
def test_the_source_fits_the_peer(own: list[str], peer: str, source: str) -> None:
    """In its network, of its scope, usable, permanent, in this order of need; else the kernel's order."""
    flags = {"tentative": IFA_F_TENTATIVE, "deprecated": IFA_F_DEPRECATED}
    entries = []
    for each in own:
        text, _, word = each.partition(" ")
        address, _, prefix = text.partition("/")
        valid_s = 600 if word == "leased" else FOREVER
        entries.append(HostAddress(2, ip_address(address), int(prefix), flags.get(word, 0), valid_s, valid_s))
    assert str(choose_source(entries, ip_address(peer))) == source
