"""``make burst``: many clients come at once, with plain HTTP and with TLS, to plain mitmdump and to a node.

    python -m tests.bench.burst --rounds 5 --clients 1000

One lab; in it plain mitmdump runs on the master's host. In each round both are asked, in turns, and then the master is
killed and all clients come to the node that has taken over; first by clients without TLS, then by others with it. Ends
with status 1 when a node changed its state though nobody killed it, when somebody was not served, or when an objective
is missed.
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

STARTUP_S_MAX = 60.0
BURST_S_MAX = 240.0

FIRST_MS_MAX = 500.0
"""From the takeover to the first answer."""
STALL_MS_MAX = 500.0
LAST_RATIO_MAX = 1.0
"""The last client of a node against the last one of plain mitmdump, medians."""
KINDS = ("plain", "addon", "kill")
CROWDS = ("http", "tls")
MOVES = {"plain": 0, "addon": 0, "kill": 1}
"""What the nodes may tell: the takeover."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Many clients at once.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--crowd", action="append", choices=CROWDS, help="http or tls; both unless said")
    parser.add_argument("--only", action="append", choices=KINDS, metavar="KIND", help="may be repeated")
    wanted = parser.parse_args()
    bursts = [(crowd, kind) for crowd in wanted.crowd or CROWDS for kind in wanted.only or KINDS]
    print(crowding.told("beginning"))
    results = run(bursts * wanted.rounds, wanted.clients)
    times = f"{'first ms':>9} {'median':>8} {'last':>8} {'stall':>7}"
    print(f"{'crowd':5} {'to':8} {times} {'cpu s':>6} {'failed':>7} {'moves':>6}")
    for result in results:
        print(line(result))
    problems = missed(results, wanted.clients)
    for crowd, kind in bursts:
        print(summary(f"{crowd}, {kind}", [each for each in results if (each["crowd"], each["kind"]) == (crowd, kind)]))
    for crowd, ratio in last_ratios(results).items():
        print(f"last client, addon against plain, {crowd}: {ratio:.2f}")
    for problem in problems:
        print(f"missed: {problem}")
    return 1 if problems else 0


def run(bursts: Sequence[tuple[str, str]], clients: int) -> list[dict[str, Any]]:
    """These bursts, each a crowd and what it comes to, one after the other, in a fresh lab. Raises SystemExit, as
    in_lab.py does."""
    limit_s = STARTUP_S_MAX + len(bursts) * BURST_S_MAX
    results: list[dict[str, Any]]
    results = in_lab.run("bursts.py:come", "BURST", {"clients": clients, "bursts": list(bursts)}, limit_s)
    return results


def line(result: Mapping[str, Any]) -> str:
    times = f"{result['first_ms']:9.0f} {result['middle_ms']:8.0f} {result['last_ms']:8.0f} {result['stall_ms']:7.0f}"
    rest = f"{result['cpu_s']:6.2f} {result['failed']:7} {len(result['told']):6}"
    return f"{result['crowd']:5} {result['kind']:8} {times} {rest}"


def summary(name: str, results: Sequence[Mapping[str, Any]]) -> str:
    """Medians over the rounds, and the worst stall."""
    times = [f"{median(each[key] for each in results):.0f}" for key in ("first_ms", "middle_ms", "last_ms")]
    processor = f"{median(each['cpu_s'] for each in results):.2f} s of processor"
    stall = max(each["stall_ms"] for each in results)
    return f"{name}: medians: first, middle, last {', '.join(times)} ms, {processor}; longest stall {stall:.0f} ms"


def missed(results: Sequence[Mapping[str, Any]], clients: int) -> list[str]:
    """What was promised and is not so; a sentence for each."""
    problems = []
    for number, each in enumerate(results):
        name = f"burst {number + 1} ({each['crowd']}, {each['kind']})"
        if each["kind"] != "plain" and each["served"] < clients:
            problems.append(f"{name}: {clients - each['served']} clients were not served")
        if each["kind"] != "plain" and len(each["told"]) > MOVES[each["kind"]]:
            problems.append(f"{name}: {'; '.join(each['told'])}")
        if each["kind"] != "plain" and each["stall_ms"] > STALL_MS_MAX:
            problems.append(f"{name}: the loop stood still for {each['stall_ms']:.0f} ms")
        if each["kind"] == "kill" and each["first_ms"] > FIRST_MS_MAX:
            problems.append(f"{name}: the first answer came after {each['first_ms']:.0f} ms")
    for crowd, ratio in last_ratios(results).items():
        if ratio > LAST_RATIO_MAX:
            problems.append(f"{crowd}: the last client was served {ratio:.2f} times as late as with plain mitmdump")
    return problems


def last_ratios(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By crowd, of those that came to both: when the node had served the last client, to when plain mitmdump had."""
    ratios = {}
    for crowd in CROWDS:
        own = [each for each in results if each["crowd"] == crowd]
        last = {kind: [each["last_ms"] for each in own if each["kind"] == kind] for kind in KINDS}
        if last["plain"] and last["addon"]:
            ratios[crowd] = median(last["addon"]) / median(last["plain"])
    return ratios


if __name__ == "__main__":
    sys.exit(main())
