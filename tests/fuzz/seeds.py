"""Where the fuzzer begins, beside the inputs that are kept: the packets of other implementations, in short stories."""

from __future__ import annotations

from tests.carp.vectors import DOCUMENT
from tests.carp.vectors import NEGATIVES
from tests.carp.vectors import VECTORS
from tests.fuzz import second_reader
from tests.fuzz.story import IPV6

STARTED = b"\x05\x00\x01"
SIX_DEADLINES = b"\x03\x00" * 6
"""Enough for three probes, a promotion and two advertisements."""
CUT_OFF = [VECTORS[0].packet[:bytes_left] for bytes_left in (35, 3, 0)]
"""Too short, and nothing else is wrong with them."""
BAD = [*NEGATIVES.values(), *CUT_OFF]


def codec() -> list[bytes]:
    """Each packet behind its TTL."""
    return [b"\xff" + packet for packet in [*(vector.packet for vector in VECTORS), *BAD]]


def receive() -> list[bytes]:
    """A node with the virtual host of each sender hears it as BACKUP, and a preemptive one as MASTER."""
    stories = []
    for number, entry in enumerate(DOCUMENT["vectors"]):
        hears = _hears(bytes.fromhex(entry["frame_hex"]), IPV6 if entry["af"] == "inet6" else 0)
        stories.append(bytes([number, 0, 1, 100]) + STARTED + hears + SIX_DEADLINES)
        stories.append(bytes([number, 1, 1, 100]) + STARTED + SIX_DEADLINES + hears)
    for packet in BAD:
        stories.append(bytes([0, 0, 1, 100]) + STARTED + _hears(second_reader.ipv4_frame(packet), 0))
    return stories


def _hears(frame: bytes, flags: int) -> bytes:
    return bytes([2, 0, flags, len(frame)]) + frame


SEEDS = {"codec": codec, "receive": receive}
