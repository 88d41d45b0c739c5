"""A node is killed in a planned switch, at each of its stages: what is left, and what the clients have noticed.

As in carrying.py; the judging is in test_carrying_long.py.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from typing import Any

from tests.lab.carrying import LISTED_S
from tests.lab.carrying import OTHERS
from tests.lab.carrying import begun
from tests.lab.carrying import fates
from tests.lab.carrying import left
from tests.lab.carrying import master
from tests.lab.carrying import other
from tests.lab.carrying import wait_calm
from tests.lab.scenarios import do
from tests.lab.scenarios import seen
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.holders import LOOPBACK
from wsa_proxy.lab.lab import Lab

OPEN = ("--downloads", "3", "--download-s", "10", *OTHERS)
OPEN_COUNT = 6
ORDERED_S = 0.01
"""The master has not moved by then: it takes the members' consent first."""
UNSETTLED_S = 0.4
"""After the old node has fallen silent, of the second that it then waits."""
DRAINING_S = 2.0
SILENT_S_MAX = 5.0
ENDED_S_MAX = 20.0
TOLD_S_MAX = 2.0
"""After the kill a client knows, or its connection goes on."""
STEP_S = 0.005


def in_switch(stage: str) -> dict[str, Any]:
    """The old node is killed at this stage of a switch, then the new one at the same stage of another."""
    lab = begun({})
    rounds = []
    for which in ("old", "new"):
        rounds.append(_killed(lab, stage, which))
        do(lab, "start", rounds[-1]["victim"])
        lab.settle()
    return seen(lab, rounds=rounds)


def _killed(lab: Lab, stage: str, which: str) -> dict[str, Any]:
    began_s = time.monotonic()
    keeper = lab.keep_open(*OPEN)
    lab.wait_open(OPEN_COUNT)
    time.sleep(LISTED_S)
    old = master(lab)
    new = other(old)
    victim = old if which == "old" else new
    ordered_s = time.monotonic()
    threading.Thread(target=_order, args=(lab, new), name="order", daemon=True).start()
    _wait_stage(lab, stage, old, ordered_s, keeper)
    do(lab, "kill", victim)
    killed_s = lab.applied[-1].at_s
    moved = any(each.node == new and each.held and ordered_s < each.at_s < killed_s for each in lab.holder_log.events)
    time.sleep(max(0.0, killed_s + TOLD_S_MAX - time.monotonic()))
    keeper.terminate()
    keeper.wait(ENDED_S_MAX)
    wait_calm(lab)
    return {
        "victim": victim,
        "which": which,
        "moved": moved,
        "fates": fates(lab, began_s, killed_s),
        "left": left(lab),
        "master": master(lab),
    }


def _order(lab: Lab, new: str) -> None:
    """The one that is asked may be killed before it answers."""
    with contextlib.suppress(NodeFault):
        do(lab, "switch", new)


def _wait_stage(lab: Lab, stage: str, old: str, ordered_s: float, keeper: subprocess.Popen[bytes]) -> None:
    if stage == "before the move":
        time.sleep(ORDERED_S)
        return
    silent_s = _silent_s(lab, old, ordered_s)
    if stage == "between silent and settled":
        time.sleep(max(0.0, silent_s + UNSETTLED_S - time.monotonic()))
        return
    time.sleep(max(0.0, silent_s + DRAINING_S - time.monotonic()))
    if stage == "at the end":
        keeper.terminate()
        keeper.wait(ENDED_S_MAX)


def _silent_s(lab: Lab, old: str, since_s: float) -> float:
    """When the old node had the virtual IP on its loopback interface."""
    until_s = time.monotonic() + SILENT_S_MAX
    while time.monotonic() < until_s:
        for each in lab.holder_log.events:
            if each.node == old and each.interface == LOOPBACK and each.held and each.at_s > since_s:
                return each.at_s
        time.sleep(STEP_S)
    raise AssertionError(f"node {old} has not fallen silent: {lab.holder_log.events[-6:]}")


def before_the_move() -> dict[str, Any]:
    return in_switch("before the move")


def unsettled() -> dict[str, Any]:
    return in_switch("between silent and settled")


def draining() -> dict[str, Any]:
    return in_switch("while draining")


def at_the_end() -> dict[str, Any]:
    return in_switch("at the end")
