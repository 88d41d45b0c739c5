"""What a run consists of, drawn from its seed and nothing else: the hosts, the weather, the faults, the drill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from enum import Enum
from random import Random

from wsa_proxy.carp.election import master_down_s
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Version
from wsa_proxy.simulation.clientele import Clientele
from wsa_proxy.simulation.filters import Reports
from wsa_proxy.simulation.hostile import Attack
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.peers import PEERS
from wsa_proxy.simulation.ways import SEALED
from wsa_proxy.simulation.ways import Move
from wsa_proxy.simulation.ways import draw_move

VHID = 1
OTHER_VHID = 2
FAULTS_S = 30.0
FAULTS_BELOW_S = 15.0
"""Of intervals of some 50 ms: ten times as much happens in a second."""
FAULTS_MAX = 14
STALL_S_MAX = 12.0
HOPELESS_ADVBASES = (3, 4)
"""Beside 1. Of 3 the advskew decides."""
VARIANTS = 4
SEEDS_APART = 10_000
"""Between two seeds lie the numbers of all the sources of chance of a run."""
LATER_PORT = 7_279
"""Of the numbers that are free, one that leaves the seeds alone which show the rarest of the planted bugs."""
GUARDIANS_PORT = 60
"""The next source of chance: which runs have guardians, and what befalls those. The nodes' own are beside it."""
GUARDED_RUNS = 0.5
CALM_PORT = 4_797
"""And one more, chosen as the first was: which nodes wait before they preempt."""
CALM_RUNS = 0.15
CALM_DELAYS_S = (0.0, 0.5, 2.0, 5.0, 10.0)
CALM_DELAYS_MAX_S = (4.0, 20.0)
ALSO_REFUSED = 0.3
"""Of the crashes and stalls there: the kernel does not let the addresses go."""
REFUSED_RUNS = 0.25
REFUSED_S_MAX = 20.0
UNICAST_RUNS = 0.15
ALSO_CUT = 0.4
"""Of those without a way to a peer: the network between is cut, too."""
SKEW_MIXED_MAX = 200
"""Beside another advbase."""
OURS = "wsa-proxy"


class Fault(Enum):
    """What the nemesis does to a node, and for how long; at the end of its time it is undone."""

    CRASH = "crash"
    STOP = "stop"
    STALL = "stall"
    PAUSE = "paused machine"
    CUT = "cut"
    DEAF = "deaf"
    MUTE = "mute"
    ONE_WAY = "one way"
    CLOG = "clog"
    CABLE = "cable out"
    DEMOTE = "demote"
    SLOW_KERNEL = "slow kernel"
    REFUSING_KERNEL = "refusing kernel"
    WALL_STEP = "step of the wall clock"
    POWER = "power off"
    VERSION = "one IP version lost"
    SQUATTER = "a stranger has the addresses"
    NO_SENDING = "its host refuses to send"
    NO_WAY = "no way to its peers"
    GUARDIAN_KILLED = "kill of the guardian"
    GUARDIAN_STALL = "stall of the guardian"
    KILL_ALL = "kill of the process and its guardian"


GUARDIANS_FAULTS = (Fault.GUARDIAN_KILLED, Fault.GUARDIAN_STALL, Fault.KILL_ALL, Fault.CRASH, Fault.STALL)
LATER_FAULTS = frozenset({Fault.NO_SENDING, Fault.NO_WAY, *GUARDIANS_FAULTS[:3]})
"""Drawn when all else has been, from a source of chance of their own: a run without them is what it was before."""


class Drill(Enum):
    """What happens to the master once everything is quiet, with an exact bound."""

    CRASH = "crash"
    STOP = "stop"
    STALL = "stall"
    DEMOTE = "demote"
    CABLE = "cable out"
    ALONE = "alone"
    SPARE_DEMOTED = "stop beside a demoted spare"
    BOTH_DEMOTED = "demote beside a demoted spare"


@dataclass(frozen=True, slots=True)
class Mishap:
    """One fault of one node, or one attack; ``other`` is the peer of a one-way cut or of a clog, ``variant`` which of
    its ways it takes."""

    at_s: float
    duration_s: float
    fault: Fault | Attack
    node: int
    other: int
    variant: int


@dataclass(frozen=True, slots=True)
class Member:
    """One host of the group: ours, or a foreign peer by the name of its system."""

    settings: VirtualHostSettings
    dialect: str = OURS
    peers: Mapping[int, Version] = field(default_factory=dict)
    """Whom it sends to instead of the multicast group, by number, and in which IP version."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run. Times are seconds from its start."""

    members: tuple[Member, ...]
    started_at_s: tuple[float, ...]
    weather: Weather
    lateness_s: float
    """The loop is late by up to this much at every timer."""
    faults_s: float
    """How long things go wrong."""
    mishaps: tuple[Mishap, ...]
    drill: Drill
    sealed: bool
    """The members sign with a sealed counter and believe nothing else, and the attacks go on to the end."""
    bystanders: tuple[Member, ...]
    """Another virtual host on the same LAN, with the same secret and addresses."""
    guarded: bool = False
    """Each of our nodes has a guardian."""
    move: Move | None = None
    """The group changes its secret or its way to sign meanwhile."""
    reports: Reports | None = None
    """The nodes send member reports, and what befalls those."""
    clientele: Clientele | None = None
    """They have clients, and what befalls those."""

    @property
    def versions(self) -> tuple[Version, ...]:
        """Of the addresses. A member with peers may speak fewer."""
        return tuple(sorted({version for member in self.members for version in member.settings.versions}))

    @property
    def seals(self) -> bool:
        """Does anybody sign with a sealed counter at any time?"""
        return self.sealed or (self.move is not None and any(way.believes_sealed for way in self.move.ways))

    @property
    def hostile(self) -> bool:
        """Is there a hostile host on the LAN?"""
        return any(isinstance(mishap.fault, Attack) for mishap in self.mishaps)


def draw(random: Random, nodes: int | None = None, sealed: bool | None = None) -> Plan:
    """A plan; ``nodes`` fixes their number, else two to four; ``sealed`` their way to sign, else chance decides."""
    count = nodes or random.choice([2, 2, 3, 3, 4])
    sealed_by_chance = random.random() < 0.3
    sealed = sealed_by_chance if sealed is None else sealed
    weather, lateness_s = _draw_weather(random), random.choice([0.0, 0.0, 0.002, 0.05])
    members = _draw_members(random, count, sealed)
    below = members[0].settings.advbase == 0
    if below:
        # Intervals of some 50 ms forgive no more than that.
        weather.loss = min(weather.loss, 0.1)
        weather.delay_s_max = min(weather.delay_s_max, 0.001)
        lateness_s = min(lateness_s, 0.002)
    together = random.random() < 0.3
    started_at_s = tuple(0.0 if together else random.uniform(0, 5) for _ in members)
    # A demoted node yields to a healthy one so slow that it counts as timed out, and takes over again: for ever.
    hopeless = any(member.settings.advbase in HOPELESS_ADVBASES for member in members)
    demotes = (Drill.DEMOTE, Drill.SPARE_DEMOTED, Drill.BOTH_DEMOTED)
    drills = [drill for drill in Drill if not (hopeless and drill in demotes)]
    faults_s = FAULTS_BELOW_S if below else FAULTS_S
    plan = Plan(
        members=members,
        started_at_s=started_at_s,
        weather=weather,
        lateness_s=lateness_s,
        faults_s=faults_s,
        mishaps=_draw_mishaps(random, members, started_at_s, faults_s),
        drill=random.choice(drills),
        sealed=sealed,
        bystanders=_draw_bystanders(random, members) if random.random() < 0.06 else (),
    )
    return _with_virtual_mac(plan) if random.random() < 0.3 else plan


def _with_virtual_mac(plan: Plan) -> Plan:
    """All members alike, for so it must be."""

    def changed(members: tuple[Member, ...]) -> tuple[Member, ...]:
        return tuple(replace(each, settings=replace(each.settings, acquires_first=True)) for each in members)

    return replace(plan, members=changed(plan.members), bystanders=changed(plan.bystanders))


def draw_moving(random: Random, nodes: int | None = None) -> Plan:
    """A plan in which the group is moved; a sealed one rotates its secret."""
    plan = draw(random, nodes, sealed=random.random() < 0.3)
    members = tuple(replace(member, dialect=OURS) for member in plan.members)
    move = draw_move(random, len(members), plan.faults_s, (SEALED,) if plan.sealed else None)
    return replace(plan, members=members, move=move, sealed=move.only_sealed, bystanders=())


def plan_of(seed: int, nodes: int | None = None) -> Plan:
    """The plan of a seed."""
    return with_the_rest(draw(Random(seed), nodes), seed)


def moving_plan_of(seed: int, nodes: int | None = None) -> Plan:
    """Another plan of this seed, in which the group is moved."""
    return with_the_rest(draw_moving(Random(seed), nodes), seed)


def with_the_rest(plan: Plan, seed: int) -> Plan:
    """What is drawn later, each from a source of chance of its own."""
    for port, more in ((LATER_PORT, _with_later_faults), (GUARDIANS_PORT, _with_guardians), (CALM_PORT, _with_calm)):
        plan = more(plan, Random(seed * SEEDS_APART + port))
    return plan


def _with_calm(plan: Plan, random: Random) -> Plan:
    """Some of the runs: all preempt there, and ours each after a delay of its own."""
    if random.random() >= CALM_RUNS:
        return plan
    members = []
    for member in plan.members:
        settings = replace(member.settings, preempt=True)
        if member.dialect == OURS:
            delay_s, most_s = random.choice(CALM_DELAYS_S), random.choice(CALM_DELAYS_MAX_S)
            settings = replace(settings, preempt_delay_s=delay_s, preempt_delay_max_s=most_s)
        members.append(replace(member, settings=settings))
    return replace(plan, members=tuple(members))


def _with_guardians(plan: Plan, random: Random) -> Plan:
    """Some of the runs, and in them a few more of what guardians are for."""
    if random.random() >= GUARDED_RUNS:
        return plan
    ours = [number for number, member in enumerate(plan.members) if member.dialect == OURS]
    happens = range(random.choice([0, 1, 2, 4]))
    mishaps = list(plan.mishaps)
    for _ in happens:
        mishap = _draw_later_mishap(random, plan, ours, random.choice(GUARDIANS_FAULTS))
        if mishap.fault in (Fault.CRASH, Fault.STALL) and random.random() < ALSO_REFUSED:
            mishaps.append(replace(mishap, fault=Fault.REFUSING_KERNEL))
        mishaps.append(mishap)
    return replace(plan, guarded=True, mishaps=tuple(mishaps))


def _with_later_faults(plan: Plan, random: Random) -> Plan:
    """Hosts that refuse to send, in some of the runs, most of them the best node's, for a master is worth more; and in
    some the nodes name each other as peers, and may have no way to them."""
    ours = [number for number, member in enumerate(plan.members) if member.dialect == OURS]
    if plan.move is None and len(ours) == len(plan.members) and random.random() < UNICAST_RUNS:
        plan, faults = _with_peers(plan, random), [Fault.NO_WAY, Fault.NO_WAY, Fault.NO_SENDING]
    elif random.random() < REFUSED_RUNS:
        faults = [Fault.NO_SENDING]
    else:
        return plan
    mishaps = list(plan.mishaps)
    for _ in range(random.choice([1, 1, 2, 3])):
        mishap = _draw_later_mishap(random, plan, ours, random.choice(faults))
        mishaps.append(mishap)
        if mishap.fault is Fault.NO_WAY and random.random() < ALSO_CUT:
            mishaps.append(replace(mishap, fault=Fault.CUT))
    return replace(plan, mishaps=tuple(mishaps))


def _draw_later_mishap(random: Random, plan: Plan, ours: list[int], fault: Fault) -> Mishap:
    members = plan.members
    best = min(ours, key=lambda number: patience_s(members[number]))
    node = best if random.random() < 0.5 else random.choice(ours)
    at_s = random.uniform(0, plan.faults_s)
    about_s = random.uniform(0.4, 1.6) * patience_s(members[node])
    lasts_s = random.choice([1.0, 3.0, 10.0, random.uniform(0, REFUSED_S_MAX), about_s])
    other = random.choice([other for other in range(len(members)) if other != node])
    lasts_s = min(lasts_s, plan.faults_s - at_s)
    return Mishap(at_s, lasts_s, fault, node, other, random.randrange(4 * VARIANTS))


def _with_peers(plan: Plan, random: Random) -> Plan:
    """Each names all others; two know each other by one address, of either IP version."""
    numbers, versions = range(len(plan.members)), plan.versions
    pairs = {(one, other): random.choice(versions) for one in numbers for other in numbers if one < other}
    members = []
    for number, member in enumerate(plan.members):
        peers = {other: pairs[min(number, other), max(number, other)] for other in numbers if other != number}
        spoken = tuple(sorted(set(peers.values())))
        members.append(replace(member, settings=replace(member.settings, versions=spoken), peers=peers))
    return replace(plan, members=tuple(members))


def _draw_members(random: Random, count: int, sealed: bool) -> tuple[Member, ...]:
    versions: tuple[Version, ...] = random.choice([(4,), (4,), (6,), (4, 6)])
    preempt = random.random() < 0.6
    # One interval for all is what people have.
    kind = random.choice(["one", "one", "one", "one", "one", "one", "mixed", "mixed", "hopeless", "below", "below"])
    advbases = [random.choice([1, 1, 1, 2])] * count
    skews = [random.choice([0, 0, 55, 100, random.randrange(255)]) for _ in range(count)]
    if kind == "mixed":
        advbases = [random.choice([1, 2]) for _ in range(count)]
        # The patience of who has 1/0 is 3 s: of a master of 2/234, whose advertisements are 2.9 s apart and may be late
        # by the weather's delay and the loop's lateness, it would forgive none.
        skews = [min(skew, SKEW_MIXED_MAX) for skew in skews]
    if kind == "hopeless":
        advbases = [random.choice([1, random.choice(HOPELESS_ADVBASES)]) for _ in range(count)]
        # The interval of one is another's patience only where more than a delay lies between them.
        skews = random.sample([0, 55, 110, 165, 220], count)
    if kind == "below":
        advbases = [0] * count
        fastest = random.choice([13, 26, 64])
        # Equals differ in their waits after a tie by less than such a LAN's delay.
        skews = [fastest + each for each in random.sample(range(5), count)]
    dialects = [OURS] * count
    if kind == "one" and not sealed and random.random() < 0.3:
        # Equals among the BSDs meet for ever, so everybody has a rank of its own.
        skews = random.sample([0, 20, 55, 100, 180, 230], count)
        for number in range(1, random.randrange(2, count + 1)):
            dialects[number] = random.choice([name for name in PEERS if name != "ucarp" or versions == (4,)])
    tie_breaks = random.sample(range(1, 255, 16), count)
    return tuple(
        Member(VirtualHostSettings(VHID, advbase, skew, preempt, versions, tie_break), dialect)
        for advbase, skew, tie_break, dialect in zip(advbases, skews, tie_breaks, dialects, strict=True)
    )


def _draw_bystanders(random: Random, members: tuple[Member, ...]) -> tuple[Member, ...]:
    versions = members[0].settings.versions
    skews = random.sample([0, 9], 2)
    return tuple(Member(VirtualHostSettings(OTHER_VHID, 1, skew, True, versions, 1)) for skew in skews)


def _draw_weather(random: Random) -> Weather:
    """Swarm testing: each kind of weather is absent in most runs, so that the rare ones are seen alone, too."""
    return Weather(
        loss=random.choice([0.0, 0.0, 0.01, 0.1, 0.3]),
        delay_s_max=random.choice([0.0002, 0.001, 0.02, 0.1]),
        duplicates=random.choice([0.0, 0.0, 0.2]),
        reflection=random.choice([0.0, 0.0, 0.2]),
    )


def _draw_mishaps(
    random: Random, members: tuple[Member, ...], started_at_s: tuple[float, ...], faults_s: float
) -> tuple[Mishap, ...]:
    happens: list[Fault | Attack] = [fault for fault in Fault if fault not in LATER_FAULTS]
    if len(members[0].settings.versions) > 1:
        happens += [Fault.VERSION, Fault.VERSION]
    if random.random() < 0.35:
        happens += [*Attack, *Attack]
    mishaps = [_draw_mishap(random, members, happens, faults_s) for _ in range(random.randrange(FAULTS_MAX))]
    return tuple(_when_asked(random, mishap, members, started_at_s) for mishap in mishaps)


def _when_asked(random: Random, mishap: Mishap, members: tuple[Member, ...], started_at_s: tuple[float, ...]) -> Mishap:
    """A stranger matters to who asks for the first time: half of them come then, and are soon gone again."""
    if mishap.fault is not Fault.SQUATTER or random.random() < 0.5:
        return mishap
    asks_at_s = started_at_s[mishap.node] + patience_s(members[mishap.node]) - random.uniform(0, 0.7)
    return replace(mishap, at_s=max(asks_at_s, 0.0), duration_s=random.choice([0.1, 0.3, 0.6, 2.0]))


def patience_s(member: Member) -> float:
    """Its master-down interval."""
    return master_down_s(member.settings.advbase, member.settings.advskew)


def _draw_mishap(random: Random, members: tuple[Member, ...], faults: list[Fault | Attack], faults_s: float) -> Mishap:
    node = random.randrange(len(members))
    at_s = random.uniform(0, faults_s)
    # Often about as long as the node's patience, or half of it: there the rules change.
    about_s = random.uniform(0.4, 1.6) * patience_s(members[node])
    lasts_s = [0.3, 1.0, 2.0, 5.0, random.uniform(0, STALL_S_MAX), about_s]
    return Mishap(
        at_s=at_s,
        duration_s=min(random.choice(lasts_s), faults_s - at_s),
        fault=random.choice(faults),
        node=node,
        other=random.choice([other for other in range(len(members)) if other != node]),
        variant=random.randrange(VARIANTS),
    )
