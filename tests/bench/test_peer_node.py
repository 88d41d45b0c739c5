"""A peer's node is a plain proxy with a daemon beside it; both are shell scripts here that only live."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.bench.daemon import Daemon
from wsa_proxy.bench.peer_node import PeerNode
from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.namespace import create_network
from wsa_proxy.lab.topology import host

ORDER = Path("/run/order")
LIVES = """
trap 'echo $0 ends >>/run/order; exit' TERM
trap 'echo $0 steps down >>/run/order' USR2
echo $0 lives
while :; do sleep 0.02; done
"""


def lines_of(file: Path, count: int) -> list[str]:
    """Once there are so many."""
    deadline = time.monotonic() + 10
    while not (file.exists() and len(file.read_text().splitlines()) >= count) and time.monotonic() < deadline:
        time.sleep(0.01)
    return file.read_text().splitlines()


def life() -> dict[str, Any]:
    """Through what is done to a node in a bench."""
    network, log = create_network("a"), Path("/run/daemon.log")
    daemon = Daemon("daemon", network, log, ("/bin/sh", "-c", LIVES, "daemon"))
    command = ("/bin/sh", "-c", LIVES, "proxy")
    Path("/run/a").mkdir()
    node = PeerNode(host("a", 1), network, Path("/run/a"), NodeFile("", (), (), 8080), command, daemon)
    seen: dict[str, Any] = {"backup": node.is_backup, "command": node._command == list(command)}
    node.start()
    node.kill()
    seen["proxy killed"] = [node.alive, daemon.alive]
    node.start()
    seen["daemons"] = len(lines_of(log, 1))
    node.kill_all()
    seen["both killed"] = [node.alive, daemon.alive, node.ended_by_itself]
    node.start()
    lines_of(log, 2), lines_of(node.log, 3)
    node.step_down()
    lines_of(ORDER, 1)
    node.step_up()
    order = Path("/run/a/step-down")
    seen["file"] = [order.exists()]
    order.write_text("0\n")
    for step in (node.step_down, node.step_up):
        step()
        seen["file"].append(order.read_text())
    node.stop()
    seen["order"] = lines_of(ORDER, 3)
    seen["stopped"] = [daemon.alive, node.ended_by_itself]
    node.start()
    daemon.send(signal.SIGKILL)
    daemon._running().wait()
    seen["daemon gone"] = [node.alive, node.ended_by_itself]
    daemon.start()
    os.kill(node.pid, signal.SIGKILL)
    os.waitid(os.P_PID, node.pid, os.WEXITED | os.WNOWAIT)
    seen["proxy gone"] = [daemon.alive, node.ended_by_itself]
    seen["tail"] = node.log_tail().split("\n")
    try:
        node.switch_here()
    except NodeFault as error:
        seen["switch"] = str(error)
    return seen


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    found: dict[str, Any] = run_inside(life)
    return found


@needs_namespaces
def test_a_killed_proxy_leaves_its_daemon(seen: dict[str, Any]) -> None:
    """And the next one finds it: it is not started twice."""
    assert seen["proxy killed"] == [False, True] and seen["daemons"] == 1


@needs_namespaces
def test_both_can_be_killed(seen: dict[str, Any]) -> None:
    """As a power cut does it; that is no end of their own."""
    assert seen["both killed"] == [False, False, False]


@needs_namespaces
def test_a_stop_ends_the_daemon_before_the_proxy(seen: dict[str, Any]) -> None:
    """So that it hands over while the proxy still serves; stepping down is a signal to the daemon alone."""
    assert seen["order"] == ["daemon steps down", "daemon ends", "proxy ends"]
    assert seen["stopped"] == [False, False]


@needs_namespaces
def test_keepalived_steps_down_by_its_file(seen: dict[str, Any]) -> None:
    """Where there is one; its daemon hears no signal then. Without one, taking it back is nothing."""
    assert seen["file"] == [False, "1\n", "0\n"]


@needs_namespaces
def test_whichever_ends_by_itself_is_told(seen: dict[str, Any]) -> None:
    """With the other one well and alive; the logs of both are the node's."""
    assert seen["daemon gone"] == [True, True] and seen["proxy gone"] == [True, True]
    assert "proxy lives" in seen["tail"] and "daemon lives" in seen["tail"]


@needs_namespaces
def test_what_only_ours_can_is_refused(seen: dict[str, Any]) -> None:
    """A peer knows neither our configuration nor our orders."""
    assert seen["command"] and not seen["backup"] and seen["switch"] == "node a has no order for that"
