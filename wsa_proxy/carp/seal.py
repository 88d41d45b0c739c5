"""The sealed counter: CARP's 64 opaque bits say what the HMAC leaves out, and when it was said.

Plain CARP signs the counter and the addresses, not advbase, advskew, demotion or the sender, and nobody checks
freshness: one captured advertisement can be rewritten and sent again for ever. A seal puts those fields and a time into
the counter, which is signed, so a receiver can refuse what was rewritten, what it has heard before, and what is old.

The time is a Lamport clock of the group, not the wall's: who sends goes above everything that it has sent or heard, and
who hears a higher time follows. There is one number for all senders, because nobody signs the source address.

Layout, big endian: milliseconds since 2020-01-01 UTC (42 bits), advbase (8), advskew (8), farewell (1), demoted (1),
random (4). ``clock_ms`` is an argument: milliseconds of a clock that is not slewed and counts suspended time.
"""

from __future__ import annotations

import functools
import hashlib
from collections import deque
from dataclasses import dataclass
from enum import Enum

from wsa_proxy.carp.auth import KEY_BYTES
from wsa_proxy.carp.election import BOW_OUT

MS_BITS = 42
OWN_REMEMBERED = 32
"""Counters of ours that a reflection may bring back: of advertisements, and of as many last wills."""
AGE_MS_MIN = 250.0
"""What is younger than this and than one interval may still be on its way."""
AGE_BOW_OUT_MS = 10_000.0
"""A bow-out may have waited in a guardian's hands."""
COPIES_MS = 1000.0
"""So long a bow-out's further copies are no replays: a guardian sends three within 100 ms."""
SINK = 1 / 1000
"""Group time is let fall by this much behind the own clock, for clocks of which none is exact."""
YEAR_2100_MS = 2_524_608_000_000.0
"""From 2020: a wall clock that is later is not believed, or nothing could ever be above it."""
YEAR_2110_MS = 2_840_140_800_000.0
"""A time of the group that is later is not believed. Not that of the wall clock: a group that was once told 2100 is
beyond it from then on, and a time that was cut to it again and again would not run at all, and make nothing old."""


@functools.lru_cache(maxsize=4096)  # 255 groups of 8 secrets, and as many new ones at a reload
def sealed_key(pass_phrase: bytes) -> bytes:
    """The 20-byte key of sealed advertisements. Takes some 60 ms: not for a loop that has to turn.

    Not the key of plain CARP, whose every counter would pass for a seal: there the header that it asks for can be
    written by anybody. Slow to make, because one captured advertisement is enough to guess phrases.
    """
    return hashlib.scrypt(pass_phrase, salt=b"wsa-proxy sealed 1", n=2**14, r=8, p=1, dklen=KEY_BYTES)


@dataclass(frozen=True, slots=True)
class Seal:
    """What a counter says. ``ms`` is group time, since 2020-01-01 UTC."""

    ms: int
    advbase: int
    advskew: int
    farewell: bool
    demoted: bool
    chance: int
    """4 bits, new for each advertisement: two equals that send in the same millisecond differ."""

    @property
    def is_bow_out(self) -> bool:
        """255/255, as in the header."""
        return self.advbase == self.advskew == BOW_OUT

    def pack(self) -> int:
        """The 64 bits."""
        return pack(self.ms, self.advbase, self.advskew, self.farewell, self.demoted, self.chance)


def pack(ms: int, advbase: int, advskew: int, farewell: bool, demoted: bool, chance: int) -> int:
    """The 64 bits of a ``Seal``. Raises OverflowError when the time does not fit any more."""
    if ms >= 1 << MS_BITS:
        raise OverflowError(f"group time {ms} ms has more than {MS_BITS} bits: a new secret starts anew")
    return ms << 22 | advbase << 14 | advskew << 6 | farewell << 5 | demoted << 4 | chance


def unpack(counter: int) -> Seal:
    """What these 64 bits say; any number says something."""
    return Seal(
        ms=counter >> 22,
        advbase=(counter >> 14) & 0xFF,
        advskew=(counter >> 6) & 0xFF,
        farewell=bool(counter >> 5 & 1),
        demoted=bool(counter >> 4 & 1),
        chance=counter & 0xF,
    )


# Every packet asks these three, and a ``Seal`` for each would cost as much as its HMAC.


def says(counter: int, advbase: int, advskew: int, demotion: int) -> bool:
    """Whether a counter says what a header with these values does, the demotion exactly 0 or 1."""
    return counter >> 6 & 0xFFFF == advbase << 8 | advskew and counter >> 4 & 1 == demotion


def is_farewell(counter: int) -> bool:
    """The farewell bit."""
    return bool(counter >> 5 & 1)


def is_bow_out(counter: int) -> bool:
    """255/255."""
    return counter >> 6 & 0xFFFF == BOW_OUT << 8 | BOW_OUT


class Verdict(Enum):
    """What came of a counter; all but the first two name the one counter that changes, and nothing else does."""

    BELIEVED = "believed"
    FIRST_CONTACT = "first_contact"
    """It teaches the time of the group and ends a silence, nothing more: it may be a replay."""
    ECHO = "echo"
    DUPLICATE = "duplicate"
    REPLAY = "replay"
    STALE = "stale"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Saved:
    """What survives a process. Of another boot only ``top`` means anything: the clock has started anew."""

    boot_id: str
    line_ms: float | None
    top: int


class GroupTime:
    """The seal's memory for one virtual host and key: what has been said, and how late it is in the group.

    ``line_ms`` is group time minus the own clock, None until something was heard or said. ``top`` is the highest
    counter that was sent or accepted, from anybody.
    """

    def __init__(self, boot_id: str, saved: Saved | None, clock_ms: float, tolerance_ms: float = 3_600_000.0) -> None:
        self.boot_id = boot_id
        self.line_ms: float | None = None
        self.top = 0
        self._line_at_ms = clock_ms
        self._tolerance_ms = tolerance_ms
        self._bow_out = 0
        """The last one that was believed; who took over because of it has said something since."""
        self._copies_until_ms = 0.0
        self._willed_ms = 0
        self._is_hearsay = False
        """The time is known from a first contact only."""
        self._own: deque[int] = deque(maxlen=OWN_REMEMBERED)
        if saved is not None:
            self.top = saved.top
            if saved.boot_id == boot_id and saved.line_ms is not None:
                # The clock of this boot is the same one still, so the line is exact, whatever was said meanwhile.
                self.line_ms = saved.line_ms
                self.top = max(saved.top, pack(int(clock_ms + saved.line_ms), 0, 0, False, False, 0))

    @property
    def saved(self) -> Saved:
        """To be kept over the end of the process."""
        return Saved(self.boot_id, self.line_ms, self.top)

    def tolerate(self, tolerance_ms: float) -> None:
        """A first contact may be so much older than the wall clock."""
        self._tolerance_ms = tolerance_ms

    def take_time_of(self, other: GroupTime) -> None:
        """Go on with the time of the group as another key has told it; one beyond 2110 is not believed."""
        if other.line_ms is not None:
            self._line_at_ms = other._line_at_ms
            self.line_ms = min(other.line_ms, YEAR_2110_MS - other._line_at_ms)
            self._is_hearsay = other._is_hearsay

    def sign(
        self, advbase: int, advskew: int, demotion: int, farewell: bool, clock_ms: float, wall_ms: float, chance: int
    ) -> int:
        """The counter of our next advertisement, above everything sent and heard. One for all copies of it.

        ``wall_ms`` counts from 2020 and is looked at once, when nothing else tells the time of the group.
        """
        if self.line_ms is None:
            self.line_ms = min(max(wall_ms, 0.0), YEAR_2100_MS) - clock_ms
        self._is_hearsay = False
        ms = max(int(clock_ms + self.line_ms), (self.top >> 22) + 1, self._willed_ms + 1)
        if ms > clock_ms + self.line_ms:
            # What we say is the time of the group, for us as for those who follow it. Else, above a bow-out from ahead,
            # each next advertisement would be one millisecond later, and soon be too old for everybody.
            self.line_ms = ms - clock_ms
        self._line_at_ms = clock_ms  # what is said now is the time of the group now: nothing to sink by
        counter = pack(ms, advbase, advskew, farewell, demotion > 0, chance)
        self.top = counter
        self._own.append(counter)
        return counter

    def will(self, demotion: int, chance: int, clock_ms: float) -> int:
        """The counter of a bow-out that somebody is to send once we are gone: above everything sent and heard until
        now, below our next advertisement. It is remembered as ours, and sets no time: perhaps it is never sent."""
        ms = (self.top >> 22) + is_bow_out(self.top)  # nothing of the same millisecond is above that
        if self.line_ms is not None:  # the millisecond before, for the next advertisement may be said in this one
            ms = max(ms, int(clock_ms + self.line_ms) - 1)
        self._willed_ms = min(ms, (1 << MS_BITS) - 1)
        counter = pack(self._willed_ms, BOW_OUT, BOW_OUT, False, demotion > 0, chance)
        self._own.append(counter)
        return counter

    def judge(
        self,
        counter: int,
        limit_ms: float,
        clock_ms: float,
        arrived_ms: float,
        wall_ms: float,
        top_of_others: int = 0,
    ) -> Verdict:
        """May an advertisement with this counter, whose HMAC and header are right, be believed?

        ``limit_ms`` is the receiver's interval; ``arrived_ms`` is the clock when the receive queue was last empty, so
        that a late loop makes nothing old; ``top_of_others`` is the highest counter of the group's other keys.
        """
        if counter in self._own:
            return Verdict.ECHO
        if counter <= self.top:
            is_copy = counter == self.top or (counter == self._bow_out and clock_ms < self._copies_until_ms)
            return Verdict.DUPLICATE if is_copy else Verdict.REPLAY
        ms, bows_out = counter >> 22, is_bow_out(counter)
        if self.line_ms is None:
            if bows_out or is_farewell(counter) or ms < wall_ms - self._tolerance_ms:
                return Verdict.STALE
            self._follow(counter, ms - clock_ms, clock_ms)
            self._is_hearsay = True
            return Verdict.FIRST_CONTACT
        sunk_ms = self._sunk_ms(self.line_ms, clock_ms)
        # A bow-out that is seconds old is none of who is back since, and signs with another secret.
        limit_ms = AGE_BOW_OUT_MS if bows_out and counter > top_of_others else max(limit_ms, AGE_MS_MIN)
        if ms < arrived_ms + sunk_ms - limit_ms:
            return Verdict.STALE
        if bows_out:
            self.top = self._bow_out = counter
            self._copies_until_ms = clock_ms + COPIES_MS
        else:
            self._follow(counter, max(ms - clock_ms, sunk_ms), clock_ms)
        return Verdict.BELIEVED

    def has_said(self, counter: int) -> bool:
        """Is it an echo of our own?"""
        return counter in self._own

    def raise_to(self, wall_ms: float, clock_ms: float) -> None:
        """Be no younger than the wall clock; nothing happens where no time is known yet."""
        if self.line_ms is not None:
            self.line_ms = max(self.line_ms, min(wall_ms, YEAR_2100_MS) - clock_ms)

    def now_ms(self, clock_ms: float) -> int:
        """The time of the group now; 0 where it is not known, or from a first contact only."""
        if self.line_ms is None or self._is_hearsay:
            return 0
        return max(0, int(clock_ms + self._sunk_ms(self.line_ms, clock_ms)))

    def learn(self, group_ms: int, clock_ms: float) -> None:
        """A member says the time of the group, and proves that it does so now. Whoever is ahead is followed: a backup
        that is ahead may refuse all that its master says, and never has a turn to say so itself. And a first contact
        may have been a replay, and those that follow it would be new."""
        line_ms = min(group_ms, YEAR_2110_MS) - clock_ms
        if self.line_ms is not None:
            line_ms = max(line_ms, self._sunk_ms(self.line_ms, clock_ms))
        self.line_ms, self._line_at_ms, self._is_hearsay = line_ms, clock_ms, False

    def _sunk_ms(self, line_ms: float, clock_ms: float) -> float:
        return line_ms - (clock_ms - self._line_at_ms) * SINK

    def _follow(self, counter: int, line_ms: float, clock_ms: float) -> None:
        self.line_ms, self._line_at_ms, self.top = line_ms, clock_ms, counter
