"""The plan of a run in which the nodes have clients: that of its seed with member reports, and what befalls those."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from wsa_proxy.simulation.clientele import Journey
from wsa_proxy.simulation.clientele import draw_clientele
from wsa_proxy.simulation.plan import HOPELESS_ADVBASES
from wsa_proxy.simulation.plan import SEEDS_APART
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.reporting_plan import reporting_plan_of

CLIENTS_PORT = 90
"""A source of chance of its own; the clients', and the nodes', are beside it."""


def carrying_plan_of(seed: int, nodes: int | None = None) -> Plan:
    """Reports are not filtered in the end: who cannot be heard cannot be steered to. Nor is anybody switched away where
    intervals differ so much that he counts his successor as timed out."""
    plan = reporting_plan_of(seed, nodes)
    assert plan.reports is not None
    clientele = draw_clientele(Random(seed * SEEDS_APART + CLIENTS_PORT), plan.faults_s)
    if any(member.settings.advbase in HOPELESS_ADVBASES for member in plan.members):
        clientele = replace(clientele, journey=Journey.CRASH)
    return replace(plan, reports=replace(plan.reports, last=None), clientele=clientele, bystanders=())
