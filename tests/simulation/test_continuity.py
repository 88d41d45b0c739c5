"""The judge of open connections: what a group that carries them well does passes, and each lie is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

import pytest

from tests.simulation.test_journey import DRAIN_S
from tests.simulation.test_journey import plan_of
from wsa_proxy.simulation.carrying_node import CarryingNode
from wsa_proxy.simulation.carrying_node import Keeps
from wsa_proxy.simulation.carrying_node import switch
from wsa_proxy.simulation.carrying_run import CarryingRun
from wsa_proxy.simulation.clientele import Journey
from wsa_proxy.simulation.clients import Connection
from wsa_proxy.simulation.clients import Told
from wsa_proxy.simulation.continuity import Continuity
from wsa_proxy.simulation.stack import Kind
from wsa_proxy.simulation.stack import Segment
from wsa_proxy.simulation.stack import mac_of
from wsa_proxy.simulation.violation import Violation


@dataclass(frozen=True)
class Table:
    """What a node is made to steer."""

    targets: dict[bytes, bytes] = field(default_factory=dict)
    gap: bytes = b""
    members: frozenset[bytes] = frozenset()
    own: frozenset[bytes] = frozenset()


class World:
    """Three nodes with twelve clients: 0 is the master."""

    def __init__(self) -> None:
        self.run = CarryingRun(1, plan_of(Journey.SWITCH))
        self.run._clients.loses = False
        self.run._clients.begin(12)
        for node in self.run.carriers:
            node.start()
        self.run._pass(10.0)
        self.judge: Continuity = self.run._continuity
        self.master, self.backup, self.other = self.run.carriers

    def switch(self) -> None:
        """Node 1 is the master then, and steers."""
        switch(self.run.carriers, self.master)
        self.run._pass(1.0)
        assert self.master.kept is Keeps.SILENT and self.backup.stack.table is not None

    def connection(self, owner: CarryingNode) -> Connection:
        return next(each for each in self.run._clients.connections.values() if each.owner == owner.number)

    def hops(self, connection: Connection, *path: int) -> None:
        """A segment of it goes from the last but one to the last, and has come by the others."""
        *before, sender, to = path
        segment = Segment(connection.client, Kind.DATA, connection.serial, path=tuple(before))
        self.judge.steered(sender, to, segment)


@pytest.fixture
def world() -> World:
    return World()


def named(invariant: str, what: Callable[[], object]) -> None:
    with pytest.raises(Violation) as broken:
        what()
    assert broken.value.invariant == invariant


def test_a_switch_is_no_offence(world: World) -> None:
    """All of it: from one master to the other, until nothing is left."""
    world.judge.promised_until_s = world.run._timeline.now + DRAIN_S
    world.switch()
    world.run._pass(DRAIN_S + 5)
    world.judge.judge_rest()
    assert world.master.kept is Keeps.NOTHING and world.backup.stack.table is None


def test_nobody_steers_what_was_steered_by_a_member_that_it_knows(world: World) -> None:
    """I13: it may not know that member; then nothing may come back to where it was."""
    connection = world.connection(world.master)
    world.hops(connection, 1, 0)
    named("I13", lambda: world.hops(connection, 1, 2, 0))
    world.judge._heard.clear()
    world.hops(connection, 1, 2, 0)
    named("I13", lambda: world.hops(connection, 0, 2, 0))


def test_nobody_steers_what_is_its_own(world: World) -> None:
    """C1: to a node that knows nothing of it. Its own are those that it has the address for."""
    connection = world.connection(world.master)
    named("C1", lambda: world.hops(connection, 0, 1))
    world.master.kernel.end()
    world.hops(connection, 0, 1)


def test_a_connection_is_answered_by_who_has_it(world: World) -> None:
    """C1: unless its SYN was taken twice."""
    connection = world.connection(world.master)
    serial = connection.serial
    world.judge.client_told("answered", (connection, 0, serial))
    world.judge.client_told("answered", (connection, 1, serial))
    named("C1", lambda: world.judge.client_told("answered", (connection, 1, serial + 1)))


def test_who_is_served_is_not_tickled(world: World) -> None:
    """C3: by this node, by one that it steers to, or by one that has just said that it drains."""
    client = next(iter(world.judge.known(0))).client
    named("C3", lambda: world.judge.told(world.master, "tickles", client))
    world.judge.told(world.backup, "tickles", client)
    world.backup.stack.steer(Table(gap=mac_of(0)))
    world.judge.told(world.backup, "tickles", client)
    world.backup.stack.steer(Table({client: mac_of(0)}))
    named("C3", lambda: world.judge.told(world.backup, "tickles", client))
    world.backup.stack.steer(None)
    world.judge._drains_at_s[1, 0] = world.run._timeline.now - 0.4
    world.judge.told(world.backup, "tickles", client)
    world.judge.disturbed = False
    named("C3", lambda: world.judge.told(world.backup, "tickles", client))
    world.judge._drains_at_s[1, 0] -= 0.2
    world.judge.told(world.backup, "tickles", client)


def test_what_was_promised_is_kept(world: World) -> None:
    """C4: until then, and but for those of a node that has died since."""
    told = Told(world.connection(world.master), "was reset", 1)
    world.judge.client_told("told", told)
    world.judge.promised_until_s = world.run._timeline.now + 1
    named("C4", lambda: world.judge.client_told("told", told))
    world.judge.exempt = frozenset({0})
    world.judge.client_told("told", told)
    world.judge.exempt, world.judge.promised_until_s = frozenset(), world.run._timeline.now
    world.judge.client_told("told", told)


def test_those_whom_all_could_know_are_told_of_a_death(world: World) -> None:
    """C4: who has begun just now is not among them, nor who has answered to nobody."""
    known = world.judge.known(0)
    assert 0 < len(known) < 12
    named("C4", lambda: world.judge.judge_ended(known, "after a test"))
    for connection in known:
        world.judge.client_told("unheard", connection)
    world.judge.judge_ended(known, "after a test")


def test_nothing_is_steered_to_who_drains_no_more(world: World) -> None:
    """C2: for longer than it takes to notice. A process that stands still is not judged."""
    world.judge.disturbed = False
    for stands_still in (True, False):
        world.backup.asleep_until_s = world.run._timeline.now + 100 if stands_still else 0.0
        world.backup.stack.table = Table({b"a client": mac_of(2)})
        world.judge.look(None)
        world.run._timeline.now += 4.6
        if stands_still:
            world.judge.look(1)
    named("C2", lambda: world.judge.look(1))
    named("C2", world.judge.judge_rest)
    world.backup.stack.table = Table({b"a client": mac_of(0)})
    world.judge.look(None)


@pytest.mark.parametrize(("kept", "at_most_s", "name"), [(Keeps.SILENT, DRAIN_S, "C2"), (Keeps.ANSWERING, 1.0, "I5")])
def test_nothing_is_kept_for_longer_than_that(world: World, kept: Keeps, at_most_s: float, name: str) -> None:
    """C2 and I5."""
    world.other.kept = kept
    world.judge.look(2)
    world.run._timeline.now += at_most_s
    world.judge.look(2)
    world.run._timeline.now += 0.3
    named(name, lambda: world.judge.look(2))
