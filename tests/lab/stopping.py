"""Planned stops on the test track: the master is stopped again and again, while a client goes on asking.

As in scenarios.py, a function does things and returns what it saw; the judging is in test_stopping.py. To measure,
outside of the tests: ``STOPS=20 EVERY=0.01 python -m wsa_proxy.lab tests/lab/stopping.py:virtual_mac``.
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
from wsa_proxy.lab.lab import Lab

STOPS = 2
REQUEST_EVERY_S = 0.025  # a rate that a busy machine can serve: here each failure counts
AFTERWARDS_S = 1.2  # the time limit of a request, and a little: by then everything has ended that a stop can hurt
SLOW_S = 0.5


def stops(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The master is stopped, and started again when the other one serves; then the other one, and so on."""
    every_s = float(os.environ.get("EVERY", REQUEST_EVERY_S))
    lab = Lab(overrides={"failover_handling": "non-preemptive", **overrides}, interval_s=every_s, say=say).__enter__()
    lab.settle()
    lab.start_client()
    lab.wait_service()
    rounds = []
    for _ in range(int(os.environ.get("STOPS", STOPS))):
        (master,) = (name for name in "ab" if status(lab, name)["groups"][0]["state"] == "master")
        do(lab, "stop", master)
        at_s = lab.applied[-1].at_s
        time.sleep(AFTERWARDS_S)
        of_it = [sample for sample in list(lab.samples) if at_s - SLOW_S < sample.start_s < at_s + AFTERWARDS_S]
        bad = [each for each in of_it if not each.ok or each.end_s - each.start_s > SLOW_S]
        rounds.append(
            {
                "stopped": master,
                "at_s": at_s - lab.began_s,
                "requests": len(of_it),
                "bad": [(each.start_s - at_s, each.end_s - at_s, each.error or "slow") for each in bad],
            }
        )
        lab.wait_service()
        do(lab, "start", master)
        lab.settle()
    return seen(lab, rounds=rounds)


def virtual_mac() -> dict[str, Any]:
    return stops({})


def own_mac() -> dict[str, Any]:
    return stops({"mac": "interface"})


def ipv6() -> dict[str, Any]:
    return stops({"virtual_ip": ["fd00:77::3/64", "10.0.0.3/24"]})
