"""One lab for scale.py, which runs it in namespaces: more nodes than two, or many groups that fail over at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import Any

from tests.bench.many_groups import ManyGroups
from tests.bench.repeated_fault import MASTER
from tests.bench.repeated_fault import once
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.holders import holdings
from wsa_proxy.lab.holders import overlap_s
from wsa_proxy.lab.lab import Lab

SETTLE_S = 120.0
"""Eight mitmdumps that start on two processors take half a minute."""
ANSWERS_S_MAX = 60.0
QUIET_S = 2.0
"""What an earlier takeover has left to do must not disturb the next one."""
UNDO = {"kill": ["start"], "cable": ["plug"]}


def of_nodes() -> list[dict[str, Any]]:
    """What ``SCALE`` asks for, as JSON: nodes, and faults of the master, one after the other. A result for each."""
    about = json.loads(os.environ["SCALE"])
    with Lab(about["nodes"]) as lab:
        lab.settle(SETTLE_S)
        lab.start_client()
        lab.wait_service()
        return [taken_over(lab, fault, number) for number, fault in enumerate(about["faults"])]


def taken_over(lab: Lab, fault: str, number: int) -> dict[str, Any]:
    """One fault, what the client and the kernels saw of it, and the master back in its place."""
    begin_s = time.monotonic()
    measured = once(lab, {"fault": fault, "node": MASTER, "undo": UNDO[fault]}, number)
    taken = [each.node for each in lab.holder_log.events if each.held and each.node != MASTER and each.at_s > begin_s]
    held = holdings(lab.holder_log.events, time.monotonic())
    measured |= {"takers": sorted(set(taken)), "two_holders_s": overlap_s(held, begin_s, lab.applied[-1].at_s)}
    return measured | {"fault": fault, "nodes": len(lab.nodes)}


def of_groups() -> list[dict[str, Any]]:
    """What ``SCALE`` asks for, as JSON: groups, mac, and faults of the master of all. A result for each."""
    about = json.loads(os.environ["SCALE"])
    with ManyGroups(about["groups"], {"mac": about["mac"]}) as lab:
        return [all_taken_over(lab, fault) | about | {"fault": fault} for fault in about["faults"]]


def all_taken_over(lab: ManyGroups, fault: str) -> dict[str, Any]:
    """The master of all groups is lost at once. Milliseconds are counted from then on."""
    if lab.applied:
        for word in ("plug", "start"):
            if FAULTS[word].possible(lab, MASTER):
                lab.apply(FAULTS[word], MASTER)
    lab.settle(SETTLE_S)
    lab.wait_for("all to be the master's", lambda: elsewhere(lab, MASTER), SETTLE_S)
    time.sleep(QUIET_S)
    probe = lab.run_in("client", "tests.bench.vip_probe", str(lab.port), *lab.virtual_ips)
    assert probe.stdout is not None
    if probe.stdout.readline() != b"ready\n":
        raise RuntimeError("the virtual IPs did not answer before the fault")
    lost_s = lose(lab, probe, fault)
    seen = json.loads(probe.communicate(timeout=ANSWERS_S_MAX)[0])
    lab.wait_for("all to be the standby's", lambda: elsewhere(lab, "b"), SETTLE_S)
    held = holdings(lab.holder_log.events, time.monotonic())
    return measured(seen, lost_s) | {"two_holders_s": overlap_s(held, lost_s, time.monotonic())}


def lose(lab: ManyGroups, probe: subprocess.Popen[bytes], fault: str) -> float:
    """Do the fault, and have the probe begin in the same moment; which that was."""
    if fault == "power":
        lab.apply(FAULTS["cable"], MASTER)  # of a node without a cable nobody hears how its processes end
        lost_s = time.monotonic()
        probe.send_signal(signal.SIGUSR1)
    else:
        lost_s = time.monotonic()
        probe.send_signal(signal.SIGUSR1)  # to reap a process with many groups takes the kernel two seconds
    lab.apply(FAULTS[fault], MASTER)
    return lost_s


def elsewhere(lab: ManyGroups, node: str) -> str | None:
    """None when this node, and no other, has all the addresses."""
    found = [address for address, nodes in lab.holders(time.monotonic()).items() if nodes != {node}]
    return f"{len(found)} are not with {node}" if found else None


def measured(seen: dict[str, Any], lost_s: float) -> dict[str, Any]:
    """Of what the probe tells: the first and the last connection that was answered, and the answers."""
    answered = [each for each in seen["answered"].values() if each is not None]
    if not answered:
        raise RuntimeError("no virtual IP has answered after the fault")
    connected, served = (sorted((each[part] - lost_s) * 1000 for each in answered) for part in (0, 1))
    return {
        "connected_ms": [connected[0], connected[-1]],
        "served_ms": [served[0], served[-1]],
        "silent": len(seen["answered"]) - len(answered),
        "late_ms": seen["late_s"] * 1000,
    }
