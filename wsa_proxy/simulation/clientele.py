"""What befalls a group with clients: how many there are, how long a node may drain, and who is moved when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random

CLIENTS = (6, 12, 20)
DRAINS_S = (3.0, 6.0, 12.0)
SECOND_S_MIN = 0.2
MOVES_MAX = 5
STOPS = 0.4
"""Of the moves; the others are switches."""


class Journey(Enum):
    """What happens to the clients of the master once everything is quiet."""

    SWITCH = "a switch"
    STOP = "a stop"
    BACK = "a switch, and back"
    FURTHER = "two switches in a row"
    CRASH = "a crash"
    FREEZE = "a master that freezes"
    OLD_DIES = "a switch, and the old node dies while it drains"
    NEW_DIES = "a switch, and the new node dies while it steers"


@dataclass(frozen=True, slots=True)
class Ordered:
    """An operator has whoever is the master then switched away, or stops it for a while. Seconds from the start."""

    at_s: float
    stops_for_s: float | None


@dataclass(frozen=True, slots=True)
class Clientele:
    """All of a run."""

    count: int
    drain_s: float
    """``drain_timeout``."""
    orders: Sequence[Ordered]
    journey: Journey
    second_s: float
    """After the first thing of the journey comes the second one, if it has two."""


def draw_clientele(random: Random, faults_s: float) -> Clientele:
    """Of a run whose faults last so long."""
    orders = []
    for _ in range(random.randrange(MOVES_MAX)):
        stops_for_s = random.uniform(0.5, 8) if random.random() < STOPS else None
        orders.append(Ordered(random.uniform(3, faults_s), stops_for_s))
    drain_s = random.choice(DRAINS_S)
    second_s = random.uniform(SECOND_S_MIN, drain_s)
    return Clientele(random.choice(CLIENTS), drain_s, tuple(orders), random.choice(list(Journey)), second_s)
