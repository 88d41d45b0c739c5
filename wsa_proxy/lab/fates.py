"""What becomes of the connections that the client keeps open: their news, and what can be said of all of them. Pure.

A *place* is filled with one connection after the other: ``download 1`` begins anew when it is done. Times are
CLOCK_MONOTONIC seconds, which every process of one machine shares.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

NEWS_PER_S_MAX = 10.0
"""Of one connection that runs; a change of its state is told at once."""
RECENT_MAX = 120
"""News of one place that are remembered: those of the last ten seconds at least."""
ENDED_MAX = 100_000  # The live screen may run for days.


class State(StrEnum):
    """Of one connection, as its client sees it."""

    OPENING = "opening"
    RUNS = "runs"
    DONE = "done"
    """As it was meant: all bytes are there and right, or the last message came back."""
    RESET = "reset"
    """By a segment of the other end: the client was told."""
    CUT = "cut"
    """The other end has closed it too early: the client was told."""
    SILENT = "silent"
    """What was due did not come: the client had to find out by itself."""
    WRONG = "wrong"
    """What came was not what the origin had sent."""
    REFUSED = "refused"
    """It was never open."""

    @property
    def lost(self) -> bool:
        """Ended after it was open, and not as it was meant."""
        return self in (State.RESET, State.CUT, State.SILENT, State.WRONG)

    @property
    def told(self) -> bool:
        """Lost, and the client did not have to find out by itself."""
        return self in (State.RESET, State.CUT)

    @property
    def over(self) -> bool:
        return self.lost or self in (State.DONE, State.REFUSED)


@dataclass(frozen=True, slots=True)
class Fate:
    """What has become of one connection so far."""

    at_s: float
    place: str
    number: int
    """Which connection in this place, from 1 on."""
    state: State
    server: str
    """Address from which the origin was asked: it names the node that serves the connection. Empty while unknown."""
    count: int
    """Bytes of a download; messages of another one that came back."""
    pause_s: float
    """The longest time so far in which nothing came and something was due."""
    error: str
    """In words, when it has ended otherwise than it was meant."""

    @property
    def kind(self) -> str:
        """``download`` of ``download 1``."""
        return self.place.partition(" ")[0]


def read(line: bytes | str) -> Fate:
    """Read one line of open_connections.py."""
    at_s, place, number, state, *rest = json.loads(line)
    return Fate(at_s, place, number, State(state), *rest)


class Fates:
    """The log: of each place the newest news and the recent ones, and all connections that are over."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[Fate]] = {}
        self._began_s: dict[str, float] = {}
        self._ended: deque[Fate] = deque(maxlen=ENDED_MAX)

    def note(self, fate: Fate) -> None:
        """Take the next news; those of one place come in the order of time."""
        if fate.state is State.OPENING:
            self._began_s[fate.place] = fate.at_s
        self._recent.setdefault(fate.place, deque(maxlen=RECENT_MAX)).append(fate)
        if fate.state.over:
            self._ended.append(fate)

    def newest(self) -> list[Fate]:
        """Of each place, in the order in which they were first heard of."""
        return [recent[-1] for recent in list(self._recent.values())]

    def recent(self, place: str) -> list[Fate]:
        """The oldest first."""
        return list(self._recent[place])

    def began_s(self, place: str) -> float:
        """When the newest connection of this place was begun."""
        return self._began_s[place]

    def ended(self) -> list[Fate]:
        """The oldest first."""
        return list(self._ended)


def lost_between(fates: Iterable[Fate], begin_s: float, end_s: float) -> list[Fate]:
    """The connections that were lost in this window (its begin excluded, its end included)."""
    return [fate for fate in fates if fate.state.lost and begin_s < fate.at_s <= end_s]
