"""The operator moves one node after the other, waits for those who cannot be told, and halts where it is told to."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from wsa_proxy.simulation.mover import Mover
from wsa_proxy.simulation.moving import MovingNode
from wsa_proxy.simulation.plan import draw_moving
from wsa_proxy.simulation.run import Run


class World:
    """Three nodes, and an operator who does all steps."""

    def __init__(self, restarts: float = 0.0) -> None:
        plan = draw_moving(Random(3), 3)
        assert plan.move is not None
        self.move = replace(plan.move, steps=9, begins_s=1.0, every_s=1.0, restarts=restarts, goes_on=True)
        self.run = Run(3, replace(plan, move=self.move, mishaps=()), judged=False)
        self.nodes = [node for node in self.run.nodes if isinstance(node, MovingNode)]
        self.mover = self.run._mover
        assert isinstance(self.mover, Mover)
        self.mover.begin()

    def stages(self) -> list[int]:
        return sorted(self.move.ways.index(node.way) for node in self.nodes)


def test_each_step_is_on_all_nodes_before_the_next_one_begins() -> None:
    world = World()
    seen = set()
    for _ in range(40):
        world.run._pass(0.25)
        stages = world.stages()
        assert stages[-1] - stages[0] <= 1
        seen.add(tuple(stages))
    assert len(seen) == 10 and world.stages() == [3, 3, 3]
    assert world.run.checker.marks[f"a {world.move.name} was completed"] == 1


def test_who_is_dead_has_another_file_and_who_sleeps_is_waited_for() -> None:
    world = World()
    for node in world.nodes[1:]:
        node.start()
    world.nodes[1].stall(20.0)
    world.run._pass(15.0)
    assert world.stages() == [0, 1, 1]
    world.nodes[0].start()
    assert world.nodes[0].group_time is world.nodes[0].times[world.nodes[0].way.secrets[0]]
    world.run._pass(25.0)
    assert world.stages() == [3, 3, 3]


def test_a_restart_is_a_stop_and_a_start_a_little_later() -> None:
    world = World(restarts=1.0)
    for node in world.nodes:
        node.start()
    cores = [node.core for node in world.nodes]
    world.run._pass(20.0)
    assert all(node.core is not None and node.core is not core for node, core in zip(world.nodes, cores, strict=True))
    assert world.run.checker.marks["a step was a restart"] == 9


def test_it_halts_and_goes_on_in_the_quiet_without_restarts() -> None:
    world = World(restarts=1.0)
    for node in world.nodes:
        node.start()
    assert world.mover is not None
    world.mover.halt()
    world.run._pass(20.0)
    assert world.stages() == [0, 0, 0] and not world.mover.mixed
    world.mover.go_on()
    world.run._pass(200.0)
    assert world.stages() == [3, 3, 3]
    assert world.run.checker.marks["a step was a restart"] == 0
