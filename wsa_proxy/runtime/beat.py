"""The beat of a node: at least four times a second the leases of all groups that are master are renewed, in one batch.

A renewal is an add, so nobody's address may be renewed by a process that has slept through the others' patience. Each
driver is asked before the batch, and looks at the clock again after it (``Driver.may_renew``, ``Driver.renewed``). The
time that counts is that before the first question: a freeze anywhere between there and the end is seen by all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from collections.abc import Sequence

from wsa_proxy.carp import election
from wsa_proxy.net.guardian import BEATS_PER_LIMIT
from wsa_proxy.net.guardian import usual_stall_limit_s
from wsa_proxy.net.ports import LeasePort
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.put_back import RENEW_EVERY_S
from wsa_proxy.settings import Settings

logger = logging.getLogger(__name__)

LATE_S = RENEW_EVERY_S
"""So late, every group reads its packets and looks at its clock before the batch. A lease lasts twice as long yet."""


class Beat:
    """Of the groups with these drivers. ``clock`` is monotonic seconds that go on during suspend."""

    def __init__(
        self,
        drivers: Sequence[Driver],
        leases: LeasePort,
        *,
        clock: Callable[[], float],
        drain_kernel: Callable[[], None],
        every_s: float = RENEW_EVERY_S,
    ) -> None:
        """Begins at once; made inside the running loop."""
        self.drivers = drivers
        """May be set anew between two beats."""
        self._leases = leases
        self._clock = clock
        self._drain_kernel = drain_kernel
        self._every_s = every_s
        self._timer: asyncio.TimerHandle | None = None
        self._arm()

    def close(self) -> None:
        """Renew no more; harmless when repeated."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._leases.close()

    def beat(self) -> None:
        """Renew what may be renewed now; the timer's work."""
        self._drain_kernel()  # every timer reads the news first: a link may be down, an address gone
        decided_at_s = self._clock()
        late = decided_at_s - self._due_s > LATE_S
        renewing = []
        for driver in self.drivers:
            if self._may_renew(driver, late) and driver.ports is not None:
                renewing.append((driver, driver.ports.addresses))
        if not renewing:
            return
        failed = self._leases.beat([addresses for _, addresses in renewing])
        for driver, addresses in renewing:
            try:
                driver.renewed(decided_at_s, failed.get(addresses))
            except Exception:
                # Groups do not touch each other: whatever befalls this one, the others' clocks are looked at as well.
                logger.exception("carp vhid=%d failed after a renewal", driver.record.vhid)

    def catch_up(self) -> None:
        """Beat now if it is time to: for who does what keeps the loop from turning for longer than a lease lasts."""
        if self._timer is not None and self._clock() >= self._due_s:
            self._timer.cancel()
            self._fired()

    def set_every(self, every_s: float) -> None:
        """From now on, and not only after the next one: the guardian may wait for so long no more."""
        self._every_s = every_s
        if self._timer is not None and self._clock() + every_s < self._due_s:
            self._timer.cancel()
            self._arm()

    def _arm(self) -> None:
        self._due_s = self._clock() + self._every_s
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._fired)

    def _fired(self) -> None:
        try:
            self.beat()
        finally:
            if self._timer is not None:
                self._arm()  # whatever went wrong, the next beat comes

    @staticmethod
    def _may_renew(driver: Driver, late: bool) -> bool:
        try:
            return driver.may_renew(late)
        except Exception:
            # A group that cannot make its turn is not prolonged, as it would not be if it renewed by itself.
            logger.exception("carp vhid=%d failed before a renewal", driver.record.vhid)
            return False


def stall_limit_s(settings: Settings) -> float:
    """So long the loop may stand still before the guardian takes the addresses from this process."""
    if settings.stall_limit_s is not None:
        return settings.stall_limit_s
    patience_s = min(election.master_down_s(group.advbase, group.advskew) for group in settings.groups)
    return usual_stall_limit_s(patience_s)


def beat_every_s(settings: Settings) -> float:
    """Often enough for the lease, and for the guardian."""
    return min(RENEW_EVERY_S, stall_limit_s(settings) / BEATS_PER_LIMIT)
