"""One run: faults first, then quiet, in which the group must settle, then one drill with an exact bound."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from random import Random

from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.simulation.checker import Checker
from wsa_proxy.simulation.checker import Violation
from wsa_proxy.simulation.checker import down_s
from wsa_proxy.simulation.checker import interval_s
from wsa_proxy.simulation.lan import SWITCH
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.plan import FAULTS_S
from wsa_proxy.simulation.plan import VHID
from wsa_proxy.simulation.plan import Drill
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Mishap
from wsa_proxy.simulation.plan import draw

QUIET_INTERVALS = 30
STORY_LINES_MAX = 20
ADDRESSES = {4: ip_address("10.0.0.3"), 6: ip_address("fd00:77::3")}
BOW_OUT_WAIT_S = 0.010
TIES_MAX = 2  # in a row
CALM_DELAY_S = 0.001  # with CALM_LATENESS_S, less than half of what two equals' waits after a tie differ by
CALM_LATENESS_S = 0.002


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed. ``violation`` is None when every promise was kept."""

    seed: int
    violation: str | None
    invariant: str | None
    at_s: float
    story: tuple[str, ...]
    digest: str
    """Of the whole story: the same seed gives the same one (I11)."""
    marks: Counter[str]


class Run:
    """A seed's LAN, nodes, nemesis and checker."""

    def __init__(self, seed: int, nodes: int | None = None, tell: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self._random = Random(seed)
        self.plan = draw(self._random, nodes)
        self._timeline = Timeline()
        self._began_at_s = self._timeline.now
        self.lan = Lan(self._timeline, self._random, self.plan.weather)
        hashed = [ADDRESSES[version] for version in self.plan.nodes[0].versions]
        key = key_from_pass_phrase(b"a secret of the LAN")
        self.nodes = [
            Node(number, settings, Authenticator([key], VHID, hashed, number + 1), self.lan, self._random, self._hear)
            for number, settings in enumerate(self.plan.nodes)
        ]
        self.checker = Checker(self.nodes, self.lan, self.plan.lateness_s)
        self._tell = tell
        self._story: list[str] = []
        self._digest = hashlib.sha256()
        self._transitions = 0
        for node in self.nodes:
            node.lateness_s = self.plan.lateness_s

    # -- the run -------------------------------------------------------------------------------------------------------

    def play(self) -> Outcome:
        """The whole run; never raises for a broken promise."""
        violation: Violation | None = None
        try:
            self._faults()
            self._quiet()
            self._drill()
        except Violation as broken:
            violation = broken
        return Outcome(
            self.seed,
            str(violation) if violation else None,
            violation.invariant if violation else None,
            self._timeline.now - self._began_at_s,
            tuple(self._story[-STORY_LINES_MAX:]),
            self._digest.hexdigest(),
            self.checker.marks,
        )

    def _faults(self) -> None:
        for node, at_s in zip(self.nodes, self.plan.started_at_s, strict=True):
            self._timeline.at(self._began_at_s + at_s, node.start)
        for mishap in self.plan.mishaps:
            self._timeline.at(self._began_at_s + mishap.at_s, partial(self._begin, mishap))
            self._timeline.at(self._began_at_s + mishap.at_s + mishap.duration_s, partial(self._end, mishap))
        self._pass(FAULTS_S)

    def _quiet(self) -> None:
        """Nothing goes wrong any more: the group agrees within the bound, and then nothing happens."""
        self._heal()
        # V4: exactly one master, the best if preemptive, within max D + T + 2 d + 2 l; a tie costs its extra wait, and
        # a node that sat in a kernel's refusal comes back first.
        patience_s = max(down_s(node) for node in self.nodes)
        slowest_s = max(interval_s(node) for node in self.nodes)
        self._pass(2 * (patience_s + slowest_s) + 1.0 + 4 * self._slack_s + self._ties_s(self.nodes))
        master = self._the_master("V4")
        best = min(node.settings.advskew for node in self.nodes)
        if master.settings.preempt and master.settings.advskew != best:
            raise Violation("V4", f"node {master.number} is master, with advskew {master.settings.advskew}")
        self._transitions = 0
        self._pass(QUIET_INTERVALS * slowest_s)
        # V5: no transition in 30 intervals.
        if self._transitions or self._the_master("V5") is not master:
            raise Violation("V5", f"{self._transitions} transitions in the quiet")
        # V6: the LAN believes that the master has the addresses.
        if self.lan.believed != master.number:
            raise Violation("V6", f"the switch sends to {self.lan.believed}, the master is node {master.number}")

    def _drill(self) -> None:
        master = self._the_master("V4")
        others = [node for node in self.nodes if node is not master]
        patience_s = min(down_s(node) for node in others)
        # Plain CARP takes an advertisement that a later one has overtaken for a new one: none is on its way.
        self._pass((master.due_s or 0.0) - self._timeline.now + 2 * self._slack_s)
        match self.plan.drill:
            case Drill.CRASH:
                master.crash()
                # V2: silence is noticed within D of the best one left, plus d + l; each of three probes may be late.
                self._pass(patience_s + 4 * self._slack_s + self._ties_s(others))
                self._somebody("V2", others)
            case Drill.STOP:
                master.stop()
                # V3: a bow-out hands over within d + l + 10 ms.
                self._pass(BOW_OUT_WAIT_S + self._slack_s + self._ties_s(others))
                self._somebody("V3", others)
            case Drill.STALL:
                master.stall(down_s(master) * 2)
                asleep_until_s = master.asleep_until_s
                settled_s = 5 * self._slack_s + 2 * interval_s(master) + self._ties_s(self.nodes)
                self._pass(asleep_until_s - self._timeline.now + settled_s)
                self._the_master("V4")
            case Drill.DEMOTE:
                master.demote(1)
                # V9: a better one takes over after one advertisement.
                self._pass(2 * self._slack_s + self._ties_s(others))
                self._somebody("V9", others)
            case Drill.ALONE:
                for node in others:
                    node.crash()
                master.crash()
                self._pass(1.0)
                master.start()
                # V1: a lone healthy node is master within D + l, the probe's answers included.
                self._pass(down_s(master) + 4 * self._slack_s)
                self._somebody("V1", [master])

    # -- faults --------------------------------------------------------------------------------------------------------

    def _begin(self, mishap: Mishap) -> None:
        node = self.nodes[mishap.node]
        self._say(f"{mishap.fault.value} of node {mishap.node} for {mishap.duration_s:.2f} s")
        peers = [SWITCH, *(other.number for other in self.nodes if other is not node)]
        match mishap.fault:
            case Fault.CRASH:
                node.crash()
            case Fault.STOP:
                node.stop()
            case Fault.STALL:
                node.stall(mishap.duration_s)
            case Fault.CUT:
                self.lan.cuts |= {(node.number, peer) for peer in peers} | {(peer, node.number) for peer in peers}
            case Fault.DEAF:
                self.lan.cuts |= {(peer, node.number) for peer in peers}
            case Fault.MUTE:
                self.lan.cuts |= {(node.number, peer) for peer in peers}
            case Fault.ONE_WAY:
                self.lan.cuts.add((node.number, mishap.other))
            case Fault.CLOG:
                self.lan.clogged_until_s[node.number, mishap.other] = self._timeline.now + mishap.duration_s
            case Fault.DEMOTE:
                node.demote(1)
            case Fault.SLOW_KERNEL:
                node.operation_s = mishap.duration_s
            case Fault.REFUSING_KERNEL:
                node.kernel_refuses = True

    def _end(self, mishap: Mishap) -> None:
        node = self.nodes[mishap.node]
        match mishap.fault:
            case Fault.CRASH | Fault.STOP:
                node.start()
            case Fault.CUT | Fault.DEAF | Fault.MUTE | Fault.ONE_WAY:
                self.lan.cuts = {path for path in self.lan.cuts if node.number not in path}
            case Fault.DEMOTE:
                node.demote(0)
            case Fault.SLOW_KERNEL:
                node.operation_s = 0.0
            case Fault.REFUSING_KERNEL:
                node.kernel_refuses = False
            case Fault.STALL | Fault.CLOG:
                pass  # these know their own end

    def _heal(self) -> None:
        """Every fault ends, and no chance is left in the weather but the delay."""
        self._say("all faults end")
        self.lan.cuts.clear()
        self.lan.weather.loss = self.lan.weather.duplicates = self.lan.weather.reflection = 0.0
        if self._ties_s(self.nodes):
            # Equal ranks agree only where frames and loops are faster than the difference of their waits.
            self.lan.weather.delay_s_max = min(self.lan.weather.delay_s_max, CALM_DELAY_S)
            for node in self.nodes:
                node.lateness_s = min(node.lateness_s, CALM_LATENESS_S)
        for node in self.nodes:
            node.operation_s = 0.0
            node.kernel_refuses = False
            node.start()
            node.thaw()
            node.demote(0)

    # -- helpers -------------------------------------------------------------------------------------------------------

    @property
    def _slack_s(self) -> float:
        return self.plan.weather.delay_s_max + self.plan.lateness_s + 1e-3

    def _ties_s(self, among: Sequence[Node]) -> float:
        """How long equals among these may go on tying: when they meet all yield, as on FreeBSD, and wait once more."""
        if len({node.settings.advskew for node in among}) == len(among):
            return 0.0
        return TIES_MAX * max(down_s(node) + interval_s(node) / 5 for node in among)

    def _pass(self, duration_s: float) -> None:
        self._timeline.run(self._timeline.now + duration_s, self.checker.look)

    def _the_master(self, invariant: str) -> Node:
        masters = [node for node in self.nodes if node.state is State.MASTER]
        if len(masters) != 1:
            raise Violation(invariant, f"{len(masters)} masters: {[node.number for node in masters]}")
        return masters[0]

    def _somebody(self, invariant: str, among: list[Node]) -> None:
        if not any(node.state is State.MASTER for node in among):
            raise Violation(invariant, f"no master among nodes {[node.number for node in among]}")

    # -- the story -----------------------------------------------------------------------------------------------------

    def _hear(self, node: Node, kind: str, what: object) -> None:
        self._transitions += isinstance(what, ReportTransition)
        match what:
            case ReportTransition():
                line = f"{what.old.name} -> {what.new.name} reason={what.reason} {what.evidence}"
                self._say(f"node {node.number}: {line}")
            case SendAdvertisement():
                self._say(f"node {node.number}: advertises {what.advbase}/{what.advskew} demotion {what.demotion}")
            case _ if kind == "event":
                self._say(f"node {node.number}: {type(what).__name__}")
        self.checker.told(node, kind, what)

    def _say(self, what: str) -> None:
        line = f"{self._timeline.now - self._began_at_s:9.4f} s  {what}"
        self._digest.update(line.encode())
        self._story.append(line)
        if len(self._story) > 2 * STORY_LINES_MAX:
            del self._story[:-STORY_LINES_MAX]
        if self._tell is not None:
            self._tell(line)
