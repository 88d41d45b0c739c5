"""``make burst``: many clients with intercepted TLS come at once, to plain mitmdump and to a node, in turns.

    python -m tests.bench.burst --rounds 5 --clients 1000

One lab; in it plain mitmdump runs on the master's host. In each round both are asked, and then the master is killed and
all clients come to the node that has taken over. Ends with status 1 when a node changed its state though nobody killed
it, when somebody was not served, or when an objective is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STARTUP_S_MAX = 60.0
BURST_S_MAX = 240.0

FIRST_MS_MAX = 500.0
"""From the takeover to the first answer."""
STALL_MS_MAX = 500.0
LAST_RATIO_MAX = 1.0
"""The last client of a node against the last one of plain mitmdump, medians."""
KINDS = ("plain", "addon", "kill")
MOVES = {"plain": 0, "addon": 0, "kill": 1}
"""What the nodes may tell: the takeover."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Many TLS clients at once.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--only", action="append", choices=KINDS, metavar="KIND", help="may be repeated")
    wanted = parser.parse_args()
    kinds = wanted.only or KINDS
    print(f"load of the machine at the beginning: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    results = run(list(kinds) * wanted.rounds, wanted.clients)
    print(f"{'to':8} {'first ms':>9} {'median':>8} {'last':>8} {'stall':>7} {'cpu s':>6} {'failed':>7} {'moves':>6}")
    for result in results:
        print(line(result))
    problems = missed(results, wanted.clients)
    for kind in kinds:
        print(summary(kind, [each for each in results if each["kind"] == kind]))
    for problem in problems:
        print(f"missed: {problem}")
    return 1 if problems else 0


def run(kinds: Sequence[str], clients: int) -> list[dict[str, Any]]:
    """These bursts, one after the other, in a fresh lab. Raises SystemExit with what it said when it fails."""
    ended = subprocess.run(
        [sys.executable, "-m", "wsa_proxy.lab", "tests/bench/bursts.py:come"],
        cwd=ROOT,
        env=os.environ | {"BURST": json.dumps({"clients": clients, "kinds": list(kinds)})},
        capture_output=True,
        text=True,
        timeout=STARTUP_S_MAX + len(kinds) * BURST_S_MAX,
        check=False,
    )
    if ended.returncode != 0:
        raise SystemExit(f"the bursts failed:\n{ended.stderr[-2000:]}")
    results: list[dict[str, Any]] = json.loads(ended.stdout)
    return results


def line(result: Mapping[str, Any]) -> str:
    times = f"{result['first_ms']:9.0f} {result['middle_ms']:8.0f} {result['last_ms']:8.0f} {result['stall_ms']:7.0f}"
    return f"{result['kind']:8} {times} {result['cpu_s']:6.2f} {result['failed']:7} {len(result['told']):6}"


def summary(kind: str, results: Sequence[Mapping[str, Any]]) -> str:
    """Medians over the rounds, and the worst stall."""
    times = [f"{median(each[key] for each in results):.0f}" for key in ("first_ms", "middle_ms", "last_ms")]
    processor = f"{median(each['cpu_s'] for each in results):.2f} s of processor"
    stall = max(each["stall_ms"] for each in results)
    return f"{kind}: medians: first, middle, last {', '.join(times)} ms, {processor}; longest stall {stall:.0f} ms"


def missed(results: Sequence[Mapping[str, Any]], clients: int) -> list[str]:
    """What was promised and is not so; a sentence for each."""
    problems = []
    for number, each in enumerate(results):
        name = f"burst {number + 1} ({each['kind']})"
        if each["kind"] != "plain" and each["served"] < clients:
            problems.append(f"{name}: {clients - each['served']} clients were not served")
        if each["kind"] != "plain" and len(each["told"]) > MOVES[each["kind"]]:
            problems.append(f"{name}: {'; '.join(each['told'])}")
        if each["kind"] != "plain" and each["stall_ms"] > STALL_MS_MAX:
            problems.append(f"{name}: the loop stood still for {each['stall_ms']:.0f} ms")
        if each["kind"] == "kill" and each["first_ms"] > FIRST_MS_MAX:
            problems.append(f"{name}: the first answer came after {each['first_ms']:.0f} ms")
    last = {kind: [each["last_ms"] for each in results if each["kind"] == kind] for kind in KINDS}
    if last["plain"] and last["addon"]:
        ratio = median(last["addon"]) / median(last["plain"])
        print(f"last client, addon against plain: {ratio:.2f}")
        if ratio > LAST_RATIO_MAX:
            problems.append(f"the last client was served {ratio:.2f} times as late as with plain mitmdump")
    return problems


if __name__ == "__main__":
    sys.exit(main())
