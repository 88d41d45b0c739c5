"""A planned switch by consent, as one member of a group sees it: no clock, socket or loop; time is an argument.

The order may be given on any node. One that is not master passes it on in its reports, until whoever is master takes it
up. That one *conducts* the switch, in three phases, which its reports say, again and again until they have come to
their end or the time is up:

ASK      The node that is to be master proves by requests through its own proxy, begun after the question, that it can
         serve, and says so, or why not. Whoever is not fresh, or not ready, is not even asked.
ABSTAIN  All other members hold to the decision (``decision.py``): demoted, so that none of them takes over. They
         confirm. Without the word of each of them nothing moves.
MOVE     The master is demoted itself, and says so in an advertisement. The only node that is not takes over: as from
         any demoted master, at once and preemptive or not. The old one is master until it has heard that; so nothing of
         what may be lost or die in the middle leaves the group without an owner. When the node's own report says that
         it is master and holds to the decision, the switch is done.

Refused, or not come to its end: everybody ends the decision, and the master, which is the same, goes on. The outcome is
said in the reports, too, for whoever has passed the order on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import Protocol

from wsa_proxy.members.decision import Decision
from wsa_proxy.members.decision import Here
from wsa_proxy.members.report import Report
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster
from wsa_proxy.members.sides import side_of
from wsa_proxy.members.switch_words import ID_BYTES
from wsa_proxy.members.switch_words import NOTHING
from wsa_proxy.members.switch_words import Phase
from wsa_proxy.members.switch_words import Said
from wsa_proxy.members.switch_words import read

PASSED_ON_S = 5.0
"""For a master to take up an order that was given elsewhere."""
PROOF_S = 3.0
CONFIRMED_S = 0.3
ALL_S_MAX = 8.0
"""For the whole; longer than the three phases and the clients together."""
REMEMBERED = 64
"""Orders and decisions that are over: a report that comes late begins none of them again."""
OUTCOME_CHARACTERS_MAX = 160


@dataclass(frozen=True, slots=True)
class Prove:
    """Ask this node's own proxy, and tell ``proven``."""

    id: bytes


@dataclass(frozen=True, slots=True)
class HandOver:
    """Let the clients finish, say ``move``, and when the addresses are another's, or stay here, ``handed_over``."""

    id: bytes
    node: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of an order that was given on this node."""

    id: bytes
    done: bool
    text: str


type Wish = Prove | HandOver | Outcome


class Standing(Here, Protocol):
    """This node and what it knows of the others."""

    @property
    def trouble(self) -> str | None:
        """Why its reports do not reach anybody."""

    def not_ready(self, member: Member, now_s: float) -> list[str]: ...


@dataclass(slots=True)
class _Conduct:
    """A switch that this node carries out."""

    id: bytes
    life: bytes
    node: str
    phase: Phase
    until_s: float
    is_leaving: bool = False
    """All have confirmed; the clients have their time."""
    is_handed_over: bool = False


@dataclass(slots=True)
class _Errand:
    """An order that was passed on."""

    id: bytes
    to: str
    until_s: float
    is_taken_up: bool = False


class Switching:
    """Of one group. Whatever was told may have brought wishes: ``take_wishes``. Call ``step`` while ``is_active``."""

    def __init__(self, here: Standing, roster: Roster, random: Callable[[int], bytes]) -> None:
        """``random`` answers so many unpredictable bytes."""
        self.decision: Decision | None = None
        """What this node holds to."""
        self.last_ended = ""
        """Why the last decision has ended."""
        self._here, self._roster, self._random = here, roster, random
        self._conduct: _Conduct | None = None
        self._errand: _Errand | None = None
        self._proof: tuple[bytes, str | None] | None = None
        """What was asked of this node, and its answer: none yet, ready (empty), or why not."""
        self._said: Outcome | None = None
        self._past: deque[bytes] = deque(maxlen=REMEMBERED)
        self._wishes: list[Wish] = []

    # -- what the pump asks --------------------------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """Something is to be repeated, or waited for, from one moment to the next."""
        return self._conduct is not None or self._errand is not None

    @property
    def is_moving(self) -> bool:
        """Somebody else is to take over from this node."""
        return self._conduct is not None and self._conduct.phase is Phase.MOVE

    @property
    def abstains_for(self) -> str | None:
        """The node for which this one is demoted, if it is."""
        decision = self.decision
        return None if decision is None or decision.life == self._roster.life else decision.node

    def take_wishes(self) -> list[Wish]:
        """What is to be done, once each."""
        wishes, self._wishes = self._wishes, []
        return wishes

    def says(self) -> Said:
        """This node's part of a report."""
        said: dict[str, Any] = {}
        if (conduct := self._conduct) is not None:
            said |= {"phase": conduct.phase, "id": conduct.id, "to": conduct.life}
        if self._said is not None:
            said |= {"done_id": self._said.id, "done_ok": self._said.done, "done": self._said.text}
        if self._proof is not None and self._proof[1] is not None:
            said |= {"ready_id": self._proof[0], "ready": self._proof[1]}
        if (decision := self.decision) is not None:
            said |= {"held": decision.id, "held_node": decision.node, "since": decision.since}
        if self._errand is not None and not self._errand.is_taken_up:
            said |= {"order": self._errand.id, "order_to": self._errand.to}
        return Said(**said) if said else NOTHING

    # -- what happens --------------------------------------------------------------------------------------------------

    def order(self, to: str, now_s: float) -> bytes:
        """The operator wants the node ``to`` to be master, or the best standby if it is empty. Answers the order's id;
        a wish ``Outcome`` tells what came of it."""
        order_id = self._random(ID_BYTES)
        if self._here.is_master:
            self._begin(order_id, to, now_s)
        elif self._errand is not None or self._here.trouble is not None:
            self._tell(order_id, self._here.trouble or "another order is under way from this node")
        else:
            self._errand = _Errand(order_id, to, now_s + PASSED_ON_S)
        return order_id

    def hear(self, member: Member, since: str, now_s: float) -> None:
        """A report that is believed. ``since``: the time of day, for a decision that begins with it."""
        report = member.report
        if report is None:
            return
        said = read(report)
        if self._here.is_master and said.order and said.order not in self._past:
            self._begin(said.order, said.order_to, now_s)
        if self._errand is not None:
            self._hear_of_errand(self._errand, said, now_s)
        if said.phase is not None and said.id and said.to:
            self._be_conducted(said, report, since, now_s)
        self.step(now_s)

    def proven(self, order_id: bytes, why_not: str) -> None:
        """This node's own proxy has been asked; empty: it can serve."""
        if self._proof is not None and self._proof[0] == order_id:
            self._proof = order_id, why_not[:OUTCOME_CHARACTERS_MAX]

    def move(self, since: str, now_s: float) -> bool:
        """The clients have had their time. True: the node that takes over is told now, and this one is to be demoted;
        False: no more."""
        conduct = self._conduct
        if conduct is None or not conduct.is_leaving:
            return False
        if reason := self._why_not(conduct, now_s):
            self._end(conduct, reason)
            return False
        conduct.phase = Phase.MOVE
        self._hold(conduct.id, conduct.life, self._roster.life, since, now_s)
        return True

    def handed_over(self, now_s: float) -> None:
        """Somebody has taken over, or nobody and this node goes on."""
        if self._conduct is not None:
            self._conduct.is_handed_over = True
            self._conduct.until_s = now_s + 1.0
        self.step(now_s)

    def let_go(self) -> None:
        """This node holds to no decision any more; the others do."""
        self._drop("something else demotes this node")

    def advertised(self, now_s: float, *, is_bow_out: bool, is_demoted: bool) -> None:
        """An advertisement that is about to be judged: of a master that goes or is unwell whoever is best is to follow,
        at once. As long as the order was repeated just now it may be the old one that is demoted."""
        if is_bow_out:
            self._drop("a master has bowed out")
        elif is_demoted and self.decision is not None and self.decision.is_over(now_s):
            self._drop(f"node {self.decision.node} is demoted")

    def step(self, now_s: float) -> None:
        """Time has passed, or something is different."""
        if (conduct := self._conduct) is not None:
            self._step_conduct(conduct, now_s)
        elif self.decision and (why := self.decision.why_ended(self._here, self._roster, now_s)) is not None:
            self._drop(why)
        if self._errand is not None and now_s > self._errand.until_s:
            within_s = ALL_S_MAX + PROOF_S if self._errand.is_taken_up else PASSED_ON_S
            what = "nobody has said what came of it" if self._errand.is_taken_up else "no master has taken it up"
            self._tell(self._errand.id, f"{what} within {within_s:g} s")
        elif self._errand is not None and not self._errand.is_taken_up and self._here.is_master:
            errand, self._errand = self._errand, None
            self._begin(errand.id, errand.to, now_s)

    # -- conducting ----------------------------------------------------------------------------------------------------

    def _begin(self, order_id: bytes, to: str, now_s: float) -> None:
        self._past.append(order_id)
        if self._conduct is not None:
            self._tell(order_id, f"a switch to node {self._conduct.node} is under way")
            return
        chosen = self._choose(to, now_s)
        if isinstance(chosen, str):
            self._tell(order_id, chosen)
            return
        report = chosen.report
        assert report is not None
        self._conduct = _Conduct(order_id, report.life, report.node, Phase.ASK, now_s + PROOF_S)

    def _choose(self, to: str, now_s: float) -> Member | str:
        """The member that is to be master, or why none can be."""
        here = self._here
        if here.trouble is not None:
            return f"the members' reports cannot be sent: {here.trouble}"
        if to == here.node:
            return f"node {to} is master already"
        members = [each for each in self._roster.members.values() if not to or each.node == to]
        if to and not members:
            return f"no member is called {to}"
        unfit = {each.contact.life: self._unfit(each, now_s) for each in members}
        fit = [each for each in members if not unfit[each.contact.life]]
        if not fit:
            reasons = [f"node {each.node}: {unfit[each.contact.life]}" for each in members]
            return f"not ready: {', '.join(reasons)}" if reasons else "no other member has been heard"
        return max(fit, key=lambda each: side_of(each.newest, each.vhid).rank)

    def _unfit(self, member: Member, now_s: float) -> str:
        """Why it could not take over; empty: it could."""
        reasons = self._here.not_ready(member, now_s)
        if not reasons and member.report is not None and member.report.state != "backup":
            return f"is {member.report.state} as well"
        return "; ".join(reasons)

    def _why_not(self, conduct: _Conduct, now_s: float) -> str:
        """Looked up anew in each phase until the node is on its way; empty: it may go on."""
        member = self._roster.members.get(conduct.life)
        if not self._here.is_master:
            return "this node is master no more"
        if member is None:
            return f"node {conduct.node} is not heard any more"
        unfit = self._unfit(member, now_s)
        return f"node {conduct.node}: {unfit}" if unfit else ""

    def _step_conduct(self, conduct: _Conduct, now_s: float) -> None:
        if conduct.phase is Phase.MOVE:
            if conduct.is_handed_over or now_s > conduct.until_s:
                self._step_moved(conduct, now_s)
            return
        if reason := self._why_not(conduct, now_s):
            self._end(conduct, reason)
        elif conduct.phase is Phase.ASK:
            self._step_asked(conduct, now_s)
        elif not conduct.is_leaving:
            self._step_confirmed(conduct, now_s)
        elif now_s > conduct.until_s:
            self._end(conduct, "the clients could not be handed over in time")

    def _step_asked(self, conduct: _Conduct, now_s: float) -> None:
        said = read(self._roster.members[conduct.life].report)
        if said.ready_id == conduct.id:
            if said.ready:
                self._end(conduct, f"node {conduct.node} cannot serve: {said.ready}")
                return
            conduct.phase, conduct.until_s = Phase.ABSTAIN, now_s + CONFIRMED_S
            self._step_conduct(conduct, now_s)
        elif now_s > conduct.until_s:
            self._end(conduct, f"node {conduct.node} has not said within {PROOF_S:g} s that it is ready")

    def _step_confirmed(self, conduct: _Conduct, now_s: float) -> None:
        vhid = self._roster.members[conduct.life].vhid
        others = [each for each in self._roster.fresh(now_s) if each.contact.life != conduct.life and each.vhid == vhid]
        missing = [each.node for each in others if read(each.report).held != conduct.id]
        if not missing:
            conduct.is_leaving, conduct.until_s = True, now_s + ALL_S_MAX
            self._wishes.append(HandOver(conduct.id, conduct.node))
        elif now_s > conduct.until_s:
            self._end(conduct, f"node {', '.join(missing)} has not confirmed it within {CONFIRMED_S:g} s")

    def _step_moved(self, conduct: _Conduct, now_s: float) -> None:
        """Done when the node says so itself; the first report of a new master is sent at once."""
        member = self._roster.members.get(conduct.life)
        if not self._here.is_master and member is not None and _is_master_by(member.report, conduct.id):
            self._conduct = None
            self._tell(conduct.id, f"node {conduct.node} is master", done=True)
            self.step(now_s)
        elif self._here.is_master:
            self._end(conduct, f"node {conduct.node} has not taken over")
        elif now_s > conduct.until_s:
            self._end(conduct, f"node {conduct.node} has not said that it is master")

    def _end(self, conduct: _Conduct, reason: str) -> None:
        self._conduct = None
        if self.decision is not None and self.decision.id == conduct.id:
            self._drop(reason)
        self._tell(conduct.id, f"{reason}; {self._here.node} goes on" if self._here.is_master else reason)

    def _tell(self, order_id: bytes, text: str, *, done: bool = False) -> None:
        if self._errand is not None and self._errand.id == order_id:
            self._errand = None
        outcome = Outcome(order_id, done, text[:OUTCOME_CHARACTERS_MAX])
        if order_id in self._past:  # others may wait for it; one that never left this node is nobody else's
            self._said = outcome
        self._wishes.append(outcome)

    # -- being conducted, and waiting ----------------------------------------------------------------------------------

    def _be_conducted(self, said: Said, report: Report, since: str, now_s: float) -> None:
        for_this = said.to == self._roster.life
        if self.decision is not None and self.decision.id == said.id:
            self.decision.ordered_at_s = now_s
        elif said.phase is Phase.ASK:
            if for_this and (self._proof is None or self._proof[0] != said.id):
                self._proof = said.id, None
                self._wishes.append(Prove(said.id))
        elif for_this is (said.phase is Phase.MOVE) and said.id not in self._past and self._conduct is None:
            self._hold(said.id, said.to, report.life, since, now_s)

    def _hold(self, order_id: bytes, life: bytes, conductor: bytes, since: str, now_s: float) -> None:
        member = self._roster.members.get(life)
        node, priority = self._here.node, self._here.priority
        if member is not None:
            report = member.newest
            node, priority = report.node, report.priority
        self._past.append(order_id)
        self.last_ended = f"node {node} is to be master"
        self.decision = Decision(order_id, life, node, priority, conductor, since, now_s)

    def _drop(self, reason: str) -> None:
        if self.decision is not None:
            self.decision, self.last_ended = None, reason

    def _hear_of_errand(self, errand: _Errand, said: Said, now_s: float) -> None:
        if said.done_id == errand.id:
            self._tell(errand.id, said.done, done=said.done_ok)
        elif said.id == errand.id and not errand.is_taken_up:
            errand.is_taken_up, errand.until_s = True, now_s + ALL_S_MAX + PROOF_S


def _is_master_by(report: Report | None, order_id: bytes) -> bool:
    return report is not None and report.state == "master" and read(report).held == order_id
