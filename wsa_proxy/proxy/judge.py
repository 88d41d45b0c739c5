"""When a test that failed, or passed, counts: ``fall`` and ``rise``, a slow proxy that is only busy, and doubt.

What fails under its clients passes without them: a demoted node is well as soon as another one has taken its clients,
and sick when it has them back. So a failure that comes back soon has to stay away for longer each time; else two nodes
with more clients than either can bear hand the address, and the end of all connections, to and fro every few seconds.
"""

from __future__ import annotations

from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import Limits

SOON_S = 60.0  # after its end a failure is the old one come back
AWAY_S, AWAY_S_MAX = 2.0, 30.0  # so long it has to stay away then; doubled each time


class Judge:
    """Of one named test. Its results may come in another order than the tests began."""

    def __init__(self, limits: Limits, *, proven: bool = False) -> None:
        """``proven``: the proxy works already, and this test is new."""
        self.limits = limits
        self.newest: SelfTestResult | None = None
        self.failing: str | None = None
        """Since ``fall`` failures in a row, and until ``rise`` passes in a row: the evidence of the failure that made
        it so. It does not change while it lasts, so that nothing is told twice."""
        self.proven = proven
        """Whether it has passed since the beginning, or often enough since the last doubt."""
        self._needed = 1  # the first proof of a process; after a doubt it is ``rise``
        self._proofs = 0
        self._proof_from_s = float("-inf")
        self._failures = 0
        self._passes = 0
        self._passes_from_s = 0.0
        self._away_s = 0.0
        """Passes end a failure when the first of them is so old."""
        self._ended_s = float("-inf")
        """When the last failure ended."""

    @property
    def unsettled(self) -> bool:
        """Whether the next result can change what is said: nobody should wait for it longer than needed."""
        return not self.proven or self.failing is not None or self._failures > 0

    def doubt(self, now_s: float) -> None:
        """What has passed is no proof any more; only tests that begin from now on are."""
        self.proven = False
        self._needed, self._proofs, self._proof_from_s = self.limits.rise, 0, now_s

    def take(self, result: SelfTestResult, started_at_s: float, *, excused: bool = False) -> None:
        """One more result. An excused failure is none, and no success either: others were answered meanwhile."""
        self.newest = result
        if result.passed:
            self._take_pass(started_at_s, result.finished_at_s)
        elif not excused:
            self._take_failure(result.evidence, result.finished_at_s)

    def _take_pass(self, started_at_s: float, now_s: float) -> None:
        self._failures = 0
        if self._passes == 0:
            self._passes_from_s = now_s
        self._passes += 1
        away = now_s - self._passes_from_s >= self._away_s
        if self.failing is not None and self._passes >= self.limits.rise and away:
            self.failing, self._ended_s = None, now_s
        if started_at_s >= self._proof_from_s:
            self._proofs += 1
            self.proven = self.proven or self._proofs >= self._needed

    def _take_failure(self, evidence: str, now_s: float) -> None:
        self._passes = self._proofs = 0
        self._failures += 1
        if self._failures >= self.limits.fall and self.failing is None:
            times = f", {self._failures} times in a row" if self._failures > 1 else ""
            soon = now_s - self._ended_s < SOON_S
            self._away_s = min(max(AWAY_S, self._away_s * 2), AWAY_S_MAX) if soon else 0.0
            again = f", again: well when it has been away for {self._away_s:.0f} s" if soon else ""
            self.failing = f"{evidence}{times}{again}"
