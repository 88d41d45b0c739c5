"""One lab in which a fault of the master is done and undone again and again; objectives.py runs it in namespaces."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from wsa_proxy.bench.playing import RETURN_S
from wsa_proxy.bench.playing import phase_s
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.holders import holdings
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.lab import NotBack
from wsa_proxy.lab.topology import node_hosts

MASTER = "a"
PATIENCE_S = 12.0
"""For the service to come back: more than twice the longest that is promised."""


def play() -> list[dict[str, Any]]:
    """What ``OBJECTIVE`` asks for, as JSON: fault, node, undo, overrides, runs. One result for each run."""
    about = json.loads(os.environ["OBJECTIVE"])
    with Lab(overrides=about["overrides"]) as lab:
        lab.settle()
        lab.start_client()
        lab.wait_service()
        return [once(lab, about, number) for number in range(about["runs"])]


def once(lab: Lab, about: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The fault, the wait, what undoes it, and the master back in its place. Raises NotBack when it does not return.
    What is undone by itself is measured both times, and the worse counts."""
    time.sleep(phase_s(number))
    fault, undo = about["fault"], about["undo"]
    problem = None
    lab.apply(FAULTS[fault], about["node"])
    try:
        lab.wait_service(PATIENCE_S)
    except NotBack as error:
        problem = str(error)
    row = lab.last_row()
    assert row is not None
    for word in undo:
        lab.apply(FAULTS[word], MASTER)
    lab.settle()
    lab.wait_service()
    back = lab.last_row() if fault in undo else None
    lab.wait_for("the master to be back", lambda: missing_master(lab), RETURN_S)
    gone_s = lost_after_s(lab, row.at_s)
    print(
        f"{number + 1}: {row.outage_ms:.0f} ms, address gone after {gone_s} s, {row.failed} failed, the client was "
        f"{row.late_ms:.0f} ms late, served by {row.served_after}",
        file=sys.stderr,
        flush=True,
    )
    rows = [row, back] if back is not None else [row]
    measured = {
        "outage_ms": max(each.outage_ms for each in rows),
        "failed": sum(each.failed for each in rows),
        "late_ms": max(each.late_ms for each in rows),
        "gone_s": gone_s,
    }
    return measured | {"taken_ms": taken_after_ms(lab, row.at_s), "problem": problem}


def missing_master(lab: Lab) -> str | None:
    """A node that is not trusted yet, or has to wait, is settled as a backup, too; the next run needs it as master."""
    return None if lab.holder_log.holders() == {MASTER} else f"{MASTER} does not have the virtual IP"


def taken_after_ms(lab: Lab, at_s: float) -> float | None:
    """Milliseconds from this moment until another node had answered a request; None if none has."""
    (master,) = node_hosts(1)
    own = {str(master.ipv4.ip), str(master.ipv6.ip)}
    ends = [each.end_s for each in list(lab.samples) if each.ok and each.start_s >= at_s and each.server not in own]
    return (min(ends) - at_s) * 1000 if ends else None


def lost_after_s(lab: Lab, at_s: float) -> float | None:
    """Seconds from this moment until the master's kernel had dropped the virtual IP; None if it kept it."""
    held = holdings(lab.holder_log.events, time.monotonic())
    ends = [each.end_s for each in held if each.node == MASTER and each.begin_s < at_s < each.end_s and not each.open]
    return max(ends) - at_s if ends else None
