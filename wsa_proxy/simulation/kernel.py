"""The model of a node's kernel: it holds the addresses as a lease, and its calls may take their time or fail."""

from __future__ import annotations

import math
from random import Random

LEASE_S_MIN = 1.0  # what the kernel makes of a lifetime of 1 s
LEASE_S_MAX = 1.3
RENEW_EVERY_S = 0.25


class Kernel:
    """Times are on the node's own clock. A call takes up to ``operation_s``; ``refuses`` makes all fail."""

    def __init__(self, random: Random, beat_s: float = math.inf) -> None:
        """``beat_s``: it is renewed that often, at least."""
        self.operation_s = 0.0
        self.refuses = False
        self.kept = False
        """It has refused to let the addresses go: they stay until their lease ends."""
        self.lease_until_s = 0.0
        self.renew_at_s = 0.0
        self._beat_s = beat_s
        self._random = random

    @property
    def is_slow(self) -> bool:
        """Does the next call block its caller?"""
        return self.operation_s > 0 and not self.refuses

    def holds(self, now: float) -> bool:
        return now < self.lease_until_s

    def take(self, now: float) -> bool:
        """Add the addresses, or prolong their lease; False when it fails."""
        if self.refuses:
            return False
        self.lease_until_s = now + self._random.uniform(LEASE_S_MIN, LEASE_S_MAX)
        self.renew_at_s = now + RENEW_EVERY_S
        self.renew_at_s = min(self.renew_at_s, now + self._beat_s)
        self.kept = False
        return True

    def release(self) -> None:
        """Take the addresses off, if it lets them go."""
        self.kept = self.refuses
        if not self.kept:
            self.end()

    def end(self) -> None:
        """The machine is off."""
        self.lease_until_s = 0.0
        self.kept = False
