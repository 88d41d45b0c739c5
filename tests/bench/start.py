"""``make start-time``: how long a node takes from its start until it takes part, beside plain mitmdump, in turns.

    python -m tests.bench.start --rounds 3

One lab with one node. A node is *ready* when its self-tests have passed and it listens for advertisements; it is
master three intervals later, which the protocol asks for. Ends with status 1 when that took longer than it must, or
when a node is ready later than so many times plain mitmdump's own start.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from statistics import median
from typing import Any

from tests.bench import crowding
from tests.bench import in_lab
from tests.bench.medians import spread

AROUND_S_MAX = 60.0
START_S_MAX = 60.0

LISTENING_MS_MAX = 3200.0
"""Three intervals of a second, and what a busy machine is late."""
READY_RATIO_MAX = 3.0
"""Of the medians."""
PARTS = {
    "mitmdump's own": ("", "loading"),
    "imports, configuration, listeners": ("loading", "listening"),
    "keys, guardian, self-tests": ("listening", "ready"),
    "three intervals of listening": ("ready", "master"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="From the start of a node to taking part.")
    parser.add_argument("--rounds", type=int, default=7)
    wanted = parser.parse_args()
    print(crowding.told("beginning"))
    results = run(["plain", "node"] * wanted.rounds)
    for row in table(results):
        print(row)
    problems = missed(results)
    for problem in problems:
        print(f"missed: {problem}")
    return 1 if problems else 0


def run(kinds: Sequence[str]) -> list[dict[str, Any]]:
    """These starts, one after the other, in a fresh lab. Raises SystemExit, as in_lab.py does."""
    limit_s = AROUND_S_MAX + len(kinds) * START_S_MAX
    results: list[dict[str, Any]] = in_lab.run("starts.py:begin", "STARTS", kinds, limit_s)
    return results


def table(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Medians in ms, with the lowest and the highest: the parts of a node's start, one after the other."""
    nodes, plain = of_kind(results, "node"), of_kind(results, "plain")
    rows = [f"{'plain mitmdump listens after':40} {spread([each['listening'] for each in plain], 0)}"]
    rows += [
        f"  {name:38} {spread([each[end] - each.get(begin, 0.0) for each in nodes], 0)}"
        for name, (begin, end) in PARTS.items()
    ]
    for name in ("ready", "master"):
        rows.append(f"{f'a node is {name} after':40} {spread([each[name] for each in nodes], 0)}")
    processor = [spread([each["cpu"] for each in of], 0) for of in (plain, nodes)]
    return [*rows, f"{'processor until then, plain, node':40} {', '.join(processor)}"]


def missed(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was promised and is not so; a sentence for each."""
    problems = []
    for number, each in enumerate(of_kind(results, "node"), 1):
        listening_ms = each["master"] - each["ready"]
        if listening_ms > LISTENING_MS_MAX:
            problems.append(f"start {number}: {listening_ms:.0f} ms of listening, {LISTENING_MS_MAX:.0f} at most")
    ready, plain = (
        [each[moment] for each in of_kind(results, kind)]
        for moment, kind in (("ready", "node"), ("listening", "plain"))
    )
    ratio = median(ready) / median(plain)
    if ratio > READY_RATIO_MAX:
        problems.append(f"a node is ready {ratio:.2f} times as late as plain mitmdump, {READY_RATIO_MAX:g} at most")
    return problems


def of_kind(results: Sequence[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    return [each for each in results if each["kind"] == kind]


if __name__ == "__main__":
    sys.exit(main())
