"""How a node finishes its connections while it holds the virtual IPs silently.

A second after its successor answers it counts them once more: all caches have been told by then, so no new ones can
come; that list is *settled*. It goes on counting twice a second, and has come to its end when none is left, or the time
is up.
"""

from __future__ import annotations

import math

SETTLES_S = 1.0
COUNTED_S = 0.5
"""Between two counts; a report follows each of them, whatever a node's interval is, so that the others know that it is
there."""
HURRY_S = 1.0
"""After each of the steps what is told of the list is repeated at once."""


class Drain:
    """Of one group. Times are monotonic seconds."""

    def __init__(self, until_s: float, now_s: float) -> None:
        self.until_s = until_s
        self.settled: int | None = None
        """The position of the list when it was settled."""
        self._settles_at_s = self._counted_at_s = -math.inf
        self._is_silent = False
        self._stepped_at_s = now_s

    def silent(self, now_s: float) -> None:
        """The successor answers from now on."""
        if not self._is_silent:
            self._is_silent, self._settles_at_s, self._stepped_at_s = True, now_s + SETTLES_S, now_s

    def counted(self, position: int, now_s: float) -> None:
        """The list is at this position now, as the kernel has it."""
        self._counted_at_s = now_s
        if self.settled is None and self._is_silent and now_s >= self._settles_at_s:
            self.settled, self._stepped_at_s = position, now_s

    def count_at_s(self) -> float:
        """When to count next."""
        due_s = self._counted_at_s + COUNTED_S
        return min(due_s, self._settles_at_s) if self._is_silent and self.settled is None else due_s

    def hurries(self, now_s: float) -> bool:
        """Whether a step was taken just now."""
        return now_s < self._stepped_at_s + HURRY_S

    def is_over(self, left: int, now_s: float) -> bool:
        """With so many connections left."""
        return now_s >= self.until_s or (self.settled is not None and not left)
