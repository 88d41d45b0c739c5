"""What a node owes whose host refuses to send its advertisements: I1, I7, V9, V11, reckoned apart from the product.

A copy is told when it is on the LAN, and refused when the host says so; the rest is counted here anew. Where each IP
version has a deadline of its own, an advertisement is sent when all its copies are; else one copy is enough. And none
is needed while there is no way to any peer: they may all be dead. But if one is heard then, two is one too many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.simulation.bounds import DEMOTED_ERRORS
from wsa_proxy.simulation.bounds import EPSILON_S
from wsa_proxy.simulation.bounds import UNHEARD_INTERVALS
from wsa_proxy.simulation.bounds import UNTOLD_WAIT_S
from wsa_proxy.simulation.bounds import UNTOLD_WAIT_S_MAX
from wsa_proxy.simulation.bounds import WELL_SENT
from wsa_proxy.simulation.bounds import base_s
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.memory import NEVER_S
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.node import NOTICE_S
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.sealed import Judged
from wsa_proxy.simulation.violation import Violation

LIVING = frozenset(each.value for each in (Reason.PREEMPTED, Reason.MASTER_DEMOTED, Reason.MASTER_HOPELESS))
"""Reasons to take over from a master that was heard just now."""
BOW_OUT = (255, 255)


class Telling:
    """Of one node. ``marks`` counts the situations that a campaign must have seen. Times on the node's clock."""

    def __init__(self, node: Node, memory: Memory, marks: Counter[str]) -> None:
        self._node = node
        self._memory = memory
        self._marks = marks
        self.out_until_s = -NEVER_S
        """It has left because it could tell nobody, and need not be back before."""
        self.leaves_at_s = NEVER_S
        """A MASTER must have left by then."""
        self._life(None)

    def _life(self, _: None) -> None:
        self.troubled = False
        """A copy has not left in this life; as long as all do, there is not much to judge."""
        self._copies_left = 0
        self._became: Counter[str] = Counter()
        self._unreachable = self._hears = self._follows_living = False
        self._in_a_row = 0
        """Advertisements that were not sent (above zero), or were (below)."""
        self._demoted, self._changed_at_s, self._recovers_at_s = False, -NEVER_S, NEVER_S
        self._recovery_s = self._wait_s = UNTOLD_WAIT_S
        self.out_until_s = -NEVER_S
        self._leave()

    def _leave(self) -> None:
        """It is not MASTER any more: the next time it is, nobody waits for it yet."""
        self._sent_at_s, self.leaves_at_s = -NEVER_S, NEVER_S
        self._claimed = self._tried = False
        self._in_a_row = min(self._in_a_row, 0)
        self._left_at_s = self._node.now

    def has_claimed(self) -> bool:
        """Was anybody told that it is MASTER?"""
        return self._claimed

    # -- what it says --------------------------------------------------------------------------------------------------

    def _says(self, _: object) -> None:
        self._copies_left, self._became = self._node.copies.total(), Counter()

    def on_the_lan(self, frame: Advertised) -> None:
        """One copy is told."""
        # I7: nobody bows out of what it has never claimed.
        if _values(frame) == BOW_OUT and not self._claimed:
            raise Violation("I7", f"node {self._node.number} bows out, and has told nobody that it is master")
        self._claimed = True
        self._one_less("sent")

    def _is_refused(self, _: int) -> None:
        self.troubled = True
        self._one_less("refused")

    def _has_no_way(self, _: int) -> None:
        self.troubled = True
        self._one_less("no way")

    def _one_less(self, became: str) -> None:
        self._became[became] += 1
        self._copies_left -= 1
        if self._copies_left:
            return
        self._tried = True
        self._unreachable = set(self._became) == {"no way"}
        sent = self._became["sent"] > 0 if self._node.one_for_all else set(self._became) == {"sent"}
        self._is_sent() if sent or self._unreachable else self._is_not_sent()

    def _is_sent(self) -> None:
        self._in_a_row = min(self._in_a_row, 0) - 1
        self._sent_at_s, self.leaves_at_s = self._node.now, NEVER_S
        if self._in_a_row <= -WELL_SENT:
            self._recovery_s = UNTOLD_WAIT_S
            self._changes(demoted=False)

    def _is_not_sent(self) -> None:
        now, one_s = self._node.now, base_s(self._node)
        self._in_a_row = max(self._in_a_row, 0) + 1
        if self._in_a_row == 1:
            last_s = self._sent_at_s if self._sent_at_s > -NEVER_S else now
            self.leaves_at_s = max(last_s + UNHEARD_INTERVALS * one_s, now + one_s)
        if self._in_a_row >= DEMOTED_ERRORS and not self._demoted:
            self._marks["demoted by its host"] += 1
            self._changes(demoted=True)
            self._recovers_at_s = now + self._recovery_s
            self._recovery_s = min(2 * self._recovery_s, UNTOLD_WAIT_S_MAX)

    def _changes(self, demoted: bool) -> None:
        if demoted != self._demoted:
            self._demoted, self._changed_at_s, self._recovers_at_s = demoted, self._node.now, NEVER_S

    # -- what it does --------------------------------------------------------------------------------------------------

    def _commands(self, commands: list[Any]) -> None:
        for command in commands:
            if isinstance(command, ReportTransition):
                # What is said is said before it is reported; of an answer with two transitions the last one counts.
                self._follows_living = command.new is State.MASTER and command.reason in LIVING

    def _transition(self, report: ReportTransition) -> None:
        if report.new is not State.MASTER:
            self._leave()

    def _announcement(self, _: float) -> None:
        # I7: nor are the clients of a living master drawn away by one that has told nobody.
        if self._follows_untold:
            raise Violation("I7", f"node {self._node.number} announces, and cannot tell the master that it follows")

    @property
    def _follows_untold(self) -> bool:
        return self._follows_living and self._tried and not self._claimed

    def _accept(self, what: Advertised | Judged) -> None:
        frame = what.frame if isinstance(what, Judged) else what
        self._hears = _values(frame) != BOW_OUT  # who bows out is gone

    def _answered(self, _: object) -> None:
        self._hears = True

    def _done(self, _: None) -> None:
        self._hears = False

    def _event(self, event: object) -> None:
        node = self._node
        if isinstance(event, AdvertisementReceived) and not event.advertisement.is_bow_out:
            self._hears_another()
        if not isinstance(event, Stopped) or node.state is not State.MASTER or "cannot be sent" not in event.reason:
            return
        # V11: nobody leaves who can tell the others.
        in_vain = self._unreachable and self._hears
        if node.now < self.leaves_at_s - EPSILON_S and not self._follows_untold and not in_vain:
            raise Violation("V11", f"node {node.number} leaves, and can tell the others: {event.reason}")
        self._marks["left a master that it could not reach" if in_vain else "left, for it could tell nobody"] += 1
        self.out_until_s = node.now + self._wait_s
        self._wait_s = min(2 * self._wait_s, UNTOLD_WAIT_S_MAX)

    def _hears_another(self) -> None:
        # I1: one of two masters of which this one cannot tell the other leaves.
        if self._node.state is State.MASTER and self._unreachable:
            raise Violation("I1", f"node {self._node.number} hears another master that it has no way to, and stays")

    # -- judged after each event, while it is awake --------------------------------------------------------------------

    def judge(self) -> None:
        """Of what cannot be seen in a single line."""
        node, memory = self._node, self._memory
        if node.state is not State.MASTER:
            return
        # I1: who can tell nobody is no longer master than the others are patient, and not at all beside a living one.
        if node.now > max(self.leaves_at_s, memory.woke_at_s) + memory.late_s:
            raise Violation("I1", f"node {node.number} is master still, and nobody can hear of it")
        if self._follows_untold:
            raise Violation("I1", f"node {node.number} takes over from a living master that it cannot tell")

    def is_misjudged(self) -> bool:
        """V9: does the core not know how well its proxy is, and its host's way out? A change of the latter is looked at
        with the next turn, an interval later at most; what a node that is not MASTER suffers from ends by itself."""
        node, memory = self._node, self._memory
        # A rank that cannot be told must not be compared: a seal has one bit for it.
        health, unwell = node.health, node.health + self._demoted
        if node.way.believes_sealed:
            health, unwell = min(health, 1), min(unwell, 1)
        if not self.troubled:
            return node.demotion != health
        late_s = memory.late_s + NOTICE_S + EPSILON_S
        if self._demoted and node.state is not State.MASTER and node.now >= self._recovers_at_s - EPSILON_S:
            if node.demotion != health:
                return node.now > max(self._recovers_at_s, self._left_at_s, memory.woke_at_s) + late_s
            self._changes(demoted=False)
        if node.demotion == unwell or (node.state is State.INIT and node.demotion == health):
            return False
        return node.now > max(self._changed_at_s + interval_s(node), memory.woke_at_s) + late_s


def _values(frame: Advertised) -> tuple[int, int]:
    """advbase and advskew."""
    return frame.payload[5], frame.payload[2]


LISTENERS: dict[str, Callable[[Telling, Any], None]] = {
    "life": Telling._life,
    "advertisement": Telling._says,
    "farewell": Telling._says,
    "the host refused to send": Telling._is_refused,
    "no way to a peer": Telling._has_no_way,
    "accept": Telling._accept,
    Verdict.BELIEVED.value: Telling._accept,
    "answered": Telling._answered,
    "done": Telling._done,
    "commands": Telling._commands,
    "transition": Telling._transition,
    "announcement": Telling._announcement,
    "event": Telling._event,
}
"""Who hears each kind of line."""
