"""A fault of the proxy's addons, from the moment it is found until there is a reason to believe that it is gone.

Whoever is demoted is asked by nobody any more, so a fault that ended by itself would begin anew with the next mastery,
and two nodes with the same broken script would hand the address to and fro for ever. A fault ends when

- ``rise`` requests in a row pass unharmed: the last node standing goes on serving, and may find that it serves well;
- an addon is loaded, taken away or, as mitmproxy does when a script's file changes, loaded again;
- the operator restores the node.

So with the same broken script on two nodes the second one is demoted as well. They are of equal rank then, and whoever
has the address keeps it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Sequence

from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import Limits

logger = logging.getLogger(__name__)


class AddonFault:
    """``clock``: monotonic seconds. ``addons``: those that are loaded, asked while there is a fault."""

    def __init__(
        self, name: str, limits: Limits, *, clock: Callable[[], float], addons: Callable[[], Sequence[object]]
    ) -> None:
        self.name = name
        self.limits = limits
        """May be set anew at any time."""
        self.evidence = ""
        """Why, while there is a fault; it does not change until that ends."""
        self._clock = clock
        self._addons = addons
        self._found_at_s = 0.0
        self._passed = 0
        self._loaded: Sequence[object] = ()

    def found(self, evidence: str) -> None:
        """There is one, or still."""
        self._passed = 0
        if not self.evidence:
            logger.warning("failover: %s", evidence)
            self.evidence, self._found_at_s, self._loaded = evidence, self._clock(), self._addons()

    def passed(self) -> bool:
        """A request has met no fault. Whether that was the last one needed."""
        if not self.evidence:
            return False
        self._passed += 1
        return self._passed >= self.limits.rise and self.end(f"{self._passed} requests in a row have passed")

    def failed(self) -> None:
        """A request has met it; those before prove nothing."""
        self._passed = 0

    def other_addons(self) -> bool:
        """End it if other addons are loaded than when it was found. Whether it ended."""
        if not self.evidence:
            return False
        loaded = self._addons()
        same = len(loaded) == len(self._loaded) and all(map(lambda one, two: one is two, loaded, self._loaded))
        return not same and self.end("other addons are loaded")

    def end(self, why: str) -> bool:
        """It is over; harmless when there is none. Whether there was one."""
        if not self.evidence:
            return False
        logger.warning("failover: %s: well again, %s", self.name, why)
        self.evidence, self._passed, self._loaded = "", 0, ()
        return True

    def verdict(self, now_s: float) -> tuple[SelfTestResult, str | None]:
        """For a ``HealthSource``; the result of a fault is as old as its evidence."""
        found_at_s = self._found_at_s if self.evidence else now_s
        result = SelfTestResult(self.name, not self.evidence, self.evidence, 0.0, found_at_s, self.limits)
        return result, self.evidence or None
