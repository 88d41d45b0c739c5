"""``make overhead``: what the addon costs the proxy, beside plain mitmdump and beside keepalived.

    python -m tests.bench.overhead --rounds 3 --groups 1 --groups 64

A node with so many groups, all master there and each with a healthy standby on another host, then plain mitmdump, in
turns, each in fresh namespaces: how many requests a second wrk gets through it, how late its loop is, and what it takes
while nobody asks. keepalived is watched while nobody asks: it needs root. Ends with status 1 where a promise is broken,
or where nothing of the load could be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from tests.bench import crowding
from tests.bench import overhead_rows
from tests.bench.overhead_rows import KEEPALIVED
from tests.bench.overhead_rows import NODE
from tests.bench.overhead_rows import PLAIN
from tests.bench.overhead_sample import take
from tests.bench.overhead_world import Order
from wsa_proxy.bench import machine
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.products import Kind
from wsa_proxy.bench.session import why_not
from wsa_proxy.lab import namespace

GROUPS = (1, 10, 64, 255)
STATUS_INTERRUPTED = namespace.STATUS_INTERRUPTED


class Lost(Exception):
    """A sample came to no end; what it said of that stands on stderr."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What the addon costs the proxy.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=6, help="of load in each sample (6)")
    parser.add_argument("--idle", type=float, default=6.0, help="seconds without load in each sample (6)")
    parser.add_argument("--groups", type=int, action="append", metavar="N", help="may be repeated (1, 10, 64, 255)")
    wanted = parser.parse_args(arguments)
    print(crowding.told("beginning"))
    print(", ".join(f"{each} {version}" for each, version in machine.versions([Kind.KEEPALIVED]).items()), flush=True)
    without = [why for why in (no_load(), no_keepalived()) if why is not None]
    for why in without:
        print(why, flush=True)
    samples, problems, status = taken(orders(wanted.groups or GROUPS, wanted.rounds, wanted.seconds, wanted.idle))
    judged = report(samples, problems)
    return status or judged


def taken(wanted: Iterable[Order]) -> tuple[list[dict[str, Any]], list[str], int]:
    """The samples, what was lost of them, and the exit status: Ctrl-C ends it with what there is by then."""
    began_s = time.monotonic()
    samples: list[dict[str, Any]] = []
    lost: dict[tuple[str, int], str] = {}
    try:
        for order in wanted:
            key = (order.product, order.groups)
            if key in lost:
                continue  # it would be lost again, after minutes
            try:
                samples.append(measured(order))
            except Lost as error:
                lost[key] = f"{overhead_rows.name(*key)}: {error}"
            else:
                print(line(samples[-1], time.monotonic() - began_s), flush=True)
    except KeyboardInterrupt:
        print("interrupted: what was measured until then is told", flush=True)
        return samples, list(lost.values()), STATUS_INTERRUPTED
    return samples, list(lost.values()), 0


def no_load() -> str | None:
    """Why there is no load, or nothing."""
    return None if shutil.which("wrk") else "no load: wrk is missing; install it with: apt-get install wrk"


def no_keepalived() -> str | None:
    """Why keepalived is not measured, or nothing."""
    why = why_not(PRODUCTS["keepalived"])
    return None if why is None else f"no keepalived: {why}"


def orders(groups: Sequence[int], rounds: int, load_s: int, idle_s: float) -> Iterator[Order]:
    """Every node has a plain proxy as its neighbour on both sides; keepalived stands between the rounds."""
    load_s = 0 if no_load() else load_s
    for _ in range(rounds):
        yield Order(PLAIN, 0, load_s, idle_s)
        for each in groups:
            yield Order(NODE, each, load_s, idle_s)
            yield Order(PLAIN, 0, load_s)
        for each in groups if no_keepalived() is None else ():
            yield Order(KEEPALIVED, each, 0, idle_s)


def measured(order: Order) -> dict[str, Any]:
    """One sample, in fresh namespaces. Raises Lost, and KeyboardInterrupt when it was ended from outside."""
    reading, writing = os.pipe()

    def work() -> int:
        os.write(writing, json.dumps(take(order)).encode())  # less than a pipe holds
        return 0

    status = namespace.run(work, PRODUCTS["keepalived"].shared if order.product == KEEPALIVED else 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    if status == STATUS_INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise Lost(f"a sample ended with status {status}")
    sample: dict[str, Any] = json.loads(text)
    return sample


def line(sample: dict[str, Any], after_s: float) -> str:
    """Of one sample, as soon as it is taken."""
    told = f"{after_s:5.0f} s  {overhead_rows.name(sample['product'], sample['groups']):24}"
    if load := sample.get("load"):
        told += f" {load['per_s']:6.0f} requests a second, {load['processor_ms']:.3f} ms of processor each"
    if idle := sample.get("idle"):
        told += f" {100 * (idle['proxy_share'] + idle['beside_share']):5.1f} % of a core idle"
    return told


def report(samples: Sequence[dict[str, Any]], lost: Sequence[str]) -> int:
    """Print it all, and return the exit status."""
    print(crowding.told("end") + "\n")
    if any("load" in each for each in samples):
        print("\n".join([*overhead_rows.load_table(samples), "", overhead_rows.shares(samples)]))
        print("\n".join(overhead_rows.doubts(samples)) + "\n")
    if any("idle" in each for each in samples):
        print("\n".join(overhead_rows.idle_table(samples)))
    problems = [*lost, *overhead_rows.missed(samples), *([told] if (told := no_load()) else [])]
    for problem in problems:
        print(f"missed: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
