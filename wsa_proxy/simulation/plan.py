"""What a run consists of, drawn from its seed and nothing else: the nodes, the weather, the faults, the drill."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from random import Random

from wsa_proxy.carp.virtual_host import VirtualHostSettings
from wsa_proxy.carp.wire import Version
from wsa_proxy.simulation.lan import Weather

VHID = 1
FAULTS_S = 40.0
FAULTS_MAX = 14
STALL_S_MAX = 12.0


class Fault(Enum):
    """What the nemesis does to a node, and for how long; at the end of its time it is undone."""

    CRASH = "crash"
    STOP = "stop"
    STALL = "stall"
    CUT = "cut"
    DEAF = "deaf"
    MUTE = "mute"
    ONE_WAY = "one way"
    CLOG = "clog"
    DEMOTE = "demote"
    SLOW_KERNEL = "slow kernel"
    REFUSING_KERNEL = "refusing kernel"


class Drill(Enum):
    """What happens to the master once everything is quiet, with an exact bound."""

    CRASH = "crash"
    STOP = "stop"
    STALL = "stall"
    DEMOTE = "demote"
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Mishap:
    """One fault of one node; ``other`` is the peer of a one-way cut or of a clog."""

    at_s: float
    duration_s: float
    fault: Fault
    node: int
    other: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run. Times are seconds from its start."""

    nodes: tuple[VirtualHostSettings, ...]
    started_at_s: tuple[float, ...]
    weather: Weather
    lateness_s: float
    """The loop is late by up to this much at every timer."""
    mishaps: tuple[Mishap, ...]
    drill: Drill


def draw(random: Random, nodes: int | None = None) -> Plan:
    """A plan; ``nodes`` fixes their number, else two to four."""
    count = nodes or random.choice([2, 2, 3, 3, 4])
    versions: tuple[Version, ...] = random.choice([(4,), (4,), (6,), (4, 6)])
    preempt = random.random() < 0.6
    advbase = random.choice([1, 1, 1, 2])
    skews = [random.choice([0, 0, 55, 100, random.randrange(255)]) for _ in range(count)]
    tie_breaks = random.sample(range(1, 255, 16), count)
    settings = tuple(
        VirtualHostSettings(VHID, advbase, skew, preempt, versions, tie_break)
        for skew, tie_break in zip(skews, tie_breaks, strict=True)
    )
    together = random.random() < 0.3
    return Plan(
        nodes=settings,
        started_at_s=tuple(0.0 if together else random.uniform(0, 5) for _ in settings),
        weather=_draw_weather(random),
        lateness_s=random.choice([0.0, 0.0, 0.002, 0.05]),
        mishaps=tuple(_draw_mishap(random, count) for _ in range(random.randrange(FAULTS_MAX))),
        drill=random.choice(list(Drill)),
    )


def _draw_weather(random: Random) -> Weather:
    """Swarm testing: each kind of weather is absent in most runs, so that the rare ones are seen alone, too."""
    return Weather(
        loss=random.choice([0.0, 0.0, 0.01, 0.1, 0.3]),
        delay_s_max=random.choice([0.0002, 0.001, 0.02, 0.1]),
        duplicates=random.choice([0.0, 0.0, 0.2]),
        reflection=random.choice([0.0, 0.0, 0.2]),
    )


def _draw_mishap(random: Random, nodes: int) -> Mishap:
    node = random.randrange(nodes)
    at_s = random.uniform(0, FAULTS_S)
    return Mishap(
        at_s=at_s,
        duration_s=min(random.choice([0.3, 1.0, 2.0, 5.0, random.uniform(0, STALL_S_MAX)]), FAULTS_S - at_s),
        fault=random.choice(list(Fault)),
        node=node,
        other=random.choice([other for other in range(nodes) if other != node]),
    )
