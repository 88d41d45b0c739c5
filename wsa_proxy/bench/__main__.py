"""``python -m wsa_proxy.bench ORDERS``: measures one product inside fresh namespaces, for measuring.py.

ORDERS is JSON: the name of the product, the seconds between two requests of the client, and the trials, each with the
numbers of the runs that are wanted. Each run is one line of JSON on standard output, as soon as it is over; what a lab
waits for is told on standard error.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from wsa_proxy.bench import playing
from wsa_proxy.bench.plan import is_given_up
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.products import Product
from wsa_proxy.bench.trials import TRIALS
from wsa_proxy.lab import namespace
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.lab import NotBack


def main(arguments: list[str]) -> int:
    """Return the exit status: 0, 1 when a run came to no end, 77 when the kernel refused namespaces."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    orders = json.loads(arguments[0])
    outside = Path(f"/proc/{os.getpid()}/ns/net")  # of this process, which stays where it is
    return namespace.run(lambda: measure(orders, outside), PRODUCTS[orders["product"]].shared)


def measure(orders: dict[str, Any], outside: Path) -> int:
    """All the runs. A trial is given up where its service never comes back."""
    product = PRODUCTS[orders["product"]]
    lab = playing.make_lab(product, say, outside, orders["interval_s"])
    try:
        with lab:
            playing.ready(lab)
            for name, numbers in orders["trials"]:
                _all_runs(lab, product, name, numbers)
    except (NotBack, NodeFault) as error:
        say(_logs(lab))
        say(f"{product.name}: {error}")  # the last line is what the page tells of it
        return 1
    return 0


def _all_runs(lab: Lab, product: Product, name: str, numbers: list[int]) -> None:
    """Of one trial."""
    away = 0
    for number in numbers:
        say(f"{product.name}: {name}, run {number + 1}")
        run = playing.play(lab, product, TRIALS[name], number)
        print(json.dumps(run.document()), flush=True)
        away += not run.fault.came_back
        if is_given_up(away, number + 1):
            return


def say(line: str) -> None:
    """For whoever wants to know what it waits for."""
    print(line, file=sys.stderr, flush=True)


def _logs(lab: Lab) -> str:
    return "\n".join(f"the end of the log of node {name}:\n{node.log_tail()}" for name, node in lab.nodes.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
