"""Maintenance on the test track: two real nodes are ordered into it and out of it, and killed meanwhile, while a client
goes on asking.

As in scenarios.py, a function does things and returns what it saw; the judging is in test_maintenance.py.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from tests.lab.scenarios import do
from tests.lab.scenarios import say
from tests.lab.scenarios import seen
from tests.lab.scenarios import status
from wsa_proxy.lab import namespace
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.outage import failures
from wsa_proxy.lab.outage import last_server
from wsa_proxy.lab.outage import longest_gap
from wsa_proxy.status_text import is_well

REQUEST_EVERY_S = 0.025  # a rate that a busy machine can serve
STEP_S_MAX = 20.0  # a deadline, not a pause
CALM_S = 1.0
"""For so long after an order the client is watched."""


def unwell(lab: Lab) -> list[str]:
    """The nodes whose status says that something is wrong."""
    return [name for name in "ab" if not is_well(status(lab, name))]


def command(lab: Lab, name: str, *arguments: str) -> dict[str, Any]:
    """`wsa-proxy ... FILE` on this node: its exit status and all that it says."""
    say(f"{name}: {' '.join(arguments)}")
    words = [sys.executable, "-m", "wsa_proxy.cli", *arguments, str(lab.nodes[name].configuration)]
    with namespace.inside(lab.topology.networks[name]):
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(timeout=STEP_S_MAX)
    return {"status": process.returncode, "out": out, "err": err}


def noticed(lab: Lab, began_s: float) -> dict[str, Any]:
    """What the client has noticed since then."""
    samples, ended_s = list(lab.samples), time.monotonic()
    late_s = [each.start_s - each.due_s for each in samples if began_s < each.start_s <= ended_s]
    return {
        "failed": [sample.error for sample in failures(samples, began_s, ended_s)],
        "gap_s": longest_gap(samples, began_s, ended_s).duration_s,
        "late_s": max(late_s, default=0.0),
        "server": last_server(samples, began_s, ended_s),
    }


def on(lab: Lab, name: str, lasts: str, reason: str) -> dict[str, Any]:
    return command(lab, name, "maintenance", "on", "--for", lasts, "--reason", reason)


def states(lab: Lab) -> dict[str, str]:
    return {name: status(lab, name)["groups"][0]["state"] for name in "ab"}


def maintained() -> dict[str, Any]:
    """The master goes into maintenance, is killed and comes back; then both are in it, and the one that serves dies."""
    overrides = {"advertisement_interval": 0.5, "b.priority": 230}
    lab = Lab(overrides=overrides, interval_s=REQUEST_EVERY_S, say=say).__enter__()
    lab.settle()
    lab.start_client()
    lab.wait_service()
    began_s = time.monotonic()
    found: dict[str, Any] = {"ordered": on(lab, "a", "1h", "kernel update")}
    time.sleep(CALM_S)
    found["noticed"] = noticed(lab, began_s)
    found["a"], found["states"] = status(lab, "a"), [states(lab)]
    found["told"] = [command(lab, "a", "maintenance", "status"), command(lab, "a", "status")]
    do(lab, "kill", "a")
    do(lab, "start", "a")
    lab.settle()
    found["a again"] = status(lab, "a")
    found["states"].append(states(lab))
    found["both"] = on(lab, "b", "1h", "memory")
    lab.settle()
    found["states"].append(states(lab))
    serving = next(name for name, state in states(lab).items() if state == "master")
    other = "b" if serving == "a" else "a"
    do(lab, "kill", serving)
    lab.wait_service()
    began_s = time.monotonic()
    found["alone"] = {"status": status(lab, other), "text": command(lab, other, "status")}
    found["alone"]["noticed"] = noticed(lab, began_s)
    do(lab, "start", serving)
    lab.settle()
    found["short"] = on(lab, "a", "2s", "nearly done")
    lab.wait_for("its end", lambda: status(lab, "a")["maintenance"] and "a is still in maintenance", STEP_S_MAX)
    lab.settle()
    found["states"].append(states(lab))
    found["off"] = command(lab, "b", "maintenance", "off")
    lab.settle()
    # It comes with each node's next report.
    lab.wait_for("the news of its end", lambda: ", ".join(unwell(lab)) or None, STEP_S_MAX)
    found["well"] = not unwell(lab)
    return seen(lab, **found)
