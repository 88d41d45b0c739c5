"""What the proxy side says about itself: the only thing the election is told about the proxy.

A hard failure means the proxy cannot serve at all: the node leaves the group. A soft one demotes it: it serves on
until a well node takes over, so the last node standing keeps serving.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wsa_proxy.settings import Limits


@dataclass(frozen=True, slots=True)
class SelfTestResult:
    """The newest result of one named test of the proxy."""

    name: str
    passed: bool | None
    """None: it is told, and never judged."""
    evidence: str
    """A phrase with numbers: ``no answer to GET for 2.0 s, limit 2.0``; mostly empty when it passed."""
    duration_s: float
    finished_at_s: float
    """Monotonic seconds; the status turns it into an age."""
    limits: Limits | None = None
    """None: there is none that an operator could change."""


@dataclass(frozen=True, slots=True)
class Health:
    """The proxy's liveness as a whole."""

    hard: str | None
    """Why the proxy cannot serve, or None."""
    soft: str | None
    """Why the proxy serves badly, or None."""
    tests: tuple[SelfTestResult, ...] = ()


class HealthSource(Protocol):
    """A test that is made elsewhere, and asked for ten times a second."""

    def verdict(self, now_s: float) -> tuple[SelfTestResult, str | None]:
        """Its newest result, and why the node should be demoted for it, or None."""


UNPROVEN = Health(hard="the proxy has not answered its first self-test yet", soft=None)
