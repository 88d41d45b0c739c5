"""What a backup has a right to: how long it must listen, and why it may take over, reckoned apart from the core."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.bounds import BOW_OUT_WAIT_PER_SKEW_S
from wsa_proxy.simulation.bounds import BOW_OUT_WAIT_S
from wsa_proxy.simulation.bounds import EPSILON_S
from wsa_proxy.simulation.bounds import heard_256ths
from wsa_proxy.simulation.bounds import own_tie_wait_s
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.bounds import tie_wait_s
from wsa_proxy.simulation.memory import NEVER_S
from wsa_proxy.simulation.memory import PROBES
from wsa_proxy.simulation.memory import PROBES_TAKE
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.restraint import Restraint


class Rights:
    """Of one node, kept in its ``memory``. ``marks`` counts the situations that a campaign must have seen."""

    def __init__(self, node: Node, memory: Memory, marks: Counter[str]) -> None:
        self.node = node
        self.memory = memory
        self.marks = marks
        self.restraint = Restraint(node, memory, marks)

    def wake(self) -> None:
        """It is told something: has it been asleep?"""
        memory, node = self.memory, self.node
        # Who comes later than half of D after its deadline has been asleep, and listens for a whole D first.
        late_from_s = node.now - memory.down_s / 2
        earliest_s, latest_s = min(memory.rests_until_s.values()), min(memory.waits_until_s.values())
        if memory.reasons:
            earliest_s, latest_s = min(earliest_s, memory.reasons_since_s), min(latest_s, memory.takeover_due_s)
        if late_from_s < earliest_s - EPSILON_S:
            return
        # It may have been so late,
        memory.waits_until_s = dict.fromkeys(memory.waits_until_s, node.now + memory.down_s)
        memory.takeover_due_s = NEVER_S
        # and surely, if a tie's wait and late questions do not explain it.
        if late_from_s > latest_s + tie_wait_s(node) + memory.down_s * PROBES_TAKE + PROBES * memory.late_s:
            self.marks["a backup overslept"] += 1
            self.forget()
            self.rest(node.settings.versions)

    def told(self, down_s: float) -> None:
        """It has other settings, and D is that long now."""
        memory, node = self.memory, self.node
        longer_s, memory.down_s = down_s - memory.down_s, down_s
        if node.state is not State.BACKUP:
            return
        if memory.reasons - {Reason.MASTER_BOWED_OUT.value}:
            # What followed from its old rank: the next advertisement tells.
            self.forget()
            self.rest(node.settings.versions, self._tied_s)
        elif not memory.reasons and longer_s:
            # The silence goes on; the questions begin anew.
            asks_s = 0.0 if memory.held_before else down_s * PROBES_TAKE
            for until_s, least_s in ((memory.rests_until_s, 0.0), (memory.waits_until_s, asks_s)):
                until_s.update({version: max(at_s + longer_s, node.now + least_s) for version, at_s in until_s.items()})

    def hears(self, heard: Advertisement, version: int) -> None:
        """In any state; what a master hears is forgotten when it steps down."""
        memory, node = self.memory, self.node
        self.marks["bow-out heard"] += heard.is_bow_out
        expected, memory.reasons = memory.reasons, self._reasons(heard)
        if memory.reasons:
            least_s = self._bow_out_wait_s if heard.is_bow_out else self._tied_s
            if memory.reasons == expected:
                memory.follows_from_s = min(memory.follows_from_s, node.now + least_s)
            else:
                memory.reasons_since_s = node.now
                # A takeover that was due for another reason waits no longer for this one's sake.
                memory.follows_from_s = node.now + (0.0 if expected else least_s)
            wait_s = self._bow_out_wait_s if heard.is_bow_out else self._tie_wait_s
            if node.state is State.BACKUP:
                memory.takeover_due_s = min(memory.takeover_due_s, node.now + wait_s)
            return
        self.forget()
        if node.state is State.BACKUP:
            # A takeover that was due is off for both IP versions; where one stands for all, so is each silence.
            together = expected or node.one_for_all
            self.rest(node.settings.versions if together else (version,), self._tied_s)

    def moves(self) -> None:
        """It signs or believes in another way from now on: of two patiences that become one, either may count, and what
        it waits longer after a tie it still waits."""
        memory, node = self.memory, self.node
        if node.state is State.BACKUP:
            longer_s = tie_wait_s(node) + (0.0 if memory.held_before else memory.down_s * PROBES_TAKE)
            waits_until_s = max(memory.waits_until_s.values()) + longer_s
            memory.rests_until_s = dict.fromkeys(node.settings.versions, min(memory.rests_until_s.values()))
            memory.waits_until_s = dict.fromkeys(node.settings.versions, waits_until_s)

    @property
    def _bow_out_wait_s(self) -> float:
        skew = rank(self.node)[1] - 256 * self.node.settings.advbase
        return min(skew * BOW_OUT_WAIT_PER_SKEW_S, BOW_OUT_WAIT_S)

    @property
    def _tied(self) -> bool:
        """Does it wait longer because it has tied? In a sealed group the counters decide who yields."""
        return self.node.now < self.memory.tied_until_s and not self.node.way.decided

    @property
    def _tied_s(self) -> float:
        """At least."""
        return own_tie_wait_s(self.node) if self._tied else 0.0

    @property
    def _tie_wait_s(self) -> float:
        """At most."""
        return tie_wait_s(self.node) if self._tied else 0.0

    def forget(self) -> None:
        """No reason is left."""
        self.memory.reasons = frozenset()
        self.memory.takeover_due_s = NEVER_S

    def _reasons(self, heard: Advertisement) -> frozenset[str]:
        """What this advertisement gives a backup a right to (carp(4)), reckoned apart from the core."""
        if heard.is_bow_out:
            return frozenset({Reason.MASTER_BOWED_OUT.value})
        advbase, (demotion, own), other = self.node.settings.advbase, rank(self.node), heard_256ths(heard)
        preempts = self.node.settings.preempt and self.node.now >= self.restraint.from_s - EPSILON_S
        rules = {
            Reason.MASTER_DEMOTED: heard.demotion > demotion,
            Reason.PREEMPTED: preempts and (demotion, own) < (heard.demotion, other),
            Reason.MASTER_HOPELESS: advbase and own + 2 * 256 * advbase < other,
        }
        return frozenset(reason.value for reason, applies in rules.items() if applies)

    def rest(self, versions: Sequence[int], longer_s: float = 0.0, again_s: float = 0.0) -> None:
        """It listens for a whole D from now, in these IP versions, for at least so much longer after a tie, and for so
        much of that at most, beside what any tie costs, because it has tied again; that is kept whoever is heard."""
        others = [until_s for version, until_s in self.memory.waits_until_s.items() if version not in versions]
        heard = [self.memory.waits_until_s[version] for version in versions if version in self.memory.waits_until_s]
        self.memory.asks_anew = bool(others) and (self.memory.asks_anew or min(heard) < min(others))
        for version in versions:
            patient_until_s = self.node.now + self.memory.down_s
            self.memory.rests_until_s[version] = patient_until_s + longer_s
            before_s = self.memory.waits_until_s.get(version, patient_until_s)
            self.memory.waits_until_s[version] = max(before_s, patient_until_s + again_s)
        # A stranger's answer is about a silence; that has ended when something was heard in each IP version since.
        if min(self.memory.waits_until_s.values()) >= self.memory.answered_at_s + self.memory.down_s:
            self.memory.answered = False
