"""When a test that failed, or passed, counts: ``fall`` and ``rise``, a slow proxy that is only busy, and doubt."""

from __future__ import annotations

from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import Limits


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
            self._take_pass(started_at_s)
        elif not excused:
            self._take_failure(result.evidence)

    def _take_pass(self, started_at_s: float) -> None:
        self._failures = 0
        self._passes += 1
        if self._passes >= self.limits.rise:
            self.failing = None
        if started_at_s >= self._proof_from_s:
            self._proofs += 1
            self.proven = self.proven or self._proofs >= self._needed

    def _take_failure(self, evidence: str) -> None:
        self._passes = self._proofs = 0
        self._failures += 1
        if self._failures >= self.limits.fall and self.failing is None:
            times = f", {self._failures} times in a row" if self._failures > 1 else ""
            self.failing = f"{evidence}{times}"
