"""What a process does for its clients: it counts, tells, reads, steers and tickles, when it turns."""

from __future__ import annotations

import pytest

from tests.simulation.test_continuity import World
from wsa_proxy.members.cipher import Unread
from wsa_proxy.simulation.carrying import QUEUE_MAX
from wsa_proxy.simulation.carrying import Carriage
from wsa_proxy.simulation.carrying_node import CarryingNode
from wsa_proxy.simulation.clients import client_of
from wsa_proxy.simulation.post import Sheet


@pytest.fixture
def world() -> World:
    return World()


def carriage(node: CarryingNode) -> Carriage:
    assert node.carriage is not None
    return node.carriage


def test_all_know_the_clients_of_the_master(world: World) -> None:
    """A second later, and as they are then."""
    world.run._pass(2.5)
    life = carriage(world.master).carrying._roster.life
    for node in (world.backup, world.other):
        known = carriage(node).carrying._lives.known[life].copy.clients
        assert len(known & world.master.stack.sockets.keys()) > 6


def test_what_a_node_does_not_believe_is_counted(world: World) -> None:
    """A page that does not authenticate, or is no page."""
    pages = carriage(world.backup)
    before = pages.unread.copy()
    pages.receive(Sheet(b"", 0, forged=True))
    pages.receive(Sheet(b"no page", 0))
    assert pages.unread - before == {Unread.BAD_SECRET: 1, Unread.MALFORMED: 1}


def test_while_a_process_stands_still_pages_wait(world: World) -> None:
    """So many as there is room for."""
    pages = carriage(world.backup)
    world.backup.stall(0.5)
    before = pages.unread.total()
    for _ in range(QUEUE_MAX + 10):
        pages.receive(Sheet(b"no page", 0))
    assert pages.unread.total() == before
    world.run._pass(1.0)
    assert pages.unread.total() - before == QUEUE_MAX


def test_own_connections_are_counted_before_others_are_steered(world: World) -> None:
    """Else one that has come here since, when its first SYN was answered elsewhere in vain, would be sent back."""
    world.switch()
    client = next(iter(world.master.stack.sockets))
    assert world.backup.stack.table is not None and client in world.backup.stack.table.targets
    world.backup.stack.steer(None)
    world.backup.stack.sockets[client] = 1_000
    carriage(world.backup).look()
    table = world.backup.stack.table
    assert table is not None and table.targets and client not in table.targets


def test_clients_are_tickled_when_the_addresses_are_announced(world: World) -> None:
    """And not before; nor later, when the node is master no more."""
    pages, life = carriage(world.backup), carriage(world.master).carrying._roster.life
    world.master.crash()
    world.run._pass(0.01)
    pages.takes_over(from_living=False)
    world.run._pass(0.5)
    marks = world.run.checker.marks
    assert marks["tells clients"] == 0
    pages.announced()
    assert marks["tells clients"] == 1 and marks["tickles"] > 6
    pages.left_master()
    known = pages.carrying._lives.known[life]
    known.copy.clients |= {client_of(1)}
    pages.carrying._lives._dead.append(known)
    pages.look()
    assert marks["tells clients"] == 1
