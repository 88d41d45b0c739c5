"""The checker's numbers, against carp(4) by hand."""

from __future__ import annotations

from random import Random

import pytest

from wsa_proxy.simulation.bounds import base_s
from wsa_proxy.simulation.bounds import down_s
from wsa_proxy.simulation.bounds import interval_s
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.plan import OURS
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run


@pytest.mark.parametrize(
    ("advbase", "advskew", "interval", "down", "base"),
    [(1, 0, 1.0, 3.0, 1.0), (2, 128, 2.5, 6.5, 2.0), (0, 64, 0.25, 0.75, 0.25)],
)
def test_intervals_are_those_of_carp(advbase: int, advskew: int, interval: float, down: float, base: float) -> None:
    node = Run(0, draw(Random(0))).nodes[0]
    object.__setattr__(node.settings, "advbase", advbase)
    object.__setattr__(node.settings, "advskew", advskew)
    assert (interval_s(node), down_s(node), base_s(node)) == (interval, down, base)


def test_a_demoted_node_sends_as_if_its_advskew_were_240() -> None:
    plan = draw(Random(0))
    node = next(node for node in Run(0, plan).nodes if plan.members[node.number].dialect == OURS)
    object.__setattr__(node.settings, "advbase", 1)
    object.__setattr__(node.settings, "advskew", 7)
    node.start()
    assert rank(node) == (0, 263)
    node.demote(1)
    assert rank(node) == (1, 496)
