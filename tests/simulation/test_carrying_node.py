"""A node with clients: the three states of its addresses, and how it leaves."""

from __future__ import annotations

import pytest

from tests.simulation.test_continuity import World
from tests.simulation.test_journey import DRAIN_S
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import Stopped
from wsa_proxy.simulation.carrying_node import AWAY_S
from wsa_proxy.simulation.carrying_node import SUCCESSOR_S
from wsa_proxy.simulation.carrying_node import TOLD_S
from wsa_proxy.simulation.carrying_node import CarryingNode
from wsa_proxy.simulation.carrying_node import Keeps
from wsa_proxy.simulation.carrying_node import switch


@pytest.fixture
def world() -> World:
    return World()


def states(node: CarryingNode) -> tuple[State, Keeps, bool]:
    """Of its core, and of its addresses; and whether it has them."""
    return node.state, node.kept, node.holds


def test_a_stop_waits_until_the_connections_have_ended(world: World) -> None:
    """Announced until the successor is heard, then silent, then absent, and the process is gone. One that is to start
    again meanwhile does so afterwards."""
    node = world.master
    node.stop()
    world.run._pass(TOLD_S - 0.01)
    assert states(node) == (State.MASTER, Keeps.NOTHING, True)
    world.run._pass(0.0102)
    assert states(node) == (State.INIT, Keeps.ANSWERING, True)
    world.run._pass(0.1)
    assert states(node) == (State.INIT, Keeps.SILENT, True) and world.backup.state is State.MASTER
    node.start()
    assert node.departs
    world.run._pass(DRAIN_S)
    assert states(node) == (State.BACKUP, Keeps.NOTHING, False) and not node.departs


def test_nobody_follows_and_the_stop_goes_on(world: World) -> None:
    """It waits for a while."""
    for other in (world.backup, world.other):
        other.crash()
    world.master.stop()
    world.run._pass(TOLD_S + SUCCESSOR_S - 0.3)
    assert states(world.master) == (State.INIT, Keeps.ANSWERING, True)
    world.run._pass(0.6)
    assert states(world.master) == (State.INIT, Keeps.NOTHING, False)
    assert world.master.core is None and not world.master.stack.sockets


def test_a_switch_is_taken_back_if_nobody_follows(world: World) -> None:
    """All are unwell."""
    for node in (world.backup, world.other):
        node.demote(1)
    world.master.demote(0)
    world.master.switch_away()
    world.run._pass(TOLD_S + 0.1)
    carriage = world.master.carriage
    assert carriage is not None and carriage.carrying.drains and world.master.health == 1
    world.run._pass(SUCCESSOR_S)
    assert world.master.state is State.MASTER and world.master.health == 0 and not carriage.carrying.drains


def test_those_who_are_not_meant_abstain_for_a_while(world: World) -> None:
    """The best backup follows."""
    switch(world.run.carriers, world.master)
    assert (world.backup.health, world.other.health) == (0, 1)
    world.run._pass(1.0)
    assert world.backup.state is State.MASTER and world.master.kept is Keeps.SILENT
    world.run._pass(AWAY_S)
    assert world.other.health == world.master.health == 0


def test_whatever_else_ends_a_master_ends_its_connections(world: World) -> None:
    """While it has the addresses, so that their clients are told."""
    owned = [each for each in world.run._clients.connections.values() if each.owner == 0]
    world.master.handle(Stopped("the kernel refused"))
    assert world.master.kept is Keeps.NOTHING and not world.master.holds and not world.master.stack.sockets
    assert owned and not any(each.is_open for each in owned)


def test_what_cannot_be_kept_ends(world: World) -> None:
    """The kernel refuses to hold it silently, or the lease has ended."""
    world.switch()
    world.master.kernel.end()
    world.run._pass(0.3)
    assert world.master.kept is Keeps.NOTHING and not world.master.stack.sockets
    world.backup.kernel.refuses = True
    switch(world.run.carriers, world.backup)
    world.run._pass(TOLD_S + 0.05)
    assert world.backup.state is not State.MASTER and world.backup.kept is Keeps.NOTHING


def test_a_dead_process_has_no_sockets_and_steers_nothing(world: World) -> None:
    """Its kernel may have the addresses yet."""
    world.switch()
    for node in (world.master, world.backup):
        node.crash()
        assert not node.stack.sockets and node.stack.table is None and node.carriage is None
        assert node.kept is Keeps.NOTHING and node.holds and not node.listens
