"""``make objectives``: how long the service is away after each fault, against what was promised.

    python -m tests.bench.objectives --runs 20 --only kill

Each fault has a lab of its own, in which it is done, undone and done again; the client starts a request every 10 ms. An
outage is the longest time between two successes. On a machine that is too busy to serve a hundred new connections a
second it lasts longer than the takeover; so that is told beside it (``taken``: the first answer of the other node).
Prints a line for each fault and writes nothing. Ends with status 1 if an objective is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from statistics import median
from typing import Any

from tests.bench import crowding
from tests.bench import in_lab

STARTUP_S_MAX = 60.0
RUN_S_MAX = 165.0  # of all waits in a run the longest

MASTER_DOWN_MS = 3000 + 55 / 256 * 1000
"""Of the lab's second node, priority 200."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One line of the table: a fault of the lab's faults.py, what undoes it, and what was promised."""

    name: str
    fault: str
    undo: Sequence[str]
    """Done to node a, as the fault is unless it says another one."""
    worst_ms: float
    median_ms: float | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    node: str = "a"
    failed_max: float | None = None
    """Failed requests in 20 runs."""
    gone_s_max: float | None = None
    """Until the address is gone from the node."""

    def missed(self, runs: Sequence[Mapping[str, Any]]) -> list[str]:
        """What of it these runs do not keep; a sentence for each."""
        outages = [run["outage_ms"] for run in runs]
        told = [run["problem"] for run in runs if run["problem"]]
        if self.median_ms is not None and median(outages) > self.median_ms:
            told.append(f"median {median(outages):.0f} ms, promised {self.median_ms:.0f}")
        if max(outages) > self.worst_ms:
            told.append(f"worst {max(outages):.0f} ms, promised {self.worst_ms:.0f}")
        failed = sum(run["failed"] for run in runs)
        if self.failed_max is not None and failed > max(1.0, self.failed_max * len(runs) / 20):
            told.append(f"{failed} failed requests in {len(runs)} runs, promised {self.failed_max:.0f} in 20")
        gone = [run["gone_s"] for run in runs if run["gone_s"] is not None]
        if self.gone_s_max is not None and max(gone, default=0.0) > self.gone_s_max:
            told.append(f"the address was there for {max(gone):.2f} s, promised {self.gone_s_max}")
        return told

    @property
    def promise(self) -> str:
        """As it stands in the table's last column."""
        if self.failed_max is not None:
            return f"<= {self.failed_max:.0f} failed in 20"
        middle = f"{self.median_ms:.0f}" if self.median_ms is not None else "-"
        gone = f", address gone in {self.gone_s_max} s" if self.gone_s_max is not None else ""
        return f"{middle} / {self.worst_ms:.0f}{gone}"


QUICK = {"stall_limit": 0.25}
OBJECTIVES = {
    each.name: each
    for each in (
        Objective("kill", "kill", ["start"], median_ms=40, worst_ms=150),
        Objective("freeze", "freeze", ["thaw"], median_ms=1300, worst_ms=1600),
        Objective("block", "block", ["unblock"], median_ms=1300, worst_ms=1600),
        Objective("freeze-0.25", "freeze", ["thaw"], median_ms=400, worst_ms=600, overrides=QUICK),
        Objective("block-0.25", "block", ["unblock"], median_ms=400, worst_ms=600, overrides=QUICK),
        Objective("deafen", "deafen", [], median_ms=300, worst_ms=500),
        Objective("starve", "starve", ["feed"], median_ms=3500, worst_ms=5000),
        Objective("mute", "mute", ["unmute"], median_ms=3500, worst_ms=5000),
        Objective("ignore", "ignore", ["attend"], median_ms=3500, worst_ms=5000),
        Objective("stop", "stop", ["start"], worst_ms=500, failed_max=1),
        Objective("switch", "switch", ["switch"], node="b", worst_ms=500, failed_max=1),
        Objective("kill-all", "kill-all", ["start"], worst_ms=MASTER_DOWN_MS + 300, gone_s_max=2.3),
        Objective("power", "power", ["plug", "start"], worst_ms=MASTER_DOWN_MS + 300),
    )
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Client-visible outages, against the objectives.")
    parser.add_argument("--runs", type=int, default=20, help="of each fault (20)")
    parser.add_argument("--only", action="append", choices=list(OBJECTIVES), metavar="FAULT", help="may be repeated")
    wanted = parser.parse_args()
    print(crowding.told("beginning"))
    print(heading(), flush=True)
    missed = 0
    for name in wanted.only or OBJECTIVES:
        objective = OBJECTIVES[name]
        runs = play(objective, wanted.runs)
        print(line(objective, runs), flush=True)
        for sentence in objective.missed(runs):
            missed += 1
            print(f"  missed: {sentence}", flush=True)
    print(crowding.told("end"))
    return 1 if missed else 0


def heading() -> str:
    return (
        f"{'fault':12} {'runs':>4} {'median':>7} {'worst':>7} {'taken':>9} {'failed':>7} {'gone s':>7} {'late ms':>8}  "
        "objective (median / worst, ms)"
    )


def line(objective: Objective, runs: Sequence[Mapping[str, Any]]) -> str:
    """The row of the table, and the outage of each run with how late the client itself was in it."""
    outages = [run["outage_ms"] for run in runs]
    failed = sum(run["failed"] for run in runs)
    gone = max((run["gone_s"] for run in runs if run["gone_s"] is not None), default=0.0)
    late = max(run["late_ms"] for run in runs)
    each = " ".join(f"{run['outage_ms']:.0f}/{run['late_ms']:.0f}" for run in runs)
    return (
        f"{objective.name:12} {len(runs):4} {median(outages):7.0f} {max(outages):7.0f} {taken(runs):>9} {failed:7} "
        f"{gone:7.3f} {late:8.0f}  {objective.promise}\n  outage/late of each run: {each}"
    )


def taken(runs: Sequence[Mapping[str, Any]]) -> str:
    """Median and worst of the first answer of the other node; "-" where there was none."""
    after_ms = [run["taken_ms"] for run in runs if run["taken_ms"] is not None]
    return f"{median(after_ms):.0f}/{max(after_ms):.0f}" if after_ms else "-"


def play(objective: Objective, runs: int) -> list[dict[str, Any]]:
    """All runs of a fault, in fresh namespaces. Raises SystemExit, as in_lab.py does."""
    about: dict[str, Any] = {"fault": objective.fault, "node": objective.node, "undo": list(objective.undo)}
    about |= {"overrides": dict(objective.overrides), "runs": runs}
    limit_s = STARTUP_S_MAX + runs * RUN_S_MAX
    result: list[dict[str, Any]] = in_lab.run("repeated_fault.py:play", "OBJECTIVE", about, limit_s, aloud=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
