from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.node import Node
from wsa_proxy.lab.node import mitmdump_path
from wsa_proxy.lab.topology import Topology
from wsa_proxy.lab.topology import node_hosts

pytestmark = needs_namespaces

# A process that answers on the node's socket like the real one, as far as the lab reads the answer.
STAND_IN = """
import datetime, json, os, socket, sys
folder = os.path.dirname(sys.argv[-1].partition("=")[2])
path = folder + "/state/control.sock"
if os.path.exists(path):
    os.unlink(path)
server = socket.create_server(path, family=socket.AF_UNIX)
print("listening", flush=True)
changes = [{"at": datetime.datetime.now(datetime.UTC).isoformat(), "from": "init", "to": "backup", "reason": "ready",
            "evidence": ""}]
document = {"pid": os.getpid(), "groups": [{"id": 1, "state": "backup", "transitions": changes}]}
while True:
    connection, _ = server.accept()
    try:
        connection.recv(100)
        connection.sendall(json.dumps(document).encode() + b"\\n")
    except OSError:
        pass  # Whoever asked while this process was frozen has given up.
    connection.close()
"""


def test_a_node_tells_news_and_each_transition_once_for_each_life() -> None:
    """Polled many times, a transition is one; a new process has its own."""
    answer = run_inside(two_lives)
    assert answer["states"] == ["backup", "backup"]
    assert answer["news_after_start"] is None
    assert answer["transitions"] == [["init", "backup"], ["init", "backup"]]
    assert answer["age_s"] < 5
    assert answer["log"] == "listening\nlistening"


def test_a_frozen_node_sends_no_news_and_cannot_be_stopped() -> None:
    """Its last news get older; thawed, it answers again."""
    answer = run_inside(frozen)
    assert answer == {"refused": "node a is frozen: it cannot stop before thaw", "silent": True, "fresh_again": True}


def test_an_end_that_nobody_asked_for_is_noticed() -> None:
    """A kill is asked for; an exit at start is not, and the log says why."""
    assert run_inside(ends) == {"killed": False, "exited": True, "log": "wrong configuration"}


def test_mitmdump_is_the_one_of_this_installation() -> None:
    """Beside the running Python, when it is there."""
    assert Path(mitmdump_path()).name == "mitmdump"


def make(program: str) -> Node:
    hosts = node_hosts(1)
    topology = Topology(hosts)
    topology.build()
    command = [sys.executable, "-c", program]
    return Node(hosts[0], topology.networks["a"], Path("/run/a"), NodeFile("", (), (), 8080), command)


def until(condition: Any) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "10 s were not enough"
        time.sleep(0.01)


def two_lives() -> dict[str, Any]:
    node = make(STAND_IN)
    states = []
    for life in (1, 2):
        node.start()
        news_after_start = node.news
        until(lambda: node.news is not None)
        first = node.news
        assert first is not None
        until(lambda seen_s=first.at_s: node.news is not None and node.news.at_s > seen_s + 0.5)
        assert node.news is not None
        states.append(node.news.groups[0]["state"])
        assert len(node.transitions) == life
        node.kill()
    return {
        "states": states,
        "news_after_start": news_after_start,
        "transitions": [[each.before, each.after] for each in node.transitions],
        "age_s": time.monotonic() - node.transitions[-1].at_s,
        "log": node.log_tail(),
    }


def frozen() -> dict[str, Any]:
    node = make(STAND_IN)
    node.start()
    until(lambda: node.news is not None)
    node.freeze()
    with pytest.raises(NodeFault) as refused:
        node.stop()
    assert not node.answers
    time.sleep(0.6)  # An answer that was under way has come by now: ANSWER_LIMIT_S is 0.5 s.
    last = node.news
    assert last is not None
    time.sleep(1.0)
    silent = node.news is last
    node.thaw()
    assert node.answers
    until(lambda: node.news is not None and node.news.at_s > last.at_s)
    return {"refused": str(refused.value), "silent": silent, "fresh_again": True}


def ends() -> dict[str, Any]:
    node = make("import time; time.sleep(60)")
    node.start()
    node.kill()
    killed = node.ended_by_itself
    node._command = [sys.executable, "-c", "import sys; sys.exit('wrong configuration')"]
    node.start()
    until(lambda: not node.alive)
    return {"killed": killed, "exited": node.ended_by_itself, "log": node.log_tail()}
