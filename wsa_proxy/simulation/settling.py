"""What must happen in the end, within a time: V1 to V6 and V9. First quiet, then one drill with an exact bound."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence

from wsa_proxy.carp.commands import State
from wsa_proxy.simulation.acting import RETRY_S
from wsa_proxy.simulation.bounds import BOW_OUT_WAIT_S
from wsa_proxy.simulation.bounds import GUARDIAN_LATE_S
from wsa_proxy.simulation.bounds import GUARDIANS_REST_S
from wsa_proxy.simulation.bounds import NOTICED_S
from wsa_proxy.simulation.bounds import TIED_AGAIN
from wsa_proxy.simulation.bounds import UNTOLD_LEFT_S
from wsa_proxy.simulation.bounds import Station
from wsa_proxy.simulation.bounds import down_s
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.bounds import lateness_s
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.bounds import stall_limit_s
from wsa_proxy.simulation.bounds import tie_wait_s
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.nemesis import Nemesis
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.plan import Drill
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.violation import Violation

QUIET_INTERVALS = 30
TIES_MAX = 2  # in a row
OVERTAKEN_MAX = 2  # in a row


class Settling:
    """Of one run, when all faults have ended; ``wait`` lets some seconds pass, and everything in them happen."""

    def __init__(
        self,
        plan: Plan,
        stations: Sequence[Station],
        lan: Lan,
        nemesis: Nemesis,
        marks: Counter[str],
        wait: Callable[[float], None],
        disturb: Callable[[], None] | None = None,
    ) -> None:
        self.transitions = 0
        """Of all stations; whoever hears of one counts it here."""
        self.laggards: set[int] = set()
        """Whoever knows of more than the plan's adds them."""
        self.preempts_in_s: Callable[[Station], float] = lambda _: -math.inf
        """So long it endures an inferior master still."""
        self._plan = plan
        self._stations = stations
        self._lan = lan
        self._nemesis = nemesis
        self._marks = marks
        self._pass = wait
        self._disturb = disturb
        """Something begins that nobody may notice."""

    def quiet(self) -> None:
        """Nothing goes wrong any more: the group agrees within the bound, and then nothing happens."""
        if any(isinstance(station, Node) and station.outlet.failed for station in self._stations):
            # V9, V11: who could tell nobody waits, and it is the longer the oftener.
            self._pass(UNTOLD_LEFT_S)
        if any(isinstance(station, Node) and station.guard and station.guard.worn for station in self._stations):
            # Whose guardians have ended too often starts no more for a while.
            self._pass(GUARDIANS_REST_S)
        for _ in range(2):
            master, refused = self._agree(self._stations), self._refused_of_laggards()
            self.transitions = 0
            if self._disturb:
                self._disturb()
            self._pass(QUIET_INTERVALS * interval_s(master))
            if not self.transitions or self._refused_of_laggards() == refused:
                break
            # It agrees once more where the master's time lags by about the age at which the others refuse, so that the
            # delay decides which of its advertisements are believed.
            self._marks["a master lagged"] += 1
        # V5: no transition in 30 intervals of the master.
        if self.transitions or self._the_master("V5") is not master:
            raise Violation("V5", f"{self.transitions} transitions in the quiet")
        # V6: the LAN believes that the master has the addresses. (A BSD's announcement that was lost is lost.)
        if isinstance(master, Node) and self._lan.believed.get(master.settings.vhid) != master.number:
            raise Violation("V6", f"the switch sends to {self._lan.believed}, the master is node {master.number}")

    def _refused_of_laggards(self) -> int:
        """Advertisements of sealed nodes whose machines were paused, or whose first contact was perhaps held back; in
        the quiet, only a seal loses something."""
        plan = self._plan
        paused = {mishap.node for mishap in plan.mishaps if mishap.fault is Fault.PAUSE}
        lags = {station.number for station in self._stations if plan.hostile or station.number in paused}
        lags |= self.laggards
        return sum(lost for (sender, _), lost in self._lan.lost.items() if plan.seals and sender in lags)

    def _agree(self, among: Sequence[Station]) -> Station:
        # V4: exactly one master, the best if preemptive, within max D + T_best + 2 d + 2 l; a tie costs its extra wait,
        # and a node that sat in a kernel's refusal comes back first.
        refused = any(station.awake and station.state is State.INIT for station in among)
        patience_s = max(map(down_s, among)) + min(map(interval_s, among))
        lost = self._lost()
        self._pass(patience_s + 2 * self._slack_s + self._ties_s(among) + RETRY_S * refused)
        # Who waits to preempt does so at the first advertisement after that, and perhaps after a tie's wait.
        ties_s = max(map(tie_wait_s, among)) + self._slack_s
        self._pass(max(max(map(self.preempts_in_s, among)) + max(map(interval_s, among)) + self._slack_s + ties_s, 0.0))
        # Now only a seal loses something, what a third node's has overtaken, and as in I1 each costs an interval.
        rounds = min(self._lost() - lost, OVERTAKEN_MAX)
        self._pass(rounds * (min(map(interval_s, among)) + self._slack_s))
        master = self._the_master("V4")
        if master.settings.preempt and rank(master) != min(map(rank, among)):
            raise Violation("V4", f"node {master.number} is master, with {master.settings}")
        return master

    def drill(self) -> None:
        """What the plan has for the master, and then one master again."""
        self._marks[f"drill: {self._plan.drill.value}"] += 1
        master = self._the_master("V4")
        others = [station for station in self._stations if station is not master]
        # V2: silence is noticed within D of the best one left, plus d + l; each of three probes may be late.
        silence_s = min(down_s(station) for station in others) + 4 * self._slack_s + self._ties_s(others)
        # Plain CARP takes an advertisement that a later one has overtaken for a new one: none is on its way.
        self._pass(self._until_quiet_s(master))
        match self._plan.drill:
            case Drill.CRASH:
                told_s = self._until_bowed_out_s(master, NOTICED_S, others)
                master.crash()
                self._pass(silence_s if told_s is None else told_s)
                self._somebody("V2" if told_s is None else "V3", others)
            case Drill.STOP:
                self._stop(master, others, silence_s)
            case Drill.CABLE:
                self._nemesis.unplug(master)
                self._pass(silence_s)
                self._somebody("V2", others)
            case Drill.DEMOTE:
                self._demote(master, others)
            case Drill.SPARE_DEMOTED | Drill.BOTH_DEMOTED:
                self._spare_demoted(master, others, silence_s)
            case Drill.STALL if isinstance(master, Node):
                self._stall(master, others)
            case _:
                self._alone(master, others)
        # And then there is one master again, though not where a demoted one's successor is sent away.
        left = [station for station in self._stations if station.awake and station.state is not State.INIT]
        if self._plan.drill is not Drill.DEMOTE or all(isinstance(station, Node) for station in left):
            self._agree(left)

    def _stall(self, master: Node, others: Sequence[Station]) -> None:
        master.stall(down_s(master) * 2)
        asleep_until_s = master.asleep_until_s
        told_s = self._until_bowed_out_s(master, stall_limit_s(master), others)
        if told_s is not None and told_s < down_s(master):
            self._pass(told_s)
            self._somebody("V3", others)
        slowest_s = max(interval_s(station) for station in self._stations)
        settled_s = 5 * self._slack_s + 2 * slowest_s + self._ties_s(self._stations)
        self._pass(asleep_until_s - self._lan.timeline.now + settled_s)
        self._the_master("V4")

    def _until_bowed_out_s(self, master: Station, notices_s: float, others: Sequence[Station]) -> float | None:
        """V3: a guardian hands over within d + l + 10 ms of what it takes to notice."""
        if not isinstance(master, Node) or master.guard is None or not master.guard.alive:
            return None
        return notices_s + GUARDIAN_LATE_S + BOW_OUT_WAIT_S + self._slack_s + self._ties_s(others)

    def _stop(self, master: Station, others: Sequence[Station], silence_s: float) -> None:
        says_so = isinstance(master, Node) or master.bows_out
        master.stop()
        # V3: a bow-out hands over within d + l + 10 ms.
        self._pass(BOW_OUT_WAIT_S + self._slack_s + self._ties_s(others) if says_so else silence_s)
        self._somebody("V3", others)

    def _demote(self, master: Station, others: Sequence[Station]) -> None:
        master.demote(1)
        # V9: a better one takes over after one advertisement. FreeBSD and ucarp see only the raised advskew, and heed
        # it only if they preempt; beside an OpenBSD, which raises none, they send the successor away again.
        self._pass(2 * self._slack_s + self._ties_s(others))
        preempts = master.settings.preempt and rank(master)[1] > min(rank(station)[1] for station in others)
        told = isinstance(master, Node) or master.dialect == "OpenBSD"
        heeds = all(isinstance(station, Node) or station.dialect == "OpenBSD" for station in others)
        if preempts or (told and heeds):
            self._somebody("V9", others)

    def _spare_demoted(self, master: Station, others: Sequence[Station], silence_s: float) -> None:
        """The best spare is unwell: from one who leaves it takes over all the same, and from one who is worse. (The
        BSDs send each other away when one of them is demoted.)"""
        ours = all(isinstance(station, Node) for station in self._stations)
        if ours:
            min(others, key=rank).demote(1)
            self._pass(self._until_quiet_s(master))
        if self._plan.drill is Drill.SPARE_DEMOTED or not ours:
            self._stop(master, others, silence_s)
            return
        master.demote(2)
        self._pass(2 * self._slack_s + self._ties_s(others))
        # V9: the same. (A seal tells no degrees: who is demoted as well need not.)
        if rank(master)[0] > min(rank(station)[0] for station in others):
            self._somebody("V9", others)

    def _alone(self, master: Station, others: Sequence[Station]) -> None:
        for station in others:
            station.crash()
        master.crash()
        self._pass(1.0)
        master.start()
        # V1: a lone healthy node is master within D + l, the probe's answers included.
        self._pass(down_s(master) + 4 * self._slack_s)
        self._somebody("V1", [master])

    def _lost(self) -> int:
        """Advertisements that one station of the group has missed of another; another virtual host's do not count."""
        ours = {station.number for station in self._stations}
        return sum(lost for (sender, _), lost in self._lan.lost.items() if sender in ours)

    # -- helpers -------------------------------------------------------------------------------------------------------

    @property
    def _slack_s(self) -> float:
        """d + l, and a little."""
        return self._plan.weather.delay_s_max + max(lateness_s(station) for station in self._stations) + 1e-3

    def _until_quiet_s(self, master: Station) -> float:
        """Until the master's next advertisement has come and gone."""
        now = master.now if isinstance(master, Node) else self._lan.timeline.now
        return max((master.due_s or 0.0) - now, 0.0) + 2 * self._slack_s

    def _ties_s(self, among: Sequence[Station]) -> float:
        """How long equals among these may go on tying: when they meet all yield, as on FreeBSD, and wait once more.
        In a sealed group the counters decide which one of them does not."""
        decided = all(isinstance(station, Node) and station.way.decided for station in among)
        if decided or len({rank(station)[1] for station in among}) == len(among):
            return 0.0
        # The second tie in a row costs more; tie_wait_s is a fifth of the longest interval.
        again_s = TIED_AGAIN * 5 * max(map(tie_wait_s, among))
        return TIES_MAX * max(down_s(station) + tie_wait_s(station) for station in among) + (TIES_MAX - 1) * again_s

    def _the_master(self, invariant: str) -> Station:
        masters = [station for station in self._stations if station.state is State.MASTER]
        if len(masters) != 1:
            raise Violation(invariant, f"{len(masters)} masters: {[station.number for station in masters]}")
        return masters[0]

    def _somebody(self, invariant: str, among: Sequence[Station]) -> None:
        if not any(station.state is State.MASTER for station in among):
            raise Violation(invariant, f"no master among nodes {[station.number for station in among]}")
