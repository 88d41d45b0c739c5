"""What a node makes of advertisements that its own host refuses to send.

As on the BSDs, three errors in a row demote it, so that any well node takes over, and three in a row that were sent
take that back (carp(4): net.inet.carp.senderr_demotion_factor). Two things are ours. A backup sends nothing and could
never show that it is well again, so its demotion ends after a while, which doubles each time. And who was last heard
2.5 intervals ago must leave the group before the others, who hear of no demotion, take over beside it; unless it
answers others, that comes before the third error.
"""

from __future__ import annotations

import math

ERRORS_MAX = 3
SENT_MIN = 3
UNHEARD_INTERVALS = 2.5
RECOVERY_S = 5.0
RECOVERY_S_MAX = 300.0


class SendErrors:
    """Counts for one virtual host; ``now`` is monotonic seconds."""

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        """As configured: a demoted node's is longer, and the others' patience is not."""
        self.demotion = 0
        """What it adds to the virtual host's: 0 or 1."""
        self.unheard_at_s = math.inf
        """When a MASTER must leave; infinite while the last advertisement was sent."""
        self.recovers_at_s = math.inf
        """When the demotion of a node that is not MASTER ends; infinite without one."""
        self._heard_at_s = math.inf
        self._in_a_row = 0
        """Errors (above zero) or advertisements that were sent (below)."""
        self._recovery_s = RECOVERY_S

    @property
    def failing(self) -> bool:
        """The last advertisement was not sent."""
        return self._in_a_row > 0

    def sent(self, now: float) -> None:
        """Whoever waits for it was told, as far as that is this host's to do (``runtime/sending.py``)."""
        self._in_a_row = min(self._in_a_row, 0) - 1
        self._heard_at_s, self.unheard_at_s = now, math.inf
        if self._in_a_row <= -SENT_MIN:
            self.demotion, self._recovery_s, self.recovers_at_s = 0, RECOVERY_S, math.inf

    def failed(self, now: float) -> None:
        """Somebody who waits for it was not told: in one IP version, or in all where one stands for all."""
        self._in_a_row = max(self._in_a_row, 0) + 1
        if self._in_a_row == 1:
            # Before its first advertisement nobody waits for it; a demoted node's last one may be long ago.
            heard_at_s = min(self._heard_at_s, now)
            self.unheard_at_s = max(heard_at_s + UNHEARD_INTERVALS * self.interval_s, now + self.interval_s)
        if self._in_a_row >= ERRORS_MAX and not self.demotion:
            self.demotion = 1
            self.recovers_at_s = now + self._recovery_s
            self._recovery_s = min(2 * self._recovery_s, RECOVERY_S_MAX)

    def left(self) -> None:
        """The node is not MASTER any more: the next time it is, nobody waits for it yet."""
        self._heard_at_s = self.unheard_at_s = math.inf
        self._in_a_row = min(self._in_a_row, 0)

    def recover(self, now: float) -> None:
        """The node is not MASTER: is it to be believed well again?"""
        if now >= self.recovers_at_s:
            self.demotion, self.recovers_at_s = 0, math.inf
