"""A run with clients is that of its seed with member reports, without a filter at its end."""

from __future__ import annotations

from dataclasses import replace

from wsa_proxy.simulation.carrying_plan import carrying_plan_of
from wsa_proxy.simulation.clientele import Journey
from wsa_proxy.simulation.plan import HOPELESS_ADVBASES
from wsa_proxy.simulation.reporting_plan import reporting_plan_of


def test_the_plan_is_that_of_the_seed_with_reports() -> None:
    """Other runs are what they were."""
    for seed in range(30):
        reporting, plan = reporting_plan_of(seed), carrying_plan_of(seed)
        assert reporting.clientele is None and plan.clientele is not None
        assert plan.reports is not None and plan.reports.last is None
        assert replace(plan, clientele=None, reports=reporting.reports, bystanders=reporting.bystanders) == reporting
        if any(member.settings.advbase in HOPELESS_ADVBASES for member in plan.members):
            assert plan.clientele.journey is Journey.CRASH
    assert carrying_plan_of(1) == carrying_plan_of(1) and carrying_plan_of(1).clientele != carrying_plan_of(2).clientele
