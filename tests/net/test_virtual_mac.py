"""The virtual MAC on a learning switch: who answers with it, who is silent, what a failover changes for a client."""

from __future__ import annotations

import os
import signal
import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet6 import ICMPv6ND_RA
from scapy.layers.inet6 import ICMPv6NDOptPrefixInfo
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from tests.learning_switch import ECHO_PORT
from tests.learning_switch import Server
from tests.learning_switch import Switch
from tests.learning_switch import Tap
from tests.learning_switch import answers_ping
from tests.learning_switch import family_of
from tests.learning_switch import reaches
from tests.learning_switch import vmac_frames
from tests.net.virtual_node import BOTH
from tests.net.virtual_node import LEASE_S
from tests.net.virtual_node import MAC
from tests.net.virtual_node import MLD_REPORTS_S
from tests.net.virtual_node import NAME
from tests.net.virtual_node import VHID
from tests.net.virtual_node import VIP4
from tests.net.virtual_node import VIP6
from tests.net.virtual_node import Node
from tests.net.virtual_node import watch
from wsa_proxy.net.interface_settings import settings_in_the_way

PORT = 7777
SAID, MARKER = (bytes([0x21, VHID]) + text * 34 for text in (b"x", b"y"))


def questions(frames: list[bytes]) -> list[str]:
    """The broadcast ARP requests and multicast neighbour solicitations among them."""
    found = [frame for frame in frames if frame[0] & 1]
    return [each.hex() for each in found if each[12:14] == b"\x08\x06" or (each[20], each[54]) == (58, 135)]


def test_silent_from_creation_to_promotion_and_after_demotion(lan: Any) -> None:
    """Not a frame comes from the virtual MAC but those of a master: none before it, none when the addresses went."""
    switch = Switch(lan)
    tap = Tap("a")
    node = Node(switch, "a")
    assert watch(tap, MLD_REPORTS_S) == []
    with switch.on("a"):
        node.lease.acquire()
    assert watch(tap, MLD_REPORTS_S, node) == [], "addresses alone are silent"
    node.promote()
    assert len(vmac_frames(tap.queued(), MAC)) == 3, "the advertisement and two announcements"
    assert watch(tap, MLD_REPORTS_S, node) == [], "no report of the kernel"
    node.demote()
    assert watch(tap, MLD_REPORTS_S) == []


def test_silent_after_the_lease_ended(lan: Any) -> None:
    """Killed, the process leaves the device up; the kernel removes the addresses and says nothing about it."""
    switch = Switch(lan)
    tap = Tap("a")
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            Node(switch, "a").promote()
        finally:
            os.write(told, b"!")
            signal.pause()
    os.read(ready, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(vmac_frames(tap.queued(), MAC)) == 3
    assert watch(tap, LEASE_S + MLD_REPORTS_S) == []
    with switch.on("a"):
        assert f"{NAME}@eth0: <BROADCAST,MULTICAST,UP" in lan.ip(f"link show dev {NAME}")
        assert lan.addresses(NAME) == []
    with switch.on("client"):
        assert not reaches(VIP4)
    assert vmac_frames(tap.queued(), MAC) == [], "nor is a question answered"


def test_without_the_entries_the_kernel_would_talk(lan: Any) -> None:
    """The two tests above would see it: of an ordinary macvlan, MLD reports come at both ends."""
    switch = Switch(lan)
    tap = Tap("a")
    node = Node(switch, "a")
    with switch.on("a"):
        node.lease.acquire()
        lan.ip(f"link set {NAME} up")
        tap.queued()
        assert watch(tap, MLD_REPORTS_S, node) != []
        assert watch(tap, LEASE_S + MLD_REPORTS_S) != []


def test_old_mld_is_silent_as_well(lan: Any) -> None:
    """Where a querier of version 1 was heard, reports go to the groups themselves: none leaves either."""
    switch = Switch(lan)
    tap = Tap("a")
    node = Node(switch, "a")
    with switch.on("a"):
        Path(f"/proc/sys/net/ipv6/conf/{NAME}/force_mld_version").write_text("1")
        Path(f"/proc/sys/net/ipv6/conf/{NAME}/mldv1_unsolicited_report_interval").write_text("1000")
        node.lease.acquire()
        node.interface.up()
    assert watch(tap, MLD_REPORTS_S, node) == []
    assert watch(tap, LEASE_S + MLD_REPORTS_S) == []


def test_snooping_switches_hear_of_the_groups_from_the_parent(lan: Any) -> None:
    """The parent is member of the groups in which the addresses are asked for, and tells so with its own address."""
    switch = Switch(lan)
    tap = Tap("a")
    node = Node(switch, "a")
    with switch.on("a"):
        own = bytes.fromhex(lan.mac("eth0").replace(":", ""))

    def told() -> bool:
        found.extend(tap.queued())
        group = ip_address("ff02::1:ff00:100").packed
        return any(frame[6:12] == own and frame[:6].hex() == "333300000016" and group in frame for frame in found)

    found: list[bytes] = []
    lan.until(told, "an MLD report of the parent")
    with switch.on("a"):
        assert "ff02::1:ff00:100" in lan.ip("maddress show dev eth0")
        node.interface.close()
        assert "ff02::1:ff00:100" not in lan.ip("maddress show dev eth0")


def test_only_the_master_answers_and_with_the_virtual_mac(lan: Any) -> None:
    """ARP and neighbour solicitations for the addresses: the virtual MAC from the master, silence from the backup."""
    switch = Switch(lan)
    a, b = Node(switch, "a"), Node(switch, "b")
    tap = Tap("b")
    with switch.on("b"):
        b.lease.acquire()
    a.promote()
    with switch.on("client"):
        for address in BOTH:
            assert reaches(address)
            assert switch.neighbour("client", str(address)) == MAC
        assert [answers_ping(lan, address) for address in BOTH] == [True, True]
    assert vmac_frames(tap.queued(), MAC) == [], "the backup has the addresses, but its device is down"


def test_the_hosts_own_addresses(lan: Any) -> None:
    """The master's own addresses are answered from its own hardware address, and its own traffic leaves from there."""
    switch = Switch(lan)
    node = Node(switch, "a")
    with switch.on("a"):
        own = lan.mac("eth0")
    node.promote()
    tap = Tap("a")
    with switch.on("client"):
        assert reaches(ip_address("10.0.0.1")) and reaches(ip_address("fd00:77::1"))
    assert switch.neighbour("client", "10.0.0.1") == switch.neighbour("client", "fd00:77::1") == own
    with switch.on("a"):
        assert reaches(ip_address("10.0.0.3")) and reaches(ip_address("fd00:77::3"))
        assert [reaches(address) for address in BOTH] == [True, True], "the master reaches the addresses itself"
    assert switch.neighbour("client", "10.0.0.1") == own
    assert vmac_frames(tap.queued(), MAC) == []


@pytest.mark.parametrize(
    ("setting", "value", "told", "works"),
    [
        ("rp_filter", 1, True, False),
        ("rp_filter", 2, False, True),
        ("arp_ignore", 2, True, False),
        ("arp_ignore", 1, False, True),
    ],
)
def test_settings_for_all_interfaces(lan: Any, setting: str, value: int, told: bool, works: bool) -> None:
    """What ``settings_in_the_way`` complains about really keeps clients from the address, and the rest does not."""
    switch = Switch(lan)
    with switch.on("a"):
        Path(f"/proc/sys/net/ipv4/conf/all/{setting}").write_text(str(value))
        assert bool(settings_in_the_way()) == told
    Node(switch, "a").promote()
    with switch.on("client"):
        # A warm entry, if the question is not what the setting is about.
        if setting == "rp_filter":
            lan.ip(f"neighbour replace {VIP4} lladdr {MAC} dev eth0 nud permanent")
        else:
            lan.ip("neighbour flush dev eth0")
        assert reaches(VIP4) == works
        assert reaches(ip_address("10.0.0.1")), "the host's own address works all the time"


def test_broadcasts(lan: Any) -> None:
    """The master's broadcasts and IPv6 multicasts leave once, from its own hardware address, and it hears others'."""
    switch = Switch(lan)
    node = Node(switch, "a")
    node.promote()
    tap = Tap("a")
    with switch.on("a"):
        own = bytes.fromhex(lan.mac("eth0").replace(":", ""))
        bound, unbound = broadcast_socket(b"eth0"), broadcast_socket(b"")
        for target in ("10.0.0.255", "255.255.255.255"):
            bound.sendto(b"from a", (target, PORT))
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as multicast:
            multicast.sendto(b"from a", ("ff05::7777", PORT))
    sent = [frame for frame in tap.queued() if b"from a" in frame]
    assert [frame[6:12] for frame in sent] == [own] * 3
    assert [frame[:6].hex() for frame in sent] == ["ff" * 6, "ff" * 6, "333300007777"]
    with switch.on("client"):
        broadcast_socket(b"eth0").sendto(b"from the client", ("10.0.0.255", PORT))
        assert answers_ping(lan, VIP4)  # what the macvlan got from its queue of multicasts before this has passed

    def heard(listener: socket.socket) -> list[bytes]:
        found = []
        while lan.readable([listener.fileno()], 0.2):
            found.append(listener.recv(100))
        return [each for each in found if each == b"from the client"]

    assert len(heard(bound)) == 1
    # A limit, not a wish: the macvlan takes the broadcast as well, and who listens on every interface hears it twice.
    assert len(heard(unbound)) == 2


def broadcast_socket(interface: bytes) -> socket.socket:
    """A UDP socket for broadcasts, on one interface or on all."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if interface:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface)
    opened.bind(("", PORT))
    return opened


def test_two_masters_hear_each_other(lan: Any) -> None:
    """A packet socket on the parent hears the other master's advertisements, although they come from the same MAC."""
    switch = Switch(lan)
    a, b = Node(switch, "a"), Node(switch, "b")
    a.promote()
    b.promote()
    for node, other in ((a, b), (b, a)):
        other.advertisements.receive()
        node.advertise(4)
        node.advertise(6, SAID)
        heard = lan.until(other.advertisements.receive, "an advertisement")
        assert [packet.source_mac for packet in heard] == [MAC] * len(heard)
        assert heard[-1].payload == SAID


def test_a_private_macvlan_would_make_masters_deaf(lan: Any) -> None:
    """Why the mode is bridge: in private mode the kernel swallows what comes from the macvlan's own MAC."""
    switch = Switch(lan)
    a, b = Node(switch, "a"), Node(switch, "b")
    with switch.on("a"):
        lan.ip(f"link set {NAME} type macvlan mode private")
    a.promote()
    b.promote()
    a.advertisements.receive()
    b.advertise()
    b.advertise(4, MARKER, own=True)
    heard = lan.until(a.advertisements.receive, "the marker")
    assert [packet.payload for packet in heard] == [MARKER]


def test_router_advertisements_change_nothing(lan: Any) -> None:
    """A router's advertisement gives the master neither a route nor an address on the macvlan."""
    switch = Switch(lan)
    node = Node(switch, "a")
    node.promote()
    prefix = ICMPv6NDOptPrefixInfo(prefix="fd00:99::", prefixlen=64)
    network = IPv6(src="fe80::3", dst="ff02::1", hlim=255)
    frame = Ether(src="02:00:00:00:00:03", dst="33:33:00:00:00:01") / network / ICMPv6ND_RA() / prefix
    with switch.on("client"):
        sender = lan.raw_socket("eth0")
    sender.send(bytes(frame))

    def learnt() -> bool:
        with switch.on("a"):
            return "default" in lan.ip("-6 route show dev eth0")

    lan.until(learnt, "the parent has learnt the router")
    # The macvlan gets multicasts from a queue of its own: what comes behind it has passed.
    with switch.on("client"):
        assert reaches(VIP6)
    with switch.on("a"):
        assert "default" not in lan.ip(f"-6 route show dev {NAME}")
        assert {entry["local"] for entry in lan.addresses(NAME)} == {str(VIP4), str(VIP6)}


@pytest.mark.parametrize("address", BOTH, ids=["ipv4", "ipv6"])
def test_failover_with_every_announcement_lost(lan: Any, address: Any) -> None:
    """One advertisement turns the switch: TCP, UDP and ICMP go on at the new master, and nobody asks who has it."""
    switch = Switch(lan)
    a, b = Node(switch, "a"), Node(switch, "b")
    with switch.on("a"):
        server_a = Server("a", address)
    with switch.on("b"):
        server_b = Server("b", address)
    a.promote()
    with switch.on("client"):
        assert answers_ping(lan, address)
        udp = socket.socket(family_of(address), socket.SOCK_DGRAM)
        udp.connect((str(address), ECHO_PORT))
        udp.settimeout(2.0)

    def owner() -> str:
        """Who answers UDP on the client's old socket, and accepts a new connection."""
        udp.send(b"who?")
        lan.until(lambda: lan.readable([server_a.udp.fileno(), server_b.udp.fileno()], 0.1), "a datagram")
        server_a.serve()
        server_b.serve()
        name = udp.recv(10).decode()
        with switch.on("client"), socket.create_connection((str(address), ECHO_PORT), timeout=2.0):
            accepted = [server.accepted() for server in (server_a, server_b)]
        assert accepted == [name == "a", name == "b"]
        return name

    assert owner() == "a"
    assert (switch.neighbour("client", str(address)), switch.port_of(MAC)) == (MAC, "a")
    # Dropped before the switch learns from them; in a later hook they would have turned the port already.
    switch.nft(
        "add table bridge lost\n"
        "add chain bridge lost incoming { type filter hook prerouting priority -300; }\n"
        f"add rule bridge lost incoming arp saddr ip {VIP4} drop\n"
        f"add rule bridge lost incoming ip6 saddr {VIP6} ip6 daddr ff02::1 drop\n"
    )
    asked, moved = Tap("client"), Tap("b")
    a.demote()
    with switch.on("b"):
        b.lease.acquire()
        b.interface.up()
    b.announce()
    assert len(vmac_frames(moved.queued(), MAC)) == 2
    assert switch.port_of(MAC) == "a", "the announcements are lost"
    b.advertise()
    assert switch.port_of(MAC) == "b"
    with switch.on("client"):
        assert answers_ping(lan, address)
    assert owner() == "b"
    assert switch.neighbour("client", str(address)) == MAC
    assert questions(asked.queued()) == []
