"""Is the promise kept? Every invariant by its name, with its bound in one line, judged after every event.

Here is what must never happen. What must happen in the end, within a time, is in ``run.py``: V1 to V6 and V9. The
numbers are in ``bounds.py``, reckoned apart from the core; I4 is in ``freshness.py``.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.virtual_host import Reason
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.bounds import CLAIM_S
from wsa_proxy.simulation.bounds import EPSILON_S
from wsa_proxy.simulation.bounds import LEASE_S
from wsa_proxy.simulation.bounds import Station
from wsa_proxy.simulation.bounds import down_s
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.bounds import lateness_s
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.bounds import tie_wait_s
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.node import NOTICE_S
from wsa_proxy.simulation.node import QUEUE_MAX
from wsa_proxy.simulation.node import RETRY_S
from wsa_proxy.simulation.node import Node

NEVER_S = float("inf")


class Violation(Exception):
    """A promise was broken: ``invariant`` is its name, the text says how."""

    def __init__(self, invariant: str, story: str) -> None:
        super().__init__(f"{invariant}: {story}")
        self.invariant = invariant


@dataclass(slots=True)
class Memory:
    """What the checker knows of one node, kept beside what the node itself believes. Times on the node's clock."""

    down_s: float
    """D, which never changes."""
    late_s: float
    """l, and what sums of floats are off."""
    cause: Event | None = None
    """The event that the core takes now."""
    promoted: bool = False
    """Its answer is to become master."""
    rests_until_s: dict[int, float] = field(default_factory=dict)
    """By IP version: no silence is long enough before."""
    may_take_over: set[str] = field(default_factory=set)
    """The reasons that the last advertisement gave it."""
    slept_at_s: float | None = None
    """When its process, a master, began to stand still."""
    sent_at_s: float = -NEVER_S
    may_answer_from_s: float = -NEVER_S
    answer_due_s: float = NEVER_S
    quiet_since_s: float = 0.0
    """A backup that is awake has heard nothing since."""
    still_since_s: float | None = None
    """On the LAN's clock: the process is dead or stands still since."""
    paused: bool = False
    """So it was at the last look."""
    unplugged_at_s: float = 0.0
    """The last time that it had a carrier, or was in INIT."""
    idle_since_s: float = 0.0
    """In INIT since, although it could take part."""
    bare_since_s: float | None = None
    """A master, awake, and its kernel does not hold the addresses since."""
    known: object = None
    """Everything that a rejected frame may not change."""
    rejects: int = 0


class Checker:
    """Judges one run. ``marks`` counts the situations that a campaign must have seen."""

    def __init__(self, stations: Sequence[Station], lan: Lan, sealed: bool) -> None:
        self.marks: Counter[str] = Counter()
        self._stations = stations
        self._nodes = [station for station in stations if isinstance(station, Node)]
        self._lan = lan
        self._sealed = sealed
        self._delay_s_max = lan.weather.delay_s_max
        self._memories = {
            station.number: Memory(down_s(station), lateness_s(station) + EPSILON_S) for station in stations
        }
        self._pairs: dict[tuple[int, int], tuple[float, int, object]] = {}

    # -- what a node tells ---------------------------------------------------------------------------------------------

    def told(self, node: Node, kind: str, what: Any) -> None:
        """One line of the story, as it happens."""
        if listener := _LISTENERS.get(kind):
            listener(self, node, self._memories[node.number], what)
        else:
            self.marks[kind] += 1

    def _told_life(self, node: Node, memory: Memory, what: None) -> None:
        memory.answer_due_s = NEVER_S
        self._told_done(node, memory, what)

    def _told_done(self, node: Node, memory: Memory, what: None) -> None:
        memory.known, memory.rejects = node.fingerprint(), node.rejects.total()

    def _told_stall(self, node: Node, memory: Memory, duration_s: float) -> None:
        self.marks["stall"] += 1
        if node.state is State.MASTER and node.awake:
            memory.slept_at_s = node.now

    def _told_accept(self, node: Node, memory: Memory, frame: Advertised) -> None:
        self.marks["forged, and believed by plain CARP"] += frame.forged

    def _told_first_contact(self, node: Node, memory: Memory, what: object) -> None:
        self._judge_before(node, memory)
        memory.quiet_since_s = node.now
        self.marks["first_contact"] += 1

    def _told_event(self, node: Node, memory: Memory, event: Event) -> None:
        self._judge_before(node, memory)
        memory.cause = event
        self._remember(node, memory, event)

    def _told_commands(self, node: Node, memory: Memory, commands: list[Command]) -> None:
        memory.promoted = False
        if commands:
            self._judge_order(commands)
            memory.promoted = any(isinstance(command, AcquireAddresses) for command in commands)

    def _told_announcement(self, node: Node, memory: Memory, age_s: float) -> None:
        # I7: nothing is claimed that was decided more than half a second ago.
        if age_s > CLAIM_S + EPSILON_S:
            raise Violation("I7", f"node {node.number} announces what it decided {age_s:.2f} s ago")

    def _judge_before(self, node: Node, memory: Memory) -> None:
        """What is too late is seen even if the event that comes now does it at last."""
        if memory.still_since_s is None:
            self._judge_patience(node, memory)
        for pair in itertools.combinations(self._masters(), 2):
            self._judge_pair(*pair)

    def _judge_reject(self, node: Node, memory: Memory, what: object) -> None:
        # I3: a rejected frame changes exactly one counter and nothing else.
        if node.fingerprint() != memory.known or node.rejects.total() != memory.rejects + 1:
            raise Violation("I3", f"a rejected frame changed node {node.number}: {memory.known} {node.fingerprint()}")
        memory.rejects += 1

    def _remember(self, node: Node, memory: Memory, event: Event) -> None:
        if node.state is State.MASTER and not isinstance(event, AdvertisementReceived):
            memory.may_take_over = set()  # what a master heard is no reason for the backup that it becomes
        if isinstance(event, Started) and node.state is State.INIT:
            memory.may_take_over = set()
            memory.quiet_since_s = node.now
            self._rest(node, memory, node.settings.versions)
        if isinstance(event, AdvertisementReceived):
            memory.quiet_since_s = node.now
            self.marks["bow-out heard"] += event.advertisement.is_bow_out
            expected = memory.may_take_over
            memory.may_take_over = self._reasons(node, event.advertisement)
            if not memory.may_take_over and node.state is State.BACKUP:
                # A takeover that was due is off for both IP versions.
                self._rest(node, memory, node.settings.versions if expected else (event.version,))
            inferior = (event.advertisement.demotion, heard_256ths(event.advertisement)) > rank(node)
            if node.state is State.MASTER and inferior and not event.advertisement.is_bow_out:
                may_answer_s = max(node.now + interval_s(node) / 4, memory.may_answer_from_s)
                memory.answer_due_s = min(memory.answer_due_s, may_answer_s)

    @staticmethod
    def _reasons(node: Node, heard: Advertisement) -> set[str]:
        """What this advertisement gives a backup a right to (carp(4)), reckoned apart from the core."""
        if heard.is_bow_out:
            return {Reason.MASTER_BOWED_OUT.value}
        advbase, (demotion, own) = node.settings.advbase, rank(node)
        other = heard_256ths(heard)
        reasons: set[str] = set()
        if heard.demotion > demotion:
            reasons.add(Reason.MASTER_DEMOTED.value)
        if node.settings.preempt and (demotion, own) < (heard.demotion, other):
            reasons.add(Reason.PREEMPTED.value)
        if advbase and own + 2 * 256 * advbase < other:
            reasons.add(Reason.MASTER_HOPELESS.value)
        return reasons

    def _rest(self, node: Node, memory: Memory, versions: Sequence[int]) -> None:
        for version in versions:
            memory.rests_until_s[version] = node.now + down_s(node)

    def _judge_transition(self, node: Node, memory: Memory, report: ReportTransition) -> None:
        memory.slept_at_s = None
        self.marks[report.reason] += 1
        if report.new is State.BACKUP and report.old is State.MASTER:
            memory.quiet_since_s = node.now
            self._rest(node, memory, node.settings.versions)
        if report.new is not State.MASTER:
            memory.answer_due_s = NEVER_S
            return
        # I2: nobody is master before its deadline, unless a rule names the reason.
        silent = node.now >= min(memory.rests_until_s.values()) - EPSILON_S
        if not (silent if report.reason == Reason.MASTER_SILENT.value else report.reason in memory.may_take_over):
            raise Violation("I2", f"node {node.number} became master too early: {report.reason} {report.evidence}")

    def _judge_advertisement(self, node: Node, memory: Memory, command: SendAdvertisement) -> None:
        # V7: a master that wakes after a stall of D or more is BACKUP before it sends anything. (Where T is more than
        # half of D, as for a demoted one, it may have been no later than D / 2.)
        slept_at_s, memory.slept_at_s = memory.slept_at_s, None
        if slept_at_s is not None and node.now - slept_at_s > max(down_s(node), down_s(node) / 2 + interval_s(node)):
            raise Violation("V7", f"node {node.number} slept {node.now - slept_at_s:.2f} s as master, and advertises")
        if wrong := self._unasked(node, memory, command):
            raise Violation("I6", f"node {node.number} advertises {wrong}")
        memory.sent_at_s = node.now
        memory.answer_due_s = NEVER_S

    def _unasked(self, node: Node, memory: Memory, command: SendAdvertisement) -> str:
        # I6: BACKUP and INIT are silent, but for the bow-out of an orderly stop; a MASTER advertises once per T, at its
        # promotion, at each change of its own rank, and to an inferior once per T/4.
        if command.advbase == command.advskew == 255:
            return "" if isinstance(memory.cause, Stopped) else f"a bow-out at {memory.cause}"
        if node.state is not State.MASTER:
            return f"in {node.state.name}"
        if memory.promoted:
            memory.may_answer_from_s = -NEVER_S
        if memory.promoted or isinstance(memory.cause, DemotionChanged):
            return ""
        may_answer = node.now >= memory.may_answer_from_s - EPSILON_S
        if isinstance(memory.cause, DeadlineReached) and node.now >= memory.sent_at_s + interval_s(node) - EPSILON_S:
            return ""
        if memory.answer_due_s < NEVER_S and may_answer:
            memory.may_answer_from_s = node.now + interval_s(node) / 4
            self.marks["an inferior was answered"] += 1
            return ""
        return f"{node.now - memory.sent_at_s:.3f} s after the last time, at {memory.cause}"

    def _judge_order(self, commands: list[Command]) -> None:
        # I7: promotion = advertisement, address, announcement; never announce after a release.
        kinds = [type(command) for command in commands]
        if AcquireAddresses in kinds:
            first = kinds.index(AcquireAddresses)
            if SendAdvertisement not in kinds[:first] or AnnounceAddresses not in kinds[first:]:
                raise Violation("I7", f"promotion out of order: {commands}")
        if ReleaseAddresses in kinds:
            rest = kinds[kinds.index(ReleaseAddresses) :]
            if AnnounceAddresses in rest and AcquireAddresses not in rest:
                raise Violation("I7", f"announced after the release: {commands}")

    # -- the world after each event ------------------------------------------------------------------------------------

    def look(self) -> None:
        """Judge what can be seen from outside."""
        for node in self._nodes:
            self._judge_node(node, self._memories[node.number])
        masters = self._masters()
        if len(masters) < 2:
            self._pairs.clear()
            return
        pairs = list(itertools.combinations(masters, 2))
        self._pairs = {pair: self._pairs[pair] for pair in map(_key, pairs) if pair in self._pairs}
        for one, other in pairs:
            self._judge_pair(one, other)

    def _masters(self) -> list[Station]:
        return [station for station in self._stations if station.state is State.MASTER and station.awake]

    def _judge_node(self, node: Node, memory: Memory) -> None:
        if not node.awake:
            self._judge_still(node, memory)
            return
        if memory.still_since_s is not None:
            memory.still_since_s = None
            # It has just woken: everything that it owes is counted from now.
            memory.quiet_since_s = memory.unplugged_at_s = memory.idle_since_s = node.now
            memory.answer_due_s = max(memory.answer_due_s, node.now)
        self._judge_awake(node, memory)

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

    def _judge_awake(self, node: Node, memory: Memory) -> None:
        self._judge_patience(node, memory)
        now, state, late_s = node.now, node.state, memory.late_s
        # I5: the kernel holds the addresses if and only if MASTER, outside an operation in flight.
        if node.kernel.holds(now):
            memory.bare_since_s = None
            if state is not State.MASTER:
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
        # V11: a node that could take part does, a while after its kernel refused.
        if state is not State.INIT or not node.link_up or node.kernel.refuses:
            memory.idle_since_s = now
        elif now > memory.idle_since_s + RETRY_S + NOTICE_S + late_s:
            raise Violation("V11", f"node {node.number} could take part and is in INIT")

    def _judge_patience(self, node: Node, memory: Memory) -> None:
        now = node.now
        # I1: the loser of two masters hears so within T/4 + l.
        if now > memory.answer_due_s + memory.late_s:
            raise Violation("I1", f"node {node.number} heard an inferior master and does not answer")
        # V11: a backup that hears nothing is master after D, and a tie's wait, and three late probes.
        if now <= memory.quiet_since_s + memory.down_s or node.state is not State.BACKUP:
            return
        patience_s = down_s(node) + tie_wait_s(node) + 4 * memory.late_s
        if now > memory.quiet_since_s + patience_s:
            raise Violation("V11", f"node {node.number} hears nothing for {patience_s:.3f} s and stays BACKUP")

    def _judge_pair(self, one: Station, other: Station) -> None:
        # I1: two masters, awake, that hear each other: at most (L + 1) * T + d + l, of the slower one where sealed
        # clocks had drifted apart. A change of rank begins it anew.
        key = _key((one, other))
        lan = self._lan
        if not (lan.hears(one.number, other.number) and lan.hears(other.number, one.number)):
            self._pairs.pop(key, None)
            return
        lost = lan.lost[key] + lan.lost[other.number, one.number]
        intervals_s = (interval_s(one), interval_s(other))
        ranks = (rank(one), rank(other))
        if self._pairs.get(key, (0.0, 0, None))[2] != ranks:
            self._pairs[key] = (lan.timeline.now, lost, ranks)
        since_s, lost_before, _ = self._pairs[key]
        late_s = max(lateness_s(one), lateness_s(other))
        counted_s = max(intervals_s) if self._sealed else interval_s(min(one, other, key=rank))
        bound_s = (lost - lost_before + 1) * counted_s + 2 * (self._delay_s_max + late_s)
        self.marks["two masters"] += 1
        if lan.timeline.now - since_s > bound_s + EPSILON_S:
            raise Violation("I1", f"nodes {one.number} and {other.number} are both master for {bound_s:.3f} s")


_LISTENERS: dict[str, Callable[[Checker, Node, Memory, Any], None]] = {
    "life": Checker._told_life,
    "done": Checker._told_done,
    "event": Checker._told_event,
    "commands": Checker._told_commands,
    "transition": Checker._judge_transition,
    "advertisement": Checker._judge_advertisement,
    "announcement": Checker._told_announcement,
    "accept": Checker._told_accept,
    "first_contact": Checker._told_first_contact,
    "reject": Checker._judge_reject,
    "stall": Checker._told_stall,
}
"""Who hears each kind of line; of the others it counts that they were there."""


def _key(pair: tuple[Station, Station]) -> tuple[int, int]:
    return pair[0].number, pair[1].number


def heard_256ths(heard: Advertisement) -> int:
    """The interval that an advertisement tells."""
    return heard.advbase * 256 + heard.advskew or 1
