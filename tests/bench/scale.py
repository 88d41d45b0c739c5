"""``make scale``: how a takeover goes with more nodes, and with many groups that fail over at once.

    python -m tests.bench.scale --runs 5 --only groups

A real mitmdump for each node, in a lab of its own for each line and round. First the master is killed, and its cable
pulled, in labs of 2, 4 and 8 nodes: the longest gap of a client that starts a request every 10 ms, who took over, and
for how long two had the address. Then a node that is the master of 1, 16 and 64 groups, each with a virtual IP of its
own, is killed and loses its power: how soon each of them answers again (vip_probe.py), with virtual MACs, and 64 with
the interface's own as well. ``--groups 255`` is told, and only has to work.

What is compared alternates: a round has each line once. Prints Markdown. Ends with status 1 where a promise was not
kept. Everything runs in namespaces that vanish with this process.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from tests.bench import crowding
from tests.bench import in_lab
from tests.bench import scale_tables as tables
from wsa_proxy.lab.topology import NODE_NAMES

LAB_S_MAX = 420.0
"""Of one lab: to start it, two faults, and the way back between them."""
NODES, GROUPS = (2, 4, 8), (1, 16, 64)
NODE_FAULTS, GROUP_FAULTS = ("kill", "cable"), ("kill", "power")
INTERFACE_TOO = 64
"""With so many groups the interface's own MAC is measured as well."""
TOLD_ONLY = 255
PARTS = ("nodes", "groups")


def main(arguments: Sequence[str] | None = None) -> int:
    wanted = parser().parse_args(arguments)
    print(crowding.told("beginning"), flush=True)
    problems: list[str] = []
    if "nodes" in (wanted.only or PARTS):
        problems += nodes(wanted.runs, wanted.nodes)
    if "groups" in (wanted.only or PARTS):
        problems += groups(wanted.runs, wanted.groups)
    for problem in problems:
        print(f"missed: {problem}")
    print(crowding.told("end"))
    return 1 if problems else 0


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description="Takeovers at scale.")
    found.add_argument("--runs", type=int, default=5, help="rounds of each part (5)")
    found.add_argument("--only", action="append", choices=PARTS, metavar="PART", help="nodes or groups")
    found.add_argument(
        "--nodes", type=int, nargs="+", default=NODES, choices=range(2, len(NODE_NAMES) + 1), metavar="N"
    )
    found.add_argument("--groups", type=int, nargs="+", default=GROUPS, choices=range(1, 256), metavar="N")
    return found


def nodes(runs: int, sizes: Sequence[int]) -> list[str]:
    """Measure, print, and say what was missed."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {(fault, size): [] for fault in NODE_FAULTS for size in sizes}
    for _ in range(runs):
        for size in sizes:
            for each in play("of_nodes", {"nodes": size, "faults": NODE_FAULTS}):
                found[each["fault"], size].append(each)
    show(tables.nodes_head(), [tables.nodes_row(each) for each in found.values()])
    return [problem for each in found.values() for problem in tables.nodes_missed(each)]


def groups(runs: int, sizes: Sequence[int]) -> list[str]:
    """Likewise."""
    kinds = [(size, "virtual") for size in sizes] + [(size, "interface") for size in sizes if size == INTERFACE_TOO]
    found: dict[tuple[str, int, str], list[dict[str, Any]]] = {
        (fault, *kind): [] for fault in GROUP_FAULTS for kind in kinds
    }
    for _ in range(runs):
        for size, mac in kinds:
            for each in play("of_groups", {"groups": size, "mac": mac, "faults": GROUP_FAULTS}):
                found[each["fault"], size, mac].append(each)
    show(tables.groups_head(), [tables.groups_row(each) for each in found.values()])
    return [problem for each in found.values() for problem in tables.groups_missed(each, TOLD_ONLY)]


def show(head: Sequence[str], rows: Sequence[str]) -> None:
    """A table of Markdown."""
    print("\n".join(["", *head, *rows, ""]), flush=True)


def play(function: str, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One lab of takeovers.py, in fresh namespaces. Raises SystemExit, as in_lab.py does."""
    results: list[dict[str, Any]] = in_lab.run(f"takeovers.py:{function}", "SCALE", about, LAB_S_MAX)
    for each in results:
        print(f"  {json.dumps(each)}", file=sys.stderr, flush=True)
    return results


if __name__ == "__main__":
    sys.exit(main())
