"""``make profile``: where the processor's time of a node goes, room by room, and the ten dearest functions of ours.

    python -m tests.bench.profile --seconds 10 --connections 50

A master of one group while wrk asks through it, a master of 255, and 255 idle groups. Samples, not calls: see
sampler.py. A part of ``wsa_proxy.proxy`` is what mitmproxy would do itself: its way to the addons is replaced. Ends
with status 1 when a request failed. Needs wrk (apt-get install wrk).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from tests.bench import crowding
from tests.bench import in_lab

AROUND_S_MAX = 240.0
"""255 groups start, and become masters, in a quarter of that."""
FUNCTIONS = 10
GROUPS = 255


def main() -> int:
    parser = argparse.ArgumentParser(description="Where the loop's time goes.")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each part (20)")
    parser.add_argument("--connections", type=int, default=200, help="of wrk, to the one group (200)")
    wanted = parser.parse_args()
    print(crowding.told("beginning"))
    busy = run("under_load", wanted.seconds, wanted.connections)
    print(f"\na master, {wanted.connections} connections: {busy['answered']} answers, {busy['errors']} errors")
    print("\n".join(table(busy)), flush=True)
    many = run("many_under_load", wanted.seconds)
    print(f"\na master of {GROUPS} groups: {many['answered']} answers, {many['errors']} errors")
    print("\n".join(table(many)), flush=True)
    print(f"\n{GROUPS} idle masters")
    print("\n".join(table(run("idle", wanted.seconds))))
    return 1 if busy["errors"] or many["errors"] else 0


def run(scenario: str, seconds: float, connections: int = 0, groups: int = GROUPS) -> dict[str, Any]:
    """In fresh namespaces. Raises SystemExit, as in_lab.py does."""
    about = {"seconds": seconds, "connections": connections, "groups": groups}
    seen: dict[str, Any] = in_lab.run(f"profiled.py:{scenario}", "PROFILED", about, AROUND_S_MAX + 4 * seconds)
    return seen


def table(seen: Mapping[str, Any]) -> list[str]:
    """Shares of the process's own time, in percent; each room, and the dearest functions of ours."""
    total = sum(seen["rooms"].values()) or 1
    rows = [f"{100 * seen['share']:.1f} % of a core, {total} samples; ours {100 * ours(seen):.1f} % of them"]
    rows += [f"{100 * count / total:6.1f} %  {room}" for room, count in seen["rooms"].items()]
    dearest = list(seen["ours"].items())[:FUNCTIONS]
    return [*rows, *(f"{100 * count / total:6.2f} %    {name}" for name, count in dearest)]


def ours(seen: Mapping[str, Any]) -> float:
    """Our rooms' share of the samples, 0 to 1."""
    own = sum(count for room, count in seen["rooms"].items() if room.startswith("wsa_proxy."))
    return float(own / (sum(seen["rooms"].values()) or 1))


if __name__ == "__main__":
    sys.exit(main())
