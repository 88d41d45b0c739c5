"""A story in bytes: what the fuzzer's input says that happens to a virtual host, one happening after another.

The first four bytes choose the virtual host; then each happening begins with two bytes, what it is and how long after
the one before. Bytes that run out read as 0, so every input is a story. A fuzzer cannot guess a digest, so most frames
are made here, signed and then damaged as the input says; a raw frame is taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace

from tests.carp.vectors import VECTORS
from tests.carp.vectors import Vector
from tests.fuzz import second_reader
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Version

HAPPENINGS_MAX = 40
OWN_COUNTER = 0x23C0FFEE23C0FFEE
DEMOTIONS = 0xF0  # a byte that says more brings other settings
SECOND_KEY = b"the next pass phrase"
WRONG_KEY = b"somebody else's key "

IPV6, WRONG, SECOND, ECHO, OTHER_VHID, DAMAGED, REPAIRED, TRAILER = (1 << bit for bit in range(8))
"""The flags of a frame that is made here."""

FILTERED_BYTES: dict[Version, int] = {4: 24, 6: 21}
"""The socket's filter has read the protocol number, so the frame reaches that far."""


@dataclass(frozen=True, slots=True)
class FrameArrived:
    """A frame that the kernel delivers; ``payload`` is what was put into it if nothing was damaged, else None."""

    frame: bytes
    version: Version
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class ClockAtDeadline:
    """The timer fires exactly when it should."""


type Happening = FrameArrived | ClockAtDeadline | Event


class Story:
    """``begin`` says who; ``happenings`` what, each with the seconds since the one before."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 4
        vector, flags, advbase, advskew = data[:4].ljust(4, b"\0")
        self.vector: Vector = VECTORS[vector % len(VECTORS)]
        versions: set[Version] = {each.version for each in self.vector.addresses}
        self.settings = VirtualHostSettings(
            vhid=self.vector.vhid,
            advbase=advbase,
            advskew=min(advskew, 254),
            preempt=bool(flags & 1),
            versions=tuple(sorted(versions)),
            tie_break=flags & 0xFE,
        )
        self.keys = (self.vector.key, SECOND_KEY)

    def happenings(self) -> Iterator[tuple[float, Happening]]:
        """At most HAPPENINGS_MAX; a wait is 0 to 16 seconds."""
        for _ in range(HAPPENINGS_MAX):
            if self._place >= len(self._data):
                return
            kind = self._byte() % 8
            wait_s = self._byte() ** 2 / 4096
            yield wait_s, self._happening(kind)

    def _happening(self, kind: int) -> Happening:
        match kind:
            case 0 | 1:
                return self._made_frame()
            case 2:
                return self._raw_frame()
            case 3:
                return ClockAtDeadline()
            case 4:
                return DeadlineReached()
            case 5:
                return Started("ready") if self._byte() % 2 else Stopped("stop")
            case 6:
                demotion = self._byte()
                return DemotionChanged(demotion, "health") if demotion < DEMOTIONS else self._other_settings()
        return AddressAnswered("00:00:5e:00:01:0b")

    def _other_settings(self) -> SettingsChanged:
        """The addresses stay, and with them the IP versions of a group that is not sealed."""
        flags, advbase, advskew = self._byte(), self._byte(), self._byte()
        told = replace(self.settings, advbase=advbase, advskew=min(advskew, 254))
        return SettingsChanged(replace(told, preempt=bool(flags & 1), tie_break=flags & 0xFE))

    def _made_frame(self) -> FrameArrived:
        flags, advbase, advskew, demotion = self._byte(), self._byte(), self._byte(), self._byte()
        counter = (OWN_COUNTER if flags & ECHO else OWN_COUNTER + 1).to_bytes(8)
        key = WRONG_KEY if flags & WRONG else self.keys[1 if flags & SECOND else 0]
        vhid = self.vector.vhid ^ (1 if flags & OTHER_VHID else 0)
        digest = second_reader.digest(self.vector, key, counter)
        head = bytes([0x21, vhid, advskew, 7, demotion, advbase, 0, 0]) + counter + digest
        payload = second_reader.with_checksum(head, 6)
        trailer = b"\xaa" * 8 if flags & TRAILER else b""
        version: Version = 6 if flags & IPV6 else 4
        frame = (second_reader.ipv6_frame if version == 6 else second_reader.ipv4_frame)(payload, trailer)
        if not flags & DAMAGED:
            return FrameArrived(frame, version, payload)
        place, damage = self._byte() % len(frame), self._byte()
        frame = frame[:place] + bytes([frame[place] ^ damage]) + frame[place + 1 :]
        if flags & REPAIRED:
            frame = _repaired(frame, version)
        return FrameArrived(frame, version, None)

    def _raw_frame(self) -> FrameArrived:
        flags, length = self._byte(), self._byte()
        version: Version = 6 if flags & IPV6 else 4
        raw = self._data[self._place : self._place + length]
        self._place += length
        return FrameArrived(raw.ljust(FILTERED_BYTES[version], b"\0"), version, None)

    def _byte(self) -> int:
        byte = self._data[self._place] if self._place < len(self._data) else 0
        self._place += 1
        return byte


def _repaired(frame: bytes, version: Version) -> bytes:
    """Right checksums again, as somebody has them who changes a packet on its way."""
    begin = second_reader.ETHERNET_BYTES
    if version == 4:
        header = second_reader.with_checksum(frame[begin : begin + second_reader.IPV4_BYTES], 10)
        frame = frame[:begin] + header + frame[begin + second_reader.IPV4_BYTES :]
    begin += second_reader.IPV4_BYTES if version == 4 else second_reader.IPV6_BYTES
    end = begin + second_reader.CARP_BYTES
    return frame[:begin] + second_reader.with_checksum(frame[begin:end], 6) + frame[end:]
