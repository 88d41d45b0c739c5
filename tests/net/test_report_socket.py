"""Reports over a real cable: what scapy reads there, what is heard and what is not, and what a flood may cost."""

from __future__ import annotations

import errno
import os
import resource
import socket
from ipaddress import ip_address
from typing import Any

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from tests.net.test_unicast_socket import router
from wsa_proxy.net import report_socket
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Datagram
from wsa_proxy.net.report_socket import DATAGRAM_BYTES
from wsa_proxy.net.report_socket import DATAGRAMS_PER_TURN_MAX
from wsa_proxy.net.report_socket import RECEIVE_BUFFER_BYTES
from wsa_proxy.net.report_socket import ReportSocket

PORT = 8112
VIRTUAL = [ip_address("10.0.0.3"), ip_address("fd00:77::3")]
REPORT = b"wsam and what follows"
GROUPS = ("224.0.0.18", "ff02::12")


def open_socket(interface: str, **values: Any) -> ReportSocket:
    """On the host where we are."""
    return ReportSocket(interface, socket.if_nametoindex(interface), PORT, lambda: VIRTUAL, **values)


def peers(*texts: str) -> list[Address]:
    return [ip_address(text) for text in texts]


def is_report(frame: bytes) -> bool:
    packet = Ether(frame)
    return UDP in packet and packet[UDP].dport == PORT


def heard(lan: Any, ours: ReportSocket, count: int) -> list[Datagram]:
    """The next so many datagrams, and no more."""
    found: list[Datagram] = []

    def enough() -> bool:
        found.extend(ours.receive())
        return len(found) >= count

    lan.until(enough, f"{count} datagrams")
    assert len(found) == count, found
    return found


def plain_sender(interface: str, family: int = socket.AF_INET) -> socket.socket:
    """An ordinary socket of the other host, with its own settings."""
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    return opened


def test_multicast_goes_to_carps_groups_with_a_hop_limit_of_one(lan: Any) -> None:
    """From one of our own addresses, port to port, never further than this network; the other host hears both."""
    left = open_socket(lan.LEFT)
    with lan.on_the_right():
        right = open_socket(lan.RIGHT)
    wire = lan.wire(is_report)
    left.send(4, (), REPORT)
    left.send(6, (), REPORT)
    ipv4, ipv6 = (Ether(frame) for frame in wire.take(2))
    assert (ipv4[IP].src, ipv4[IP].dst, ipv4[IP].ttl) == ("10.0.0.1", "224.0.0.18", 1)
    assert (ipv6[IPv6].src, ipv6[IPv6].dst, ipv6[IPv6].hlim) == ("fd00:77::1", "ff02::12", 1)
    for packet in (ipv4, ipv6):
        assert (packet[Ether].src, packet[UDP].sport, bytes(packet[UDP].payload)) == (lan.mac(), PORT, REPORT)
    assert heard(lan, right, 2) == [Datagram("10.0.0.1", REPORT), Datagram("fd00:77::1", REPORT)]
    assert (left.source_of(4), left.source_of(6)) == (ip_address("10.0.0.1"), ip_address("fd00:77::1"))


def test_we_do_not_hear_ourselves(lan: Any) -> None:
    """Nor does a second process on this host; both hear the other host."""
    left, beside = open_socket(lan.LEFT), open_socket(lan.LEFT)
    with lan.on_the_right():
        right = open_socket(lan.RIGHT)
    for version in (4, 6):
        left.send(version, (), REPORT)
    heard(lan, right, 2)
    assert left.receive() == beside.receive() == []
    with lan.on_the_right():
        right.send(4, (), REPORT)
    assert heard(lan, left, 1) == heard(lan, beside, 1) == [Datagram("10.0.0.2", REPORT)]


def test_unicast_goes_to_the_peers_alone(lan: Any) -> None:
    """Of the version that is asked for; link-local ones as well. With peers nothing goes to the group."""
    left = open_socket(lan.LEFT)
    lan.wait_up(lan.LEFT)
    with lan.on_the_right():
        lan.wait_up(lan.RIGHT)
        for address in ("fd00:77::2", "fe80::2"):
            lan.wait_askable(ip_address(address))
        right = open_socket(lan.RIGHT)
    wire = lan.wire(is_report)
    all_peers = peers("10.0.0.2", "fd00:77::2", "fe80::2")
    left.send(4, all_peers, REPORT)
    left.send(6, all_peers, REPORT)
    left.send(6, peers("10.0.0.2"), REPORT)
    found = {each.source for each in heard(lan, right, 3)}
    assert found == {"10.0.0.1", "fd00:77::1", "fe80::1"}
    packets = [Ether(frame) for frame in wire.take(3)]
    assert [packet[IP].dst for packet in packets if IP in packet] == ["10.0.0.2"]
    assert {packet[IPv6].dst for packet in packets if IPv6 in packet} == {"fd00:77::2", "fe80::2"}
    assert left.source_of(6, peers("10.0.0.2", "fe80::2")) == ip_address("fe80::1")
    assert left.source_of(6, peers("10.0.0.2")) == ip_address("fd00:77::1"), "no peer of this version: as to the group"


def test_peers_behind_a_router_hear_each_other(lan: Any) -> None:
    """A unicast has the usual hop limit, and the source that the router has a way to."""
    with router(lan):
        west = open_socket("west")
        with lan.on_the_right():
            east = open_socket("east")
        for version, peer in ((4, "10.2.0.1"), (6, "fd00:2::1")):
            west.send(version, peers(peer), REPORT)  # type: ignore[arg-type]
        assert {each.source for each in heard(lan, east, 2)} == {"10.1.0.1", "fd00:1::1"}


def test_a_peer_that_cannot_be_reached_does_not_keep_the_others_from_hearing(lan: Any) -> None:
    """The error names it, and only it: a broadcast, which the kernel sends for nobody who has not asked for it."""
    left = open_socket(lan.LEFT)
    with lan.on_the_right():
        right = open_socket(lan.RIGHT)
    with pytest.raises(OSError, match=r"on left to 10\.0\.0\.255: [^;]*$") as raised:
        left.send(4, peers("10.0.0.255", "10.0.0.2"), REPORT)
    assert raised.value.errno == errno.EACCES
    assert heard(lan, right, 1) == [Datagram("10.0.0.1", REPORT)]


def test_nobody_listens_there(lan: Any) -> None:
    """The peer's host answers each with ICMP "port unreachable"; that is no error of ours."""
    left = open_socket(lan.LEFT)
    for _ in range(3):
        left.send(4, peers("10.0.0.2"), REPORT)
        left.send(6, peers("fd00:77::2"), REPORT)
        assert left.receive() == []


def test_a_virtual_address_is_never_the_source(lan: Any) -> None:
    """Not even where it is the only one, or where the kernel would choose it; and what was chosen is kept until an
    address came or went."""
    lan.ip(f"address flush dev {lan.LEFT}")
    lan.ip(f"address add 10.0.0.3/24 dev {lan.LEFT}")
    lan.ip(f"address add fd00:77::3/64 dev {lan.LEFT} nodad")
    left = open_socket(lan.LEFT)
    wire = lan.wire(is_report)
    for version, peer in ((4, "10.0.0.2"), (6, "fd00:77::2")):
        for to in ((), peers(peer)):
            with pytest.raises(OSError, match="Cannot assign requested address") as raised:
                left.send(version, to, REPORT)  # type: ignore[arg-type]
            assert raised.value.errno == errno.EADDRNOTAVAIL
            assert left.source_of(version, to) is None  # type: ignore[arg-type]
    lan.ip(f"address add 10.0.0.7/24 dev {lan.LEFT} valid_lft 600 preferred_lft 600")
    lan.ip(f"address add fd00:77::7/64 dev {lan.LEFT} nodad")

    def sources() -> list[str]:
        for version in (4, 6):
            left.send(version, (), REPORT)
        packets = [Ether(frame) for frame in wire.take(2)]
        return [packets[0][IP].src, packets[1][IPv6].src]

    assert sources() == ["10.0.0.7", "fd00:77::7"]
    lan.ip(f"address add 10.0.0.8/24 dev {lan.LEFT}")
    assert sources() == ["10.0.0.7", "fd00:77::7"], "kept until somebody tells of the change"
    left.refresh()
    assert sources() == ["10.0.0.8", "fd00:77::7"], "a permanent one comes first"
    lan.ip(f"address del 10.0.0.8/24 dev {lan.LEFT}")
    with pytest.raises(OSError, match=r"224\.0\.0\.18"):
        left.send(4, (), REPORT)
    assert wire.queued() == []
    assert sources() == ["10.0.0.7", "fd00:77::7"], "the kernel has told"


def test_only_this_interface(lan: Any) -> None:
    """A second cable between the same hosts: what comes by it is not for us, be it to the group or to our address."""
    lan.ip(f"link add second type veth peer name farther netns {lan.path_of_right}")
    lan.ip("address add 10.7.0.1/24 dev second")
    lan.ip("link set second addrgenmode none up")
    with lan.on_the_right():
        lan.ip("address add 10.7.0.2/24 dev farther")
        lan.ip("link set farther addrgenmode none up")
        right = open_socket(lan.RIGHT)
        farther = open_socket("farther")
    lan.wait_up("second")
    # Of several sockets with one port the kernel gives a unicast to the one that was opened last.
    second, left = open_socket("second"), open_socket(lan.LEFT)
    with lan.on_the_right():
        farther.send(4, (), b"by the second")
        farther.send(4, peers("10.7.0.1"), b"to the second")
    assert {each.payload for each in heard(lan, second, 2)} == {b"by the second", b"to the second"}
    assert left.receive() == []
    left.send(4, (), b"by the first")
    heard(lan, right, 1)
    assert farther.receive() == []


def test_only_the_group_and_this_host(lan: Any) -> None:
    """Other ports, another group, everybody's broadcast address with another port: none of them wakes the loop."""
    left = open_socket(lan.LEFT)
    with lan.on_the_right():
        sender = plain_sender(lan.RIGHT)
        sender.sendto(b"another port", ("10.0.0.1", PORT + 1))
        sender.sendto(b"another group", ("224.0.0.99", PORT))
        assert not lan.readable(left.fileno_list(), 0.2)
        sender.sendto(b"to us", ("10.0.0.1", PORT))
    assert heard(lan, left, 1) == [Datagram("10.0.0.2", b"to us")]


@pytest.mark.parametrize("version", [4, 6])
def test_a_flood_is_read_a_little_each_turn(lan: Any, version: int) -> None:
    """And what the kernel keeps of it has a bound; once it is read, reports are heard as before."""
    left = open_socket(lan.LEFT)
    family, ours = (socket.AF_INET, "10.0.0.1") if version == 4 else (socket.AF_INET6, "fd00:77::1")
    with lan.on_the_right():
        sender = plain_sender(lan.RIGHT, family)
        right = open_socket(lan.RIGHT)
        for number in range(5000):
            sender.sendto(os.urandom(1400 + number % 100), (ours, PORT))
    sizes = []
    while found := left.receive():
        sizes.append(len(found))
    assert set(sizes[:-1]) == {DATAGRAMS_PER_TURN_MAX} and sizes[-1] <= DATAGRAMS_PER_TURN_MAX
    assert 500 < sum(sizes) < 2 * RECEIVE_BUFFER_BYTES / 1400, "the kernel counts twice what is asked for"
    with lan.on_the_right():
        right.send(version, (), REPORT)  # type: ignore[arg-type]
    assert heard(lan, left, 1)[0].payload == REPORT


def test_both_versions_have_their_share_of_a_turn(lan: Any) -> None:
    """A flood of one does not keep the other from being heard in the same turn."""
    left = open_socket(lan.LEFT)
    with lan.on_the_right():
        sender, other = plain_sender(lan.RIGHT), plain_sender(lan.RIGHT, socket.AF_INET6)
        for _ in range(300):
            sender.sendto(b"garbage", ("10.0.0.1", PORT))
        other.sendto(REPORT, ("fd00:77::1", PORT))
    lan.until(lambda: lan.readable(left.fileno_list()[1:], 0), "the report is there")
    found = left.receive()
    assert [each.payload for each in found].count(b"garbage") == DATAGRAMS_PER_TURN_MAX and found[-1].payload == REPORT


def test_what_is_longer_than_any_report_is_cut(lan: Any) -> None:
    """Fragments that the kernel has put together: still longer than a report may be, so nobody takes it for one. An
    empty datagram is one as well, and does not end the turn."""
    left = open_socket(lan.LEFT)
    with lan.on_the_right():
        sender = plain_sender(lan.RIGHT)
        sender.sendto(bytes(60_000), ("10.0.0.1", PORT))
        sender.sendto(b"", ("10.0.0.1", PORT))
        sender.sendto(REPORT, ("10.0.0.1", PORT))
    assert [len(each.payload) for each in heard(lan, left, 3)] == [DATAGRAM_BYTES, 0, len(REPORT)]


def test_interface_down_and_gone(lan: Any) -> None:
    """A send on an interface that is down or gone raises OSError that names it, and reading does not; back up, both
    work again."""
    left = open_socket(lan.LEFT)
    left.send(4, (), REPORT)
    lan.ip(f"link set {lan.LEFT} down")
    with pytest.raises(OSError, match=lan.LEFT):
        left.send(4, (), REPORT)
    assert left.receive() == []
    lan.ip(f"link set {lan.LEFT} up")
    lan.wait_up(lan.LEFT)
    with lan.on_the_right():
        lan.wait_up(lan.RIGHT)  # until then the kernel drops what is sent there, and says nothing
        right = open_socket(lan.RIGHT)
    left.send(4, (), REPORT)
    assert len(heard(lan, right, 1)) == 1
    with lan.on_the_right():
        right.send(4, (), b"to the group")
    assert heard(lan, left, 1)[0].payload == b"to the group"
    lan.ip(f"link delete {lan.LEFT}")
    for version in (4, 6):
        with pytest.raises(OSError, match=lan.LEFT):
            left.send(version, (), REPORT)
        assert left.source_of(version) in (None, ip_address("10.0.0.1"))
    assert left.receive() == []
    left.close()
    left.close()
    assert left.fileno_list() == [] and left.receive() == []
    with pytest.raises(OSError, match="no IPv4 on left"):
        left.send(4, (), REPORT)


def test_an_interface_that_is_made_anew_has_a_new_socket(lan: Any) -> None:
    """The old one stays deaf and mute; the new one is heard, with the port still open in the old one."""
    old = open_socket(lan.LEFT)
    lan.ip(f"link delete {lan.LEFT}")
    lan.cable()
    with lan.on_the_right():
        right = open_socket(lan.RIGHT)
    new = open_socket(lan.LEFT)
    new.send(4, (), REPORT)
    heard(lan, right, 1)
    with lan.on_the_right():
        right.send(4, (), REPORT)
        right.send(4, peers("10.0.0.1"), REPORT)
    heard(lan, new, 2)
    assert old.receive() == []


def test_it_needs_no_rights(lan: Any) -> None:
    """Unlike CARP's sockets."""
    with lan.on_the_right():
        right = open_socket(lan.RIGHT)
    index = lan.index
    lan.lose_privileges()
    left = ReportSocket(lan.LEFT, index, PORT)
    left.send(4, (), REPORT)
    assert heard(lan, right, 1) == [Datagram("10.0.0.1", REPORT)]


def test_a_socket_that_cannot_be_had_is_named(lan: Any) -> None:
    """With the port and the interface; no descriptor stays open."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="cannot open UDP port 8112 on nowhere: ") as raised:
        ReportSocket("nowhere", 99, PORT)
    assert raised.value.errno == errno.ENODEV and len(os.listdir("/proc/self/fd")) == before


def test_a_host_without_ipv6(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reports by IPv4, and says so where IPv6 is asked for."""
    real = report_socket._open

    def without_ipv6(interface: str, index: int, port: int, version: Any) -> socket.socket:
        if version == 6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(interface, index, port, version)

    monkeypatch.setattr(report_socket, "_open", without_ipv6)
    left = open_socket(lan.LEFT)
    assert len(left.fileno_list()) == 1
    with lan.on_the_right():
        monkeypatch.undo()
        right = open_socket(lan.RIGHT)
    left.send(4, (), REPORT)
    heard(lan, right, 1)
    with pytest.raises(OSError, match="no IPv6 on left") as raised:
        left.send(6, (), REPORT)
    assert raised.value.errno == errno.EAFNOSUPPORT


def test_without_a_descriptor_left_addresses_are_read_by_the_one_that_is_given(lan: Any) -> None:
    """A proxy out of descriptors must still tell that it is."""
    route = RouteSocket()
    left, without = open_socket(lan.LEFT, route=route), open_socket(lan.LEFT)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, 4096))
    opened = []
    try:
        while True:
            opened.append(os.dup(0))
    except OSError as error:
        assert error.errno == errno.EMFILE
    with pytest.raises(OSError, match="Too many open files"):
        without.send(4, (), REPORT)
    left.send(4, (), REPORT)
    assert left.source_of(4) == ip_address("10.0.0.1")
