"""Who could take over, and for how long nobody could: what nobody knows of a CARP group until the day it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CROSSING_S = 1.0
"""In a takeover two are master until one has heard the other: milliseconds, or seconds where reports are slow."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node of the group, this one included. ``unfit``: why it could not serve as well as any; empty: it could."""

    name: str
    is_master: bool
    unfit: str


class Redundancy:
    """Of one group, as one node sees it. Times are monotonic seconds."""

    def __init__(self, begins_s: float) -> None:
        """Before ``begins_s`` nobody is missed: the others cannot have been heard yet."""
        self.standbys = 0
        self.lost_since_s: float | None = None
        self.why = ""
        """Of each node that could not take over, why not; of all, if there is no healthy standby."""
        self._begins_s = begins_s
        self._crossing_since_s: float | None = None

    def look(self, candidates: Sequence[Candidate], now_s: float) -> str | None:
        """How it is now. Answers a sentence when redundancy is lost or is back."""
        masters = [each for each in candidates if each.is_master]
        fit = [each for each in candidates if not each.is_master and not each.unfit]
        # Nobody is master yet: one of those that could take over will be.
        self.standbys = len(fit) if masters else max(0, len(fit) - 1)
        unfit = [f"{each.name}: {each.unfit}" for each in candidates if each.unfit and not each.is_master]
        alone = "every member is master" if len(candidates) > 1 else "no other member has been heard"
        if len(masters) > 1 and not fit and self.lost_since_s is None and not self._has_lasted(now_s):
            self.standbys = len(masters) - 1
        elif len(masters) < 2:
            self._crossing_since_s = None
        self.why = "; ".join(unfit) or ("" if self.standbys else alone)
        if self.standbys:
            was_lost, self.lost_since_s = self.lost_since_s, None
            names = ", ".join(each.name for each in fit)
            return None if was_lost is None else f"there is a healthy standby again: {names}"
        if self.lost_since_s is not None or now_s < self._begins_s:
            return None
        self.lost_since_s = now_s
        return f"no healthy standby: {self.why}"

    def _has_lasted(self, now_s: float) -> bool:
        """Several masters at once are a takeover, unless they go on being."""
        if self._crossing_since_s is None:
            self._crossing_since_s = now_s
        return now_s - self._crossing_since_s >= CROSSING_S
