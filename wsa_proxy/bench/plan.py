"""Which fault is done how often with which product, and how long all of it takes. Pure."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass

from wsa_proxy.bench.products import Product
from wsa_proxy.bench.trials import TRIALS

RUNS_OFTEN, RUNS_SELDOM = 10, 3
RUNS_QUICK = 2
"""Of the trials that are done often; the others are left out."""
GIVEN_UP_AFTER = 3
"""A service that never came back by itself in so many runs of a fault is not waited for again."""
RUN_S = 9.0
"""A run on an idle machine of two processors, the return of the master included."""
STARTUP_S = 8.0
"""Of a product's lab."""


@dataclass(frozen=True, slots=True)
class Order:
    """So many runs of one fault with one product."""

    product: str
    trial: str
    runs: int


def make_plan(products: Sequence[Product], *, quick: bool, only: Collection[str] = ()) -> list[Order]:
    """Product by product. ``only``: names of trials; empty: all."""
    orders = []
    for product in products:
        if quick and not product.quick:
            continue
        for name in product.trials:
            often = TRIALS[name].often
            runs = (RUNS_QUICK if often else 0) if quick else RUNS_OFTEN if often else RUNS_SELDOM
            if runs and (not only or name in only):
                orders.append(Order(product.name, name, runs))
    return orders


def is_given_up(away: int, done: int) -> bool:
    """``away``: in so many of the ``done`` runs of a trial the service never came back."""
    return away == done == GIVEN_UP_AFTER


def expected_s(orders: Sequence[Order]) -> float:
    """Of a whole plan, before anything has been measured."""
    return len({order.product for order in orders}) * STARTUP_S + sum(order.runs for order in orders) * RUN_S


def remaining_s(runs_left: int, runs_done: int, elapsed_s: float) -> float:
    """By what the runs so far have taken on this machine."""
    return runs_left * (elapsed_s / runs_done if runs_done else RUN_S)
