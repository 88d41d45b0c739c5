"""The 36 bytes of a CARP advertisement, to and from a value. Knows offsets and nothing else.

Layout (carp(4), OpenBSD and FreeBSD ip_carp.h; all integers big endian)::

    0        version 2 and type 1, as 0x21
    1        vhid
    2        advskew
    3        authlen, 7 words of counter and digest
    4        demotion (OpenBSD); "must be zero" elsewhere, and ignored there
    5        advbase
    6..7     Internet checksum of these 36 bytes; no pseudo header, for IPv4 and IPv6 alike
    8..15    counter
    16..35   HMAC-SHA1 digest (``auth.py``)

The IP layer's TTL is judged here too, because a wrong one makes the packet as worthless as a wrong checksum.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import Literal

type Version = Literal[4, 6]
"""The IP version that carries an advertisement."""

HEADER_BYTES = 36
TTL = 255
"""A packet that crossed a router has less: it does not come from this LAN."""

_VERSION_AND_TYPE = 0x21
_AUTHLEN_PLACE = 3
_AUTHLEN_WORDS = 7
_LAYOUT = struct.Struct("!BBBBBBHQ20s")


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What an advertisement says. ``counter`` is 64 bits; ``digest`` is 20 bytes and covers the counter,
    the vhid and the addresses, but not advbase, advskew and demotion."""

    vhid: int
    advbase: int
    advskew: int
    demotion: int
    counter: int
    digest: bytes

    @property
    def is_bow_out(self) -> bool:
        """255/255 says: I leave, take over (carp(4))."""
        return self.advbase == 255 and self.advskew == 255


class Reject(Enum):
    """Why a packet is not believed; each value is the name of one counter."""

    BAD_TTL = "bad_ttl"
    SHORT = "short"
    BAD_VERSION = "bad_version"
    VRRP = "vrrp"
    BAD_CHECKSUM = "bad_checksum"
    OTHER_VHID = "other_vhid"
    OTHER_FAMILY = "other_family"
    BAD_SECRET = "bad_secret"
    PLAIN_MEMBER = "plain_member"
    SEALED_MEMBER = "sealed_member"
    REWRITTEN = "rewritten"
    ECHO = "echo"
    DUPLICATE = "duplicate"
    REPLAY = "replay"
    STALE = "stale"


def encode(advertisement: Advertisement) -> bytes:
    """The 36 bytes of an advertisement. Raises ``struct.error`` when a field does not fit."""
    return pack(
        advertisement.vhid,
        advertisement.advbase,
        advertisement.advskew,
        advertisement.demotion,
        advertisement.counter,
        advertisement.digest,
    )


def pack(vhid: int, advbase: int, advskew: int, demotion: int, counter: int, digest: bytes) -> bytes:
    """The same for whoever signs each second and needs no ``Advertisement``, which costs as much as its HMAC."""
    packet = bytearray(
        _LAYOUT.pack(_VERSION_AND_TYPE, vhid, advskew, _AUTHLEN_WORDS, demotion, advbase, 0, counter, digest)
    )
    packet[6:8] = checksum(packet).to_bytes(2)
    return bytes(packet)


def decode(payload: bytes, ttl: int | None) -> Advertisement | Reject:
    """The advertisement in an IP payload, or the first reason to drop it. Never raises, whatever arrives.

    What follows byte 36 is ignored, as all implementations do. The order puts what tells most first: a VRRP speaker
    is named as such although with few addresses it is also shorter than CARP, and its checksum, which has a pseudo
    header in version 3, is wrong for CARP as well. ``ttl`` is None where routers may have been passed: a unicast peer's
    is not looked at (FreeBSD).
    """
    if ttl is not None and ttl != TTL:
        return Reject.BAD_TTL
    if payload and payload[0] != _VERSION_AND_TYPE:
        return Reject.BAD_VERSION
    # VRRP version 2 starts with the same byte; there, byte 3 counts addresses (RFC 3768).
    if len(payload) > _AUTHLEN_PLACE and payload[_AUTHLEN_PLACE] != _AUTHLEN_WORDS:
        return Reject.VRRP
    if len(payload) < HEADER_BYTES:
        return Reject.SHORT
    head = payload[:HEADER_BYTES]
    _, vhid, advskew, _, demotion, advbase, _, counter, digest = _LAYOUT.unpack(head)
    if checksum(head) != 0:
        return Reject.BAD_CHECKSUM
    return Advertisement(vhid, advbase, advskew, demotion, counter, digest)


def checksum(data: bytes | bytearray) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes; 0 when a right one is included."""
    # The sum of the words in one's complement is their sum modulo 0xffff, with 0xffff for a non-zero multiple of it.
    # And modulo 0xffff, 2**16 is 1: so all bytes as one number are the sum of the words.
    total = int.from_bytes(data)
    return 0xFFFF - (total % 0xFFFF or (0xFFFF if total else 0))
