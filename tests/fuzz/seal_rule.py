"""The rule of sealed advertisements, read a second time: a flat list of steps over plain numbers, nothing of wsa_proxy.

A counter is milliseconds since 2020 (42 bits), advbase (8), advskew (8), farewell (1), demoted (1), chance (4). What is
believed must be above everything that was sent or heard under its key, and not older than an interval by the time of
the group; the first that is ever heard only teaches that time. A bow-out may be ten seconds old, if nothing later
was said or heard under any key. The time is the group's: what is said or believed under one key is the time of all, up
to 2110. A group that takes plain CARP as well asks no wall clock at the first contact, but signs no earlier than its
own; who signs plain CARP keeps no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

YEAR_2100_MS = 2_524_608_000_000
YEAR_2110_MS = 2_840_140_800_000
TOLERANCE_MS = 3_600_000
OWN_MAX = 16
NEAR_MS = 1e-3
"""Two ways to write one sum of floats differ by less: so near to a limit both answers are right."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known under one key. ``line_ms`` is the time of the group minus the own clock."""

    line_ms: float | None = None
    line_at_ms: float = 0.0
    top: int = 0
    own: tuple[int, ...] = ()


type Keys = tuple[Key, ...]
"""Those of a group; it signs with the first."""


@dataclass(frozen=True, slots=True)
class Now:
    """What the clocks say."""

    clock_ms: float
    arrived_ms: float
    wall_ms: float


@dataclass(frozen=True, slots=True)
class Moves:
    """How far a group has come on its way from plain CARP to seals."""

    signs_sealed: bool
    takes_sealed: bool
    takes_plain: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The name of the counter, or believed, or first_contact; and what is known of the keys from now on."""

    name: str
    keys: Keys
    is_near: bool = False


def remember(memory: tuple[bool, float, int] | None, clock_ms: float) -> Key:
    """What a process begins with: of this boot or not, the line, the highest counter."""
    if memory is None:
        return Key()
    is_of_this_boot, line_ms, top = memory
    if not is_of_this_boot:
        return Key(top=top)
    return Key(line_ms, clock_ms, max(top, int(clock_ms + line_ms) << 22))


def change(old: Keys, new: Sequence[tuple[Key, bool]]) -> Keys:
    """Other secrets from now on, of each what is known of it, and whether it is among the old ones: one that is not
    takes the time of the group, whatever it was told itself; where nobody knows one, the latest is remembered."""
    keys = [key if was_in_use or not old else _told((key, old[0]), 1, old[0])[0] for key, was_in_use in new]
    return _latest_told(keys)


def say(keys: Keys, moves: Moves, now: Now, fields: int) -> Keys | None:
    """What is known after an advertisement was signed, None when no time fits any more; the counter is its top."""
    key, wall_ms = keys[0], min(now.wall_ms, YEAR_2100_MS)
    line_ms = max(wall_ms, 0) - now.clock_ms if key.line_ms is None else key.line_ms
    if moves.takes_plain:
        line_ms = max(line_ms, wall_ms - now.clock_ms)
    group_ms = line_ms + now.clock_ms
    ms = max(int(group_ms), (key.top >> 22) + 1)
    if ms >= 1 << 42:
        return None
    counter = ms << 22 | fields
    line_ms = ms - now.clock_ms if ms > group_ms else line_ms
    return _told(keys, 0, Key(line_ms, now.clock_ms, counter, (*key.own, counter)[-OWN_MAX:]))


def hear(keys: Keys, number: int, moves: Moves, now: Now, payload: bytes, limit_ms: float) -> Answer:
    """What comes of an advertisement that the key with this number has signed."""
    if not moves.takes_sealed:
        return Answer("sealed_member", keys)
    key, counter = keys[number], int.from_bytes(payload[8:16])
    ms, advbase, advskew = counter >> 22, counter >> 14 & 255, counter >> 6 & 255
    farewell, demoted, bow_out = counter >> 5 & 1, counter >> 4 & 1, advbase == advskew == 255
    if (payload[5], payload[2], payload[4]) != (advbase, advskew, demoted):
        return Answer("rewritten", keys)
    if counter in key.own:
        return Answer("echo", keys)
    if not moves.signs_sealed:
        return Answer("believed", keys)
    if counter <= key.top:
        return Answer("duplicate" if counter == key.top else "replay", keys)
    if key.line_ms is None:
        is_old = not moves.takes_plain and ms < now.wall_ms - TOLERANCE_MS
        if bow_out or farewell or is_old:
            return Answer("stale", keys)
        first = Key(ms - now.clock_ms, now.clock_ms, counter, key.own)
        return Answer("first_contact", _told(keys, number, first))
    sunk_ms = key.line_ms - (now.clock_ms - key.line_at_ms) / 1000
    may_have_waited = bow_out and counter > max(each.top for each in keys)
    oldest_ms = now.arrived_ms + sunk_ms - (10_000 if may_have_waited else max(limit_ms, 250))
    is_near = abs(ms - oldest_ms) < NEAR_MS
    if ms < oldest_ms:
        return Answer("stale", keys, is_near)
    heard = Key(max(ms - now.clock_ms, sunk_ms), now.clock_ms, counter, key.own)
    if bow_out:
        heard = replace(key, top=counter)
    return Answer("believed", _told(keys, number, heard), is_near)


def _latest_told(keys: Sequence[Key]) -> Keys:
    lines_ms = [key.line_ms for key in keys if key.line_ms is not None]
    latest = next((number for number, key in enumerate(keys) if lines_ms and key.line_ms == max(lines_ms)), 0)
    return _told(tuple(keys), latest, keys[latest])


def _told(keys: Keys, number: int, told: Key) -> Keys:
    """One key has told a time: all others have it from now on, but none beyond 2110."""
    if told.line_ms is None:
        return keys
    line_ms = min(told.line_ms, YEAR_2110_MS - told.line_at_ms)
    now = [replace(key, line_ms=line_ms, line_at_ms=told.line_at_ms) for key in keys]
    return (*now[:number], told, *now[number + 1 :])
