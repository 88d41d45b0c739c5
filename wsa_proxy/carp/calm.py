"""Calm: how long a better backup endures an inferior master before it preempts, and what makes that longer.

1. It concerns one takeover only: that of a preemptive node from a living master that it outranks at the same demotion
   (``Reason.PREEMPTED``), which serves meanwhile. Silence, a bow-out, a hopeless interval and a demoted master are
   followed as ever, whatever is waited for here, so no group is without an owner for the sake of calm.
2. The node preempts no sooner than the *delay* after the wait began: when it became BACKUP (it joined, came back, was
   fenced, has yielded), or when its demotion sank while it was BACKUP, for it has been that well since then only.
   It needs no deadline of its own: it preempts at the first advertisement of an inferior master that it hears later,
   which is within one interval. Sleep counts as waiting; only silence is not believed of who has overslept.
3. The delay is ``preempt_delay`` at first. A *role change* is one of the node's own from or to MASTER. Each that
   follows in quick succession on another doubles the delay, up to ``preempt_delay_max``: after n of them it is
   preempt_delay * 2^(n-1). Quick is less than ``QUICK_S`` or less than ``QUICK_DELAYS`` delays, whichever is longer:
   longer than the wait itself, which therefore never passes for calm.
4. When that time has passed without a role change, the succession has ended and the delay is ``preempt_delay`` again,
   for a wait that has begun already, too.
5. Other settings count at once: the wait goes on from where it began, and the role changes are remembered. A delay of 0
   stays 0.
6. The operator may end a wait; the next one is as long as it would have been.

FreeBSD, ucarp and the WSA tell a demotion only by a raised advskew, so of these an unwell master cannot be told from an
inferior one, and is endured. What is remembered here ends with the process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ReportWait
from wsa_proxy.carp.host_settings import VirtualHostSettings

QUICK_S = 60.0
QUICK_DELAYS = 4  # a node that fails soon after each return must not have been calm while it waited for that
DOUBLINGS_MAX = 64  # far more than lie between the least delay and the greatest; a float takes them


@dataclass(slots=True)
class Calm:
    """Of one virtual host. Times are monotonic seconds, as the virtual host's ``now``."""

    settings: VirtualHostSettings
    """Those in force; what has happened is measured by them."""
    waits: bool = False
    """The last advertisement was one of an inferior master that is endured."""
    _role_changes: int = 0
    _first_change_at_s: float = -math.inf
    _last_change_at_s: float = -math.inf
    _begun_at_s: float = -math.inf
    _told_due_s: float = -math.inf

    # -- what happens ------------------------------------------------------------------------------------------------

    def role_changed(self, now: float) -> None:
        """The node became MASTER, or is it no longer."""
        self._role_changes = self.role_changes(now) + 1
        if self._role_changes == 1:
            self._first_change_at_s = now
        self._last_change_at_s, self.waits = now, False

    def begin(self, now: float) -> None:
        """The node became BACKUP, or better."""
        self._begun_at_s, self.waits = now, False

    def endure(self, now: float) -> list[Command]:
        """A living master that would be preempted, but for the wait. The operator is told once."""
        self.waits = True
        if self.due_s == self._told_due_s:
            return []
        self._told_due_s, role_changes = self.due_s, self.role_changes(now)
        return [ReportWait(self.due_s - now, role_changes, now - self._first_change_at_s if role_changes else 0.0)]

    def rest(self) -> list[Command]:
        """A master that is not to be preempted."""
        self.waits = False
        return []

    def release(self) -> None:
        """The wait is over."""
        self._begun_at_s, self.waits = -math.inf, False

    # -- what follows ------------------------------------------------------------------------------------------------

    @property
    def due_s(self) -> float:
        """From then on an inferior master is preempted; -inf where a wait was released."""
        first_s, grown_s = self._begun_at_s + self.settings.preempt_delay_s, self._begun_at_s + self._grown_s
        # The succession may end while it is waited for.
        return min(grown_s, max(first_s, self._last_change_at_s + self._quick_s))

    def role_changes(self, now: float) -> int:
        """How many have followed on each other in quick succession."""
        return self._role_changes if now - self._last_change_at_s < self._quick_s else 0

    def delay_s(self, now: float) -> float:
        """As long is a wait that begins now."""
        return self._grown_s if self.role_changes(now) else self.settings.preempt_delay_s

    @property
    def _grown_s(self) -> float:
        doublings = min(max(self._role_changes - 1, 0), DOUBLINGS_MAX)
        first_s = self.settings.preempt_delay_s
        return min(math.ldexp(first_s, doublings), max(first_s, self.settings.preempt_delay_max_s))

    @property
    def _quick_s(self) -> float:
        return max(QUICK_S, QUICK_DELAYS * self._grown_s)
