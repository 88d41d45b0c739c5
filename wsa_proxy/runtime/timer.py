"""The one timer of a driver: it does the work once the deadline has come, however often that is moved before."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class DeadlineTimer:
    """``next_deadline`` answers in the seconds of ``clock``, infinite when there is nothing to wait for.

    A deadline that moved away keeps its timer, which is armed anew when it fires: a backup's moves away with every
    advertisement, and a new timer for each costs more than one too many for every third.
    """

    def __init__(
        self, clock: Callable[[], float], next_deadline: Callable[[], float], work: Callable[[], None]
    ) -> None:
        """Made inside the running loop."""
        self._clock = clock
        self._next_deadline = next_deadline
        self._work = work
        self.afterwards: Callable[[], None] = lambda: None
        """Called after each piece of work: the loop does all that is due before it looks at the clock again."""
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self.fires_at_s = math.inf
        """When it looks at the deadline next; infinite while it waits for nothing. To be read."""

    def arm(self) -> None:
        """The deadline may have changed."""
        deadline_s = self._next_deadline()
        if self._handle is not None:
            if self.fires_at_s <= deadline_s < math.inf:
                return
            self.close()
        if deadline_s < math.inf:
            self.fires_at_s = deadline_s
            self._handle = self._loop.call_later(max(0.0, deadline_s - self._clock()), self._fired)

    def catch_up(self) -> None:
        """Do the work now if its time has come: the loop may not look at its timers for a while."""
        if self._handle is not None and self._clock() >= self.fires_at_s:
            self._handle.cancel()
            self._fired()

    def close(self) -> None:
        """Do no more work; harmless when repeated."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self.fires_at_s = math.inf

    def _fired(self) -> None:
        self._handle = None
        self.fires_at_s = math.inf
        if self._clock() < self._next_deadline():
            self.arm()  # nothing is due, so nothing need be read first
        else:
            self._work()
            self.afterwards()
