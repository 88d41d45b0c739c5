"""When a backup asks its silent master, before it believes the silence.

Advertisements may be filtered between two nodes of which the other one lives and serves. So before the master-down
deadline the backup asks through the reports, three times; a dead master's deadline passes as if nobody had asked. What
counts as an answer, and what it does, is not decided here: an answer is taken as an advertisement is, and so moves the
deadline.

A loop that turns late may find the deadline passed and nothing asked: then it asks once, and the deadline waits until
the answer has had its time.
"""

from __future__ import annotations

import math

QUESTIONS = 3
LEAD_S_MAX = 0.6
"""The first one is asked so long before the deadline: a loop with a thousand clients answers 0.4 s late."""
LEAD_SHARE = 1 / 4
"""Of the master-down interval, where that is less: after the second advertisement that did not come."""


def lead_s(master_down_s: float) -> float:
    """How long before the end of a silence of ``master_down_s`` the first question is asked."""
    return min(LEAD_S_MAX, master_down_s * LEAD_SHARE)


class Question:
    """Of one virtual host. A silence is known by its end, monotonic seconds; None: there is none to ask about."""

    def __init__(self, master_down_s: float) -> None:
        self._ends_s: float | None = None
        self._asked = 0
        self._answered_until_s = -math.inf
        self.set_master_down(master_down_s)

    def set_master_down(self, master_down_s: float) -> None:
        """Other settings."""
        self._lead_s = lead_s(master_down_s)

    def due_s(self, ends_s: float | None) -> float:
        """When the next question is due; infinite if none is."""
        if ends_s is None:
            return math.inf
        asked = self._asked if ends_s == self._ends_s else 0
        return math.inf if asked >= QUESTIONS else ends_s - self._lead_s * (QUESTIONS - asked) / QUESTIONS

    def ask(self, ends_s: float | None, now_s: float) -> bool:
        """Whether to ask now; then it is taken for done."""
        if now_s < self.due_s(ends_s):
            return False
        assert ends_s is not None
        if ends_s != self._ends_s:
            self._ends_s, self._asked = ends_s, 0
        while self.due_s(ends_s) <= now_s:  # of several that are due by now one is enough
            self._asked += 1
        self._answered_until_s = now_s + self._lead_s / QUESTIONS
        return True

    def waits_until_s(self, ends_s: float | None) -> float:
        """Until then the silence of a deadline that has passed is not believed."""
        return self._answered_until_s if ends_s is not None and ends_s == self._ends_s else -math.inf
