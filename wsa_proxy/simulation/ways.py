"""How a node signs and whom it believes, as its operator has written it, and how a running group is moved.

Each step of a move is done on every node before the next one begins, so that at any time two ways are mixed at most,
which stand next to each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from wsa_proxy.carp.credentials import Security

CARP, SEALED = Security.CARP, Security.SEALED
OLD, NEW = "old", "new"
"""The two secrets of a group."""
STEPS_PER_NODE = 3


@dataclass(frozen=True, slots=True)
class Way:
    """The judges reckon from this, and never ask the node's credentials."""

    security: tuple[Security, ...]
    """The first one signs, all are believed."""
    secrets: tuple[str, ...] = (OLD,)
    """The same."""

    @property
    def signs_sealed(self) -> bool:
        """Then a loser says farewell."""
        return self.security[0] is SEALED

    @property
    def believes_sealed(self) -> bool:
        """Then all copies of one advertisement are one, in whichever IP version they come."""
        return SEALED in self.security

    @property
    def only_sealed(self) -> bool:
        """Then nothing that was captured is believed again."""
        return self.security == (SEALED,)

    @property
    def decided(self) -> bool:
        """Of two advertisements that cross is exactly one believed? Where all counters are of one key."""
        return self.only_sealed and len(self.secrets) == 1


PLAIN_CARP = Way((CARP,))
SEALED_ONLY = Way((SEALED,))
MIGRATION = ((CARP,), (CARP, SEALED), (SEALED, CARP), (SEALED,))
ROTATION = ((OLD,), (OLD, NEW), (NEW, OLD), (NEW,))


@dataclass(frozen=True, slots=True)
class Move:
    """From the first of these ways to the last, node by node; times in seconds."""

    name: str
    ways: tuple[Way, ...]
    steps: int
    """So many of all nodes' steps are done while things go wrong,"""
    begins_s: float
    every_s: float
    """one in each of these times."""
    restarts: float
    """The share of them that are a stop and a start, else the running process is told."""
    goes_on: bool
    """In the quiet, too, where no step may be noticed; else the group stays where it is, mixed or not."""

    @property
    def only_sealed(self) -> bool:
        """On all its ways."""
        return all(way.only_sealed for way in self.ways)


def draw_move(random: Random, nodes: int, faults_s: float, security: tuple[Security, ...] | None = None) -> Move:
    """A secret is rotated, whatever the group's security (``security`` fixes it), or plain CARP is left, or taken up
    again, with one secret or two."""
    name = random.choice(["rotation", "migration", "migration", "return"]) if security is None else "rotation"
    if name == "rotation":
        one = security or random.choice([(SEALED,), (SEALED,), *MIGRATION])
        ways = [Way(one, secrets) for secrets in ROTATION]
    else:
        secrets = random.choice([(OLD,), (OLD,), (OLD, NEW)])
        ways = [Way(each, secrets) for each in MIGRATION]
    if name == "return":
        ways.reverse()
    steps = random.randrange(STEPS_PER_NODE * nodes + 1)
    begins_s = random.uniform(0, faults_s / 2)
    return Move(
        name=name,
        ways=tuple(ways),
        steps=steps,
        begins_s=begins_s,
        every_s=(faults_s - begins_s) / (steps + 1),
        restarts=random.choice([0.0, 0.0, 0.3, 1.0]),
        goes_on=random.random() < 0.6,
    )
