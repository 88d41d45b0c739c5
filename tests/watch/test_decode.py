"""A frame becomes what a node sees in it; what a node drops has the node's word and the field that is wrong."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux
from scapy.layers.l2 import CookedLinuxV2
from scapy.layers.l2 import Dot1AD
from scapy.layers.l2 import Dot1Q
from scapy.layers.l2 import Ether

from tests.carp.vectors import DOCUMENT
from tests.carp.vectors import NEGATIVES
from tests.fuzz.test_corpus import INPUTS
from tests.watch.packets import F1
from tests.watch.packets import MAC_A
from tests.watch.packets import captured
from tests.watch.packets import frame
from tests.watch.packets import heard
from tests.watch.packets import vrrp_2
from wsa_proxy.carp import wire
from wsa_proxy.carp.wire import Reject
from wsa_proxy.net import packet_socket
from wsa_proxy.watch.decode import LINKS
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.decode import decode


@pytest.mark.parametrize("vector", DOCUMENT["vectors"], ids=lambda vector: vector["id"])
def test_frames_of_other_implementations(vector: dict[str, Any]) -> None:
    """Every golden frame is CARP with its sender and the values that its maker wrote."""
    raw = bytes.fromhex(vector["frame_hex"])
    read = decode(Captured(1.0, raw))
    assert read is not None and read.fault is None
    assert read.says == wire.decode(bytes.fromhex(vector["packet_hex"]), 255)
    assert (read.protocol, read.number) == ("CARP", vector["vhid"])
    assert (read.source, read.mac, read.ttl) == (vector["ip"]["src"], raw[6:12].hex(":"), 255)


HEADER_FAULTS: dict[str, tuple[bytes, Reject, str]] = {
    "ttl": (frame(F1.packet, ttl=254), Reject.BAD_TTL, "TTL 254, 255 expected: it has passed a router"),
    "short": (frame(F1.packet[:35]), Reject.SHORT, "35 bytes, 36 expected"),
    "version": (frame(b"\x41" + F1.packet[1:]), Reject.BAD_VERSION, "version 4 type 1, version 2 type 1 expected"),
    "type": (frame(b"\x22" + F1.packet[1:]), Reject.BAD_VERSION, "version 2 type 2, version 2 type 1 expected"),
    "authlen": (frame(F1.packet[:3] + b"\x09" + F1.packet[4:]), Reject.VRRP, "authlen 9, 7 expected"),
    "checksum": (frame(NEGATIVES["N2"]), Reject.BAD_CHECKSUM, "checksum 23ef, 23ee expected"),
    "IP checksum": (frame(F1.packet, chksum=0x1234), Reject.BAD_CHECKSUM, "the IP header's checksum is 1234, "),
    "fragment": (frame(F1.packet, flags="MF"), Reject.SHORT, "a fragment"),
    "IP length": (frame(F1.packet, len=2000), Reject.SHORT, "2000 in all, and there are 56"),
    "IPv6 length": (frame(F1.packet, "fe80::1", plen=99), Reject.SHORT, "says 139 bytes, and there are 76"),
}


@pytest.mark.parametrize("name", HEADER_FAULTS)
def test_what_is_wrong_is_named_with_what_was_expected(name: str) -> None:
    """The word is the node's own, the field and the right value stand beside it."""
    raw, reject, text = HEADER_FAULTS[name]
    read = decode(Captured(1.0, raw))
    assert read is not None and read.fault is not None
    assert read.fault.reject is reject
    assert text in read.fault.text


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_what_the_capture_has_cut_is_not_blamed_on_the_sender(cut: int) -> None:
    """A frame that the capture cut cannot be told from a good one, and that is said."""
    raw = frame(F1.packet)
    read = decode(Captured(1.0, raw[:-cut], length_bytes=len(raw)))
    assert read is not None and read.fault is not None
    assert f"the capture has cut {cut} bytes off" in read.fault.text


def test_vlan_tags_and_padding() -> None:
    """The tags are told, padding is no payload."""
    raw = frame(F1.packet)
    tagged = Ether(src=MAC_A) / Dot1AD(vlan=7) / Dot1Q(vlan=20) / IP(raw[14:])
    read = decode(Captured(1.0, bytes(tagged) + bytes(20)))
    assert read is not None and read.fault is None
    assert (read.vlans, read.payload, read.mac) == ((7, 20), F1.packet, MAC_A)


@pytest.mark.parametrize(("link", "layer"), [(113, CookedLinux), (276, CookedLinuxV2)])
@pytest.mark.parametrize("source", ["10.0.0.1", "fe80::1"])
def test_linux_cooked_captures(link: int, layer: Any, source: str) -> None:
    """``tcpdump -i any`` keeps the sender's MAC, and whether this host was the sender."""
    network = (IPv6 if ":" in source else IP)(frame(F1.packet, source)[14:])
    proto = 0x86DD if ":" in source else 0x0800
    for kind, sent_here in ((2, False), (4, True)):
        cooked = layer(pkttype=kind, lladdrtype=1, lladdrlen=6, src=bytes.fromhex("02000000000a0000"), proto=proto)
        read = decode(Captured(1.0, bytes(cooked / network), link))
        assert read is not None and read.fault is None
        assert (read.mac, read.source, read.sent_here) == (MAC_A, source, sent_here)


def test_tunnels_and_other_protocols_are_nothing_of_ours() -> None:
    """A node looks at the outer header only: what somebody tunnels is not heard, nor is anything but protocol 112."""
    inner = IP(src="10.0.0.1", dst="224.0.0.18", ttl=255, proto=112) / F1.packet
    outer = Ether(dst="33:33:00:00:00:12") / IPv6(src="fe80::1", dst="ff02::12", nh=4) / inner
    assert decode(Captured(1.0, bytes(outer))) is None
    assert decode(Captured(1.0, frame(b"p" * 36, proto=17))) is None  # p is 112
    assert decode(Captured(1.0, frame(b"p" * 36, "fe80::1", nh=17))) is None
    assert decode(Captured(1.0, frame(F1.packet), link=105)) is None


def test_vrrp_with_seven_addresses_is_told_from_carp() -> None:
    """Only with a right checksum of its own is a packet of CARP's shape VRRP."""
    addresses = [f"10.0.0.{n}" for n in range(7)]
    packet = bytes(vrrp_with(addresses))
    assert packet[3] == 7
    assert heard(packet).protocol == "VRRP 2"
    damaged = packet[:20] + b"\xff" + packet[21:]
    assert heard(damaged).protocol == "CARP"


def vrrp_with(addresses: list[str]) -> Any:
    made = vrrp_2()
    made.addrlist = addresses
    return made


@given(st.binary(max_size=120), st.sampled_from(sorted(LINKS)), st.sampled_from(["0800", "86dd", "8100"]))
def test_any_bytes(data: bytes, link: int, ethertype: str) -> None:
    """Whatever a frame holds, reading it raises nothing."""
    header = bytes.fromhex("01005e000012" + "02000000000a" + ethertype)
    forced = bytearray(data)
    if len(forced) > 9:
        forced[9 if ethertype == "0800" else 6] = 112
    for raw in (data, header + data, header + bytes(forced), bytes(forced)):
        decode(Captured(1.0, raw, link))


@given(st.binary(min_size=24, max_size=90), st.sampled_from([4, 6]))
def test_the_payload_is_what_the_node_takes(data: bytes, version: int) -> None:
    """Of any IP header, scapy's reading gives the same payload, TTL and intact header as the node's own."""
    raw = bytearray(data.ljust(40, b"\0"))
    raw[0] = (raw[0] & 0x0F) | (version << 4)
    raw[9 if version == 4 else 6] = 112
    if version == 4:
        struct.pack_into("!H", raw, 6, struct.unpack_from("!H", raw, 6)[0] & 0xC000)
    link = bytes.fromhex("01005e00001202000000000a") + (b"\x08\x00" if version == 4 else b"\x86\xdd")
    node = (packet_socket._decode_ipv4 if version == 4 else packet_socket._decode_ipv6)(link + bytes(raw))
    read = decode(Captured(1.0, link + bytes(raw)))
    assert read is not None
    assert (read.payload, read.ttl) == (node.payload, node.ttl)
    if not node.header_intact:
        assert read.fault is not None and read.fault.reject is Reject.BAD_CHECKSUM


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name[:8])
def test_inputs_of_the_fuzzer(path: Any) -> None:
    """What the fuzzer kept is read without a word, as a payload and as a frame."""
    data = path.read_bytes()
    for raw in (data, frame(data[:1400]), frame(data[:1400], "fe80::1")):
        decode(Captured(1.0, raw))
    assert captured(data[:1400]).frame == frame(data[:1400])
