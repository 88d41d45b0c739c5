"""Frames from interfaces, in one clock that neither steps nor stands still.

The wall clock is read once. What is older than the clock says by the kernel's stamp is dated back, so that a watch that
was late for a moment takes no advertisement for an old one.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence

from wsa_proxy.net.host import InterfaceFacts
from wsa_proxy.net.tap import Tap
from wsa_proxy.watch.decode import Captured

NOTES_MAX = 3
LATE_S_MAX = 60.0
"""A stamp that is older was made before the wall clock was set."""


class Listener:
    """All the interfaces of one watch."""

    def __init__(self, interfaces: Sequence[InterfaceFacts]) -> None:
        """Raises OSError, with words about the privilege that is missing."""
        self.notes: list[str] = []
        """What went wrong on the way, newest last; few."""
        self._wall_s = time.time() - _even_s()
        self._taps: list[Tap] = []
        self._dropped = 0
        try:
            for interface in interfaces:
                self._taps.append(Tap(interface.name, interface.index))
        except BaseException:
            self.close()
            raise

    def now_s(self) -> float:
        """Seconds since 1970 as they were when the watch began, going on evenly."""
        return self._wall_s + _even_s()

    def wait(self, limit_s: float, also: Sequence[int] = ()) -> tuple[list[Captured], list[int]]:
        """What has been heard, as soon as there is something; and which of the other descriptors are readable."""
        descriptors = {tap.fileno(): tap for tap in self._taps}
        readable = select.select([*descriptors, *also], [], [], max(limit_s, 0.0))[0]
        heard = [captured for each in readable if each in descriptors for captured in self._read(descriptors[each])]
        heard.sort(key=lambda captured: captured.at_s)
        return heard, [each for each in readable if each in also]

    @property
    def dropped(self) -> int:
        """Frames that came faster than they could be read."""
        self._dropped += sum(tap.dropped() for tap in self._taps)
        return self._dropped

    def close(self) -> None:
        for tap in self._taps:
            tap.close()
        self._taps.clear()

    def _note(self, note: str) -> None:
        self.notes = [*(each for each in self.notes if each != note), note][-NOTES_MAX:]

    def _read(self, tap: Tap) -> list[Captured]:
        frames = tap.receive()
        if tap.trouble:
            self._note(f"{tap.interface}: {tap.trouble}; what comes after it is up again is heard")
            tap.trouble = ""
        heard = []
        for each in frames:
            late_s = time.time() - each.at_s
            at_s = self.now_s() - (late_s if 0 < late_s < LATE_S_MAX else 0.0)
            heard.append(Captured(at_s, each.frame, 1, tap.interface, each.sent_here, each.length_bytes))
        return heard


def _even_s() -> float:
    """Counts suspended time and is not slewed: of a clock that chrony hurries, every seal would soon be too old."""
    suspended_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.clock_gettime(time.CLOCK_MONOTONIC_RAW) + suspended_s
