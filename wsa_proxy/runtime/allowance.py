"""So many a second, of what whoever sends may make this node do."""

from __future__ import annotations

from collections.abc import Callable


class Allowance:
    """So many a second, and at most so many at once. ``clock`` is monotonic seconds."""

    def __init__(self, per_s: float, clock: Callable[[], float]) -> None:
        self.per_s = per_s
        self._left = per_s
        self._clock = clock
        self._at_s = clock()

    def take(self, count: int = 1) -> bool:
        """So many of them; False, and none, when there are not so many left."""
        now_s = self._clock()
        self._left = min(self.per_s, self._left + (now_s - self._at_s) * self.per_s)
        self._at_s = now_s
        if self._left < count:
            return False
        self._left -= count
        return True
