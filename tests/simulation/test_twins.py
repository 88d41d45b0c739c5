"""What must make no difference is left out where it must make none, and nothing else is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Mishap
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.sealed import SealedNode
from wsa_proxy.simulation.twins import twins

STEP = Mishap(21.0, 1.0, Fault.WALL_STEP, 1, 0, 0)
CRASH = Mishap(3.0, 1.0, Fault.CRASH, 0, 1, 0)
POWER = Mishap(5.0, 1.0, Fault.POWER, 0, 1, 0)


def quiet_plan(*mishaps: Mishap, sealed: bool = True) -> Plan:
    return replace(draw(Random(1), 2, sealed), mishaps=mishaps, bystanders=())


def test_only_steps_of_sealed_groups_without_a_lost_memory_are_left_out() -> None:
    ((invariant, _, twin),) = twins(quiet_plan(CRASH, STEP), Counter())
    assert (invariant, twin.mishaps) == ("I10", (CRASH,))
    for plan in (quiet_plan(CRASH), quiet_plan(STEP, POWER), quiet_plan(STEP, sealed=False)):
        assert not list(twins(plan, Counter()))


def test_nothing_is_compared_after_a_step_too_early_or_a_full_queue() -> None:
    plan = quiet_plan(STEP)
    assert not list(twins(plan, Counter({"queue full": 1})))
    run = Run(1, plan)
    (node, _) = run.nodes
    assert isinstance(node, SealedNode)
    node.step_wall()
    assert not list(twins(plan, run.checker.marks))
    run = Run(1, plan)
    (node, _) = run.nodes
    assert isinstance(node, SealedNode)
    node.start()
    run._pass(30.0)
    node.step_wall()
    assert list(twins(plan, run.checker.marks))


def test_another_virtual_host_is_left_out_unless_a_hostile_host_repeats_it() -> None:
    plans = [draw(Random(seed)) for seed in range(300)]
    found = {(bool(plan.bystanders), plan.hostile): [name for name, _, _ in twins(plan, Counter())] for plan in plans}
    assert "I8" in found[True, False]
    assert all("I8" not in names for key, names in found.items() if key != (True, False))


def test_a_run_does_not_change_its_plan() -> None:
    """Else the twin would be played on another LAN."""
    plan = draw(Random(5))
    before = repr(plan)
    Run(5, plan).play()
    assert repr(plan) == before
