"""What a proxy and its guardian say to each other: one datagram of a SOCK_SEQPACKET socket is one message.

The standard library alone, and little of it: the guardian has to be small (``guardian.py``). Numbers are in the host's
byte order, since both ends are on it.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False  # as in ``guardian.py``
if TYPE_CHECKING:
    from collections.abc import Iterable

HOLD, BEAT, RELEASE, WILL, SIGNED, LIMIT, CLAIM, UNCLAIM = 1, 2, 3, 4, 5, 6, 7, 8
"""From the proxy: add these addresses and prolong them on each beat; prolong; remove them and forget the will; say this
once I am gone (and again, if the first part's number is not 0; the second is the payload, each other one an envelope);
say this payload instead, in the same envelopes; I may stand still for so long; keep this socket open (it comes along),
by this name; close it again.
``HOLD``, ``BEAT`` and ``RELEASE`` are answered, in their order."""
DONE, FENCED = 11, 12
"""From the guardian: an answer, with one errno for each netlink message, 0 where it worked; and: all addresses are
removed, whatever belongs to an earlier epoch is not carried out. Its parts are the reason, and the ids of the groups
that were bowed out, a byte for each."""

_HEAD = struct.Struct("=BBxxIId")  # kind, id of the group, epoch, number of the question, seconds of CLOCK_BOOTTIME
_LENGTH = struct.Struct("=I")
_HEAD_AND_LENGTH = struct.Struct("=BBxxIIdI")
_FRAME = struct.Struct("=cI")
_DATAGRAM = struct.Struct("=cBI16s16s")
_SECONDS = struct.Struct("=d")
_NUMBERS = struct.Struct("=i")
MESSAGE_BYTES_MAX = 128 * 1024


class Message:
    """One message. ``parts`` are bytes whose meaning depends on the kind."""

    __slots__ = ("at_s", "epoch", "kind", "number", "parts", "vhid")

    def __init__(self, kind: int, vhid: int, epoch: int, number: int, at_s: float, parts: list[bytes]) -> None:
        self.kind = kind
        self.vhid = vhid
        self.epoch = epoch
        """How often the guardian has fenced. A proxy that does not know of the last time holds nothing any more."""
        self.number = number
        """Of the question, and of its answer."""
        self.at_s = at_s
        """When it was decided (CLOCK_BOOTTIME), not when it was sent: in between the process may have been frozen."""
        self.parts = parts

    def encode(self) -> bytes:
        """The datagram."""
        head = _HEAD.pack(self.kind, self.vhid, self.epoch, self.number, self.at_s)
        return head + b"".join(_LENGTH.pack(len(part)) + part for part in self.parts)


def decode(datagram: bytes) -> Message:
    """Raises ValueError when it is none."""
    try:
        kind, vhid, epoch, number, at_s = _HEAD.unpack_from(datagram)
        parts, offset = [], _HEAD.size
        while offset < len(datagram):
            (length,) = _LENGTH.unpack_from(datagram, offset)
            offset += _LENGTH.size + length
            if offset > len(datagram):
                raise ValueError("a part of the message ends beyond it")
            parts.append(datagram[offset - length : offset])
    except struct.error as error:
        raise ValueError(f"not a message between a proxy and its guardian: {error}") from None
    return Message(kind, vhid, epoch, number, at_s, parts)


class Will:
    """Of a group: what stands before its payload, one envelope for each copy, and whether it may be said repeatedly."""

    __slots__ = ("again", "envelopes", "payload")

    def __init__(self, envelopes: Iterable[bytes], payload: bytes, *, again: bool) -> None:
        self.envelopes = tuple(envelopes)
        self.payload = payload
        self.again = again

    @property
    def parts(self) -> list[bytes]:
        """As the guardian is told it."""
        return [numbers([self.again]), self.payload, *self.envelopes]


def signed(vhid: int, epoch: int, at_s: float, payload: bytes) -> bytes:
    """The datagram of a ``SIGNED`` message: one of them precedes each sealed advertisement."""
    return _HEAD_AND_LENGTH.pack(SIGNED, vhid, epoch, 0, at_s, len(payload)) + payload


# -- parts -----------------------------------------------------------------------------------------------------------


def frame(index: int, header: bytes) -> bytes:
    """The envelope of a payload that leaves as an Ethernet frame, on the interface with this index: an envelope and a
    payload, one after the other, are what ``decode_frame`` and ``decode_datagram`` take."""
    return _FRAME.pack(b"F", index) + header


def datagram(version: int, scope: int, source: bytes, destination: bytes) -> bytes:
    """The envelope of a payload that leaves as an IP packet of protocol 112, from and to these packed addresses;
    ``scope`` is the interface index of a link-local destination, else 0."""
    return _DATAGRAM.pack(b"D", version, scope, source, destination)


def decode_frame(part: bytes) -> tuple[int, bytes] | None:
    """Index and frame, or None when it is a datagram."""
    kind, index = _FRAME.unpack_from(part)
    return (index, part[_FRAME.size :]) if kind == b"F" else None


def decode_datagram(part: bytes) -> tuple[int, int, bytes, bytes, bytes]:
    """What ``datagram`` was given, and the payload."""
    _, version, scope, source, destination = _DATAGRAM.unpack_from(part)
    length = 4 if version == 4 else 16
    return version, scope, source[:length], destination[:length], part[_DATAGRAM.size :]


def seconds(value: float) -> bytes:
    """As one part."""
    return _SECONDS.pack(value)


def decode_seconds(part: bytes) -> float:
    (value,) = _SECONDS.unpack(part)
    return float(value)


def numbers(values: list[int]) -> bytes:
    """As one part."""
    return b"".join(map(_NUMBERS.pack, values))


def decode_numbers(part: bytes) -> list[int]:
    return [value for (value,) in _NUMBERS.iter_unpack(part)]
