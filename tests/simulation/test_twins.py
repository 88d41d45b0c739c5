"""What must make no difference is left out where it must make none, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Mishap
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.twins import GROUP_TIME_KNOWN_S
from wsa_proxy.simulation.twins import twins

EARLY = Mishap(GROUP_TIME_KNOWN_S - 1, 1.0, Fault.WALL_STEP, 0, 1)
LATE = Mishap(GROUP_TIME_KNOWN_S + 1, 1.0, Fault.WALL_STEP, 1, 0)
POWER = Mishap(5.0, 1.0, Fault.POWER, 0, 1)


def quiet_plan(*mishaps: Mishap, sealed: bool = True) -> Plan:
    return replace(draw(Random(1), 2, sealed), mishaps=mishaps, bystanders=())


def test_only_late_steps_of_sealed_groups_without_a_lost_memory_are_left_out() -> None:
    ((invariant, _, twin),) = twins(quiet_plan(EARLY, LATE))
    assert (invariant, twin.mishaps) == ("I10", (EARLY,))
    for plan in (quiet_plan(EARLY), quiet_plan(LATE, POWER), quiet_plan(LATE, sealed=False)):
        assert not list(twins(plan))


def test_another_virtual_host_is_left_out_unless_a_hostile_host_repeats_it() -> None:
    plans = [draw(Random(seed)) for seed in range(300)]
    found = {(bool(plan.bystanders), plan.hostile): [name for name, _, _ in twins(plan)] for plan in plans}
    assert "I8" in found[True, False]
    assert all("I8" not in names for key, names in found.items() if key != (True, False))


def test_a_run_does_not_change_its_plan() -> None:
    """Else the twin would be played on another LAN."""
    plan = draw(Random(5))
    before = repr(plan)
    Run(5, plan).play()
    assert repr(plan) == before
