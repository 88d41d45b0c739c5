"""How priority and advertisement interval travel in CARP, and what follows for a backup.

CARP has one whole number of seconds and 1/256 of a second 255 times: advbase and advskew. The priority takes the
skew. Intervals below one second leave advbase 0 and share the skew with the priority, so that not every pair fits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from wsa_proxy.carp import election

ADVSKEW_MAX = 254  # 255 is a bow-out
PRIORITY_MAX = 255
LOSSES_WANTED = 3  # as many lost advertisements as the master-down interval is meant to forgive
INTERVALS_OF_TABLE_S = (0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 0.9)
INTERVAL_TEXT = "a whole number of seconds from 1 to 255, or a number below 1 (at least 0.004)"


@dataclass(frozen=True, slots=True)
class Timers:
    """What a node sends, and how long it waits for others."""

    advbase: int
    advskew: int

    @property
    def interval_s(self) -> float:
        """Between two advertisements of this node as MASTER."""
        return election.interval_s(self.advbase, self.advskew)

    @property
    def master_down_s(self) -> float:
        """Silence after which this node as BACKUP takes over."""
        return election.master_down_s(self.advbase, self.advskew)

    def losses_needed(self, master: Timers) -> int:
        """Advertisements of that master in a row whose loss makes this node take over.

        They are those that are due before the deadline, which the one before them has set; one that arrives at the
        very deadline is too late to count on.
        """
        return math.ceil(Fraction(self.master_down_s) / Fraction(master.interval_s)) - 1  # exact: both are n/256


def timers(interval_s: float, priority: int) -> Timers | None:
    """The fields that carry both; None when they do not fit. ``interval_s`` is an allowed interval."""
    if interval_s >= 1:
        return Timers(int(interval_s), PRIORITY_MAX - priority)
    advskew = round(interval_s * 256) + PRIORITY_MAX - priority
    return Timers(0, advskew) if advskew <= ADVSKEW_MAX else None


def is_interval(value: object) -> bool:
    """Whether it is one of INTERVAL_TEXT."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(value, int):
        return 1 <= value <= 255
    return 0 < value < 1 and round(value * 256) >= 1


def lowest_priority(interval_s: float) -> int | None:
    """The lowest priority that fits an interval below one second; None when not even 255 does."""
    lowest = max(1, round(interval_s * 256) + PRIORITY_MAX - ADVSKEW_MAX)
    return lowest if lowest <= PRIORITY_MAX else None


def misfit_text(interval_s: float, priority: int) -> str:
    """What is wrong with a pair for which ``timers`` has nothing, and what would be right."""
    lowest = lowest_priority(interval_s)
    thousandths = (priority - 1) * 1000 // 256
    longest = f" at most {thousandths / 1000:g} or" if thousandths >= 4 else ""
    usable = f"the lowest usable priority is {lowest}" if lowest else "no priority is usable"
    return (
        f"does not fit priority {priority}: with an interval of {interval_s:g} s {usable};"
        f" with priority {priority} the interval must be{longest} a whole number of seconds"
    )


def lowest_master_forgiven(interval_s: float, priority: int) -> int | None:
    """The lowest priority of a master of which this backup forgives all but the third loss; None: of no master.

    Meant is a master with the same advertisement interval. A master of lower priority advertises less often, while
    this node's patience stays the same.
    """
    own = timers(interval_s, priority)
    for master_priority in range(1, PRIORITY_MAX + 1):
        master = timers(interval_s, master_priority)
        if own and master and own.losses_needed(master) >= LOSSES_WANTED:
            return master_priority
    return None


def interval_table() -> list[str]:
    """Lines for the operator: each interval below one second with the lowest priority that fits."""
    rows = [f"  {interval_s:<12g}{lowest_priority(interval_s)}" for interval_s in INTERVALS_OF_TABLE_S]
    return ["  interval s  lowest usable priority", *rows]
