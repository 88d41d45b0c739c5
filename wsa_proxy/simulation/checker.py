"""Is the promise kept? Every invariant by its name, with its bound in one line, judged after every event.

Here is what can be seen from outside, of what must never happen; what a node may do at an event is in ``conduct.py``,
what it may believe in ``belief.py``. What must happen in the end, within a time, is in ``run.py``: V1 to V6 and V9. The
numbers are in ``bounds.py``, reckoned apart from the core.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from wsa_proxy.carp.commands import State
from wsa_proxy.carp.virtual_host import Reason
from wsa_proxy.simulation.bounds import EPSILON_S
from wsa_proxy.simulation.bounds import LEASE_S
from wsa_proxy.simulation.bounds import SKEW_DEMOTED
from wsa_proxy.simulation.bounds import Station
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.bounds import lateness_s
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.bounds import tie_wait_s
from wsa_proxy.simulation.conduct import Conduct
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.memory import PROBES
from wsa_proxy.simulation.memory import PROBES_TAKE
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.node import NOTICE_S
from wsa_proxy.simulation.node import QUEUE_MAX
from wsa_proxy.simulation.node import RETRY_S
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.peers import Peer
from wsa_proxy.simulation.violation import Violation

CAUSES = ("event", "first_contact", "farewell heard")
"""What a core answers."""


class Checker:
    """Judges one run. ``marks`` counts the situations that a campaign must have seen."""

    def __init__(self, stations: Sequence[Station], lan: Lan, sealed: bool) -> None:
        self.marks: Counter[str] = Counter()
        self._stations = stations
        self._lan = lan
        self._sealed = sealed
        self._delay_s_max = lan.weather.delay_s_max
        self._conducts = {
            station.number: Conduct(station, sealed, self.marks) for station in stations if isinstance(station, Node)
        }
        self._pairs: dict[tuple[int, int], tuple[float, int, object]] = {}

    def told(self, node: Node, kind: str, what: Any) -> None:
        """One line of a node's story, as it happens. What is too late is seen even if it is done at last by this."""
        conduct = self._conducts[node.number]
        if kind in CAUSES:
            if conduct.memory.still_since_s is None:
                self._judge_patience(node, conduct.memory)
            self._judge_pairs()
        conduct.told(kind, what)

    def look(self) -> None:
        """Judge what can be seen from outside, after each event."""
        for conduct in self._conducts.values():
            node, memory = conduct.node, conduct.memory
            # V8: no lease is longer than what a dead process may leave.
            if node.kernel.lease_until_s - node.now > LEASE_S:
                raise Violation("V8", f"node {node.number} has a lease of {node.kernel.lease_until_s - node.now:.2f} s")
            if not node.awake:
                self._judge_still(node, memory)
                continue
            if memory.still_since_s is not None:
                memory.still_since_s = None
                # It has just woken: what it owes is counted from now.
                memory.woke_at_s = memory.unplugged_at_s = memory.idle_since_s = memory.unwell_since_s = node.now
            self._judge_patience(node, memory)
            self._judge_awake(node, memory)
        self._judge_pairs()

    # -- one node ------------------------------------------------------------------------------------------------------

    def _judge_still(self, node: Node, memory: Memory) -> None:
        memory.bare_since_s = None
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
        if memory.left and node.holds and not node.kernel.kept:
            raise Violation("I5", f"node {node.number} has stopped in order, and its kernel still holds the addresses")
        self.marks["a lease ended while its process stood still"] += node.state is State.MASTER and not node.holds

    def _judge_awake(self, node: Node, memory: Memory) -> None:
        now, state, late_s = node.now, node.state, memory.late_s
        # I5: the kernel holds the addresses if and only if MASTER, outside an operation in flight or refused.
        if node.kernel.holds(now):
            memory.bare_since_s = None
            if state is not State.MASTER and not node.kernel.kept:
                raise Violation("I5", f"node {node.number} is {state.name} and its kernel holds the addresses")
        else:
            memory.bare_since_s = (memory.bare_since_s or now) if state is State.MASTER else None
            if memory.bare_since_s is not None and now > memory.bare_since_s + late_s:
                raise Violation("I5", f"node {node.number} is MASTER and its kernel does not hold the addresses")
        # V10: no carrier: INIT, within what it takes to notice.
        if node.link_up or state is State.INIT:
            memory.unplugged_at_s = now
        elif now > memory.unplugged_at_s + NOTICE_S + EPSILON_S:
            raise Violation("V10", f"node {node.number} has no carrier and is {state.name}")
        # V9: a proxy that serves badly says so to the core, within what it takes to notice.
        if node.demotion == node.health:
            memory.unwell_since_s = now
        elif now > memory.unwell_since_s + NOTICE_S + EPSILON_S:
            raise Violation("V9", f"node {node.number} is demoted by {node.health}, and its core by {node.demotion}")
        # V11: a node that could take part does; if its kernel refused, a while after.
        if state is not State.INIT or not node.link_up or node.kernel.refuses:
            memory.idle_since_s = now
            memory.refused = node.kernel.refuses or (memory.refused and state is State.INIT)
        elif now > memory.idle_since_s + RETRY_S * memory.refused + NOTICE_S + late_s:
            raise Violation("V11", f"node {node.number} could take part and is in INIT")

    def _judge_patience(self, node: Node, memory: Memory) -> None:
        """What a node does late, if not never."""
        now, late_s = node.now, memory.late_s
        if node.state is State.MASTER:
            # I1: the loser of two masters hears so within T/4 + l.
            if now > max(memory.answer_due_s, memory.woke_at_s) + late_s:
                raise Violation("I1", f"node {node.number} heard an inferior master and does not answer")
            # I6: a MASTER advertises once per T.
            if now > max(memory.sent_at_s + interval_s(node), memory.woke_at_s) + late_s:
                raise Violation("I6", f"node {node.number} last advertised {now - memory.sent_at_s:.3f} s ago")
        elif node.state is State.BACKUP:
            # V3, V4, V9: a backup with a reason takes over, after its wait.
            if now > max(memory.takeover_due_s, memory.woke_at_s) + late_s:
                name = _TAKEOVERS[min(memory.reasons)]
                raise Violation(name, f"node {node.number} stays BACKUP in spite of {sorted(memory.reasons)}")
            # V11: a backup that hears nothing is master after D, and a tie's wait, and three late probes; it asks anew,
            # and waits for the answers, after it has slept, and where the first of two IP versions was heard at last.
            if now <= (due_s := min(memory.waits_until_s.values())):
                return
            asks_s = 0.0 if memory.held_before else memory.down_s * PROBES_TAKE
            woken_s = memory.woke_at_s + asks_s
            due_s += 0.0 if self._sealed else tie_wait_s(node) + asks_s * memory.asks_anew
            if now > max(due_s, woken_s) + (PROBES + 1) * late_s:
                raise Violation("V11", f"node {node.number} is BACKUP {now - due_s:.3f} s after D")

    # -- two nodes -----------------------------------------------------------------------------------------------------

    def _judge_pairs(self) -> None:
        masters = [station for station in self._stations if station.state is State.MASTER and station.awake]
        if len(masters) < 2:
            self._pairs.clear()
            return
        pairs = {(one.number, other.number): (one, other) for one, other in itertools.combinations(masters, 2)}
        self._pairs = {key: since for key, since in self._pairs.items() if key in pairs}
        for key, (one, other) in pairs.items():
            self._judge_pair(key, *sorted((one, other), key=rank))

    def _judge_pair(self, key: tuple[int, int], better: Station, worse: Station) -> None:
        # I1: two masters, awake, that hear each other: at most (L + 1) * T_best + d + l, T of the slower one where
        # sealed clocks had drifted apart; each interval may be late. A change of rank begins it anew.
        lan = self._lan
        versions = [ip for ip in better.settings.versions if (better.number, ip) not in lan.cut_versions]
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


_TAKEOVERS = {
    Reason.MASTER_BOWED_OUT.value: "V3",
    Reason.MASTER_DEMOTED.value: "V9",
    Reason.MASTER_HOPELESS.value: "V4",
    Reason.PREEMPTED.value: "V4",
}
"""By the reason: the promise that a backup breaks which does not take over."""
