"""One period of maintenance: why, since when, until when; and how it is written down.

It has two ends, and the earlier one counts. The wall clock's is the one that people read, and the one that holds after
the host was started anew. CLOCK_BOOTTIME's holds within one boot, so that a wall clock that is set back prolongs
nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

from wsa_proxy.runtime.clocks import EPOCH_2020_S
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.node_demotion import one_line

DURATION_S_MAX = 7 * 86400  # who needs longer takes the node out of its groups
UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION_WANTED = "give how long as a whole number and s, m, h or d, at least 1s and at most 7d: 30s, 30m, 2h, 1d"
BOOTTIME_S_MAX = 1e11  # 3,000 years; what is not below it is infinite, or no number
_DURATION = re.compile(f"([0-9]{{1,9}})([{''.join(UNIT_S)}])")


@dataclass(frozen=True, slots=True)
class Period:
    """What an operator has ordered."""

    reason: str
    since: datetime
    """UTC, as all times here."""
    until: datetime
    boot: str
    """The boot whose clock ``until_s`` is of."""
    until_s: float
    """Seconds of CLOCK_BOOTTIME."""

    def left_s(self, clocks: Clocks) -> float:
        """Seconds to its end, 0 when that is past. On a host whose wall clock is before its beginning it lasts as long
        as was asked for, from now on."""
        left_s = min((self.until - wall(clocks)).total_seconds(), (self.until - self.since).total_seconds())
        if self.boot == clocks.boot:
            left_s = min(left_s, self.until_s - clocks.now_s())
        return max(left_s, 0.0)

    def in_this_boot(self, clocks: Clocks) -> Period:
        """The same one; from now on the clock of this boot counts."""
        if self.boot == clocks.boot:
            return self
        return replace(self, boot=clocks.boot, until_s=clocks.now_s() + self.left_s(clocks))

    def document(self) -> dict[str, Any]:
        """As ``period`` reads it."""
        times = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        return {"reason": self.reason, **times, "boot": self.boot, "until_boottime_s": self.until_s}


def wall(clocks: Clocks) -> datetime:
    """The wall clock."""
    return datetime.fromtimestamp(EPOCH_2020_S, UTC) + timedelta(milliseconds=clocks.wall_ms())


def begun(reason: str, duration_s: int, clocks: Clocks) -> Period:
    """From now on."""
    since = wall(clocks)
    until_s = clocks.now_s() + duration_s
    return Period(reason, since, since + timedelta(seconds=duration_s), clocks.boot, until_s)


def duration_s(text: str) -> int | None:
    """``30s``, ``30m``, ``2h``, ``1d`` in seconds; None unless it is one from 1 s to 7 days."""
    match = _DURATION.fullmatch(text)
    seconds = int(match[1]) * UNIT_S[match[2]] if match else 0
    return seconds if 1 <= seconds <= DURATION_S_MAX else None


def period(document: Any) -> Period:
    """What a file says. Raises ValueError, TypeError or KeyError when it is not what ``document`` writes."""
    reason, boot, until_s = document["reason"], document["boot"], document["until_boottime_s"]
    since, until = datetime.fromisoformat(document["since"]), datetime.fromisoformat(document["until"])
    if not isinstance(reason, str) or not isinstance(boot, str) or not isinstance(until_s, int | float):
        raise TypeError("not what was written")
    if since.utcoffset() != timedelta() or until.utcoffset() != timedelta() or not abs(until_s) < BOOTTIME_S_MAX:
        raise ValueError("no time that was written")
    if one_line(reason) != reason or not timedelta() < until - since <= timedelta(seconds=DURATION_S_MAX):
        raise ValueError("no period that was ordered")
    return Period(reason, since, until, boot, float(until_s))
