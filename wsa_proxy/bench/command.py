"""``wsa-proxy bench``: its arguments and its help. What a run needs is imported only when there is one."""

from __future__ import annotations

import argparse

from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.trials import TRIALS

DESCRIPTION = """\
Measures what a client sees of each fault with this product, keepalived and ucarp, each in front of the same mitmdump in
the lab. keepalived is measured as root only, and its process tracking in the initial namespaces only: while that lasts,
this machine has an interface wsa-lab-a, and net.ipv4.ip_nonlocal_bind is 1. Nothing else of it is touched."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.description = DESCRIPTION
    lines = ["the faults of --only:", *(f"  {name:14} {trial.told}" for name, trial in TRIALS.items())]
    lines += ["", "the products of --product:", *(f"  {name}" for name in PRODUCTS)]
    parser.epilog = "\n".join(lines)
    parser.add_argument("--quick", action="store_true", help="few runs of few faults, in less than eight minutes")
    parser.add_argument("--only", action="append", default=[], choices=list(TRIALS), metavar="FAULT", help="repeatable")
    parser.add_argument("--product", action="append", choices=list(PRODUCTS), metavar="PRODUCT", help="repeatable")
    parser.add_argument(
        "--output", default=".", metavar="FOLDER", help="for benchmarks.json, benchmarks.md and two pictures (.)"
    )
    parser.add_argument("--verbose", action="store_true", help="tell what each lab waits for")


def main(arguments: argparse.Namespace) -> int:
    """Measure, and answer the exit status."""
    from wsa_proxy.bench import session

    return session.main(arguments)
