"""``python -m tests.interop.numbers RUNS``: the session so many times, and how long things took beside the real ucarp.

About half a minute for each run; needs ucarp and namespaces. README's table comes from here.
"""

from __future__ import annotations

import statistics
import sys

from tests.interop import scenarios
from tests.interop.seen import Seen
from tests.lab.inside import run_inside

RUN_S_MAX = 120.0


def main(arguments: list[str]) -> int:
    """Print a line for each number: the least, the median, the greatest, and of how many."""
    runs = int(arguments[0]) if arguments else 5
    found: dict[str, list[float]] = {}
    for number in range(1, runs + 1):
        print(f"run {number} of {runs}", file=sys.stderr)
        for what, seconds in Seen(run_inside(scenarios.everything, RUN_S_MAX)).numbers().items():
            for key in (what, f"{what.partition(',')[0]}, all"):
                found.setdefault(key, []).append(seconds)
    for what, values in sorted(found.items()):
        least, middle, greatest = min(values), statistics.median(values), max(values)
        print(f"{least:8.3f} {middle:8.3f} {greatest:8.3f} s  n={len(values):3}  {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
