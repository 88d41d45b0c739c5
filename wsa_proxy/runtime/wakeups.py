"""What wakes a driver: one timer, and the descriptors that are open now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Iterable


class Wakeups:
    """Calls ``turn`` when the deadline has come or a descriptor is readable. ``clock`` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float], turn: Callable[[], None]) -> None:
        self._clock = clock
        self._turn = turn
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._deadline_s: float | None = None
        self._readers: set[int] = set()

    def at(self, deadlines_s: Iterable[float | None]) -> None:
        """Wake up at the first of these, instead of when it was before."""
        deadline_s = min((deadline_s for deadline_s in deadlines_s if deadline_s is not None), default=None)
        if deadline_s == self._deadline_s and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._deadline_s = None, deadline_s
        if deadline_s is not None:
            self._timer = self._loop.call_later(max(0.0, deadline_s - self._clock()), self._fired)

    def on(self, descriptors: Iterable[int]) -> None:
        """Wake up for exactly these descriptors."""
        wanted = set(descriptors)
        for descriptor in self._readers - wanted:
            self._loop.remove_reader(descriptor)
        for descriptor in wanted - self._readers:
            self._loop.add_reader(descriptor, self._turn)
        self._readers = wanted

    def forget(self, descriptors: Iterable[int]) -> None:
        """These are about to be closed; their numbers may be somebody else's the moment after."""
        self.on(self._readers - set(descriptors))

    def close(self) -> None:
        """Nothing wakes anybody any more."""
        self.on(())
        self.at(())

    def _fired(self) -> None:
        self._timer = None
        self._turn()
