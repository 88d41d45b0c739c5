"""What many groups cost: ``make cost``, six minutes; docs/cost.md says what came out.

A real node with the real kernel, at one end of a cable in network namespaces of its own, so it needs no root. First the
whole process over some seconds, with the neighbour's advertisements coming evenly; then one operation after another,
with the time inside the system calls of the sockets apart. Each line is the median of some runs, with the lowest and
the highest.
"""

from __future__ import annotations

import argparse
import sys
from statistics import median
from typing import Any

from tests.bench import in_lab
from tests.bench.medians import spread

RUN_S_MAX = 120.0

PROCESSES: dict[str, dict[str, Any]] = {
    "1 master": {"groups": 1},
    "16 masters": {"groups": 16},
    "255 masters": {"groups": 255},
    "255 masters, each with a member": {"groups": 255, "members": True},
    "the same, its reports one by one": {"groups": 255, "members": True, "in_one_go": 1},
    "255 masters, mac: interface": {"groups": 255, "virtual_mac": False},
    "255 masters, IPv4 and IPv6": {"groups": 255, "dual": True},
    "255 masters hear 255 inferior a second": {"groups": 255, "heard": 255},
    "255 backups hear 255 a second": {"groups": 255, "heard": 255, "state": "backup"},
}
OPERATIONS = {"sent": "advertisement sent", "received": "advertisement received", "renewed": "lease renewed"}


def main() -> int:
    parser = argparse.ArgumentParser(description="What many failover groups cost the proxy's loop.")
    parser.add_argument("--runs", type=int, default=3, help="of each line (3)")
    parser.add_argument("--seconds", type=float, default=5.0, help="that a process is watched in a run (5)")
    wanted = parser.parse_args()
    print(f"the whole process, % of a core: median of {wanted.runs} runs of {wanted.seconds:g} s (lowest..highest)\n")
    print(f"{'':40} {'total':>18} {'user':>6} {'system':>6} {'sent/s':>7} {'heard/s':>7} {'settled s':>9}")
    for name, about in PROCESSES.items():
        runs = [run("share", about | {"seconds": wanted.seconds}) for _ in range(wanted.runs)]
        total = spread([100 * (each["user"] + each["system"]) for each in runs], 1)
        user, system = (100 * median(each[part] for each in runs) for part in ("user", "system"))
        others = [median(each[part] for each in runs) for part in ("sent", "received", "settled_s")]
        print(f"{name:40} {total:>18} {user:6.1f} {system:6.1f} {others[0]:7.0f} {others[1]:7.0f} {others[2]:9.1f}")
    print("\none operation after another, in microseconds\n")
    print(f"{'':40} {'Python':>18} {'in system calls':>18} {'calls':>6}")
    for groups in (1, 255):
        results = [run("operations", {"groups": groups}) for _ in range(wanted.runs)]
        for key, name in OPERATIONS.items():
            python, kernel = (spread([each[key][part] for each in results], 1) for part in ("python_us", "kernel_us"))
            calls = median(each[key]["calls"] for each in results)
            print(f"{name + f', {groups} groups':40} {python:>18} {kernel:>18} {calls:6.2f}")
    print("\na frame of the proxy's own traffic in the kernel, by groups on the interface, in microseconds\n")
    results = [run("foreign", {}) for _ in range(wanted.runs)]
    for number in results[0]:
        print(f"{number + ' groups':40} {spread([each[number] for each in results], 1):>18}")
    print("\na scrape of the metrics, and what the open pages are told, in milliseconds of processor\n")
    print(f"{'':40} {'status document':>18} {'its metrics':>18} {'lines':>6} {'the event':>18} {'bytes':>8}")
    for groups in (1, 255):
        results = [run("scrape", {"groups": groups}) for _ in range(wanted.runs)]
        parts = ("document_ms", "text_ms", "message_ms")
        document, text, message = (spread([each[part] for each in results], 1) for part in parts)
        lines, size = results[0]["lines"], results[0]["bytes"]
        print(f"{f'{groups} groups':40} {document:>18} {text:>18} {lines:6} {message:>18} {size:8}")
    return 0


def run(scenario: str, about: dict[str, Any]) -> dict[str, Any]:
    """One run in fresh namespaces, in a process of its own. Raises SystemExit, as in_lab.py does."""
    result: dict[str, Any] = in_lab.run(f"scenarios.py:{scenario}", "COST", about, RUN_S_MAX)
    return result


if __name__ == "__main__":
    sys.exit(main())
