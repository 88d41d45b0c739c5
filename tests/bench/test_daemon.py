"""A peer's daemon: its processes are treated as one."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.bench.daemon import Daemon
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.namespace import create_network

PARENT_AND_CHILD = ("/bin/sh", "-c", "sleep 60 & echo child $!; wait")


def state_of(pid: int) -> str:
    """As /proc tells: S sleeps, T is stopped, Z is dead and not waited for; empty: there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def comes_to(pid: int, states: str) -> bool:
    """Signals take effect a moment later."""
    deadline = time.monotonic() + 10
    while state_of(pid) not in states and time.monotonic() < deadline:
        time.sleep(0.01)
    return state_of(pid) in states


def until(daemon: Daemon, count: int) -> int:
    """The child's number, once the daemon has told of so many."""
    deadline = time.monotonic() + 10
    while daemon.log.count("\n") < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return int(daemon.log.splitlines()[count - 1].split()[1])


def life() -> dict[str, Any]:
    """Frozen, thawed, killed, started again, stopped, started and left to end."""
    network = create_network("host")
    daemon = Daemon("daemon of a", network, Path("/run/daemon.log"), PARENT_AND_CHILD)
    seen: dict[str, Any] = {"before": [daemon.alive, daemon.ended_by_itself, daemon.log]}
    try:
        daemon.kill()
    except NodeFault as error:
        seen["not running"] = str(error)
    daemon.start()
    child = until(daemon, 1)
    try:
        daemon.start()
    except NodeFault as error:
        seen["running"] = str(error)
    daemon.freeze()
    seen["frozen"] = comes_to(child, "T")
    daemon.thaw()
    seen["thawed"] = comes_to(child, "SR")
    daemon.kill()
    seen["killed"] = [state_of(child), daemon.alive, daemon.ended_by_itself]
    daemon.start()
    seen["again"] = until(daemon, 2) != child
    daemon.stop()
    seen["stopped"] = [daemon.alive, daemon.ended_by_itself]
    ends = Daemon("daemon of b", network, Path("/run/ends.log"), ("/bin/true",))
    ends.start()
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    seen["ended"] = [ends.alive, ends.ended_by_itself]
    return seen


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    found: dict[str, Any] = run_inside(life)
    return found


@needs_namespaces
def test_what_makes_no_sense_is_refused(seen: dict[str, Any]) -> None:
    """With the daemon's name."""
    assert seen["before"] == [False, False, ""]
    assert seen["not running"] == "daemon of a is not running"
    assert seen["running"] == "daemon of a is running already"


@needs_namespaces
def test_children_are_frozen_and_thawed_with_it(seen: dict[str, Any]) -> None:
    """keepalived's protocol runs in a child."""
    assert seen["frozen"] and seen["thawed"]


@needs_namespaces
def test_nothing_is_left_of_a_killed_one(seen: dict[str, Any]) -> None:
    """Not even a child that nobody has waited for: keepalived would take it for one that runs."""
    assert seen["killed"] == ["", False, False]
    assert seen["again"]


@needs_namespaces
def test_an_end_that_nobody_asked_for_is_told(seen: dict[str, Any]) -> None:
    """A stop is asked for."""
    assert seen["stopped"] == [False, False]
    assert seen["ended"] == [False, True]
