"""Where the fuzzer begins, beside the inputs that are kept: the packets of other implementations, in short stories."""

from __future__ import annotations

from tests.carp.vectors import DOCUMENT
from tests.carp.vectors import NEGATIVES
from tests.carp.vectors import VECTORS
from tests.fuzz import second_reader
from tests.fuzz.story import IPV6

TOLD = b"\x06\x00\xff\x01\x01\x20"
"""Preemptive, advbase 1, advskew 32."""
OTHERWISE = b"\x06\x00\xff\x00\x02\x40"
"""Not preemptive, advbase 2, advskew 64."""
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
    # Other settings: as BACKUP, between its questions, as MASTER, and while a takeover waits after a tie.
    heard = bytes([0, 0, 0, 1, 100, 0])
    tie = STARTED + SIX_DEADLINES + heard
    for told in (TOLD, TOLD + OTHERWISE):
        stories.append(
            bytes([0, 0, 1, 100]) + told + STARTED + told + b"\x03\x00" + told + SIX_DEADLINES + told + OTHERWISE
        )
        stories.append(bytes([0, 0xFF, 1, 100]) + tie + bytes([0, 0, 0, 1, 200, 0]) + told + SIX_DEADLINES)
    for packet in BAD:
        stories.append(bytes([0, 0, 1, 100]) + STARTED + _hears(second_reader.ipv4_frame(packet), 0))
    return stories


def _hears(frame: bytes, flags: int) -> bytes:
    return bytes([2, 0, flags, len(frame)]) + frame


def sealed() -> list[bytes]:
    """Each way to sign, memory and clock at the start; then a group that talks, and each kind of bad packet in turn."""
    made = {flags: bytes([0, 20, flags, 0, 128, 1, 9]) for flags in (0, 1, 4, 8, 0x10 | 0x20, 0x40, 0x80)}
    later, own = bytes([0, 40, 0, 0, 130, 1, 9]), bytes([5, 3, 1, 7, 0, 3])
    at_limits = [
        bytes([0, 30, flags, mode, offset, 1, 9]) for flags in (0, 0x80) for mode in range(8) for offset in (128, 3)
    ]
    held, captured, rewritten = bytes([2, 1, 0, 0, 128, 1, 9]), bytes([3, 1, 0]), bytes([4, 1, 0, 1, 1])
    wall, plain, raw = bytes([7, 0, 250]), bytes([6, 9, 0, 1, 0]), bytes([8, 0, 3, 0x21, 1, 0])
    talks = [
        later + own + later + captured + rewritten + own + later,
        held + later + later + captured + wall + later + captured + own,
        plain + later + bytes([6, 9, 1, 1, 0]) + bytes([6, 9, 2, 1, 0]) + own + raw + later,
        *(later + each + captured + later + own for each in made.values()),
        *(later + each + later + each + own for each in at_limits),
        *(each + own + later for each in at_limits),
    ]
    starts = [
        bytes([who, wall, 0, memory]) for who in (0, 1, 2, 16, 18) for wall, memory in ((1, 0), (0, 1), (3, 2), (1, 3))
    ]
    stories = [starts[number % len(starts)] + talk for number, talk in enumerate(talks)]
    too_old_at_first = bytes([0, 1, 0, 0]) + bytes([0, 5, 0, 6, 3, 1, 9])
    late_loop = bytes([0, 1, 0, 0]) + later + bytes([64, 60, 0, 5, 3, 1, 9])
    on_its_way = bytes([0, 1, 1, 0]) + later + bytes([0, 30, 0, 0, 100, 1, 9])
    beyond_2100 = bytes([16, 2, 0, 0]) + bytes([0, 5, 0, 4, 5, 1, 9]) + bytes([0, 5, 8, 0, 200, 1, 9])
    demoted = bytes([0, 1, 0, 0]) + later + bytes([0, 20, 0x30, 0, 128, 1, 9, 4, 1])
    bow_out_waited = bytes([0, 1, 0, 0]) + later + bytes([0, 100, 0x80, 1, 50, 1, 9])
    bow_out_of_before = bytes([16, 1, 0, 0]) + later + bytes([0, 100, 8, 0, 128, 1, 9, 0, 3, 0x80, 1, 50, 1, 9])
    special = [too_old_at_first, late_loop, on_its_way, beyond_2100, demoted, bow_out_waited, bow_out_of_before]
    return [*stories, *(each + talks[0] for each in starts), *special, *_changed(later, own)]


def _changed(later: bytes, own: bytes) -> list[bytes]:
    """The configuration is read again in between: each security and choice of secrets, a reflection from before, and a
    secret that returns."""
    told = [bytes([8, 9, 0xF0 + number]) for number in range(16)]
    reflected, replayed, other = bytes([3, 1, 0]), bytes([3, 1, 1]), bytes([0, 40, 8, 7, 10, 1, 9])
    heard = later + other + reflected + replayed
    return [
        bytes([1, 1, 0, 0]) + own + told[2] + reflected + later + told[1] + reflected + later,
        bytes([0, 1, 0, 0]) + later + told[8] + other + own + told[0] + later + replayed + own,
        bytes([0, 1, 0, 0]) + later + told[4] + heard + own + told[12] + heard + own + told[8] + heard + own,
        bytes([2, 1, 0, 0x10]) + told[3] + heard + told[2] + heard + own + told[13] + heard + own + told[0] + heard,
        *(bytes([0, 1, 0, 0x41]) + told[number] + heard + own + told[-number] + heard + own for number in range(16)),
    ]


SEEDS = {"codec": codec, "receive": receive, "sealed": sealed}
