"""Is the promise kept? Every invariant by its name, with its bound in one line, judged after every event.

Here is what can be seen from outside, of what must never happen; what a node may do at an event is in ``conduct.py``,
what it may believe in ``belief.py``. What must happen in the end, within a time, is in ``run.py``: V1 to V6 and V9. The
numbers are in ``bounds.py``, reckoned apart from the core.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import State
from wsa_proxy.simulation.acting import RETRY_S
from wsa_proxy.simulation.bounds import EPSILON_S
from wsa_proxy.simulation.bounds import LEASE_LEFT_S
from wsa_proxy.simulation.bounds import LEASE_S
from wsa_proxy.simulation.bounds import SKEW_DEMOTED
from wsa_proxy.simulation.bounds import Station
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.bounds import lateness_s
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.bounds import tie_wait_s
from wsa_proxy.simulation.conduct import Conduct
from wsa_proxy.simulation.guardianship import Guardianship
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.memory import NEVER_S
from wsa_proxy.simulation.memory import PROBES
from wsa_proxy.simulation.memory import PROBES_TAKE
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.node import NOTICE_S
from wsa_proxy.simulation.node import QUEUE_MAX
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.peers import Peer
from wsa_proxy.simulation.telling import Telling
from wsa_proxy.simulation.violation import Violation

CHECKERS_PORT = 31
SAYS = frozenset({"advertisement", "farewell"})
NOT_SENT = frozenset({"the host refused to send", "no way to a peer"})
"""Of each copy."""
ANSWERS = frozenset({"life", "commands"})
"""What changes what a node owes."""


class Checker:
    """Judges one run. ``marks`` counts the situations that a campaign must have seen."""

    def __init__(self, stations: Sequence[Station], lan: Lan, sealed: bool) -> None:
        self.marks: Counter[str] = Counter()
        self._stations = stations
        self._lan = lan
        self._sealed = sealed
        self._delay_s_max = lan.weather.delay_s_max
        self._conducts = {
            station.number: Conduct(station, self.marks) for station in stations if isinstance(station, Node)
        }
        self._nodes = [(conduct.node, conduct.memory, conduct.telling) for conduct in self._conducts.values()]
        self._guardianships = {
            number: Guardianship(each.node, each.memory, self.marks, lambda: lan.timeline.now, each.telling.has_claimed)
            for number, each in self._conducts.items()
            if each.node.guardians
        }
        self._pairs: dict[tuple[int, int], tuple[float, int, object]] = {}
        self._masters: list[Station] = []
        self._by_number = {station.number: station for station in stations}
        self._owed: Counter[tuple[int, int]] = Counter()
        """By node and IP version: copies of what it says that are not on the LAN."""
        lan.tap(CHECKERS_PORT, self._on_the_lan)

    def told(self, node: Node, kind: str, what: Any) -> None:
        """One line of a node's story, as it happens. What is too late is seen even if it is done at last by this."""
        conduct = self._conducts[node.number]
        if kind in SAYS:
            self._owe(node.number, node.copies, 1)
        elif kind in NOT_SENT:
            self._owe(node.number, {what: 1}, -1)
        elif kind == "left for want of the addresses":
            conduct.memory.refused = True
        elif kind == "keeps":
            conduct.memory.left = False  # who dies then leaves them to the lease
        elif kind == "event":
            if conduct.memory.still_since_s is None:
                self._judge_patience(node, conduct.memory)
            if len(self._masters) > 1:
                self._judge_pairs()
        if guardianship := self._guardianships.get(node.number):
            guardianship.told(kind, what)
        conduct.told(kind, what)
        if kind in ANSWERS:
            conduct.memory.patient_until_s = -NEVER_S

    @property
    def memories(self) -> dict[int, Memory]:
        """By node, what its judges remember."""
        return {number: conduct.memory for number, conduct in self._conducts.items()}

    def follow(self, node: Node, kind: str, what: Any) -> None:
        """The same in a run that is not judged: what its time depends on is known all the same."""
        self._conducts[node.number].rights.restraint.told(kind, what)

    def preempts_in_s(self, station: Station) -> float:
        """V4: so long it endures an inferior master still, or so long ago that ended, if it is below 0."""
        if not isinstance(station, Node) or not (station.settings.preempt and station.settings.preempt_delay_s):
            return -NEVER_S
        return self._conducts[station.number].rights.restraint.from_s - station.now

    def _on_the_lan(self, frame: Frame, sender: int) -> None:
        if isinstance(frame, Advertised) and not frame.forged and not frame.willed and sender in self._conducts:
            self._owe(sender, {frame.version: 1}, -1)
            self._conducts[sender].telling.on_the_lan(frame)

    def _owe(self, number: int, copies: Mapping[Any, int], sign: int) -> None:
        for version, count in copies.items():
            self._owed[number, version] += sign * count
            if not self._owed[number, version]:
                del self._owed[number, version]

    def look(self) -> None:
        """Judge what can be seen from outside, after each event: of the station to which it happened, and of all others
        when their time has come."""
        # I6: what a node says goes out once in each IP version, or to each peer, at once.
        if self._owed:
            raise Violation("I6", f"not on the LAN, by node and IP version: {dict(self._owed)}")
        now, whose = self._lan.timeline.now, self._lan.timeline.whose
        for node, memory, telling in self._nodes:
            if now <= memory.look_at_s and whose is not None and whose != node.number:
                continue
            memory.look_at_s = -NEVER_S
            if not node.awake:
                self._judge_still(node, memory)
                continue
            if memory.still_since_s is not None:
                # It has just woken: what it owes is counted from now.
                memory.still_since_s, memory.woke_at_s, memory.patient_until_s = None, node.now, -NEVER_S
            self._judge_patience(node, memory)
            self._judge_awake(node, memory, telling)
            if telling.troubled:
                telling.judge()
            if not memory.ill_since_s:
                lasts_until_s = node.kernel.lease_until_s - LEASE_LEFT_S if node.state is State.MASTER else NEVER_S
                wanted_s = min(memory.patient_until_s, lasts_until_s, telling.leaves_at_s)
                memory.look_at_s = now + wanted_s - node.now - EPSILON_S
        if whose is None or self._has_changed(whose):
            self._masters = [each for each in self._stations if _is_master(each)]
        if len(self._masters) > 1:
            self._judge_pairs()
        else:
            self._pairs.clear()

    def _has_changed(self, whose: int) -> bool:
        """Is the station to which something happened a master now, and was none, or the other way round?"""
        station = self._by_number.get(whose)
        return station is not None and _is_master(station) != (station in self._masters)

    # -- one node ------------------------------------------------------------------------------------------------------

    def _judge_still(self, node: Node, memory: Memory) -> None:
        memory.ill_since_s.clear()
        # I9: queues are bounded.
        if len(node.queue) > QUEUE_MAX:
            raise Violation("I9", f"{len(node.queue)} frames wait at node {node.number}")
        # V8: a process that never wakes loses its addresses in 2.3 s. (A paused machine's clock stands still.)
        if node.paused or memory.paused or memory.still_since_s is None:
            memory.still_since_s = self._lan.timeline.now
        memory.paused = node.paused
        if node.holds and self._lan.timeline.now > memory.still_since_s + LEASE_S:
            raise Violation("V8", f"node {node.number} stands still, and its kernel still holds the addresses")
        # I5: nor does an orderly stop leave them to the lease.
        if memory.left and node.holds and not node.kernel.kept and not node.keeps:
            raise Violation("I5", f"node {node.number} has stopped in order, and its kernel still holds the addresses")
        if guardianship := self._guardianships.get(node.number):
            guardianship.judge_still()
        self.marks["a lease ended while its process stood still"] += node.state is State.MASTER and not node.holds

    def _judge_awake(self, node: Node, memory: Memory, telling: Telling) -> None:
        now, state, kernel = node.now, node.state, node.kernel
        holds = kernel.holds(now)
        # V8: no lease is longer than what a dead process may leave.
        if holds and kernel.lease_until_s - now > LEASE_S:
            raise Violation("V8", f"node {node.number} has a lease of {kernel.lease_until_s - now:.2f} s")
        # I5: the kernel holds the addresses if and only if MASTER, outside an operation in flight or refused.
        if holds and state is not State.MASTER and not kernel.kept and not node.keeps:
            raise Violation("I5", f"node {node.number} is {state.name} and its kernel holds the addresses")
        idle = (
            state is State.INIT
            and node.link_up
            and not node.departs
            and not kernel.refuses
            and now >= telling.out_until_s
        )
        bare = state is State.MASTER and kernel.lease_until_s - now < LEASE_LEFT_S
        if not idle:
            memory.refused = node.is_refused or (memory.refused and state is State.INIT)
        unplugged = not node.link_up and state is not State.INIT
        misjudged = telling.is_misjudged()
        if not (idle or bare or unplugged or misjudged):
            memory.ill_since_s.clear()
            return
        notice_s, late_s = NOTICE_S + EPSILON_S, memory.late_s
        for invariant, ill, patience_s in (
            ("I5", bare, late_s),
            # V10: no carrier: INIT, within what it takes to notice.
            ("V10", unplugged, notice_s),
            # V9: a proxy that serves badly says so to the core, within what it takes to notice.
            ("V9", misjudged, notice_s),
            # V11: a node that could take part does; if its kernel refused, a while after.
            ("V11", idle, RETRY_S * memory.refused + NOTICE_S + late_s),
        ):
            if not ill:
                memory.ill_since_s.pop(invariant, None)
            elif now > memory.ill_since_s.setdefault(invariant, now) + patience_s:
                raise Violation(invariant, f"node {node.number}, {state.name}, {_ILLS[invariant]}")

    def _judge_patience(self, node: Node, memory: Memory) -> None:
        """What a node does late, if not never."""
        now, late_s = node.now, memory.late_s
        if now <= memory.patient_until_s:
            return
        if node.state is State.MASTER:
            # I1: the loser of two masters hears so within T/4 + l.
            answer_s = max(memory.answer_due_s, memory.woke_at_s) + late_s
            if now > answer_s:
                raise Violation("I1", f"node {node.number} heard an inferior master and does not answer")
            # I6: a MASTER advertises once per T.
            advertise_s = max(memory.sent_at_s + interval_s(node), memory.woke_at_s) + late_s
            if now > advertise_s:
                raise Violation("I6", f"node {node.number} last advertised {now - memory.sent_at_s:.3f} s ago")
            # V6: what its core announces is announced, unless its kernel refuses everything.
            announce_s = max(memory.announce_due_s, memory.woke_at_s) + late_s
            if now > announce_s and not node.kernel.refuses:
                raise Violation("V6", f"node {node.number} has not announced its addresses")
            memory.patient_until_s = min(answer_s, advertise_s, announce_s)
        elif node.state is State.BACKUP:
            # V3, V4, V9: a backup with a reason takes over, after its wait.
            follow_s = max(memory.takeover_due_s, memory.woke_at_s) + late_s
            if now > follow_s:
                name = _TAKEOVERS[min(memory.reasons)]
                raise Violation(name, f"node {node.number} stays BACKUP in spite of {sorted(memory.reasons)}")
            # V11: a backup that hears nothing is master after D, and a tie's wait, and three late probes; it asks anew,
            # and waits for the answers, after it has slept, and where the first of two IP versions was heard at last.
            asks_s = 0.0 if memory.held_before else memory.down_s * PROBES_TAKE
            due_s = min(memory.waits_until_s.values())
            due_s += 0.0 if node.way.decided else tie_wait_s(node) + asks_s * memory.asks_anew
            silence_s = max(due_s, memory.asked_until_s, memory.woke_at_s + asks_s) + (PROBES + 1) * late_s
            if now > silence_s:
                raise Violation("V11", f"node {node.number} is BACKUP {now - due_s:.3f} s after D")
            memory.patient_until_s = min(follow_s, silence_s)

    # -- two nodes -----------------------------------------------------------------------------------------------------

    def _judge_pairs(self) -> None:
        pairs = {(one.number, other.number): (one, other) for one, other in itertools.combinations(self._masters, 2)}
        self._pairs = {key: since for key, since in self._pairs.items() if key in pairs}
        for key, (one, other) in pairs.items():
            self._judge_pair(key, *sorted((one, other), key=rank))

    def _judge_pair(self, key: tuple[int, int], better: Station, worse: Station) -> None:
        # I1: two masters, awake, that hear each other: at most (L + 1) * T_best + d + l, T of the slower one where
        # sealed clocks had drifted apart; each interval may be late. A change of rank begins it anew.
        lan = self._lan
        spoken = better.ways_to(worse.number) if isinstance(better, Node) else better.settings.versions
        versions = [ip for ip in spoken if (better.number, ip) not in lan.cut_versions]
        if not versions or not (lan.hears(better.number, worse.number) and lan.hears(worse.number, better.number)):
            self._pairs.pop(key, None)
            return
        # An advertisement is lost when it is lost in every IP version; one that a seal refuses counts once.
        lost = lan.lost[better.number, worse.number] + self._sealed * lan.lost[worse.number, better.number]
        ranks = (better.number, rank(better), rank(worse), versions)
        if key not in self._pairs:
            self.marks["two masters"] += 1
        if self._pairs.get(key, (0.0, 0, None))[2] != ranks:
            self._pairs[key] = (lan.timeline.now, lost, ranks)
        since_s, lost_before, _ = self._pairs[key]
        rounds = (lost - lost_before) // (1 if self._sealed else len(versions))
        counted_s = interval_s(better)
        if self._sealed:
            counted_s = max(counted_s, interval_s(worse))
        elif isinstance(better, Peer):
            # Not all tell at once that they are demoted no longer.
            counted_s = max(counted_s, better.settings.advbase + SKEW_DEMOTED / 256)
        late_s = lateness_s(better), lateness_s(worse)
        bound_s = (rounds + 1) * (counted_s + late_s[0]) + self._delay_s_max + late_s[1]
        if lan.timeline.now - since_s > bound_s + EPSILON_S:
            raise Violation("I1", f"nodes {key[0]} and {key[1]} are both master for {bound_s:.3f} s")


def _is_master(station: Station) -> bool:
    """And awake."""
    return station.state is State.MASTER and station.awake


_ILLS = {
    "I5": "does not hold the addresses, or not for long",
    "V9": "does not know how well its proxy is",
    "V10": "has no carrier",
    "V11": "could take part",
}
_TAKEOVERS = {
    Reason.MASTER_BOWED_OUT.value: "V3",
    Reason.MASTER_DEMOTED.value: "V9",
    Reason.MASTER_HOPELESS.value: "V4",
    Reason.PREEMPTED.value: "V4",
}
"""By the reason: the promise that a backup breaks which does not take over."""
