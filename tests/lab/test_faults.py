from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.lab.traffic import ALL_PASS
from tests.lab.traffic import CARP
from tests.lab.traffic import Traffic
from wsa_proxy.lab import node as node_module
from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.faults import Takes
from wsa_proxy.lab.node import Node
from wsa_proxy.lab.topology import NODE_NAMES
from wsa_proxy.lab.topology import Topology
from wsa_proxy.lab.topology import node_hosts

AILMENTS = {"freeze": "thaw", "block": "unblock", "starve": "feed", "mute": "unmute", "ignore": "attend"}
"""Faults that leave the process alive, and what undoes them."""
NOT_OF_A_NODE = {word for word, fault in FAULTS.items() if fault.takes is not Takes.NODE}


def test_a_fault_is_written_as_scripts_write_it() -> None:
    """The table and the JSON of a run show the words that were asked for."""
    assert FAULTS["kill"].text(["a"]) == "kill a"
    assert FAULTS["cut"].text(["a", "b"]) == "cut a>b"
    assert FAULTS["heal"].text([]) == "heal"


def test_keys_are_single_free_letters_for_faults_of_one_node() -> None:
    """A key of the screen is done to the picked node; q and the names of up to eight nodes are taken."""
    for fault in FAULTS.values():
        assert len(fault.key) <= 1
        assert not fault.key or fault.takes is Takes.NODE
        assert fault.key not in ("q", *NODE_NAMES)


@needs_namespaces
def test_of_the_faults_on_one_key_at_most_one_is_possible() -> None:
    """In every state of a node: running, frozen, stopped, unplugged. And what is not possible is refused."""
    answer = run_inside(offered_in_every_state)
    for state, offered in answer.items():
        keys = [FAULTS[word].key for word in offered if FAULTS[word].key]
        assert len(keys) == len(set(keys)), state
    to_the_living = {"kill", "kill-all", "power", "stop", "deafen", "cable"}
    assert set(answer["running"]) == {*to_the_living, *AILMENTS}
    for word, undo in AILMENTS.items():
        assert set(answer[word]) == {*to_the_living, undo}, "one ailment at a time, and the way out of it"
        assert set(answer[undo]) == set(answer["running"])
    assert set(answer["killed"]) == set(answer["stopped"]) == {"start", "cable"}
    assert set(answer["without power"]) == {"start", "plug"}


def offered_in_every_state() -> dict[str, Any]:
    lab = small_lab()

    def offered() -> list[str]:
        return [word for word, fault in FAULTS.items() if fault.takes is Takes.NODE and fault.possible(lab, "a")]

    def do(word: str) -> None:
        FAULTS[word].apply(lab, "a")

    def refused(words: Sequence[str]) -> bool:
        told = []
        for word in words:
            with pytest.raises(NodeFault) as error:
                do(word)
            told.append(str(error.value))
        return all(told)

    seen = {"never started": offered()}
    do("start")
    lab.nodes["a"].wait_until_it_obeys()
    seen["running"] = offered()
    for pair in AILMENTS.items():
        for word in pair:
            do(word)
            seen[word] = offered()
            impossible = set(FAULTS) - set(seen[word]) - NOT_OF_A_NODE
            assert refused(sorted(impossible - {"start"})), word
    do("kill")
    seen["killed"] = offered()
    do("start")
    do("stop")
    lab.nodes["a"]._process.wait(10)
    seen["stopped"] = offered()
    do("start")
    do("power")
    seen["without power"] = offered()
    assert refused(sorted(set(FAULTS) - {"start", "plug"} - NOT_OF_A_NODE))
    return seen


@needs_namespaces
def test_starving_is_what_a_process_without_free_descriptors_sees() -> None:
    """Nothing can be opened, what is open stays, a wait for one descriptor is possible; fed, all is as before."""
    assert run_inside(starve_and_feed) == ["opens", "EMFILE, polls", "opens"]


def starve_and_feed() -> list[str]:
    lab = small_lab(EATER)
    node = lab.nodes["a"]
    node.start()
    seen = [node.ask()]
    for word in ("block", "mute", "ignore"):  # it does not handle the signal and would end
        with pytest.raises(NodeFault, match="has not started yet"):
            FAULTS[word].apply(lab, "a")
    FAULTS["starve"].apply(lab, "a")
    seen.append(node.ask())
    FAULTS["feed"].apply(lab, "a")
    seen.append(node.ask())
    return seen


@needs_namespaces
def test_a_node_that_finishes_what_is_open_is_waited_for_before_it_starts_again_but_not_for_ever() -> None:
    """Then it is said what it does."""
    refused, lasted_s = run_inside(stop_and_start)
    assert "has not ended: it finishes its connections" in refused
    assert 0.2 <= lasted_s < 5


def stop_and_start() -> tuple[str, float]:
    lab = small_lab(STUBBORN)
    node = lab.nodes["a"]
    node.start()
    node.wait_until_it_obeys()
    node.stop()
    node_module.ENDING_S_MAX = 0.2
    began_s = time.monotonic()
    with pytest.raises(NodeFault) as error:
        node.start()
    return str(error.value), time.monotonic() - began_s


needs_nft = pytest.mark.skipif(
    shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") is None, reason="apt-get install nftables"
)
UNHARMED = dict.fromkeys(Traffic.WAYS, ALL_PASS)
NONE_OF_CARP = [kind for kind in ALL_PASS if kind not in CARP]


@needs_namespaces
@needs_nft
def test_a_cut_is_one_way_and_heals() -> None:
    """Nothing that a sends to b arrives; what b sends to a does, but for TCP. No other way is cut."""
    no_tcp = [kind for kind in ALL_PASS if "tcp" not in kind]
    assert run_inside(cut_and_heal) == {
        "before": UNHARMED,
        "cut": UNHARMED | {"ab": [], "ba": no_tcp},
        "healed": UNHARMED,
        "healed twice": UNHARMED,
    }


def cut_and_heal() -> dict[str, Any]:
    traffic = Traffic()
    seen = {"before": traffic.passes()}
    FAULTS["cut"].apply(None, "a", "b")
    seen["cut"] = traffic.passes(asking_anew=False)
    FAULTS["heal"].apply(None)
    seen["healed"] = traffic.passes()
    FAULTS["heal"].apply(None)
    seen["healed twice"] = traffic.passes()
    return seen


@needs_namespaces
@needs_nft
def test_a_filter_takes_protocol_112_in_its_direction_and_nothing_else() -> None:
    """Both IP versions, to the group and to one peer. UDP, TCP, ARP and neighbour discovery pass all the time; two
    filters are independent of each other, and heal ends them with the cuts."""
    assert run_inside(filter_and_unfilter) == {
        "filter a>b": UNHARMED | {"ab": NONE_OF_CARP},
        "filter b>a": UNHARMED | {"ab": NONE_OF_CARP, "ba": NONE_OF_CARP},
        "unfilter a>b": UNHARMED | {"ba": NONE_OF_CARP},
        "heal": UNHARMED,
        "filter a>b again": UNHARMED | {"ab": NONE_OF_CARP},
        "refused": ["filter a>b", "unfilter b>a"],
    }


def filter_and_unfilter() -> dict[str, Any]:
    traffic = Traffic()
    seen: dict[str, Any] = {}
    for word, *way in (("filter", *"ab"), ("filter", *"ba"), ("unfilter", *"ab"), ("heal",)):
        FAULTS[word].apply(None, *way)
        seen[FAULTS[word].text(way)] = traffic.passes()
    FAULTS["filter"].apply(None, "a", "b")
    seen["filter a>b again"] = traffic.passes()
    seen["refused"] = []
    for word, *way in (("filter", *"ab"), ("unfilter", *"ba")):  # they are done, or there is nothing to undo
        with pytest.raises(NodeFault, match="nft refused the rules"):
            FAULTS[word].apply(None, *way)
        seen["refused"].append(FAULTS[word].text(way))
    return seen


SLEEPER = """
import signal, sys
from wsa_proxy.lab.saboteur import Order
for order in Order:
    signal.signal(order, lambda number, frame: None)
print("obeys", flush=True)
while True:
    signal.pause()
"""

STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("obeys", flush=True)
while True:
    signal.pause()
"""

EATER = """
import errno, os, select, signal, sys
def tell(number, frame):
    try:
        os.close(os.open("/dev/null", os.O_RDONLY))
        print("opens", flush=True)
    except OSError as error:
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        poll.poll(0)
        print(errno.errorcode[error.errno] + ", polls", flush=True)
signal.signal(signal.SIGHUP, tell)
print("obeys", flush=True)
while True:
    signal.pause()
"""


class Told(Node):
    """A node whose process is no proxy: it does what a test has written, and says so line by line."""

    def wait_until_it_obeys(self, lines: int = 1) -> str:
        deadline_s = time.monotonic() + 10
        while len(said := self.log.read_text().splitlines()) < lines:
            assert time.monotonic() < deadline_s, said
            time.sleep(0.01)
        return said[-1]

    def ask(self) -> str:
        """What it answers to SIGHUP."""
        self.wait_until_it_obeys()
        lines = len(self.log.read_text().splitlines())
        os.kill(self.pid, signal.SIGHUP)
        return self.wait_until_it_obeys(lines + 1)


def small_lab(program: str = SLEEPER) -> Any:
    """One host, and a node whose process is no proxy."""
    hosts = node_hosts(1)
    topology = Topology(hosts)
    topology.build()
    file = NodeFile("", (), (), 8080)
    node = Told(hosts[0], topology.networks["a"], Path("/run/a"), file, [sys.executable, "-c", program])
    return SimpleNamespace(nodes={"a": node}, topology=topology, virtual_ips=["10.0.0.3"], port=8080)


def test_signals_are_those_that_the_help_names() -> None:
    """kill, freeze, thaw and stop say which signal they send."""
    for word, number in (("kill", signal.SIGKILL), ("freeze", signal.SIGSTOP), ("thaw", signal.SIGCONT)):
        assert number.name in FAULTS[word].help
