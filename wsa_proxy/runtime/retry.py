"""When a node that the kernel has refused something listens again: later each time, until it works."""

from __future__ import annotations

import math
from collections.abc import Callable

RETRY_S = 5.0
RETRY_S_MAX = 300.0
"""A preferred node that can never hold the address must not disturb the others all the time."""


class Retry:
    """Of one virtual host. ``clock`` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.at_s = math.inf
        """Infinite when there is nothing to try again."""
        self._clock = clock
        self._wait_s = RETRY_S

    def left(self) -> None:
        """It has left the group just now."""
        self.at_s = self._clock() + self._wait_s
        self._wait_s = min(2 * self._wait_s, RETRY_S_MAX)

    def due(self) -> bool:
        """Whether to try again now; true once."""
        if self._clock() < self.at_s:
            return False
        self.at_s = math.inf
        return True

    def well(self) -> None:
        """The kernel does what it is asked: the next time, the shortest wait."""
        self._wait_s = RETRY_S
