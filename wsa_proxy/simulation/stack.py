"""What a node's kernel does with a client's segment: the hook before it, which may steer it to another node, then TCP.

Of a connection is known who took its SYN, no more: there are no bytes and no windows here. A segment and its answer
take no time, and cables that are out stop them. What the table of the hook says is the product's
(``members/carrying.py``); how the kernel reads it is written from the rules that ``net/steering.py`` installs.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from enum import Enum
from typing import Protocol

from wsa_proxy.simulation.lan import SWITCH
from wsa_proxy.simulation.lan import Lan

HOPS_MAX = 8
"""A segment that has been steered so often goes round in a circle; the judge has seen that long before."""
CLIENTS_MAC = bytes.fromhex("02ff00000000")


def mac_of(number: int) -> bytes:
    """The hardware address of a node's interface."""
    return bytes((2, 0, 0, 0, 0, number))


class Kind(Enum):
    """Of a segment."""

    SYN = "syn"
    DATA = "data"
    """Or an acknowledgement."""
    FIN = "fin"


@dataclass(frozen=True, slots=True)
class Segment:
    """From a client to the virtual IP. ``serial`` is the connection's; only the judge and the model of TCP read it."""

    client: bytes
    kind: Kind
    serial: int
    source: bytes = CLIENTS_MAC
    """The hardware address that it comes from."""
    path: tuple[int, ...] = ()
    """The nodes that have steered it; no kernel can see that."""


class Word(Enum):
    """What a client reads."""

    NOTHING = "nothing"
    ANSWER = "an answer"
    RESET = "a reset"


@dataclass(frozen=True, slots=True)
class Answer:
    """``node`` is whose TCP took the segment, None if nobody's did; ``serial`` the connection that it took it for."""

    word: Word
    node: int | None = None
    serial: int | None = None


class Table(Protocol):
    """What the hook steers, as ``Carrying.steering`` says it."""

    @property
    def targets(self) -> Mapping[bytes, bytes]:
        """By client: the hardware address of the node that has its connection."""

    @property
    def members(self) -> frozenset[bytes]:
        """Hardware addresses from which nothing is steered."""

    @property
    def gap(self) -> bytes:
        """Where a segment goes that begins no connection and belongs to none that began here; empty: nowhere else."""

    @property
    def own(self) -> frozenset[bytes]:
        """Clients whose connections began here before."""


class Host(Protocol):
    """The node."""

    number: int

    @property
    def holds(self) -> bool:
        """Has its kernel the addresses, announced or silently?"""

    @property
    def listens(self) -> bool:
        """Has it a process?"""


class Stack:
    """Of one node."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.sockets: dict[bytes, int] = {}
        """By client: the serial of its connection."""
        self.table: Table | None = None
        self._began: set[bytes] = set()
        """Clients whose SYN has come while the gap was open."""
        self._members: frozenset[bytes] = frozenset()

    def steer(self, table: Table | None) -> None:
        """Brings what is in force to that."""
        self.table, self._members = table, frozenset()
        if table is None:
            self._began.clear()
        else:
            self._members = table.members.union(table.targets.values(), [table.gap])

    def forget(self, client: bytes, serial: int) -> None:
        """This connection was refused by its client."""
        if self.sockets.get(client) == serial:
            del self.sockets[client]

    def end(self) -> None:
        """The process has died, and its sockets and its table with it."""
        self.sockets.clear()
        self.steer(None)

    def steers_to(self, segment: Segment) -> bytes | None:
        """Where the hook sends it; None: TCP gets it."""
        table = self.table
        if table is None or segment.source in self._members:
            return None
        if (target := table.targets.get(segment.client)) is not None:
            return target
        own = segment.kind is Kind.SYN or segment.client in self._began or segment.client in table.own
        return None if own else table.gap or None

    def take(self, segment: Segment) -> Answer:
        """What TCP does with it."""
        client, number, table = segment.client, self.host.number, self.table
        if segment.kind is Kind.SYN and table is not None and table.gap and segment.source not in self._members:
            self._began.add(client)
        if not self.host.holds:
            return Answer(Word.NOTHING)
        if segment.kind is Kind.SYN and self.host.listens:
            # An old socket of this client answers with a challenge, and goes at the reset that this brings.
            self.sockets[client] = segment.serial
        serial = self.sockets.get(client)
        if serial is None:
            return Answer(Word.RESET, number)
        if segment.kind is Kind.FIN:
            del self.sockets[client]
        return Answer(Word.ANSWER, number, serial)


type Steered = Callable[[int, int, Segment], None]
"""A node sends a segment on: which one, to whom, and what."""


class Segments:
    """Carries them on one LAN. ``steered`` is told of each that a node has sent on."""

    def __init__(self, lan: Lan, vhid: int, steered: Steered) -> None:
        self.stacks: dict[int, Stack] = {}
        """By node."""
        self._lan = lan
        self._vhid = vhid
        self._steered = steered

    def send(self, segment: Segment) -> Answer:
        """From its client: to whom the switch and the client's neighbour entry say, and back."""
        entry = self.entry
        if entry is None or (SWITCH, entry) in self._lan.cuts:
            return Answer(Word.NOTHING)
        answer = self.enter(entry, segment)
        if answer.node is not None and not self.reaches_clients(answer.node):
            return replace(answer, word=Word.NOTHING)
        return answer

    @property
    def entry(self) -> int | None:
        """Whom the switch and the clients take for the owner of the addresses."""
        entry = self._lan.believed.get(self._vhid)
        return entry if entry in self.stacks else None

    def reaches_clients(self, number: int) -> bool:
        """Does what this node sends come to them?"""
        return (number, SWITCH) not in self._lan.cuts

    def enter(self, number: int, segment: Segment) -> Answer:
        """At that node."""
        reached, segment = self._steer(number, segment, self._steered)
        return self.stacks[reached].take(segment) if reached is not None else Answer(Word.NOTHING)

    def owner_from(self, number: int, client: bytes, serial: int) -> int | None:
        """Who would answer for this connection if a segment of it came to that node; None: nobody."""
        reached, _ = self._steer(number, Segment(client, Kind.DATA, serial), lambda *_: None)
        if reached is None:
            return None
        stack = self.stacks[reached]
        return reached if stack.host.holds and stack.sockets.get(client) == serial else None

    def _steer(self, number: int, segment: Segment, tell: Steered) -> tuple[int | None, Segment]:
        """To whom it comes in the end, if to anybody, and as what."""
        while (target := self.stacks[number].steers_to(segment)) is not None:
            to, sender = target[-1], number
            tell(sender, to, segment)
            segment = replace(segment, source=mac_of(sender), path=(*segment.path, sender))
            if (sender, to) in self._lan.cuts or to not in self.stacks or len(segment.path) >= HOPS_MAX:
                return None, segment
            number = to
        return number, segment
