"""What this node has asked the owner of the virtual IPs and has no answer to: which answer counts, and for how long.

An answer says that the owner lives, and holds a takeover back for a master-down interval, or makes a second master
yield. So it counts once for all that was asked by then, and no longer than a question's lead: whoever holds an answer
back cannot keep it for the day when the owner is dead.
"""

from __future__ import annotations

from wsa_proxy.members.report import Report


class OwnerQuestions:
    """Of one group. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._until_s: dict[bytes, float] = {}

    def asked(self, question: bytes, now_s: float, within_s: float) -> None:
        """An answer counts within that time."""
        self._until_s = {each: until_s for each, until_s in self._until_s.items() if now_s <= until_s}
        self._until_s[question] = now_s + within_s

    def take(self, answer: bytes | None, now_s: float) -> bool:
        """Whether this answers one of them, in time; then all are answered."""
        in_time = answer is not None and now_s <= self._until_s.get(answer, now_s - 1)
        if in_time:
            self._until_s.clear()
        return in_time


def wins_tie(values: tuple[int, int, int], life: bytes, answer: Report) -> bool:
    """Whether a master with these values (advbase, advskew, demotion) stays one although another of the same rank has
    answered. Of two advertisements that cross the counters decide; answers that cross would make both yield, and both
    come back at the same time, for ever. So the greater life stays."""
    return (answer.advbase, answer.advskew, answer.demotion) == values and life > answer.life
