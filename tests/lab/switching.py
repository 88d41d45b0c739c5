"""Planned switches on the test track, there and back again and again, while a client goes on asking; and a drill.

As in stopping.py. To measure, outside of the tests:
``SWITCHES=20 EVERY=0.01 python -m wsa_proxy.lab tests/lab/switching.py:virtual_mac``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from tests.lab.scenarios import do
from tests.lab.scenarios import say
from tests.lab.scenarios import seen
from tests.lab.scenarios import status
from tests.lab.stopping import AFTERWARDS_S
from tests.lab.stopping import REQUEST_EVERY_S
from tests.lab.stopping import SLOW_S
from wsa_proxy.lab.lab import Lab
from wsa_proxy.runtime.control import ask

SWITCHES = 4


def begun(overrides: Mapping[str, Any], nodes: int = 2) -> Lab:
    every_s = float(os.environ.get("EVERY", REQUEST_EVERY_S))
    lab = Lab(nodes=nodes, overrides=overrides, interval_s=every_s, say=say).__enter__()
    lab.settle()
    lab.start_client()
    lab.wait_service()
    return lab


def switches(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Whoever is backup is switched to; the better node is held away by nothing but the operator's word."""
    lab = begun(overrides)
    if status(lab, "a")["groups"][0]["state"] != "master":  # a busy machine had b listen first, and b keeps the group
        do(lab, "switch", "a")
        lab.settle()
    rounds = []
    for number in range(int(os.environ.get("SWITCHES", SWITCHES))):
        target = "ba"[number % 2]
        lab.wait_service()
        lab.settle()
        do(lab, "switch", target)
        at_s = lab.applied[-1].at_s
        time.sleep(AFTERWARDS_S)
        of_it = [sample for sample in list(lab.samples) if at_s - SLOW_S < sample.start_s < at_s + AFTERWARDS_S]
        bad = [each for each in of_it if not each.ok or each.end_s - each.start_s > SLOW_S]
        group = status(lab, "a")["groups"][0]
        rounds.append(
            {
                "target": target,
                "at_s": at_s - lab.began_s,
                "requests": len(of_it),
                "bad": [(each.start_s - at_s, each.end_s - at_s, each.error or "slow") for each in bad],
                "a": group["state"],
                "a_is_away": group["members"]["switched_away"],
                "two_holders_s": lab.rows()[-1].two_holders_s,
            }
        )
    return seen(lab, rounds=rounds)


def virtual_mac() -> dict[str, Any]:
    return switches({})


def own_mac() -> dict[str, Any]:
    return switches({"mac": "interface", "failover_handling": "non-preemptive"})


def plain() -> dict[str, Any]:
    return switches({"security": "carp", "failover_handling": "non-preemptive"})


def drill() -> dict[str, Any]:
    """Of three nodes, run on the worst; by then it knows the others."""
    lab = begun({}, nodes=3)
    order = {"group": "1", "objective_ms": "5000"}
    answer = ask(lab.nodes["c"].state_dir / "control.sock", "drill", order, time_limit_s=60.0)
    kept = (lab.nodes["c"].state_dir / "drills.json").exists()
    return seen(lab, drill=answer, kept=kept)
