"""Members that carry connections over, joined by what a network does to datagrams: real ``Carrying`` and ``Roster``,
no node, no LAN. Time passes in steps.

A peer has true connections, as its kernel would know them, and says what a pump says: reports each second, twice a
second while it drains, at once when its state changes; pages when they are due.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from random import Random

from tests.members.clients import ADDRESSES
from tests.members.clients import clients
from wsa_proxy.members.carrying import Carrying
from wsa_proxy.members.carrying import Tickle
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.report import Report
from wsa_proxy.members.report import pack
from wsa_proxy.members.report import unpack
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster

STEP_S = 0.05
DRAIN_S = 20.0

type Datagram = Report | bytes
"""A report, or a page."""


class Peer:
    """One member; a new life each time that it starts."""

    def __init__(self, world: World, name: str, number: int) -> None:
        self.world, self.node, self.number = world, name, number
        self.start()

    def start(self) -> None:
        """A process without a past."""
        self.is_master = self.is_dead = self.is_frozen = self.leaves = False
        self.connections: set[bytes] = set()
        self.tickles: list[Tickle] = []
        self.unread: list[Unread] = []
        self.roster = Roster(self.world.random.randbytes)
        self.carrying = Carrying(self.roster, ADDRESSES)
        self.carrying.mac, self.carrying.steers = bytes((2, 0, 0, 0, 0, self.number)), True
        self._report_at_s = self._count_at_s = self.world.now_s

    @property
    def told(self) -> set[bytes]:
        """To whom it has said that their connections are gone."""
        return {client for tickle in self.tickles for client in tickle.clients}

    @property
    def steers_to(self) -> dict[bytes, str]:
        """By client: the node to which it steers it."""
        steering = self.carrying.steering()
        return {} if steering is None else {one: self.world.node_of(mac) for one, mac in steering.targets.items()}

    @property
    def gap(self) -> str:
        """To whom it steers what it does not know; empty: to nobody."""
        steering = self.carrying.steering()
        return "" if steering is None or not steering.gap else self.world.node_of(steering.gap)

    def say(self) -> None:
        """One report."""
        self._report_at_s = self.world.now_s + (0.5 if self.carrying.drains else 1.0)
        report = Report(
            node=self.node,
            life=self.roster.life,
            number=self.roster.next_number(),
            challenge=self.roster.new_challenge(),
            echoes=self.roster.echoes(self.world.now_s),
            state="master" if self.is_master else "backup",
            leaves=self.leaves,
            interval_s=1.0,
            copies=self.carrying.copies(),
            carry=self.carrying.says(),
        )
        self.world.send(self, unpack(pack(report)))

    def hear(self, datagram: Datagram) -> None:
        now_s = self.world.now_s
        if isinstance(datagram, Report):
            member = self.roster.hear(datagram, 1, datagram.node, now_s)
            if isinstance(member, Member):
                self.carrying.hear(member, now_s)
        elif (reason := self.carrying.hear_page(datagram, now_s)) is not None:
            self.unread.append(reason)

    @property
    def is_due(self) -> bool:
        """Its pump wakes by the clock."""
        times_s = [self._report_at_s, self.carrying.next_step_s(self.world.now_s)]
        if self.is_master:
            times_s.append(self._count_at_s)
        return self.world.now_s >= min(times_s)

    def act(self) -> None:
        """What follows: what a pump asks after each event."""
        now_s, carrying = self.world.now_s, self.carrying
        carrying.step(now_s)
        if carrying.wants_count(now_s) or (self.is_master and now_s >= self._count_at_s):
            self._count_at_s = now_s + 1.0
            carrying.count(frozenset(self.connections), now_s)
            if carrying.drains:
                self.say()
        if carrying.drains and carrying.is_drained(now_s):
            self.connections.clear()
            carrying.end_drain()
            self.say()
        for page in carrying.pages(now_s):
            self.world.send(self, page)
        if now_s >= self._report_at_s:
            self.say()
        if self.is_master and (tickles := carrying.take_tickles()):
            self.tickles += tickles
            self.world.on_tickles(self, {client for tickle in tickles for client in tickle.clients})

    # -- what happens to it --------------------------------------------------------------------------------------------

    def drain(self) -> None:
        self.carrying.drain(self.world.now_s + DRAIN_S, self.world.now_s)
        self.act()

    def take_over(self, *, from_living: bool) -> None:
        self.carrying.takes_over(from_living, self.world.now_s)
        self.is_master = True
        self.say()
        self.act()

    def yield_to_another(self) -> None:
        self.is_master = False
        self.carrying.left_master(self.world.now_s)
        self.carrying.silent(self.world.now_s)
        if not self.carrying.drains:
            self.connections.clear()
        self.say()
        self.act()

    def leave(self) -> None:
        """The end of a process in order."""
        self.leaves = True
        self.say()
        self.is_dead = True


class World:
    """``carries`` answers how late a datagram of this peer arrives at that one, once for each copy; none: it is lost.
    The first peer is master."""

    def __init__(self, seed: int = 0, names: str = "abc") -> None:
        self.random = Random(seed)
        self.now_s = 0.0
        self.carries: Callable[[str, str], Iterable[float]] = lambda sender, receiver: (0.0,)
        self.on_tickles: Callable[[Peer, set[bytes]], None] = lambda peer, told: None
        self.peers: list[Peer] = []
        self._flying: list[tuple[float, Peer, bytes, Datagram]] = []
        self.peers = [Peer(self, name, number + 1) for number, name in enumerate(names)]
        self.run(2.0)
        self.peers[0].take_over(from_living=False)
        self.run(2.0)

    def __getitem__(self, name: str) -> Peer:
        return next(peer for peer in self.peers if peer.node == name)

    def node_of(self, mac: bytes) -> str:
        return self.peers[mac[-1] - 1].node

    def send(self, sender: Peer, datagram: Datagram) -> None:
        for receiver in self.peers:
            if receiver is not sender:
                for late_s in self.carries(sender.node, receiver.node):
                    self._flying.append((self.now_s + late_s, receiver, receiver.roster.life, datagram))

    def deliver(self) -> None:
        """Whatever has arrived by now, and what comes of it. All that waits is read before anything follows from it, as
        a node's pump does: who stood still has not missed what waits."""
        while arrived := [each for each in self._flying if each[0] <= self.now_s and not each[1].is_frozen]:
            self._flying = [each for each in self._flying if each not in arrived]
            reached: dict[str, Peer] = {}
            for _, receiver, life, datagram in sorted(arrived, key=lambda each: each[0]):
                if not receiver.is_dead and receiver.roster.life == life:
                    receiver.hear(datagram)
                    reached[receiver.node] = receiver
            for receiver in reached.values():
                receiver.act()

    def step(self) -> None:
        self.now_s += STEP_S
        self.deliver()
        for peer in self.peers:
            if not peer.is_dead and not peer.is_frozen and peer.is_due:
                peer.act()
        self.deliver()

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.step()

    def switch(self, old: str, new: str) -> None:
        """As it was planned: the word first, then the one takes over, and the other falls silent."""
        self[old].drain()
        self[old].say()
        self.deliver()
        self[new].take_over(from_living=True)
        self.deliver()
        self[old].yield_to_another()
        self.deliver()

    def crash(self, name: str) -> None:
        self[name].is_dead, self[name].is_master = True, False


def served(world: World, name: str, first: int, last: int) -> frozenset[bytes]:
    """The master has these clients, and all know it."""
    given = clients(first, last)
    world[name].connections = set(given)
    world.run(2.5)
    return given


def to(name: str, whose: Iterable[bytes]) -> dict[bytes, str]:
    """As ``Peer.steers_to`` has it."""
    return dict.fromkeys(whose, name)
