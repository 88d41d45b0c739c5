"""A plan is drawn from its seed and nothing else, and its faults fit into the time for faults."""

from __future__ import annotations

from random import Random

from wsa_proxy.simulation.hostile import Attack
from wsa_proxy.simulation.plan import Drill
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import draw

PLANS = [draw(Random(seed)) for seed in range(300)]


def test_the_same_seed_draws_the_same_plan() -> None:
    """I11 begins here."""
    assert all(draw(Random(seed)) == plan for seed, plan in enumerate(PLANS))


def test_every_fault_and_every_drill_is_drawn() -> None:
    """A fault that no seed draws would be tested by nobody."""
    assert {mishap.fault for plan in PLANS for mishap in plan.mishaps} == {*Fault, *Attack}
    assert {plan.drill for plan in PLANS} == set(Drill)


def test_faults_end_before_the_quiet() -> None:
    for plan in PLANS:
        for mishap in plan.mishaps:
            assert mishap.at_s + mishap.duration_s <= plan.faults_s + 1e-9
            assert mishap.node != mishap.other


def test_the_nodes_of_a_group_have_waits_of_their_own() -> None:
    """Equals that wait equally long after a tie would tie for ever."""
    for plan in PLANS:
        assert len({member.settings.tie_break for member in plan.members}) == len(plan.members)


def test_the_number_of_nodes_can_be_chosen() -> None:
    assert all(len(draw(Random(seed), 5).members) == 5 for seed in range(20))
