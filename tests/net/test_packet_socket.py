from __future__ import annotations

import errno
import json
import random
import re
import socket
import struct
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from tests.net.receiving import received
from wsa_proxy.net import orders
from wsa_proxy.net.frames import Carp
from wsa_proxy.net.frames import advertisement_header
from wsa_proxy.net.frames import read_advertisement
from wsa_proxy.net.packet_socket import Headers
from wsa_proxy.net.packet_socket import PacketSocket
from wsa_proxy.net.ports import FRAMES_PER_TURN_MAX
from wsa_proxy.net.ports import Packet
from wsa_proxy.net.ports import Version

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "carp-vectors.json").read_text())["vectors"]
F1 = next(vector for vector in VECTORS if vector["id"] == "F1")
PAYLOAD = bytes.fromhex(F1["packet_hex"])
GROUP_MAC = "01005e000012"
VIP = ip_address("10.0.0.3")
SOURCES: dict[Version, str] = {4: "10.0.0.1", 6: "fd00:77::1"}
"""Of the host."""


def is_advertisement(frame: bytes) -> bool:
    return read_advertisement(frame) is not None


def open_socket(lan: Any, versions: tuple[Any, ...] = (4, 6), vhid: int = F1["vhid"]) -> PacketSocket:
    return PacketSocket(lan.LEFT, lan.index, vhid, versions, Headers([VIP, ip_address("fd00:77::3")]))


def ipv4_frame(payload: bytes = PAYLOAD, **fields: Any) -> bytes:
    """A frame of another maker than the code under test: scapy's defaults, with what the test changes."""
    values: dict[str, Any] = {"src": "10.0.0.2", "dst": "224.0.0.18", "ttl": 255, "proto": 112} | fields
    return bytes(Ether(src="02:00:00:00:00:02", dst="01:00:5e:00:00:12", type=0x0800) / IP(**values) / payload)


def test_vectors_are_received(lan: Any) -> None:
    """Every golden frame of another implementation arrives with its payload, whatever hardware address it uses."""
    for vector in VECTORS:
        advertisements = open_socket(lan, vhid=vector["vhid"])
        frame = bytes.fromhex(vector["frame_hex"])
        lan.send_from_the_right(frame)
        assert received(lan, advertisements, 1) == [
            Packet(
                version=4 if vector["af"] == "inet" else 6,
                source=vector["ip"]["src"],
                source_mac=frame[6:12].hex(":"),
                ttl=255,
                payload=bytes.fromhex(vector["packet_hex"]),
            )
        ], vector["id"]


def test_sent_frames_as_scapy_reads_them(lan: Any) -> None:
    """What we multicast has FreeBSD's headers, and the payload is patched in unchanged."""
    advertisements = open_socket(lan)
    wire = lan.wire(is_advertisement)
    for payload in (PAYLOAD, bytes(range(36)), b"0123456789" * 2):
        advertisements.send(4, payload)
        advertisements.send(6, payload)
        frames = wire.take(2)
        first, second = (read_advertisement(frame) for frame in frames)
        assert first is not None and second is not None
        assert (first[Ether].src, first[Ether].dst) == (lan.mac(), "01:00:5e:00:00:12")
        network = first[IP]
        assert (network.src, network.dst, network.ttl, network.proto) == ("10.0.0.1", "224.0.0.18", 255, 112)
        assert (network.tos, network.id, str(network.flags), network.len) == (0xE0, 0, "DF", 20 + len(payload))
        intact = network.copy()
        intact.chksum = None
        assert network.chksum == IP(bytes(intact)).chksum
        assert bytes(first[Carp]) == payload
        assert (second[Ether].src, second[Ether].dst) == (lan.mac(), "33:33:00:00:00:12")
        network = second[IPv6]
        assert (network.src, network.dst, network.hlim, network.nh) == ("fd00:77::1", "ff02::12", 255, 112)
        assert (network.tc, network.fl, network.plen) == (0xE0, 0, len(payload))
        assert bytes(second[Carp]) == payload


def test_groups_with_hardware_addresses_of_their_own_share_what_scapy_builds(
    lan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that takes all its groups over has scapy build a header for each IP version, not for each group; apart
    from the source of the frame they are alike, and an address that comes or goes has them built anew."""
    built: list[int] = []

    def counted(version: Any, *arguments: Any) -> bytes:
        built.append(version)
        return advertisement_header(version, *arguments)

    monkeypatch.setattr("wsa_proxy.net.packet_socket.advertisement_header", counted)
    headers = Headers([VIP, ip_address("fd00:77::3")])
    macs = [f"00:00:5e:00:01:{vhid:02x}" for vhid in (1, 2, 255)]
    versions: tuple[Version, ...] = (4, 6)
    made = {(version, mac): headers.header(lan.index, version, mac, 36) for mac in macs for version in versions}
    assert built == [4, 6]
    for (version, mac), header in made.items():
        assert header == advertisement_header(version, mac, ip_address(SOURCES[version]), 36)
    headers.clear()
    assert headers.header(lan.index, 4, macs[0], 36) == made[4, macs[0]] and built == [4, 6, 4]


def test_sent_frames_as_tcpdump_reads_them(lan: Any) -> None:
    """tcpdump reads our frames as CARP with the values of the payload and complains about no checksum."""
    advertisements = open_socket(lan)
    wire = lan.wire(is_advertisement)
    advertisements.send(4, PAYLOAD)
    advertisements.send(6, PAYLOAD)
    text = lan.tcpdump(wire.take(2), "-vv", "-T", "carp")
    assert len(re.findall(rf"vhid={F1['vhid']} advbase={F1['advbase']} advskew={F1['advskew']}", text)) == 2, text
    assert "bad" not in text
    assert "tos 0xe0" in text
    assert "ttl 255" in text


def test_nothing_else_wakes_the_loop(lan: Any) -> None:
    """Other protocols, other VLANs, our own advertisements and ordinary traffic do not make the sockets readable."""
    advertisements = open_socket(lan)
    tagged = bytearray(ipv4_frame())
    tagged[12:12] = bytes.fromhex("81000014")  # VLAN 20, which has no device here
    udp = ipv4_frame(proto=17)
    arp = bytes.fromhex("ffffffffffff02000000000208060001080006040001") + bytes(20)
    ipv6 = bytes(Ether(dst="33:33:00:00:00:12", type=0x86DD) / IPv6(src="fe80::2", dst="ff02::12", nh=58) / PAYLOAD)
    short = bytes.fromhex(GROUP_MAC + "0200000000020800") + b"\x45\0\0\x38"
    lan.send_from_the_right(bytes(tagged), udp, arp, ipv6, short)
    advertisements.send(4, PAYLOAD)
    advertisements.send(6, PAYLOAD)
    with lan.on_the_right(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ordinary:
        ordinary.sendto(b"hello", ("10.0.0.1", 9))  # neighbours meet, a port is unreachable
    assert not lan.readable(advertisements.fileno_list(), 0.2)
    lan.send_from_the_right(ipv4_frame())
    assert [packet.payload for packet in received(lan, advertisements, 1)] == [PAYLOAD]


CASES: dict[str, tuple[bytes, bytes, bool]] = {
    # name: frame, payload, header_intact
    "padding is cut": (ipv4_frame(PAYLOAD[:3]) + bytes(23), PAYLOAD[:3], True),
    "trailing bytes are cut": (ipv4_frame() + b"trailer", PAYLOAD, True),
    "options are skipped": (ipv4_frame(options=[("NOP"), ("NOP"), ("NOP"), ("NOP")]), PAYLOAD, True),
    "first fragment": (ipv4_frame(flags="MF"), b"", True),
    "last fragment": (ipv4_frame(frag=3), b"", True),
    "wrong checksum": (ipv4_frame(chksum=0x1234), PAYLOAD, False),
    "total length too long": (ipv4_frame(len=2000), b"", True),
    "total length below the header": (ipv4_frame(len=10), b"", True),
    "header length below 20": (ipv4_frame(ihl=4, dst=f"224.{F1['vhid']}.0.18"), b"", True),
    "version 6 in an IPv4 frame": (ipv4_frame(version=6), b"", True),
    "low ttl is passed on": (ipv4_frame(ttl=1), PAYLOAD, True),
    "truncated payload": (ipv4_frame()[:36], b"", True),
    "no payload but padding": (ipv4_frame(b"") + PAYLOAD[:2], b"", True),
}


@pytest.mark.parametrize("name", CASES)
def test_senseless_headers(lan: Any, name: str) -> None:
    """A frame whose IP header makes no sense becomes a packet without payload, and never an exception."""
    frame, payload, intact = CASES[name]
    advertisements = open_socket(lan)
    lan.send_from_the_right(frame)
    (packet,) = received(lan, advertisements, 1)
    assert (packet.payload, packet.header_intact, packet.ttl) == (payload, intact, frame[22])


def test_ipv6_lengths(lan: Any) -> None:
    """An IPv6 payload ends where its header says; a length beyond the frame gives no payload."""
    advertisements = open_socket(lan)
    header = Ether(src="02:00:00:00:00:02", dst="33:33:00:00:00:12", type=0x86DD)
    network: dict[str, Any] = {"src": "fe80::2", "dst": "ff02::12", "nh": 112, "hlim": 255}
    good = bytes(header / IPv6(**network) / PAYLOAD)
    lan.send_from_the_right(good + b"padding", bytes(header / IPv6(**network, plen=99) / PAYLOAD), good[:56])
    packets = received(lan, advertisements, 3)
    assert [packet.payload for packet in packets] == [PAYLOAD, b"", b""]
    assert [packet.source for packet in packets] == ["fe80::2"] * 3


def test_garbage(lan: Any) -> None:
    """Random frames of protocol 112 raise nothing, and a good advertisement after them is heard; those with our id,
    wherever their header says that it is, arrive."""
    advertisements = open_socket(lan)
    chance = random.Random(112)
    frames, ours = [], []
    for _ in range(1000):
        header = bytearray(chance.randbytes(chance.randrange(10, 120)))
        ethertype = chance.choice(["0800", "86dd"])
        header[9 if ethertype == "0800" else 6] = 112
        place = (header[0] & 15) * 4 + 1 if ethertype == "0800" else 41
        if place < len(header) and place != 9:
            header[place] = F1["vhid"]
            ours.append(bytes(header))
        frames.append(bytes.fromhex(GROUP_MAC + "020000000002" + ethertype) + bytes(header))
    packets: list[Packet] = []
    for start in range(0, 1000, 50):  # fits into the smallest receive buffer
        lan.send_from_the_right(*frames[start : start + 50])
        expected = len([frame for frame in frames[start : start + 50] if frame[14:] in ours])
        packets += received(lan, advertisements, expected)
    lan.send_from_the_right(ipv4_frame())
    (last,) = received(lan, advertisements, 1)
    assert last.payload == PAYLOAD
    assert len(packets) == len(ours) > 500


OTHER_ID = bytes([PAYLOAD[0], F1["vhid"] + 1]) + PAYLOAD[2:]
VRRP2 = bytes([0x21, F1["vhid"], 100, 1]) + bytes(16)
VRRP3 = bytes([0x31, F1["vhid"], 100, 1]) + bytes(8)


def test_other_ids_do_not_wake_the_loop(lan: Any) -> None:
    """Of 255 groups on a LAN each hears its own id alone, behind IPv4 options too; a VRRP speaker with it is heard."""
    advertisements = open_socket(lan)
    options: dict[str, Any] = {"options": [("NOP")] * 8}
    header = Ether(dst="33:33:00:00:00:12", type=0x86DD) / IPv6(src="fe80::2", dst="ff02::12", nh=112, hlim=255)
    without_id = [ipv4_frame()[:35], bytes(header / PAYLOAD)[:55], ipv4_frame(b""), ipv4_frame()[:24]]
    others = [ipv4_frame(OTHER_ID), ipv4_frame(OTHER_ID, **options), bytes(header / OTHER_ID), *without_id]
    lan.send_from_the_right(*others)
    assert not lan.readable(advertisements.fileno_list(), 0.1)
    heard = [PAYLOAD, VRRP2, VRRP3, PAYLOAD[:2]]
    lan.send_from_the_right(*[ipv4_frame(each, **options) for each in heard], *[ipv4_frame(each) for each in heard])
    lan.send_from_the_right(*[bytes(header / each) for each in heard])
    assert [packet.payload for packet in received(lan, advertisements, 12)] == heard * 3


def test_a_storm_is_read_in_portions(lan: Any) -> None:
    """One call answers FRAMES_PER_TURN_MAX packets at most, and nothing of a storm is lost."""
    advertisements = open_socket(lan, (4,))
    numbers = [PAYLOAD + struct.pack("!I", number) for number in range(200)]
    lan.send_from_the_right(*(ipv4_frame(number) for number in numbers))
    with lan.on_the_right():
        lan.ip(f"link set {lan.RIGHT} down")  # by then all of them are through
    portions = [advertisements.receive() for _ in range(5)]
    assert [len(portion) for portion in portions] == [FRAMES_PER_TURN_MAX] * 3 + [8, 0]
    assert [packet.payload for portion in portions for packet in portion] == numbers


def test_memberships(lan: Any) -> None:
    """The groups are joined for the network card and for snooping switches, and left by close."""

    def groups() -> tuple[bool, bool, bool, bool]:
        igmp = Path("/proc/net/igmp").read_text()
        multicast = [line.split() for line in Path("/proc/net/dev_mcast").read_text().splitlines()]
        hardware = {line[4] for line in multicast if line[1] == lan.LEFT}
        igmp6 = [line.split() for line in Path("/proc/net/igmp6").read_text().splitlines()]
        joined6 = {line[2] for line in igmp6 if line[1] == lan.LEFT}
        return (
            "120000E0" in igmp,
            "ff020000000000000000000000000012" in joined6,
            {GROUP_MAC, "333300000012"} <= hardware,
            "allmulti 2" in lan.ip(f"-details link show dev {lan.LEFT}"),
        )

    assert not any(groups())
    advertisements = open_socket(lan)
    assert all(groups())
    advertisements.close()
    advertisements.close()
    assert not any(groups())
    assert advertisements.fileno_list() == []


def test_source_address(lan: Any) -> None:
    """The source is the first permanent address that is not virtual, else a leased one, else 0.0.0.0."""
    lan.ip(f"address flush dev {lan.LEFT}")
    lan.ip(f"address add 10.0.0.3/32 dev {lan.LEFT}")
    advertisements = open_socket(lan)
    wire = lan.wire(is_advertisement)

    def source() -> str:
        advertisements.send(4, PAYLOAD)
        (frame,) = wire.take(1)
        text: str = Ether(frame)[IP].src
        return text

    assert source() == "0.0.0.0"
    lan.ip(f"address add 10.0.0.8/24 dev {lan.LEFT} valid_lft 600 preferred_lft 600")
    assert source() == "0.0.0.0", "kept until somebody tells of the change"
    advertisements.refresh()
    assert source() == "10.0.0.8"
    lan.ip(f"address add 10.0.0.9/24 dev {lan.LEFT}")
    advertisements.refresh()
    assert source() == "10.0.0.9"
    with pytest.raises(OSError) as raised:
        advertisements.send(6, PAYLOAD)
    assert raised.value.errno == errno.EADDRNOTAVAIL


def test_the_envelopes_of_a_will_follow_the_interface(lan: Any) -> None:
    """The same ones until somebody tells of a change, of an address or of the hardware address; also of a change that
    was told another group: the headers are one table for all."""
    headers = Headers()
    advertisements = PacketSocket(lan.LEFT, lan.index, 7, {4}, headers, "00:00:5e:00:01:07")
    other = PacketSocket(lan.LEFT, lan.index, 8, {4}, headers)

    def ends() -> tuple[str, str]:
        (envelope,) = advertisements.envelopes(4, len(PAYLOAD))
        decoded = orders.decode_frame(envelope + PAYLOAD)
        assert decoded is not None and decoded[0] == lan.index
        frame = Ether(decoded[1])
        assert bytes(frame[IP].payload) == PAYLOAD and frame[IP].len == 20 + len(PAYLOAD)
        return frame.src, frame[IP].src

    first = advertisements.envelopes(4, len(PAYLOAD))
    assert ends() == (lan.mac(), "10.0.0.1") and advertisements.envelopes(4, len(PAYLOAD)) is first
    lan.ip(f"link set {lan.LEFT} address 02:00:00:00:00:77")
    lan.ip(f"address del 10.0.0.1/24 dev {lan.LEFT}")
    lan.ip(f"address add 10.0.0.9/24 dev {lan.LEFT}")
    assert advertisements.envelopes(4, len(PAYLOAD)) is first
    other.refresh()
    assert ends() == ("02:00:00:00:00:77", "10.0.0.9")
    for each in (advertisements, other):
        each.close()


def test_source_address_of_ipv6(lan: Any) -> None:
    """Without any other address of its own, IPv6 speaks from the link-local one, never from the virtual one."""
    lan.ip(f"address del fd00:77::1/64 dev {lan.LEFT}")
    lan.ip(f"address add fd00:77::3/128 dev {lan.LEFT} nodad")
    wire = lan.wire(is_advertisement)
    open_socket(lan).send(6, PAYLOAD)
    assert Ether(wire.take(1)[0])[IPv6].src.startswith("fe80::")


def test_new_hardware_address(lan: Any) -> None:
    """When the interface gets another hardware address, the next advertisement comes from it."""
    advertisements = open_socket(lan, (4,))
    wire = lan.wire(is_advertisement)
    advertisements.send(4, PAYLOAD)
    lan.ip(f"link set {lan.LEFT} address 02:00:00:00:00:77")
    advertisements.send(4, PAYLOAD)
    frames = wire.take(2)
    assert frames[0][6:12] != frames[1][6:12] == bytes.fromhex("020000000077")


def test_interface_down_and_gone(lan: Any) -> None:
    """A send on an interface that is down or gone raises OSError that names it; back up, it works again."""
    advertisements = open_socket(lan, (4,))
    advertisements.send(4, PAYLOAD)
    lan.ip(f"link set {lan.LEFT} down")
    with pytest.raises(OSError, match=lan.LEFT) as raised:
        advertisements.send(4, PAYLOAD)
    assert raised.value.errno == errno.ENETDOWN
    assert advertisements.receive() == []
    lan.ip(f"link set {lan.LEFT} up")
    lan.wait_up(lan.LEFT)
    with lan.on_the_right():
        lan.wait_up(lan.RIGHT)
    lan.send_from_the_right(ipv4_frame())
    received(lan, advertisements, 1)
    advertisements.send(4, PAYLOAD)
    lan.ip(f"link delete {lan.LEFT}")
    with pytest.raises(OSError, match=lan.LEFT):
        advertisements.send(4, PAYLOAD)
    assert advertisements.receive() == []
    assert not lan.readable(advertisements.fileno_list(), 0.05), "a dead socket would keep the loop busy"
    advertisements.close()


def test_open_errors(lan: Any) -> None:
    """A missing or re-created interface is an OSError that names it."""
    with pytest.raises(OSError, match="no-such0"):
        PacketSocket("no-such0", 7, 1, [4], Headers())
    with pytest.raises(OSError, match="re-created"):
        PacketSocket(lan.LEFT, lan.index + 100, 1, [4], Headers())
    with pytest.raises(OSError, match="IPv5"):
        open_socket(lan, (4,)).send(5, PAYLOAD)  # type: ignore[arg-type]


def test_sent_from_the_virtual_mac(lan: Any) -> None:
    """With a virtual MAC the advertisements come from it, but for a farewell; all the rest is as without."""
    advertisements = PacketSocket(lan.LEFT, lan.index, 1, (4, 6), Headers([VIP]), "00:00:5e:00:01:01")
    wire = lan.wire(is_advertisement)
    for version in (4, 6):
        advertisements.send(version, PAYLOAD)
        advertisements.send(version, PAYLOAD, from_own_mac=True)
        virtual, own = wire.take(2)
        assert (Ether(virtual).src, Ether(own).src) == ("00:00:5e:00:01:01", lan.mac())
        assert virtual[:6] == own[:6] and virtual[12:] == own[12:]
    lan.send_from_the_right(ipv4_frame())
    received(lan, advertisements, 1)
    lan.ip(f"link delete {lan.LEFT}")
    with pytest.raises(OSError, match=lan.LEFT):
        advertisements.send(4, PAYLOAD)
