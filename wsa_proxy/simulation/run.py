"""One run: faults first, then quiet, in which the group must settle, then one drill with an exact bound."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from ipaddress import ip_address
from random import Random

from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import Signature
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.seal import Seal
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.belief import Belief
from wsa_proxy.simulation.belief import Freshness
from wsa_proxy.simulation.bounds import BOW_OUT_WAIT_S
from wsa_proxy.simulation.bounds import Station
from wsa_proxy.simulation.bounds import down_s
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.bounds import lateness_s
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.bounds import tie_wait_s
from wsa_proxy.simulation.checker import Checker
from wsa_proxy.simulation.hostile import Hostile
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Storm
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.nemesis import Nemesis
from wsa_proxy.simulation.node import RETRY_S
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.peers import PEERS
from wsa_proxy.simulation.peers import Peer
from wsa_proxy.simulation.plan import OURS
from wsa_proxy.simulation.plan import VHID
from wsa_proxy.simulation.plan import Drill
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Member
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.sealed import WALL_MS
from wsa_proxy.simulation.sealed import SealedNode
from wsa_proxy.simulation.sealed import SendFarewell
from wsa_proxy.simulation.twins import twins
from wsa_proxy.simulation.violation import Violation

QUIET_INTERVALS = 30
STORY_LINES_MAX = 20
ADDRESSES = {4: ip_address("10.0.0.3"), 6: ip_address("fd00:77::3")}
KEY = key_from_pass_phrase(b"a secret of the LAN")
SEALED_KEY = b"not the one of plain"
"""Made from the same secret, but not the key of plain CARP, whose counters would all pass for seals."""
OLD_ADVERTISEMENTS = 30
"""Of plain CARP, with the same secret, which a hostile host has kept, and as many sealed ones."""
OLD_MS = 30 * 3_600_000
TIES_MAX = 2  # in a row
BYSTANDERS_FROM = 10  # the ports of another virtual host
HOSTILE_PORT = 20
JUDGES_PORT = 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed. ``violation`` is None when every promise was kept."""

    seed: int
    violation: str | None
    invariant: str | None
    at_s: float
    story: tuple[str, ...]
    digest: str
    """Of all that the stations did: the same seed gives the same one (I11), and so do its twins (I8, I10)."""
    marks: Counter[str]


class Run:
    """A plan's LAN, stations, nemesis and checker; ``seed`` is where all further chance comes from."""

    def __init__(self, seed: int, plan: Plan, tell: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.plan = plan
        self._timeline = Timeline()
        self._began_at_s = self._timeline.now
        self.lan = Lan(self._timeline, self._chance, replace(plan.weather))
        self._hostile = (
            Hostile(HOSTILE_PORT, self.lan, self._chance(HOSTILE_PORT), quick=plan.sealed) if plan.hostile else None
        )
        self.stations = [self._station(number, member) for number, member in enumerate(plan.members)]
        earlier = self._old_advertisements()
        if self._hostile:
            self._hostile.remember(earlier)
        self._bystanders = [
            self._node(BYSTANDERS_FROM + number, member, lambda *_: None)
            for number, member in enumerate(plan.bystanders)
        ]
        self.checker = Checker(self.stations, self.lan, plan.sealed)
        if plan.sealed:
            self._belief: Belief | Freshness = Freshness(self.checker.marks, VHID)
        else:
            self._belief = Belief(JUDGES_PORT, self.lan, earlier, VHID)
        self._nemesis = Nemesis(self.stations, self.lan, self._hostile, self._narrate)
        self._tell = tell
        self._story: deque[tuple[float, str]] = deque(maxlen=STORY_LINES_MAX)
        self._digest = hashlib.sha256()
        self._transitions = 0

    def _chance(self, port: int) -> Random:
        """Everybody's own, so that a host more or less changes nothing for the others."""
        return Random(self.seed * 10_000 + port)

    def _station(self, number: int, member: Member) -> Station:
        if member.dialect == OURS:
            return self._node(number, member, self._hear)
        hashed = [ADDRESSES[version] for version in member.settings.versions]
        signature = Signature(KEY, member.settings.vhid, hashed)
        peer = PEERS[member.dialect]
        return peer(number, member.settings, signature, self.lan, self._chance(100 + number), self._hear_peer)

    def _node(self, number: int, member: Member, hear: Callable[[Node, str, object], None]) -> Node:
        hashed = [ADDRESSES[version] for version in member.settings.versions]
        vhid, chance = member.settings.vhid, self._chance(100 + number)
        signer = Authenticator([KEY], vhid, hashed, chance.getrandbits(64))
        if self.plan.sealed:
            node: Node = SealedNode(
                number, member.settings, Signature(SEALED_KEY, vhid, hashed), self.lan, chance, hear
            )
        else:
            node = Node(number, member.settings, signer, self.lan, chance, hear)
        node.lateness_s = node.lateness_s_max = self.plan.lateness_s
        return node

    def _old_advertisements(self) -> list[Advertised]:
        """From before the group was sealed, or of anybody who uses its pass phrase for plain CARP; sealed ones are of a
        day that no clock takes for today."""
        settings, chance = self.plan.members[0].settings, self._chance(HOSTILE_PORT + 1)
        hashed = [ADDRESSES[version] for version in settings.versions]
        version = settings.versions[0]
        signers = [
            Authenticator([KEY], settings.vhid, hashed, chance.getrandbits(64)) for _ in range(OLD_ADVERTISEMENTS)
        ]
        old = [Advertised(version, signer.sign(1, chance.randrange(200), 0)) for signer in signers]
        if self.plan.sealed:
            signature = Signature(SEALED_KEY, settings.vhid, hashed)
            for _ in range(OLD_ADVERTISEMENTS):
                skew, ms = chance.randrange(200), int(WALL_MS - OLD_MS - chance.randrange(10**7))
                counter = Seal(ms, settings.advbase, skew, False, False, 0).pack()
                said = Advertisement(settings.vhid, settings.advbase, skew, 0, counter, signature.digest(counter))
                old.append(Advertised(version, wire.encode(said)))
        return old

    @property
    def nodes(self) -> list[Node]:
        """Ours among the stations."""
        return [station for station in self.stations if isinstance(station, Node)]

    # -- the run -------------------------------------------------------------------------------------------------------

    def play(self) -> Outcome:
        """The whole run; never raises for a broken promise."""
        violation: Violation | None = None
        try:
            self._faults()
            self._nemesis.heal()
            self._quiet(excused=self.plan.sealed and any(each.fault is Fault.PAUSE for each in self.plan.mishaps))
            self._drill()
        except Violation as broken:
            violation = broken
        except Storm as storm:
            violation = Violation("I9", str(storm))
        return Outcome(
            self.seed,
            str(violation) if violation else None,
            violation.invariant if violation else None,
            self._timeline.now - self._began_at_s,
            tuple(self._line(*told) for told in self._story),
            self._digest.hexdigest(),
            self.checker.marks,
        )

    def _faults(self) -> None:
        for station, at_s in zip(self.stations, self.plan.started_at_s, strict=True):
            self._timeline.at(self._began_at_s + at_s, station.start)
        for bystander in self._bystanders:
            self._timeline.at(self._began_at_s, bystander.start)
        self._nemesis.schedule(self.plan.mishaps)
        self._pass(self.plan.faults_s)

    def _quiet(self, excused: bool) -> None:
        """Nothing goes wrong any more: the group agrees within the bound, and then nothing happens. ``excused`` is a
        group that may have to agree once more: the master's machine was paused, and its clock lags by about the age at
        which the others refuse, so that the delay decides which of its advertisements are believed."""
        master = self._agree(self.stations)
        self._transitions = 0
        self._pass(QUIET_INTERVALS * max(map(interval_s, self.stations)))
        if self._transitions and excused:
            self.checker.marks["a paused machine lagged"] += 1
            return self._quiet(excused=False)
        # V5: no transition in 30 intervals.
        if self._transitions or self._the_master("V5") is not master:
            raise Violation("V5", f"{self._transitions} transitions in the quiet")
        # V6: the LAN believes that the master has the addresses. (A BSD's announcement that was lost is lost.)
        if isinstance(master, Node) and self.lan.believed.get(master.settings.vhid) != master.number:
            raise Violation("V6", f"the switch sends to {self.lan.believed}, the master is node {master.number}")
        return None

    def _agree(self, among: Sequence[Station]) -> Station:
        # V4: exactly one master, the best if preemptive, within max D + T_best + 2 d + 2 l; a tie costs its extra wait,
        # and a node that sat in a kernel's refusal comes back first.
        refused = any(station.awake and station.state is State.INIT for station in among)
        patience_s = max(map(down_s, among)) + min(map(interval_s, among))
        self._pass(patience_s + 2 * self._slack_s + self._ties_s(among) + RETRY_S * refused)
        master = self._the_master("V4")
        if master.settings.preempt and rank(master) != min(map(rank, among)):
            raise Violation("V4", f"node {master.number} is master, with {master.settings}")
        return master

    def _drill(self) -> None:
        self.checker.marks[f"drill: {self.plan.drill.value}"] += 1
        master = self._the_master("V4")
        others = [station for station in self.stations if station is not master]
        # V2: silence is noticed within D of the best one left, plus d + l; each of three probes may be late.
        silence_s = min(down_s(station) for station in others) + 4 * self._slack_s + self._ties_s(others)
        # Plain CARP takes an advertisement that a later one has overtaken for a new one: none is on its way.
        self._pass(self._until_quiet_s(master))
        match self.plan.drill:
            case Drill.CRASH:
                master.crash()
                self._pass(silence_s)
                self._somebody("V2", others)
            case Drill.STOP:
                says_so = isinstance(master, Node) or master.bows_out
                master.stop()
                # V3: a bow-out hands over within d + l + 10 ms.
                self._pass(BOW_OUT_WAIT_S + self._slack_s + self._ties_s(others) if says_so else silence_s)
                self._somebody("V3", others)
            case Drill.CABLE:
                self._nemesis.unplug(master)
                self._pass(silence_s)
                self._somebody("V2", others)
            case Drill.DEMOTE:
                self._demote(master, others)
            case Drill.STALL if isinstance(master, Node):
                master.stall(down_s(master) * 2)
                asleep_until_s = master.asleep_until_s
                slowest_s = max(interval_s(station) for station in self.stations)
                settled_s = 5 * self._slack_s + 2 * slowest_s + self._ties_s(self.stations)
                self._pass(asleep_until_s - self._timeline.now + settled_s)
                self._the_master("V4")
            case _:
                self._alone(master, others)
        # And then there is one master again, though not where a demoted one's successor is sent away.
        left = [station for station in self.stations if station.awake and station.state is not State.INIT]
        if self.plan.drill is not Drill.DEMOTE or all(isinstance(station, Node) for station in left):
            self._agree(left)

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

    def _alone(self, master: Station, others: Sequence[Station]) -> None:
        for station in others:
            station.crash()
        master.crash()
        self._pass(1.0)
        master.start()
        # V1: a lone healthy node is master within D + l, the probe's answers included.
        self._pass(down_s(master) + 4 * self._slack_s)
        self._somebody("V1", [master])

    # -- helpers -------------------------------------------------------------------------------------------------------

    @property
    def _slack_s(self) -> float:
        """d + l, and a little."""
        return self.plan.weather.delay_s_max + max(lateness_s(station) for station in self.stations) + 1e-3

    def _until_quiet_s(self, master: Station) -> float:
        """Until the master's next advertisement has come and gone."""
        now = master.now if isinstance(master, Node) else self._timeline.now
        return max((master.due_s or 0.0) - now, 0.0) + 2 * self._slack_s

    def _ties_s(self, among: Sequence[Station]) -> float:
        """How long equals among these may go on tying: when they meet all yield, as on FreeBSD, and wait once more.
        In a sealed group the counters decide which one of them does not."""
        if self.plan.sealed or len({rank(station)[1] for station in among}) == len(among):
            return 0.0
        return TIES_MAX * max(down_s(station) + tie_wait_s(station) for station in among)

    def _pass(self, duration_s: float) -> None:
        self._timeline.run(self._timeline.now + duration_s, self.checker.look)

    def _the_master(self, invariant: str) -> Station:
        masters = [station for station in self.stations if station.state is State.MASTER]
        if len(masters) != 1:
            raise Violation(invariant, f"{len(masters)} masters: {[station.number for station in masters]}")
        return masters[0]

    def _somebody(self, invariant: str, among: Sequence[Station]) -> None:
        if not any(station.state is State.MASTER for station in among):
            raise Violation(invariant, f"no master among nodes {[station.number for station in among]}")

    # -- the story -----------------------------------------------------------------------------------------------------

    def _hear(self, node: Node, kind: str, what: object) -> None:
        if kind == "event":
            self._say(f"node {node.number}: {type(what).__name__}")
        elif isinstance(what, ReportTransition):
            self._transitions += 1
            line = f"{what.old.name} -> {what.new.name} reason={what.reason} {what.evidence}"
            self._say(f"node {node.number}: {line}")
        elif isinstance(what, SendAdvertisement | SendFarewell):
            says = "says farewell" if isinstance(what, SendFarewell) else "advertises"
            self._say(f"node {node.number}: {says} {what.advbase}/{what.advskew} demotion {what.demotion}")
        self.checker.told(node, kind, what)
        self._belief.told(node, kind, what)

    def _hear_peer(self, peer: Peer, line: str) -> None:
        self._transitions += 1
        self.checker.marks[peer.dialect] += 1
        self._say(f"node {peer.number}: {line}")

    def _say(self, what: str) -> None:
        """What a station did; the plan's own lines are not in the digest."""
        self._digest.update(f"{self._timeline.now} {what}".encode())
        self._narrate(what)

    def _narrate(self, what: str) -> None:
        self._story.append((self._timeline.now, what))
        if self._tell is not None:
            self._tell(self._line(*self._story[-1]))

    def _line(self, at_s: float, what: str) -> str:
        return f"{at_s - self._began_at_s:9.4f} s  {what}"


def play(seed: int, nodes: int | None = None, tell: Callable[[str], None] | None = None) -> Outcome:
    """The run of this seed, with that number of nodes or as many as the seed says, and its twins."""
    plan = draw(Random(seed), nodes)
    outcome = Run(seed, plan, tell).play()
    for invariant, difference, twin in twins(plan):
        if outcome.marks["queue full"]:
            break  # of a process that stands still; all groups of an interface share it
        if outcome.violation is None and Run(seed, twin).play().digest != outcome.digest:
            story = f"{invariant}: another story without {difference}"
            outcome = replace(outcome, invariant=invariant, violation=story)
        outcome.marks[f"compared without {difference}"] += 1
    return outcome
