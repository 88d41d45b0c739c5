"""The plan of a run in which the nodes send member reports: that of its seed, and what befalls the reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from wsa_proxy.simulation.filters import draw_reports
from wsa_proxy.simulation.plan import OURS
from wsa_proxy.simulation.plan import SEEDS_APART
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Mishap
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.plan import patience_s
from wsa_proxy.simulation.plan import with_the_rest

REPORTS_PORT = 80
"""A source of chance of its own: what befalls reports. What the hostile host does with them, and the nodes', are beside
it."""
ILL_RUNS = 0.3
ILL_NODES = 0.8


def reporting_plan_of(seed: int, nodes: int | None = None) -> Plan:
    """All nodes are ours, for nobody else sends reports."""
    plan = draw(Random(seed), nodes)
    members = tuple(replace(member, dialect=OURS) for member in plan.members)
    plan = with_the_rest(replace(plan, members=members), seed)
    downs_s = [patience_s(member) for member in plan.members]
    random = Random(seed * SEEDS_APART + REPORTS_PORT)
    reports = draw_reports(random, len(members), downs_s, plan.faults_s)
    mishaps = (*plan.mishaps, *_draw_illness(random, len(members), plan.faults_s))
    return replace(plan, reports=reports, mishaps=mishaps)


def _draw_illness(random: Random, count: int, faults_s: float) -> Iterator[Mishap]:
    """In some of the runs most nodes are unwell at the same time, so that no well one follows a master that is."""
    if random.random() < ILL_RUNS:
        begins_s = random.uniform(0, faults_s / 2)
        for node in range(count):
            if random.random() < ILL_NODES:
                at_s = begins_s + random.uniform(0, 1)
                lasts_s = random.uniform(2, faults_s - at_s)
                yield Mishap(at_s, lasts_s, Fault.DEMOTE, node, (node + 1) % count, 0)
