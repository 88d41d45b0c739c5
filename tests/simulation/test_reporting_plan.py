"""A run with reports is that of its seed, with more that goes wrong."""

from __future__ import annotations

from wsa_proxy.simulation.plan import OURS
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import plan_of
from wsa_proxy.simulation.reporting_plan import reporting_plan_of
from wsa_proxy.simulation.run import play_reporting


def test_the_plan_is_that_of_the_seed_with_nodes_that_are_ours() -> None:
    """Nobody else sends reports; other runs are what they were."""
    plans = [(plan_of(seed), reporting_plan_of(seed)) for seed in range(100)]
    assert all(usual.reports is None and plan.reports is not None for usual, plan in plans)
    assert all(member.dialect == OURS for _, plan in plans for member in plan.members)
    assert all(usual.weather == plan.weather and usual.drill == plan.drill for usual, plan in plans)
    same = [usual.mishaps == plan.mishaps[: len(usual.mishaps)] for usual, plan in plans if not usual.guarded]
    assert sum(same) > len(same) / 2, "those of unicast peers apart, which foreign ones would not be"


def test_in_some_runs_all_are_unwell_at_the_same_time() -> None:
    """Else a well one follows a sick master as soon as it hears it."""
    ill = [sum(each.fault is Fault.DEMOTE for each in reporting_plan_of(seed).mishaps) for seed in range(100)]
    assert sum(count >= 2 for count in ill) > 10


def test_the_same_seed_tells_the_same_story() -> None:
    """I11."""
    for seed in range(8):
        assert play_reporting(seed) == play_reporting(seed)
    assert play_reporting(1).digest != play_reporting(2).digest
