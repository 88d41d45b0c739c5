from __future__ import annotations

import shutil
import signal
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.faults import Takes
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.node import Node
from wsa_proxy.lab.topology import Topology
from wsa_proxy.lab.topology import node_hosts


def test_a_fault_is_written_as_scripts_write_it() -> None:
    """The table and the JSON of a run show the words that were asked for."""
    assert FAULTS["kill"].text(["a"]) == "kill a"
    assert FAULTS["cut"].text(["a", "b"]) == "cut a>b"
    assert FAULTS["heal"].text([]) == "heal"


def test_keys_are_single_free_letters_for_faults_of_one_node() -> None:
    """A key of the screen is done to the picked node; q and the nodes' names are taken."""
    for fault in FAULTS.values():
        assert len(fault.key) <= 1
        assert not fault.key or fault.takes is Takes.NODE
        assert fault.key not in ("q", "a", "b", "e")


@needs_namespaces
def test_of_the_faults_on_one_key_at_most_one_is_possible() -> None:
    """In every state of a node: running, frozen, stopped, unplugged. And what is not possible is refused."""
    answer = run_inside(offered_in_every_state)
    for state, offered in answer.items():
        keys = [FAULTS[word].key for word in offered if FAULTS[word].key]
        assert len(keys) == len(set(keys)), state
    assert set(answer["running"]) == {"kill", "kill-all", "freeze", "stop", "deafen", "cable"}
    assert set(answer["frozen"]) >= {"kill", "thaw"}
    assert set(answer["killed"]) == {"start", "cable"}
    assert set(answer["unplugged"]) == {"start", "plug"}


def offered_in_every_state() -> dict[str, Any]:
    lab = small_lab()

    def offered() -> list[str]:
        return [word for word, fault in FAULTS.items() if fault.takes is Takes.NODE and fault.possible(lab, "a")]

    seen = {"never started": offered()}
    for word, state in (("start", "running"), ("freeze", "frozen"), ("thaw", "thawed"), ("kill", "killed")):
        FAULTS[word].apply(lab, "a")
        seen[state] = offered()
    FAULTS["cable"].apply(lab, "a")
    seen["unplugged"] = offered()
    refused = []
    for word in ("cable", "deafen", "freeze", "kill", "kill-all", "stop", "thaw"):
        try:
            FAULTS[word].apply(lab, "a")
        except NodeFault:
            refused.append(word)
    assert refused == ["cable", "deafen", "freeze", "kill", "kill-all", "stop", "thaw"], refused
    return seen


@needs_namespaces
@pytest.mark.skipif(
    shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") is None, reason="apt-get install nftables"
)
def test_a_cut_is_one_way_and_heals() -> None:
    """What a sends to b is lost; what b sends to a arrives; after heal both do."""
    assert run_inside(cut_and_heal) == {
        "before": [True, True], "cut": [False, True], "healed": [True, True], "healed twice": [True, True]
    }  # fmt: skip


def cut_and_heal() -> dict[str, Any]:
    topology = Topology(node_hosts(2))
    topology.build()
    sockets = {}
    for name in "ab":
        with inside(topology.networks[name]):
            sockets[name] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sockets[name].bind((str(topology.hosts[name].ipv4.ip), 7))
            sockets[name].settimeout(0.5)

    def arrives(sender: str, receiver: str) -> bool:
        sockets[sender].sendto(b"x", (str(topology.hosts[receiver].ipv4.ip), 7))
        try:
            return sockets[receiver].recv(10) == b"x"
        except TimeoutError:
            return False

    def both() -> list[bool]:
        return [arrives("a", "b"), arrives("b", "a")]

    seen = {"before": both()}
    FAULTS["cut"].apply(None, "a", "b")
    seen["cut"] = both()
    FAULTS["heal"].apply(None)
    seen["healed"] = both()
    FAULTS["heal"].apply(None)
    seen["healed twice"] = both()
    return seen


def small_lab() -> Any:
    """One host, and a node whose process is no proxy but sleeps."""
    hosts = node_hosts(1)
    topology = Topology(hosts)
    topology.build()
    file = NodeFile("", (), (), 8080)
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    node = Node(hosts[0], topology.networks["a"], Path("/run/a"), file, sleeper)
    return SimpleNamespace(nodes={"a": node}, topology=topology, virtual_ips=["10.0.0.3"], port=8080)


def test_signals_are_those_that_the_help_names() -> None:
    """kill, freeze, thaw and stop say which signal they send."""
    for word, number in (("kill", signal.SIGKILL), ("freeze", signal.SIGSTOP), ("thaw", signal.SIGCONT)):
        assert number.name in FAULTS[word].help
