"""Follows one connection that is kept open and tells its news; see fates.py."""

from __future__ import annotations

import time
from collections.abc import Callable

from wsa_proxy.lab.fates import NEWS_PER_S_MAX
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import State


class Watch:
    """One connection: it is being opened, then it runs, then it has ended. ``tell`` gets each news."""

    def __init__(self, place: str, number: int, tell: Callable[[Fate], None]) -> None:
        self.count = 0
        self._place, self._number, self._tell = place, number, tell
        self._server = ""
        self._due_s = 0.0
        self._told_s = 0.0
        self._pause_s = 0.0
        self._say(State.OPENING)

    def runs(self, server: str) -> None:
        """It is open; the origin was asked from that address."""
        self._server = server
        self.waits()
        self._say(State.RUNS)

    def waits(self) -> None:
        """From now on something is due."""
        self._due_s = time.monotonic()

    def came(self, count: int) -> None:
        """Something that was due came: so much in all by now."""
        now = time.monotonic()
        self._pause_s = max(self._pause_s, now - self._due_s)
        self._due_s, self.count = now, count
        if now - self._told_s >= 1 / NEWS_PER_S_MAX:
            self._say(State.RUNS)

    def ended(self, state: State, error: str = "") -> None:
        """What was never open was refused, however it ended."""
        self._say(state if self._server else State.REFUSED, error)

    def _say(self, state: State, error: str = "") -> None:
        self._told_s = now = time.monotonic()
        self._tell(Fate(now, self._place, self._number, state, self._server, self.count, self._pause_s, error))
