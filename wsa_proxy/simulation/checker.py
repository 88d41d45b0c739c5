"""Is the promise kept? Every invariant by its name, with its bound in one line, judged after every event.

T is the interval of an advertisement, D the master-down interval, d the greatest delay, l the greatest lateness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.virtual_host import Reason
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.node import QUEUE_MAX
from wsa_proxy.simulation.node import Node

EPSILON_S = 1e-6  # sums of floats


class Violation(Exception):
    """A promise was broken: ``invariant`` is its name, the text says how."""

    def __init__(self, invariant: str, story: str) -> None:
        super().__init__(f"{invariant}: {story}")
        self.invariant = invariant


# Reckoned here again, from carp(4), so that a wrong formula in the core is not believed. advbase is 1 or more here.


def interval_s(node: Node) -> float:
    """T, seconds: as a demoted node sends it, too."""
    demoted = node.core is not None and node.core.demotion > 0
    return node.settings.advbase + (max(node.settings.advskew, 240) if demoted else node.settings.advskew) / 256


def down_s(node: Node) -> float:
    """D, seconds."""
    return 3 * node.settings.advbase + node.settings.advskew / 256


@dataclass(slots=True)
class Memory:
    """What the checker knows of one node, kept beside what the node itself believes."""

    rests_until_s: dict[int, float] = field(default_factory=dict)
    """By IP version: no silence is long enough before."""
    may_take_over: set[str] = field(default_factory=set)
    """The reasons that the last advertisement gave it."""
    master_slept_at_s: float | None = None
    """When its process, a master, began to stand still."""
    sent_at_s: list[float] = field(default_factory=list)


class Checker:
    """Judges one run. ``marks`` counts the situations that a campaign must have seen."""

    def __init__(self, nodes: Sequence[Node], lan: Lan, lateness_s: float) -> None:
        self.marks: Counter[str] = Counter()
        self._nodes = nodes
        self._lan = lan
        self._lateness_s = lateness_s
        self._memories = [Memory() for _ in nodes]
        self._pairs: dict[tuple[int, int], tuple[float, int, tuple[float, ...]]] = {}

    # -- what a node tells ---------------------------------------------------------------------------------------------

    def told(self, node: Node, kind: str, what: object) -> None:
        """One line of the story, as it happens."""
        match what:
            case SendAdvertisement():
                self._judge_advertisement(node, what)
            case list():
                self._judge_order(what)
            case ReportTransition():
                self._judge_transition(node, what)
            case _ if kind == "stall" and node.state is State.MASTER and node.awake:
                self._memories[node.number].master_slept_at_s = node.now
            case _ if kind == "event":
                self._remember(node, what)  # type: ignore[arg-type]

    def _remember(self, node: Node, event: Event) -> None:
        memory = self._memories[node.number]
        if node.state is State.MASTER and not isinstance(event, AdvertisementReceived):
            memory.may_take_over = set()  # what a master heard is no reason for the backup that it becomes
        if isinstance(event, Started) and node.state is State.INIT:
            memory.may_take_over = set()
            self._rest(node, node.settings.versions)
        if isinstance(event, AdvertisementReceived):
            self.marks["bow-out heard"] += event.advertisement.is_bow_out
            expected = memory.may_take_over
            memory.may_take_over = self._reasons(node, event.advertisement)
            if not memory.may_take_over and node.state is State.BACKUP:
                # A takeover that was due is off for both IP versions.
                self._rest(node, node.settings.versions if expected else (event.version,))

    @staticmethod
    def _reasons(node: Node, heard: Advertisement) -> set[str]:
        """What this advertisement gives a backup a right to (carp(4)), reckoned apart from the core."""
        if heard.is_bow_out:
            return {Reason.MASTER_BOWED_OUT.value}
        assert node.core is not None
        demotion, advbase, skew = node.core.demotion, node.settings.advbase, node.settings.advskew
        own = 256 * advbase + (max(skew, 240) if demotion else skew)
        other = 256 * heard.advbase + heard.advskew
        reasons: set[str] = set()
        if heard.demotion > demotion:
            reasons.add(Reason.MASTER_DEMOTED.value)
        if node.settings.preempt and (demotion, own) < (heard.demotion, other):
            reasons.add(Reason.PREEMPTED.value)
        if own + 2 * 256 * advbase < other:
            reasons.add(Reason.MASTER_HOPELESS.value)
        return reasons

    def _rest(self, node: Node, versions: Sequence[int]) -> None:
        for version in versions:
            self._memories[node.number].rests_until_s[version] = node.now + down_s(node)

    def _judge_transition(self, node: Node, report: ReportTransition) -> None:
        memory = self._memories[node.number]
        memory.master_slept_at_s = None
        self.marks[report.reason] += 1
        if report.new is State.BACKUP and report.old is State.MASTER:
            self._rest(node, node.settings.versions)
        if report.new is not State.MASTER:
            return
        # I2: nobody is master before its deadline, unless a rule names the reason.
        silent = node.now >= min(memory.rests_until_s.values()) - EPSILON_S
        if not (silent if report.reason == Reason.MASTER_SILENT.value else report.reason in memory.may_take_over):
            raise Violation("I2", f"node {node.number} became master too early: {report.reason} {report.evidence}")

    def _judge_advertisement(self, node: Node, command: SendAdvertisement) -> None:
        # I6: BACKUP and INIT are silent; the machine is MASTER by then, or INIT with the bow-out of an orderly stop.
        bow_out = command.advbase == command.advskew == 255
        if not bow_out and node.state is not State.MASTER:
            raise Violation("I6", f"node {node.number} advertises in {node.state.name}")
        # V7: a master that wakes after a stall of D or more is BACKUP before it sends anything. (Where T is more than
        # half of D, as for a demoted one, it may have been no later than D / 2.)
        memory = self._memories[node.number]
        slept_at_s, memory.master_slept_at_s = memory.master_slept_at_s, None
        if slept_at_s is not None and node.now - slept_at_s > max(down_s(node), down_s(node) / 2 + interval_s(node)):
            raise Violation("V7", f"node {node.number} slept {node.now - slept_at_s:.2f} s as master, and advertises")
        # I6: at most one per T, four answers per T, and one for each change of its own rank.
        window_s = node.settings.advbase
        sent_at_s = memory.sent_at_s
        sent_at_s.append(node.now)
        sent_at_s[:] = [each for each in sent_at_s if each > node.now - window_s]
        if len(sent_at_s) > 12:
            raise Violation("I6", f"node {node.number} sent {len(sent_at_s)} advertisements in {window_s} s")

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
            # I5: the kernel holds the addresses if and only if MASTER, outside an operation in flight.
            if node.awake and node.holds and node.state is not State.MASTER:
                raise Violation("I5", f"node {node.number} is {node.state.name} and its kernel holds the addresses")
            # I9: queues are bounded.
            if len(node.queue) > QUEUE_MAX:
                raise Violation("I9", f"{len(node.queue)} frames wait at node {node.number}")
        for one in self._nodes:
            for other in self._nodes[one.number + 1 :]:
                self._judge_pair(one, other)

    def _judge_pair(self, one: Node, other: Node) -> None:
        # I1: two masters, awake, that hear each other: at most (L + 1) * T + d + l. A change of rank begins it anew.
        key = (one.number, other.number)
        lan = self._lan
        both = one.state is other.state is State.MASTER and one.awake and other.awake
        if not (both and lan.hears(one.number, other.number) and lan.hears(other.number, one.number)):
            self._pairs.pop(key, None)
            return
        lost = lan.lost[key] + lan.lost[other.number, one.number]
        intervals_s = (interval_s(one), interval_s(other))
        if self._pairs.get(key, (0.0, 0, ()))[2] != intervals_s:
            self._pairs[key] = (lan.timeline.now, lost, intervals_s)
        since_s, lost_before, _ = self._pairs[key]
        best_s = min(intervals_s)
        bound_s = (lost - lost_before + 1) * best_s + 2 * (lan.weather.delay_s_max + self._lateness_s)
        self.marks["two masters"] += 1
        if lan.timeline.now - since_s > bound_s + EPSILON_S:
            raise Violation("I1", f"nodes {one.number} and {other.number} are both master for {bound_s:.3f} s")
