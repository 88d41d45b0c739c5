"""The 36 bytes: other implementations' packets in and out, every bit of them flipped, and whatever else arrives."""

from __future__ import annotations

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.vrrp import VRRP
from scapy.layers.vrrp import VRRPv3

from tests.carp.vectors import F1
from tests.carp.vectors import NEGATIVES
from tests.carp.vectors import VECTORS
from tests.carp.vectors import Vector
from wsa_proxy.carp import wire
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject

each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)

bytes_of_a_field = st.integers(0, 255)
advertisements = st.builds(
    Advertisement,
    vhid=bytes_of_a_field,
    advbase=bytes_of_a_field,
    advskew=bytes_of_a_field,
    demotion=bytes_of_a_field,
    counter=st.integers(0, 2**64 - 1),
    digest=st.binary(min_size=20, max_size=20),
)


def repaired(packet: bytes) -> bytes:
    """The same packet with a right checksum, computed with RFC 1071's own loop."""
    head = bytearray(packet)
    head[6:8] = b"\0\0"
    total = 0
    for high, low in zip(head[0:36:2], head[1:36:2], strict=True):
        total += high << 8 | low
        total = (total & 0xFFFF) + (total >> 16)
    head[6:8] = (~total & 0xFFFF).to_bytes(2)
    return bytes(head)


def flipped(packet: bytes, bit: int) -> bytes:
    return bytes(byte ^ (1 << bit % 8) * (index == bit // 8) for index, byte in enumerate(packet))


@each_vector
def test_the_packets_of_others_are_read(vector: Vector) -> None:
    """Each field is where FreeBSD, OpenBSD and ucarp put it."""
    read = wire.decode(vector.packet, 255)
    assert read == Advertisement(
        vector.vhid, vector.advbase, vector.advskew, vector.demotion, vector.counter, vector.packet[16:36]
    )


@each_vector
def test_what_is_read_is_written_again_byte_for_byte(vector: Vector) -> None:
    """Type, authlen and checksum come out as the others have them."""
    read = wire.decode(vector.packet, 255)
    assert isinstance(read, Advertisement)
    assert wire.encode(read) == vector.packet


@each_vector
def test_every_flipped_bit_is_noticed(vector: Vector) -> None:
    """36 x 8 flips for each packet, each with the reason that the first failing check has."""
    reasons = {0: Reject.BAD_VERSION, 3: Reject.VRRP}
    for bit in range(36 * 8):
        assert wire.decode(flipped(vector.packet, bit), 255) is reasons.get(bit // 8, Reject.BAD_CHECKSUM), bit


@each_vector
def test_every_flipped_byte_is_noticed(vector: Vector) -> None:
    """All eight bits at once as well."""
    reasons = {0: Reject.BAD_VERSION, 3: Reject.VRRP}
    for place in range(36):
        damaged = bytes(byte ^ 0xFF * (index == place) for index, byte in enumerate(vector.packet))
        assert wire.decode(damaged, 255) is reasons.get(place, Reject.BAD_CHECKSUM), place


def test_a_repaired_checksum_hides_the_flip_from_this_layer() -> None:
    """The checksum is no signature: what it lets through is for auth.py, or for nobody (see test_auth.py)."""
    for bit in range(36 * 8):
        if bit // 8 in (6, 7):
            continue  # the checksum itself
        read = wire.decode(repaired(flipped(F1.packet, bit)), 255)
        if bit // 8 == 0:
            assert read is Reject.BAD_VERSION
        elif bit // 8 == 3:
            assert read is Reject.VRRP
        else:
            assert isinstance(read, Advertisement), bit


def test_the_negatives_of_the_vectors() -> None:
    """What other implementations drop is dropped, for the reason that names it best."""
    assert isinstance(wire.decode(NEGATIVES["N1"], 255), Advertisement)  # the digest is auth.py's
    assert wire.decode(NEGATIVES["N2"], 255) is Reject.BAD_CHECKSUM
    assert wire.decode(NEGATIVES["N4"], 255) is Reject.BAD_VERSION
    assert wire.decode(NEGATIVES["N7"], 255) is Reject.VRRP  # and short


@pytest.mark.parametrize("length", range(36))
def test_anything_shorter_than_the_header_is_short(length: int) -> None:
    """Also when all bytes that are there are right."""
    assert wire.decode(F1.packet[:length], 255) is Reject.SHORT


@given(st.binary(max_size=100))
def test_what_follows_the_header_is_ignored(trailer: bytes) -> None:
    """Ethernet padding, or more: all implementations take it."""
    assert wire.decode(F1.packet + trailer, 255) == wire.decode(F1.packet, 255)


@pytest.mark.parametrize("ttl", [0, 1, 64, 254, 256])
def test_a_packet_that_was_routed_is_refused(ttl: int) -> None:
    """Only 255 proves that it comes from this LAN; nothing else of the packet is looked at."""
    assert wire.decode(F1.packet, ttl) is Reject.BAD_TTL
    assert wire.decode(b"", ttl) is Reject.BAD_TTL


def test_vrrp_speakers_with_our_id_are_told_apart() -> None:
    """Version 2 with one to nine addresses, and version 3, as scapy makes them: most are shorter than CARP."""
    two = {count: bytes(VRRP(vrid=1, addrlist=["10.0.0.3"] * count)) for count in range(1, 10)}
    assert len(two[5]) == 36 and len(two[1]) == 20
    assert {wire.decode(two[count], 255) for count in two if count != 7} == {Reject.VRRP}
    # Seven addresses make byte 3 look like CARP's authlen, and without authentication data the checksum over 36 of
    # the 44 bytes is right as well: only the digest tells (test_auth.py).
    assert isinstance(wire.decode(two[7], 255), Advertisement)
    for count in (1, 8):
        three = bytes(IP(src="10.0.0.9", dst="224.0.0.18") / VRRPv3(vrid=1, addrlist=["10.0.0.3"] * count))[20:]
        assert wire.decode(three, 255) is Reject.BAD_VERSION


@given(advertisements)
def test_decoding_undoes_encoding(advertisement: Advertisement) -> None:
    """Whatever the values are."""
    assert wire.decode(wire.encode(advertisement), 255) == advertisement


@given(st.binary(max_size=80), st.integers(0, 255))
def test_no_bytes_raise(payload: bytes, ttl: int) -> None:
    """Random bytes are an advertisement or a reason, never an exception."""
    assert isinstance(wire.decode(payload, ttl), Advertisement | Reject)


@given(st.binary(min_size=36, max_size=40))
def test_what_is_accepted_can_be_written_again(payload: bytes) -> None:
    """Accepted means understood completely: the same 36 bytes come out."""
    forced = repaired(b"\x21" + payload[1:3] + b"\x07" + payload[4:])
    read = wire.decode(forced, 255)
    assert isinstance(read, Advertisement)
    assert wire.encode(read) == forced[:36]


def test_a_bow_out_is_known_by_its_two_values() -> None:
    """255 in one of them is an ordinary, if slow, master."""
    pairs = {(255, 255): True, (255, 254): False, (254, 255): False, (1, 0): False}
    for (advbase, advskew), expected in pairs.items():
        assert Advertisement(1, advbase, advskew, 0, 0, bytes(20)).is_bow_out is expected


@given(st.binary(max_size=60).filter(lambda data: len(data) % 2 == 0))
@example(bytes.fromhex("ffffffff0001"))  # a carry from the carry
def test_the_checksum_is_that_of_rfc_1071(data: bytes) -> None:
    """Against the RFC's own loop, with every carry; the sum of a packet with its checksum is zero."""
    total = 0
    for high, low in zip(data[::2], data[1::2], strict=True):
        total += high << 8 | low
        total = (total & 0xFFFF) + (total >> 16)
    assert wire.checksum(data) == ~total & 0xFFFF
    assert wire.checksum(data + wire.checksum(data).to_bytes(2)) == 0
