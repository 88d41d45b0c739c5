"""A plan is drawn from its seed and nothing else, and its faults fit into the time for faults."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from wsa_proxy.simulation.hostile import Attack
from wsa_proxy.simulation.plan import GUARDIANS_FAULTS
from wsa_proxy.simulation.plan import LATER_FAULTS
from wsa_proxy.simulation.plan import Drill
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.plan import draw_moving
from wsa_proxy.simulation.plan import moving_plan_of
from wsa_proxy.simulation.plan import plan_of

PLANS = [draw(Random(seed)) for seed in range(300)]


def is_calm(plan: Plan) -> bool:
    """It has been told how its nodes preempt."""
    return any(member.settings.preempt_delay_max_s != 60.0 for member in plan.members)


def test_the_same_seed_draws_the_same_plan() -> None:
    """I11 begins here."""
    assert all(draw(Random(seed)) == plan for seed, plan in enumerate(PLANS))


def test_every_fault_and_every_drill_is_drawn() -> None:
    """A fault that no seed draws would be tested by nobody."""
    assert {mishap.fault for plan in PLANS for mishap in plan.mishaps} == {*Fault, *Attack} - LATER_FAULTS
    assert {mishap.fault for seed in range(300) for mishap in plan_of(seed).mishaps} > LATER_FAULTS
    assert {plan.drill for plan in PLANS} == set(Drill)


def test_what_is_drawn_later_changes_nothing_that_was_drawn() -> None:
    """Most runs are what they were without it, and the others begin alike."""
    plans = [plan_of(seed) for seed in range(300)]
    assert plans == [plan_of(seed) for seed in range(300)]
    assert 70 < sum(later == plan for later, plan in zip(plans, PLANS, strict=True)) < 120
    for later, plan in zip(plans, PLANS, strict=True):
        assert later.mishaps[: len(plan.mishaps)] == plan.mishaps
        assert {mishap.fault for mishap in later.mishaps[len(plan.mishaps) :]} <= {
            *LATER_FAULTS,
            *GUARDIANS_FAULTS,
            Fault.REFUSING_KERNEL,
            Fault.CUT,
        }
        if not later.members[0].peers and not is_calm(later):
            assert replace(later, mishaps=plan.mishaps, guarded=False) == plan
    assert any(mishap.fault in LATER_FAULTS for seed in range(50) for mishap in moving_plan_of(seed).mishaps)


def test_peers_are_all_others_and_two_know_each_other_by_one_address() -> None:
    """Its version may be another with each; the addresses that all share are of all versions still."""
    unicast = [(seed, plan) for seed in range(300) if (plan := plan_of(seed)).members[0].peers]
    assert 15 < len(unicast) < 60
    for seed, plan in unicast:
        assert plan.move is None and set(plan.versions) <= set(PLANS[seed].versions)
        for number, member in enumerate(plan.members):
            assert member.dialect == "wsa-proxy"
            assert set(member.peers) == set(range(len(plan.members))) - {number}
            assert member.settings.versions == tuple(sorted(set(member.peers.values())))
            assert all(plan.members[other].peers[number] == version for other, version in member.peers.items())
    assert any(len(member.settings.versions) > 1 for _, plan in unicast for member in plan.members)


def test_only_our_hosts_refuse() -> None:
    """Of a BSD's nothing is modelled."""
    for plan in map(plan_of, range(300)):
        refused = {mishap.node for mishap in plan.mishaps if mishap.fault is Fault.NO_SENDING}
        assert all(plan.members[number].dialect == "wsa-proxy" for number in refused)


def test_faults_end_before_the_quiet() -> None:
    for plan in [*PLANS, *map(plan_of, range(300))]:
        for mishap in plan.mishaps:
            assert mishap.at_s + mishap.duration_s <= plan.faults_s + 1e-9
            assert mishap.node != mishap.other


def test_the_nodes_of_a_group_have_waits_of_their_own() -> None:
    """Equals that wait equally long after a tie would tie for ever."""
    for plan in PLANS:
        assert len({member.settings.tie_break for member in plan.members}) == len(plan.members)


def test_the_number_of_nodes_can_be_chosen() -> None:
    assert all(len(draw(Random(seed), 5).members) == 5 for seed in range(20))


def test_a_moving_group_is_ours_and_knows_whether_it_seals() -> None:
    """Attacks go on to the end where it never takes plain CARP, and seals have their bounds where it ever seals."""
    plans = [draw_moving(Random(seed)) for seed in range(300)]
    assert plans == [draw_moving(Random(seed)) for seed in range(300)]
    for plan in plans:
        assert plan.move is not None and not plan.bystanders
        assert {member.dialect for member in plan.members} == {"wsa-proxy"}
        securities = [{each.value for each in way.security} for way in plan.move.ways]
        assert plan.sealed == all(each == {"sealed"} for each in securities)
        assert plan.seals == any("sealed" in each for each in securities)
    assert {plan.seals for plan in plans} == {plan.sealed for plan in plans} == {True, False}


def test_half_of_the_runs_have_guardians_and_the_others_are_what_they_were() -> None:
    """What befalls a guardian befalls one of ours, and nothing else is drawn anew."""
    guarded = [(seed, plan) for seed in range(300) if (plan := plan_of(seed)).guarded]
    assert 120 < len(guarded) < 180
    happens = {mishap.fault for _, plan in guarded for mishap in plan.mishaps}
    assert set(GUARDIANS_FAULTS) <= happens
    for seed in range(300):
        plan = plan_of(seed)
        alone = {Fault.GUARDIAN_KILLED, Fault.GUARDIAN_STALL, Fault.KILL_ALL}
        assert all(plan.members[each.node].dialect == "wsa-proxy" for each in plan.mishaps if each.fault in alone)
        assert plan.guarded or not alone & {mishap.fault for mishap in plan.mishaps}
        assert plan.members == PLANS[seed].members or plan.members[0].peers or is_calm(plan)


def test_in_some_runs_nodes_wait_before_they_preempt() -> None:
    """All members preempt there, ours wait each for a time of its own, and nothing else is drawn anew."""
    calm = [(seed, plan) for seed in range(300) if is_calm(plan := plan_of(seed))]
    assert 30 < len(calm) < 60
    for seed, plan in calm:
        for member, before in zip(plan.members, PLANS[seed].members, strict=True):
            told = member.settings
            assert told.preempt and (told.preempt_delay_s == 0.0 or member.dialect == "wsa-proxy")
            usual = replace(told, preempt=False, preempt_delay_s=0.0, preempt_delay_max_s=60.0)
            assert member.peers or usual == replace(before.settings, preempt=False)
    delays_s = {member.settings.preempt_delay_s for _, plan in calm for member in plan.members}
    assert delays_s == {0.0, 0.5, 2.0, 5.0, 10.0}
    assert any(is_calm(moving_plan_of(seed)) for seed in range(50))
