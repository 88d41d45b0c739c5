"""Faults and a planned switch on the test track, each with what the client saw and what the new master has measured.

As in scenarios.py. To measure others, outside of the tests:
``FAULTS=freeze,cable EVERY=0.01 python -m wsa_proxy.lab tests/lab/outages.py:outages``.
"""

from __future__ import annotations

import os
import time
from typing import Any

from tests.lab.scenarios import do
from tests.lab.scenarios import seen
from tests.lab.switching import begun
from wsa_proxy.lab.lab import Lab
from wsa_proxy.runtime.control import ask

ENDED_BY = {"kill": "start", "stop": "start", "freeze": "thaw", "cable": "plug", "deafen": "start"}
QUIET_S = 1.5
"""Longer than the interval in which the service is asked after."""
CALM_S = 0.2
MEASURED_S_MAX = 10.0


def events(lab: Lab, name: str) -> list[dict[str, Any]]:
    """What a node remembers, newest first."""
    answer: list[dict[str, Any]] = ask(lab.nodes[name].state_dir / "control.sock", "history", {"limit": "1000"})[
        "history"
    ]
    return answer


def measured(lab: Lab, name: str, before: int) -> dict[str, Any]:
    """The newest takeover of a node, once its outage is known."""
    until_s = time.monotonic() + MEASURED_S_MAX
    while time.monotonic() < until_s:
        found = [each for each in events(lab, name) if each["to"] == "master" and each["number"] > before]
        if found and found[0]["outage"] is not None:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"node {name} has measured nothing: {events(lab, name)[:3]}")


def felt(lab: Lab) -> dict[str, float]:
    """What the client saw of the last fault, and what of that is no outage: how late it was itself, and how long a
    request takes on this machine, of those that began when all was over; milliseconds."""
    row, at_s = lab.rows()[-1], lab.applied[-1].at_s
    assert row.outage_ms is not None
    since = [each for each in list(lab.samples) if each.end_s > at_s - 0.1]
    late_s = max(each.start_s - each.due_s for each in since)
    over_s = at_s + row.outage_ms / 1000 + CALM_S
    takes_s = max((each.end_s - each.start_s for each in since if each.ok and each.start_s > over_s), default=0.0)
    return {"outage_ms": row.outage_ms, "slow_ms": (late_s + takes_s) * 1000}


def outages() -> dict[str, Any]:
    lab = begun({})
    found = []
    for fault in [*os.environ.get("FAULTS", "kill,stop").split(","), "switch"]:
        lab.settle()
        time.sleep(QUIET_S)
        before = events(lab, "b")[0]["number"]
        do(lab, fault, "b" if fault == "switch" else "a")
        lab.wait_service()
        found.append({"fault": fault, "event": measured(lab, "b", before), **felt(lab)})
        if fault in ENDED_BY:
            do(lab, ENDED_BY[fault], "a")
            lab.settle()
            lab.wait_service()
    return seen(lab, outages=found, history={name: events(lab, name) for name in "ab"})
