"""A planned switch that was decided: which node is to be master, and until when the others hold to it.

Whoever holds to a decision does not take over from its node: it is demoted for as long. Each member that has confirmed
the order holds to it, and ends it for itself, by what it hears of that node; so nothing has to be undone by anybody,
and a new life of a node, which has confirmed nothing, is not bound. It ends

- when the node is not heard any more, has left, takes no part, is demoted, or is master no more;
- when a bow-out is heard, or the advertisement of a demoted master that cannot be the old one's: whoever is best
  should follow, at once;
- when the order is taken back before the node is master, or whoever gave it falls silent in the middle;
- without a word for a node that would not take over from that one anyway, once the old master has heard of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wsa_proxy.members.report import Report
from wsa_proxy.members.roster import Roster
from wsa_proxy.members.switch_words import read

PENDING_S = 1.5
"""Of a decision whose node is not master yet, and whose order is not repeated."""
REPEATED_S = 0.5
"""So long after the order was heard last the old master's word that it is demoted may still come: it says so until it
has heard its successor."""


class Here(Protocol):
    """This node, as it is now."""

    @property
    def node(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def is_master(self) -> bool: ...
    @property
    def is_unfit(self) -> bool:
        """Something stands in its way or demotes it, other than a decision."""


@dataclass(slots=True)
class Decision:
    """What this node holds to. Times are monotonic seconds."""

    id: bytes
    life: bytes
    """Of the node that is to be master."""
    node: str
    priority: int
    conductor: bytes
    """The life that carries the switch out; this one's, perhaps."""
    since: str
    """ISO 8601, UTC."""
    ordered_at_s: float
    """When the order was heard last."""
    is_settled: bool = False
    """That node was seen to be master."""

    def is_over(self, now_s: float) -> bool:
        """That node is master, and the old one has said what it had to say."""
        return self.is_settled and now_s > self.ordered_at_s + REPEATED_S

    def why_ended(self, here: Here, roster: Roster, now_s: float) -> str | None:
        """Why nobody has to hold to it any more; empty: this node need not; None: it goes on."""
        if self.life == roster.life:
            return self._why_ended_here(here, now_s)
        if self.is_settled and here.is_master:
            return "this node has taken over"
        member = roster.members.get(self.life)
        if member is None or member.report is None or not member.is_fresh(now_s):
            return f"node {self.node} is not heard any more"
        theirs = member.report
        if theirs.state not in ("master", "backup"):
            return f"node {self.node} takes no part: {'; '.join(theirs.reasons) or theirs.state}"
        if theirs.state == "master" and read(theirs).held == self.id:
            self.is_settled = True
        if self.is_settled:
            return self._why_ended_there(theirs, here, now_s)
        return self._why_given_up(roster, now_s)

    def _why_ended_here(self, here: Here, now_s: float) -> str | None:
        if here.is_unfit:
            return "this node cannot serve as well as any"
        self.is_settled = self.is_settled or here.is_master
        if not here.is_master and self.is_settled:
            return "another node is master"
        return "it did not take over" if not self.is_settled and now_s > self.ordered_at_s + PENDING_S else None

    def _why_ended_there(self, theirs: Report, here: Here, now_s: float) -> str | None:
        if theirs.state != "master":
            return f"node {self.node} is master no more"
        if theirs.demotion:
            return f"node {self.node} is demoted: {'; '.join(theirs.reasons)}"
        if read(theirs).held != self.id:
            return f"node {self.node} holds to it no more"
        # Its equal would not take over from it either, but perhaps from the old master.
        return "" if here.priority <= self.priority and self.is_over(now_s) else None

    def _why_given_up(self, roster: Roster, now_s: float) -> str | None:
        if now_s > self.ordered_at_s + PENDING_S:
            return f"node {self.node} did not take over"
        conductor = roster.members.get(self.conductor)
        if conductor is None or conductor.report is None:
            return None
        carried = read(conductor.report)
        return None if self.id in (carried.id, carried.held) else "it was taken back"
