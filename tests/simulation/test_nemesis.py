"""Every fault and every attack of a plan does something, and all is well after the end."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from wsa_proxy.simulation.hostile import Attack
from wsa_proxy.simulation.nemesis import RELOADED
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Mishap
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run

SEEDS = [seed for seed in range(200) if (plan := draw(Random(seed))).sealed and plan.hostile and len(plan.members) > 2]


def condition(run: Run, node: Node) -> tuple[object, ...]:
    """What a fault may change at once."""
    process = (node.core is None, node.asleep_until_s > run.lan.timeline.now, node.paused, node.link_up)
    kernel = (node.kernel.operation_s, node.kernel.refuses, len(node.outlet.refused), node.outlet.no_way)
    wall_ms = getattr(node, "_wall_wrong_ms", 0.0)
    assert run._hostile is not None
    attacks = (len(run._hostile._until_s), run._hostile.sent, run._hostile._held_from)
    lan = (len(run.lan.cuts), len(run.lan.clogged_until_s), len(run.lan.cut_versions), run.lan.squatters)
    guard = node.guard is not None and node.guard.alive
    return (*process, guard, *kernel, node.demotion, wall_ms, *lan, *attacks)


@pytest.mark.parametrize("fault", [*Fault, *Attack], ids=lambda fault: fault.value)
def test_a_fault_is_done_and_undone(fault: Fault | Attack) -> None:
    run = Run(SEEDS[0], replace(draw(Random(SEEDS[0])), guarded=True))
    node = run.nodes[0]
    for each in run.nodes:
        each.start()
    run._pass(10.0)
    before = condition(run, node)
    run._nemesis._begin(Mishap(0.0, 2.0, fault, 0, 1, 0))
    assert condition(run, node) != before
    run._pass(2.5)
    run._nemesis._end(Mishap(0.0, 2.0, fault, 0, 1, 0))
    run._nemesis.heal()
    run._pass(1.0)
    assert node.guard is not None and node.guard.alive
    assert node.awake and node.link_up and not run.lan.cuts and not node.kernel.refuses and not node.outlet.refused


@pytest.mark.parametrize(
    ("variant", "refused"),
    [(0, {4: 1.0, 6: 1.0}), (4, {4: 0.5, 6: 0.5}), (8, {4: 1.0}), (9, {6: 1.0}), (13, {6: 0.5})],
)
def test_a_host_refuses_all_or_some_in_one_ip_version_or_both(variant: int, refused: dict[int, float]) -> None:
    seed = next(seed for seed in range(200) if draw(Random(seed)).members[0].settings.versions == (4, 6))
    run = Run(seed, draw(Random(seed)))
    run._nemesis._begin(Mishap(0.0, 2.0, Fault.NO_SENDING, 0, 1, variant))
    assert run.nodes[0].outlet.refused == refused


@pytest.mark.parametrize(("variant", "peers"), [(0, {1}), (1, {0, 1, 2})])
def test_no_way_is_to_one_peer_or_to_all(variant: int, peers: set[int]) -> None:
    run = Run(SEEDS[0], draw(Random(SEEDS[0]), 3))
    run._nemesis._begin(Mishap(0.0, 2.0, Fault.NO_WAY, 0, 1, variant))
    assert run.nodes[0].outlet.no_way == peers
    run._nemesis._end(Mishap(0.0, 2.0, Fault.NO_WAY, 0, 1, variant))
    assert not run.nodes[0].outlet.no_way


def test_settings_change_while_things_go_wrong_and_are_the_plans_again_after_it() -> None:
    """What is promised after all faults is promised to the plan's members."""
    run = Run(SEEDS[0], draw(Random(SEEDS[0])))
    for each in run.nodes:
        each.start()
    planned = {node.number: node.settings for node in run.nodes}
    chance = next(Random(seed) for seed in range(100) if Random(seed).random() < RELOADED)
    run._nemesis.reload(chance, 5.0)
    run._pass(5.1)
    changed = [node for node in run.nodes if node.settings != planned[node.number]]
    assert changed and all(node.settings.advbase == planned[node.number].advbase for node in changed)
    run._nemesis.heal()
    run._pass(0.1)
    assert {node.number: node.settings for node in run.nodes} == planned
