"""A story of a sealed group in bytes: what its members, a hostile host and the clocks do to one node, step by step.

The first four bytes say who the node is; then each step begins with two bytes, what it is and how long after the one
before. Bytes that run out read as 0, so every input is a story. Digests are made here, by the second reader, and times
are taken from around every limit that there is: no fuzzer guesses one of 2^64 counters.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace

from tests.carp.vectors import VECTORS
from tests.fuzz import second_reader
from tests.fuzz.seal_rule import TOLERANCE_MS
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.wire import Version

STEPS_MAX = 40
KEPT_MAX = 16
CLOCK_MS = 5_000_000.0
NOW_MS = 217_000_000_000.0
WALLS_MS = (0.0, NOW_MS, 2_524_608_000_000.0, 9e12, -1e12, NOW_MS - TOLERANCE_MS)
LIMITS_MS = (1000.0, 0.0, 4.0, 255_996.0, 250.0, 300.0)
SECURITY = ((Security.SEALED,), (Security.SEALED, Security.CARP), (Security.CARP, Security.SEALED), (Security.CARP,))
IN_USE = ((0,), (0, 1), (1,), (1, 0))
"""The numbers of the sealed keys that the node has; it signs with the first."""
CHANGED = 0xF0
"""No payload is as long: such a length is another configuration."""
TIME_MAX = (1 << 42) - 1

VECTOR = next(vector for vector in VECTORS if vector.name.startswith("F8 "))
"""Two addresses in each IP version."""
SEALED_KEYS = (b"the first sealed key", b"the second sealed k.")
PLAIN_KEY = VECTOR.key
OWN_COUNTER = 0x23C0FFEE23C0FFEE

FAREWELL, DEMOTED, IPV6, SECOND, DAMAGED, REPAIRED, REWRITTEN, BOW_OUT = (1 << bit for bit in range(8))
"""The flags of an advertisement that is made here."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An IP payload arrives."""

    payload: bytes
    version: Version
    ttl: int = 255


@dataclass(frozen=True, slots=True)
class Said:
    """The node signs an advertisement of its own."""

    advbase: int
    advskew: int
    demotion: int
    farewell: bool
    chance: int


@dataclass(frozen=True, slots=True)
class WallStepped:
    """Somebody sets the wall clock."""

    by_ms: float


@dataclass(frozen=True, slots=True)
class Changed:
    """The configuration is read again: another security, other secrets."""

    security: tuple[Security, ...]
    in_use: tuple[int, ...]


type Step = Heard | Said | WallStepped | Changed | None
"""None: something happened elsewhere."""


class SealedStory:
    """``steps`` yields each step with the milliseconds since the one before, and how late the loop is."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 4
        who, wall, limit, memory = data[:4].ljust(4, b"\0")
        self.security = SECURITY[who % 3]
        self.in_use = IN_USE[(who >> 4) % 2]
        self.wall_ms = WALLS_MS[wall % len(WALLS_MS)]
        self.limit_ms = LIMITS_MS[limit % len(LIMITS_MS)]
        kept = ("none", "this boot", "another boot", "the end of time", "earlier")
        self.memories = (kept[memory % 4], kept[(memory >> 4) % 5])
        self.kept: list[Heard] = []
        """What was on the LAN, for who has captured it."""

    def steps(self, group_ms: Callable[[int], tuple[float, int]]) -> Iterator[tuple[float, float, Step]]:
        """``group_ms`` answers the time of the group now, and the highest counter, of this key."""
        for _ in range(STEPS_MAX):
            if self._place >= len(self._data):
                return
            kind, wait = self._byte(), self._byte()
            wait_ms, late_ms = wait**2 * 1.0, 700.0 * (kind >> 6)

            def then(number: int, wait_ms: float = wait_ms) -> tuple[float, int]:
                before_ms, top = group_ms(number)
                return before_ms + wait_ms, top

            yield wait_ms, late_ms, self._step(kind % 9, then)

    def keep(self, heard: Heard) -> None:
        """It was on the LAN."""
        self.kept = [*self.kept, heard][-KEPT_MAX:]

    def _step(self, kind: int, group_ms: Callable[[int], tuple[float, int]]) -> Step:
        match kind:
            case 0 | 1:
                return self._made(group_ms)
            case 2:
                self.keep(self._made(group_ms))  # held back: nobody has heard it yet
                return None
            case 3:
                return self._captured()
            case 4:
                return self._rewritten()
            case 5:
                values, fields = (self._byte(), self._byte(), self._byte()), self._byte()
                return Said(*values, farewell=bool(fields & 32), chance=fields & 15)
            case 6:
                return self._plain()
            case 7:
                return WallStepped((self._byte() - 128.0) ** 3 * 1000)
        length = self._byte()
        if length >= CHANGED:
            return Changed(SECURITY[length % 4], IN_USE[length // 4 % 4])
        raw = self._data[self._place : self._place + length]
        self._place += length
        return Heard(raw, 4)

    def _made(self, group_ms: Callable[[int], tuple[float, int]]) -> Heard:
        """Signed under one of the sealed keys, also where the node does not know it."""
        flags, mode, offset, advbase, advskew = (self._byte() for _ in range(5))
        number = 1 if flags & SECOND else 0
        if flags & BOW_OUT:
            advbase = advskew = 255
        ms = min(max(self._time(mode, offset, *group_ms(number)), 0), TIME_MAX)
        fields = advbase << 14 | advskew << 6 | bool(flags & FAREWELL) << 5 | bool(flags & DEMOTED) << 4 | offset & 15
        shown = advskew ^ 1 if flags & REWRITTEN else advskew
        payload = signed(SEALED_KEYS[number], ms << 22 | fields, advbase, shown, int(bool(flags & DEMOTED)))
        if flags & DAMAGED:
            place, damage = self._byte() % len(payload), self._byte()
            payload = payload[:place] + bytes([payload[place] ^ damage]) + payload[place + 1 :]
            payload = second_reader.with_checksum(payload, 6) if flags & REPAIRED else payload
        return Heard(payload, 6 if flags & IPV6 else 4)

    def _time(self, mode: int, offset: int, group_ms: float, top: int) -> int:
        """Around now, around each limit, and at both ends."""
        match mode % 8:
            case 0:
                return int(group_ms) + (offset - 128) * 4
            case 1:
                return int(group_ms) - offset * 100
            case 2:
                return (top >> 22) + offset - 128
            case 3:
                return offset
            case 4:
                return TIME_MAX - offset
            case 5:
                return int(group_ms - max(self.limit_ms, 250)) + offset - 128
            case 6:
                return int(self.wall_ms - TOLERANCE_MS) + offset - 128
        return int(group_ms) + offset**3

    def _captured(self) -> Heard | None:
        number = self._byte()
        return self.kept[number % len(self.kept)] if self.kept else None

    def _rewritten(self) -> Heard | None:
        captured = self._captured()
        advbase, advskew = self._byte(), self._byte()
        if captured is None or len(captured.payload) < second_reader.CARP_BYTES:
            return None
        old, tail = captured.payload[: second_reader.CARP_BYTES], captured.payload[second_reader.CARP_BYTES :]
        head = old[:2] + bytes([advskew]) + old[3:5] + bytes([advbase]) + old[6:]
        return replace(captured, payload=second_reader.with_checksum(head, 6) + tail)

    def _plain(self) -> Heard:
        flags, advbase, advskew = self._byte(), self._byte(), self._byte()
        counter = OWN_COUNTER if flags & 1 else OWN_COUNTER + 1 + flags
        key = b"somebody else's key " if flags & 2 else PLAIN_KEY
        return Heard(signed(key, counter, advbase, advskew, flags >> 4), 6 if flags & IPV6 else 4, 255 - (flags >> 7))

    def _byte(self) -> int:
        byte = self._data[self._place] if self._place < len(self._data) else 0
        self._place += 1
        return byte


def signed(key: bytes, counter: int, advbase: int, advskew: int, demotion: int) -> bytes:
    """The 36 bytes, by the second reader."""
    digest = second_reader.digest(VECTOR, key, counter.to_bytes(8))
    head = bytes([0x21, VECTOR.vhid, advskew, 7, demotion, advbase, 0, 0]) + counter.to_bytes(8) + digest
    return second_reader.with_checksum(head, 6)
