"""A node that sends no reports is as it was; one that does is told its deadline when an answer has had its time."""

from __future__ import annotations

import math

from tests.simulation.test_node import World as Alone
from tests.simulation.test_reporting import World
from wsa_proxy.simulation.post import Letter


def test_without_reports_the_deadline_is_the_cores() -> None:
    """Nor does it read any, or know a time."""
    world = Alone()
    node = world.node
    assert node.reporter is None and node._deadline_s() == node.due_s
    node.read_report(Letter(World().reports(0)[-1], 0))
    node.learn_time(1000)
    assert node.time_of_the_group_ms() == 0 and node.unreachable == frozenset()
    node.plug(False)
    assert node.due_s is None and node._deadline_s() == math.inf


def test_with_reports_the_end_of_a_silence_waits_for_an_answer() -> None:
    """A process that stood still asks when it wakes: a third of 0.6 s more."""
    world = World()
    node = world.nodes[1]
    world.nodes[0].crash()
    world.run(4.0)
    world.nodes[0].start()  # so node 1 has held the addresses, and asks nobody else who has them
    world.run(5.0)
    assert world.states() == ["MASTER", "BACKUP"] and node.due_s == node._deadline_s()
    world.nodes[0].crash()
    world.run(1.0)
    node.stall(2.6)
    world.run(2.61)
    assert node.state.name == "BACKUP" and node.due_s is not None and node.due_s < node.now < node._deadline_s()
    world.run(0.2)
    assert node.state.name == "MASTER"


def test_a_host_without_a_way_to_a_peer_has_none_for_its_reports() -> None:
    world = World()
    world.nodes[0].outlet.no_way = frozenset({1})
    assert world.nodes[0].unreachable == {1}
    world.run(0.5)
    world.told.clear()
    world.run(3.0)
    assert not [1 for who, kind, _ in world.told if who == 1 and kind == "a report came"]
