"""What befalls a group with clients: drawn from its own source of chance, and all of it within the faults' time."""

from __future__ import annotations

from random import Random

from wsa_proxy.simulation.clientele import CLIENTS
from wsa_proxy.simulation.clientele import DRAINS_S
from wsa_proxy.simulation.clientele import MOVES_MAX
from wsa_proxy.simulation.clientele import Journey
from wsa_proxy.simulation.clientele import draw_clientele

FAULTS_S = 30.0


def test_everything_is_drawn_and_within_its_bounds() -> None:
    """Each journey, both kinds of orders, and none."""
    drawn = [draw_clientele(Random(seed), FAULTS_S) for seed in range(200)]
    assert {each.journey for each in drawn} == set(Journey)
    assert {each.count for each in drawn} == set(CLIENTS) and {each.drain_s for each in drawn} == set(DRAINS_S)
    assert {len(each.orders) for each in drawn} == set(range(MOVES_MAX))
    orders = [order for each in drawn for order in each.orders]
    assert {order.stops_for_s is None for order in orders} == {True, False}
    assert all(0 <= order.at_s <= FAULTS_S for order in orders)
    assert all(0 < each.second_s <= each.drain_s for each in drawn)
