"""A second reading of what arrives, written from carp(4) and the RFCs alone: slices and loops, nothing of wsa_proxy.

The fuzzer compares the two. A round trip cannot see two fields that are swapped in both directions; a second reader
does.
"""

from __future__ import annotations

import hashlib
import hmac
from ipaddress import IPv4Address
from ipaddress import IPv6Address

from tests.carp.vectors import Vector

CARP_BYTES = 36
ETHERNET_BYTES = 14
IPV4_BYTES = 20
IPV6_BYTES = 40


def sum_of_words(data: bytes) -> int:
    """RFC 1071's own loop over 16-bit words with the carry added back; 0xffff when a right checksum is included."""
    total = 0
    for high, low in zip(data[::2], data[1::2], strict=True):
        total += high << 8 | low
        total = (total & 0xFFFF) + (total >> 16)
    return total


def with_checksum(data: bytes, place: int) -> bytes:
    """The same bytes with the Internet checksum of all of them at this place."""
    blank = data[:place] + b"\0\0" + data[place + 2 :]
    return blank[:place] + (0xFFFF - sum_of_words(blank)).to_bytes(2) + blank[place + 2 :]


def digest(vector: Vector, key: bytes, counter: bytes) -> bytes:
    """HMAC-SHA1 over 02 01, the vhid, the IPv4 and then the IPv6 addresses in ascending order, and the counter.

    Each address once, however often it is in the list: the kernels look for the next greater one."""
    ipv4 = sorted({int(each) for each in vector.addresses if isinstance(each, IPv4Address)})
    ipv6 = sorted({int(each) for each in vector.addresses if isinstance(each, IPv6Address)})
    addresses = b"".join(each.to_bytes(4) for each in ipv4) + b"".join(each.to_bytes(16) for each in ipv6)
    return hmac.digest(key, b"\x02\x01" + bytes([vector.vhid]) + addresses + counter, hashlib.sha1)


def why_not_an_advertisement(payload: bytes, ttl: int) -> str | None:
    """The name of the counter that carp(4) would raise for these bytes, None when they are an advertisement."""
    if ttl != 255:
        return "bad_ttl"
    if payload[:1] not in (b"", b"\x21"):
        return "bad_version"
    if payload[3:4] not in (b"", b"\x07"):
        return "vrrp"
    if len(payload) < CARP_BYTES:
        return "short"
    if sum_of_words(payload[:CARP_BYTES]) != 0xFFFF:
        return "bad_checksum"
    return None


def why_not_believed(
    payload: bytes, ttl: int, version: int, vector: Vector, keys: tuple[bytes, ...], own_counter: int
) -> str | None:
    """The same for a node with the virtual host of this vector, these keys, and its own counter."""
    reason = why_not_an_advertisement(payload, ttl)
    if reason is not None:
        return reason
    if payload[1] != vector.vhid:
        return "other_vhid"
    if not any(each.version == version for each in vector.addresses):
        return "other_family"
    counter = payload[8:16]
    if payload[16:CARP_BYTES] not in [digest(vector, key, counter) for key in keys]:
        return "bad_secret"
    return "echo" if int.from_bytes(counter) == own_counter else None


def ipv4_frame(payload: bytes, trailer: bytes = b"") -> bytes:
    """An Ethernet frame from 10.9.9.9, 00:00:5e:00:01:09, to 224.0.0.18 with protocol 112 and TTL 255."""
    total = (IPV4_BYTES + len(payload)).to_bytes(2)
    blank = b"\x45\xe0" + total + bytes.fromhex("1234 4000 ff70 0000 0a090909 e0000012")
    header = with_checksum(blank, 10)
    return bytes.fromhex("01005e000012 00005e000109 0800") + header + payload + trailer


def ipv6_frame(payload: bytes, trailer: bytes = b"") -> bytes:
    """An Ethernet frame from fe80::9, 00:00:5e:00:01:09, to ff02::12 with protocol 112 and hop limit 255."""
    header = bytes.fromhex("6e000000") + len(payload).to_bytes(2) + b"\x70\xff"
    addresses = IPv6Address("fe80::9").packed + IPv6Address("ff02::12").packed
    return bytes.fromhex("333300000012 00005e000109 86dd") + header + addresses + payload + trailer


def payload_place(frame: bytes, version: int) -> tuple[int, int] | None:
    """Where the IP payload begins and ends in this frame, None when its IP header says nothing sensible."""
    header = frame[ETHERNET_BYTES:]
    if header[0] >> 4 != version:
        return None
    if version == 6:
        begin, end = IPV6_BYTES, IPV6_BYTES + (header[4] << 8 | header[5])
    else:
        begin, end = (header[0] & 15) * 4, header[2] << 8 | header[3]
        if begin < IPV4_BYTES or header[6] & 0x3F or header[7]:
            return None
    if begin > end or end > len(header):
        return None
    return ETHERNET_BYTES + begin, ETHERNET_BYTES + end


def is_ipv4_header_intact(frame: bytes) -> bool:
    """Is the checksum of an IPv4 header that says something sensible right?"""
    header = frame[ETHERNET_BYTES:]
    return sum_of_words(header[: (header[0] & 15) * 4]) == 0xFFFF
