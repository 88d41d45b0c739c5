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
from typing import Any

from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import Signature
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.commands import Advertising
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.seal import Seal
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.belief import Belief
from wsa_proxy.simulation.belief import Freshness
from wsa_proxy.simulation.bounds import Station
from wsa_proxy.simulation.checker import Checker
from wsa_proxy.simulation.filtered import FilteredSettling
from wsa_proxy.simulation.filters import Filters
from wsa_proxy.simulation.filters import Reports
from wsa_proxy.simulation.hostile import Hostile
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Storm
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.mover import Mover
from wsa_proxy.simulation.moving import Keys
from wsa_proxy.simulation.moving import MovingNode
from wsa_proxy.simulation.nemesis import Nemesis
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.peers import PEERS
from wsa_proxy.simulation.peers import Peer
from wsa_proxy.simulation.plan import GUARDIANS_PORT
from wsa_proxy.simulation.plan import OURS
from wsa_proxy.simulation.plan import SEEDS_APART
from wsa_proxy.simulation.plan import VHID
from wsa_proxy.simulation.plan import Member
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.plan import moving_plan_of
from wsa_proxy.simulation.plan import plan_of
from wsa_proxy.simulation.post import Post
from wsa_proxy.simulation.reporting_plan import REPORTS_PORT
from wsa_proxy.simulation.reporting_plan import reporting_plan_of
from wsa_proxy.simulation.sealed import WALL_MS
from wsa_proxy.simulation.sealed import SealedNode
from wsa_proxy.simulation.settling import Settling
from wsa_proxy.simulation.testimony import ReportsJudge
from wsa_proxy.simulation.trust import Trust
from wsa_proxy.simulation.twins import twins
from wsa_proxy.simulation.violation import Violation
from wsa_proxy.simulation.ways import NEW
from wsa_proxy.simulation.ways import OLD

STORY_LINES_MAX = 20
ADDRESSES = {4: ip_address("10.0.0.3"), 6: ip_address("fd00:77::3")}
PEER_ADDRESSES = {4: "10.0.0.10{}", 6: "fd00:77::10{}"}
KEY = key_from_pass_phrase(b"a secret of the LAN")
SEALED_KEY = b"not the one of plain"
"""Made from the same secret, but not the key of plain CARP, whose counters would all pass for seals."""
NEW_KEYS = Keys(key_from_pass_phrase(b"a new secret"), b"of the new secret")
OLD_ADVERTISEMENTS = 30
"""Of plain CARP, with the same secret, which a hostile host has kept, and as many sealed ones."""
OLD_MS = 30 * 3_600_000
BYSTANDERS_FROM = 10  # the ports of another virtual host
HOSTILE_PORT = 20
JUDGES_PORT = 30
OPERATORS_PORT = 40
RELOADS_PORT = 41


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
    """A plan's LAN, stations, nemesis and checker; ``seed`` is where all further chance comes from. One that is not
    ``judged`` only tells what happens."""

    NODES: tuple[type[Node], type[SealedNode]] = Node, SealedNode
    """What ours are, in a group of plain CARP and in a sealed one."""
    SETTLING = FilteredSettling
    """How the group settles, if its nodes send reports."""

    def __init__(self, seed: int, plan: Plan, tell: Callable[[str], None] | None = None, judged: bool = True) -> None:
        self.seed = seed
        self.plan = plan
        self._judged = judged
        self._timeline = Timeline()
        self._began_at_s = self._timeline.now
        self.lan = Lan(self._timeline, self._chance, replace(plan.weather))
        self._hostile = (
            Hostile(HOSTILE_PORT, self.lan, self._chance(HOSTILE_PORT), quick=plan.sealed) if plan.hostile else None
        )
        self.stations = [self._station(number, member) for number, member in enumerate(plan.members)]
        earlier = self._old_advertisements() if self._hostile else []
        if self._hostile:
            self._hostile.remember(earlier)
        self._bystanders = [
            self._node(BYSTANDERS_FROM + number, member, lambda *_: None)
            for number, member in enumerate(plan.bystanders)
        ]
        self.checker = Checker(self.stations, self.lan, plan.seals)
        self._belief = self._judge_of_belief(earlier)
        self._nemesis = Nemesis(self.stations, self.lan, self._hostile, self._narrate)
        marks, movers = self.checker.marks, [node for node in self.nodes if isinstance(node, MovingNode)]
        chance = self._chance(OPERATORS_PORT)
        self._mover = Mover(plan.move, movers, self.lan, chance, self._narrate, marks) if plan.move else None
        disturb = self._mover.go_on if self._mover else None
        settling = self.SETTLING if plan.reports else Settling
        self._settling = settling(plan, self.stations, self.lan, self._nemesis, marks, self._pass, disturb)
        self._filters: Filters | None = None
        self._testimony: ReportsJudge | None = None
        if plan.reports:
            self._report(plan.reports)
        self._settling.preempts_in_s = self.checker.preempts_in_s
        if self._mover:
            self._settling.laggards = self._mover.laggards
        self._tell = tell
        self._story: deque[tuple[float, str]] = deque(maxlen=STORY_LINES_MAX)
        self._done: list[str] = []

    def _chance(self, port: int) -> Random:
        """Everybody's own, so that a host more or less changes nothing for the others."""
        return Random(self.seed * SEEDS_APART + port)

    def _station(self, number: int, member: Member) -> Station:
        if member.dialect == OURS:
            return self._node(number, member, self._hear)
        hashed = [ADDRESSES[version] for version in member.settings.versions]
        signature = Signature(KEY, member.settings.vhid, hashed)
        peer = PEERS[member.dialect]
        return peer(number, member.settings, signature, self.lan, self._chance(100 + number), self._hear_peer)

    def _node(self, number: int, member: Member, hear: Callable[[Node, str, object], None]) -> Node:
        hashed = [ADDRESSES[version] for version in self.plan.versions]
        vhid, chance = member.settings.vhid, self._chance(100 + number)
        counter = chance.getrandbits(64)
        # Those of another virtual host have none: they are of the process that has the others, too.
        guarded = self.plan.guarded and number < BYSTANDERS_FROM
        guardians = self._chance(GUARDIANS_PORT + 1 + number) if guarded else None
        peers = [ip_address(PEER_ADDRESSES[version].format(peer)) for peer, version in member.peers.items()]
        signer = Authenticator([KEY], vhid, hashed, counter, peers=peers)
        if self.plan.move:
            keys, way = {OLD: Keys(KEY, SEALED_KEY), NEW: NEW_KEYS}, self.plan.move.ways[0]
            node: Node = MovingNode(
                number, member.settings, keys, counter, way, hashed, self.lan, chance, hear, guardians
            )
        elif self.plan.sealed:
            keys_of = (signer, SEALED_KEY, hashed)
            node = self.NODES[1](number, member.settings, *keys_of, self.lan, chance, hear, member.peers, guardians)
        else:
            node = self.NODES[0](number, member.settings, signer, self.lan, chance, hear, member.peers, guardians)
        node.lateness_s = node.lateness_s_max = self.plan.lateness_s
        return node

    def _report(self, reports: Reports) -> None:
        """All nodes send member reports from now on."""
        post = Post(self.lan, self._chance(REPORTS_PORT + 1))
        self._filters = Filters(reports, self.lan, post, self._chance(REPORTS_PORT + 2), self._narrate)
        self._testimony = ReportsJudge(self.nodes, self.checker.memories, post, self.checker.marks)
        assert isinstance(self._settling, FilteredSettling)
        self._settling.post = post
        self.checker.marks.update(f"drawn: {each.what.value}" for each in reports.filters)
        for node in self.nodes:
            node.post, node.reports_chance = post, self._chance(REPORTS_PORT + 3 + node.number)
            post.attach(node.number, node.read_report)

    def _judge_of_belief(self, earlier: Sequence[Advertised]) -> Belief | Freshness | Trust:
        if self.plan.move:
            return Trust(self.checker.marks, VHID, earlier[:OLD_ADVERTISEMENTS], earlier[OLD_ADVERTISEMENTS:])
        if self.plan.sealed:
            return Freshness(self.checker.marks, VHID)
        return Belief(JUDGES_PORT, self.lan, earlier, VHID)

    def _old_advertisements(self) -> list[Advertised]:
        """From before the group was sealed, or of anybody who uses its pass phrase for plain CARP; sealed ones are of a
        day that no clock takes for today."""
        settings, chance = self.plan.members[0].settings, self._chance(HOSTILE_PORT + 1)
        hashed = [ADDRESSES[version] for version in self.plan.versions]
        version = settings.versions[0]
        said, signature = [], Signature(KEY, settings.vhid, hashed)
        for counter in [chance.getrandbits(64) for _ in range(OLD_ADVERTISEMENTS)]:
            digest = signature.digest(counter)
            said.append(Advertisement(settings.vhid, 1, chance.randrange(200), 0, counter, digest))
        signature = Signature(SEALED_KEY, settings.vhid, hashed)
        for _ in range(OLD_ADVERTISEMENTS if self.plan.seals else 0):
            skew, ms = chance.randrange(200), int(WALL_MS - OLD_MS - chance.randrange(10**7))
            counter = Seal(ms, settings.advbase, skew, False, False, 0).pack()
            digest = signature.digest(counter)
            said.append(Advertisement(settings.vhid, settings.advbase, skew, 0, counter, digest))
        return [Advertised(version, wire.encode(each)) for each in said]

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
            if self._filters:
                self._filters.heal()
            self._halt_mover()
            self._settling.quiet()
            self._halt_mover()
            self._settling.drill()
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
            hashlib.sha256("\n".join(self._done).encode()).hexdigest(),
            self.checker.marks,
        )

    def _faults(self) -> None:
        for station, at_s in zip(self.stations, self.plan.started_at_s, strict=True):
            self._timeline.at(self._began_at_s + at_s, station.start)
        for bystander in self._bystanders:
            self._timeline.at(self._began_at_s, bystander.start)
        self._nemesis.schedule(self.plan.mishaps, for_ever=self.plan.sealed)
        self._nemesis.reload(self._chance(RELOADS_PORT), self.plan.faults_s)
        if self._filters:
            self._filters.begin()
        if self._mover:
            self._mover.begin()
        self._pass(self.plan.faults_s)

    def _halt_mover(self) -> None:
        """Takeovers have exact bounds, in a mixed group as well."""
        if self._mover:
            self._mover.halt()

    def _pass(self, duration_s: float) -> None:
        self._timeline.run(self._timeline.now + duration_s, self._look if self._judged else lambda: None)

    def _look(self) -> None:
        self.checker.look()
        if self._testimony:
            self._testimony.look(self._timeline.whose)

    # -- the story -----------------------------------------------------------------------------------------------------

    def _hear(self, node: Node, kind: str, what: object) -> None:
        if put_in_words := _WORDS.get(kind):
            if kind == "transition":
                self._transition(node, what)
            self._say(f"node {node.number}: {put_in_words(what)}")
        if self._judged:
            self.checker.told(node, kind, what)
            if kind in self._belief.LISTENS:
                self._belief.told(node, kind, what)
            if self._testimony and kind in self._testimony.LISTENS:
                self._testimony.told(node, kind, what)
        else:
            self.checker.follow(node, kind, what)

    def _transition(self, node: Node, report: Any) -> None:
        self._settling.transitions += 1
        if report.new is State.MASTER and self._mover and self._mover.mixed:
            self.checker.marks["a takeover in a mixed group"] += 1

    def _hear_peer(self, peer: Peer, line: str) -> None:
        self._settling.transitions += 1
        self.checker.marks[peer.dialect] += 1
        self._say(f"node {peer.number}: {line}")

    def _say(self, what: str) -> None:
        """What a station did; the plan's own lines are not in the digest."""
        now = self._timeline.now
        self._done.append(f"{now} {what}")
        self._story.append((now, what))
        if self._tell is not None:
            self._tell(self._line(now, what))

    def _narrate(self, what: str) -> None:
        self._story.append((self._timeline.now, what))
        if self._tell is not None:
            self._tell(self._line(*self._story[-1]))

    def _line(self, at_s: float, what: str) -> str:
        return f"{at_s - self._began_at_s:9.4f} s  {what}"


def _transition_in_words(report: ReportTransition) -> str:
    return f"{report.old.name} -> {report.new.name} reason={report.reason} {report.evidence}"


def _rank_in_words(command: Advertising) -> str:
    return f"{command.advbase}/{command.advskew} demotion {command.demotion}"


_WORDS: dict[str, Callable[[Any], str]] = {
    "event": lambda event: type(event).__name__,
    "transition": _transition_in_words,
    "advertisement": lambda command: f"advertises {_rank_in_words(command)}",
    "farewell": lambda command: f"says farewell {_rank_in_words(command)}",
    "fence": lambda bowed_out: f"its guardian takes the addresses, and {'bows out' if bowed_out else 'is silent'}",
    "fenced": lambda _: "reads that it was fenced",
    "a guardian was replaced": lambda _: "starts another guardian",
    "asks": lambda _: "asks the owner of the addresses",
    "answered": lambda report: f"is answered by {report.node}",
}
"""What of a node's story is told, by its kind."""


def play(seed: int, nodes: int | None = None, tell: Callable[[str], None] | None = None) -> Outcome:
    """The run of this seed, with that number of nodes or as many as the seed says, and its twins."""
    plan = plan_of(seed, nodes)
    outcome = Run(seed, plan, tell).play()
    for invariant, difference, twin in twins(plan, outcome.marks):
        if outcome.violation is None and Run(seed, twin, judged=False).play().digest != outcome.digest:
            story = f"{invariant}: another story without {difference}"
            outcome = replace(outcome, invariant=invariant, violation=story)
        outcome.marks[f"compared without {difference}"] += 1
    return outcome


def play_reporting(seed: int, nodes: int | None = None, tell: Callable[[str], None] | None = None) -> Outcome:
    """Another run of this seed, in which the nodes send member reports."""
    return Run(seed, reporting_plan_of(seed, nodes), tell).play()


def play_moving(seed: int, nodes: int | None = None, tell: Callable[[str], None] | None = None) -> Outcome:
    """Another run of this seed, in which the group is moved to another secret or another way to sign."""
    return Run(seed, moving_plan_of(seed, nodes), tell).play()
