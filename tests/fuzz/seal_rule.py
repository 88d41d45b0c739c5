"""The rule of sealed advertisements, read a second time: a flat list of steps over plain numbers, nothing of wsa_proxy.

A counter is milliseconds since 2020 (42 bits), advbase (8), advskew (8), farewell (1), demoted (1), chance (4). What is
believed must be above everything that was sent or heard under its key, and not older than an interval by the time of
the group; the first that is ever heard only teaches that time.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

YEAR_2100_MS = 2_524_608_000_000
TOLERANCE_MS = 3_600_000
OWN_MAX = 16
NEAR_MS = 1e-3
"""Two ways to write one sum of floats differ by less: so near to a limit both answers are right."""


@dataclass(slots=True)
class Key:
    """What is known under one key. ``line_ms`` is the time of the group minus the own clock."""

    line_ms: float | None = None
    line_at_ms: float = 0.0
    top: int = 0
    own: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Now:
    """What the clocks say."""

    clock_ms: float
    arrived_ms: float
    wall_ms: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The name of the counter, or believed, or first_contact; and what is known of the key from now on."""

    name: str
    key: Key
    is_near: bool = False


def say(key: Key, others: list[Key], now: Now, fields: int) -> Key | None:
    """What is known after an advertisement was signed, None when no time fits any more; the counter is its top."""
    line_ms = _line_ms(key, others, now)[0]
    if line_ms is None:
        line_ms = min(max(now.wall_ms, 0), YEAR_2100_MS) - now.clock_ms
    group_ms = line_ms + now.clock_ms
    ms = max(int(group_ms), (key.top >> 22) + 1)
    if ms >= 1 << 42:
        return None
    counter = ms << 22 | fields
    line_ms = ms - now.clock_ms if ms > group_ms else line_ms
    return Key(line_ms, now.clock_ms, counter, [*key.own, counter][-OWN_MAX:])


def hear(key: Key, others: list[Key], now: Now, payload: bytes, limit_ms: float) -> Answer:
    """What comes of an advertisement that this key has signed."""
    counter = int.from_bytes(payload[8:16])
    ms, advbase, advskew = counter >> 22, counter >> 14 & 255, counter >> 6 & 255
    farewell, demoted, bow_out = counter >> 5 & 1, counter >> 4 & 1, advbase == advskew == 255
    if (payload[5], payload[2], payload[4]) != (advbase, advskew, demoted):
        return Answer("rewritten", key)
    if counter in key.own:
        return Answer("echo", key)
    if counter <= key.top:
        return Answer("duplicate" if counter == key.top else "replay", key)
    line_ms, line_at_ms = _line_ms(key, others, now)
    if line_ms is None:
        if bow_out or farewell or ms < now.wall_ms - TOLERANCE_MS:
            return Answer("stale", key)
        return Answer("first_contact", Key(ms - now.clock_ms, now.clock_ms, counter, key.own))
    sunk_ms = line_ms - (now.clock_ms - line_at_ms) / 1000
    oldest_ms = now.arrived_ms + sunk_ms - (10_000 if bow_out else max(limit_ms, 250))
    is_near = abs(ms - oldest_ms) < NEAR_MS
    if ms < oldest_ms:
        return Answer("stale", key, is_near)
    if bow_out:
        return Answer("believed", Key(line_ms, line_at_ms, counter, key.own), is_near)
    return Answer("believed", Key(max(ms - now.clock_ms, sunk_ms), now.clock_ms, counter, key.own), is_near)


def _line_ms(key: Key, others: list[Key], now: Now) -> tuple[float | None, float]:
    """A key without a time takes that of another one, up to 2100."""
    if key.line_ms is not None:
        return key.line_ms, key.line_at_ms
    for other in others:
        if other.line_ms is not None:
            return min(other.line_ms, YEAR_2100_MS - now.clock_ms), now.clock_ms
    return None, now.clock_ms
