"""How often each fault is done, and what is told of the time."""

from __future__ import annotations

from wsa_proxy.bench import plan
from wsa_proxy.bench.plan import Order
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.products import Kind
from wsa_proxy.bench.trials import TRIALS

ALL = list(PRODUCTS.values())
HOUR_S, QUICK_S = 3600.0, 480.0


def test_ten_runs_of_the_four_and_three_of_the_rest() -> None:
    """With every product that can express them; a variant has its own faults only."""
    orders = plan.make_plan(ALL, quick=False)
    assert {order.runs for order in orders if TRIALS[order.trial].often} == {10}
    assert {order.runs for order in orders if not TRIALS[order.trial].often} == {3}
    expressed = {(product.name, name) for product in ALL for name in product.trials}
    assert {(order.product, order.trial) for order in orders} == expressed
    assert len(orders) == len(expressed)


def test_a_whole_run_is_expected_within_an_hour_and_a_quick_one_within_eight_minutes() -> None:
    """By what a run takes on an idle machine."""
    assert plan.expected_s(plan.make_plan(ALL, quick=False)) < HOUR_S
    quick = plan.make_plan(ALL, quick=True)
    assert plan.expected_s(quick) < QUICK_S
    assert {order.product for order in quick} == {product.name for product in ALL if product.quick}
    assert {product.kind for product in ALL if product.quick} == set(Kind)


def test_only_what_is_wanted() -> None:
    """Trials that a product does not have are not made up."""
    orders = plan.make_plan([PRODUCTS["wsa-proxy"]], quick=False, only=["mute", "daemon-kill"])
    assert orders == [Order("wsa-proxy", "mute", 3)]


def test_the_remaining_time_is_that_of_this_machine() -> None:
    """Once there is something to go by."""
    assert plan.remaining_s(10, 0, 0.0) == 10 * plan.RUN_S
    assert plan.remaining_s(10, 5, 100.0) == 200.0
