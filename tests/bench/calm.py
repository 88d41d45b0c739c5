"""``make calm``: no load may move the virtual IP. wrk with 50, 200 and 1,000 connections, then 1,000 TLS clients.

    python -m tests.bench.calm --seconds 20

Each load has a lab of its own, with the default limits. Needs wrk (apt-get install wrk). Ends with status 1 if a node
changed its state, was demoted or was fenced.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from tests.bench import crowding
from tests.bench import in_lab

LOADS = {"wrk 50": ("wrk", 50), "wrk 200": ("wrk", 200), "wrk 1000": ("wrk", 1000), "TLS 1000": ("tls", 1000)}
AROUND_S_MAX = 120.0
"""To start a lab, and to let it become quiet."""


def main() -> int:
    parser = argparse.ArgumentParser(description="No transition under load.")
    parser.add_argument("--seconds", type=float, default=150.0, help="of each load (150)")
    parser.add_argument("--only", action="append", choices=list(LOADS), metavar="LOAD", help="may be repeated")
    wanted = parser.parse_args()
    print(crowding.told("beginning"))
    print(f"{'load':10} {'seconds':>7} {'answered':>9} {'errors':>7} {'lag ms':>7} {'moves':>6}", flush=True)
    disturbed = False
    for name in wanted.only or LOADS:
        seen = run([LOADS[name]], wanted.seconds)
        print(line(name, wanted.seconds, seen), flush=True)
        for told in seen["told"]:
            print(f"  {told}", flush=True)
        disturbed = disturbed or bool(seen["told"])
    return 1 if disturbed else 0


def line(name: str, seconds: float, seen: Mapping[str, Any]) -> str:
    """``lag`` is the longest that the master's status reported; ``moves`` counts what the nodes' logs tell of them."""
    lag = f"{seen['lag_max_s'] * 1000:.0f}"
    return f"{name:10} {seconds:7.0f} {seen['answered']:9} {seen['errors']:7} {lag:>7} {len(seen['told']):6}"


def run(loads: Sequence[tuple[str, int]], seconds: float) -> dict[str, Any]:
    """These loads, one after the other, on a fresh lab. Raises SystemExit, as in_lab.py does."""
    limit_s = len(loads) * seconds + AROUND_S_MAX
    seen: dict[str, Any] = in_lab.run("loaded.py:load", "CALM", {"loads": loads, "seconds": seconds}, limit_s)
    return seen


if __name__ == "__main__":
    sys.exit(main())
