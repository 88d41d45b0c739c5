from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wsa_proxy.lab import lab as lab_module
from wsa_proxy.lab.configuration import OverrideError
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.lab import NotBack
from wsa_proxy.lab.node import News
from wsa_proxy.lab.outage import Sample


@pytest.fixture
def lab() -> Lab:
    """A lab that was never started: its nodes are told what to report."""
    made = Lab()
    made.nodes = {name: fake_node(name) for name in "ab"}
    return made


def fake_node(name: str) -> Any:
    return SimpleNamespace(
        name=name, wanted=True, answers=True, news=None, ended_by_itself=False, log_tail=lambda: "why"
    )


def report(lab: Lab, states: dict[str, str], failover_handling: str = "preemptive", demotion: int = 0) -> None:
    """Let the nodes report these states."""
    for name, state in states.items():
        group = {
            "id": 1,
            "state": state,
            "priority": {"a": 255, "b": 200}[name],
            "demotion": demotion if name == "a" else 0,
            "advertisement_interval_s": 0.1,
            "reason": "eth0 is down",
        }
        lab.nodes[name].news = News(time.monotonic(), {"failover_handling": failover_handling, "groups": [group]})


def missing(lab: Lab) -> str | None:
    with pytest.raises(NotBack) as error:
        lab.settle(limit_s=0)
    return str(error.value).partition(": ")[2]


def test_settled_is_one_master_and_the_others_backup_for_an_interval(lab: Lab) -> None:
    """Not at once: the roles must last an interval."""
    report(lab, {"a": "master", "b": "backup"})
    assert missing(lab) == "the roles have just been taken"
    lab.settle(limit_s=1)


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ({"a": "backup", "b": "backup"}, "0 masters"),
        ({"a": "master", "b": "master"}, "2 masters"),
        ({"a": "init", "b": "master"}, "node a is init (eth0 is down)"),
        ({"a": "backup", "b": "master"}, "node a has not taken over yet"),
        ({"a": "master"}, "node b does not answer"),
    ],
)
def test_what_is_not_settled_is_said(lab: Lab, states: dict[str, str], told: str) -> None:
    """The progress of a wait says what is missing."""
    report(lab, states)
    assert missing(lab) == told


def test_without_preemption_or_with_a_demoted_better_node_the_lower_master_is_right(lab: Lab) -> None:
    """Nobody will take over from it, so nothing is waited for."""
    report(lab, {"a": "backup", "b": "master"}, failover_handling="non-preemptive")
    lab.settle(limit_s=1)
    report(lab, {"a": "backup", "b": "master"}, demotion=240)
    lab.settle(limit_s=1)


def test_nodes_that_cannot_take_part_are_not_waited_for(lab: Lab) -> None:
    """Stopped, frozen or without a cable."""
    node: Any = lab.nodes["a"]
    report(lab, {"a": "init", "b": "master"})
    for key, value in (("wanted", False), ("answers", False)):
        before = getattr(node, key)
        setattr(node, key, value)
        report(lab, {"a": "init", "b": "master"})
        lab.settle(limit_s=1)
        setattr(node, key, before)


def test_a_node_that_ended_by_itself_ends_the_wait_with_its_log(lab: Lab) -> None:
    """Nothing will come of waiting."""
    node: Any = lab.nodes["b"]
    node.ended_by_itself = True
    report(lab, {"a": "backup", "b": "backup"})
    with pytest.raises(NotBack, match=r"node b ended by itself; the end of its log:\nwhy"):
        lab.settle(limit_s=30)


def test_a_service_without_successes_does_not_come_back(lab: Lab) -> None:
    """The wait ends at its limit and says so."""
    with pytest.raises(NotBack, match=r"waited 0 s for requests to succeed for 1 s: no request has succeeded"):
        lab.wait_service(limit_s=0)


class Arriving(deque[Sample]):
    """Samples of which another one arrives while they are looked through, as the client's thread adds them."""

    def __reversed__(self) -> Iterator[Sample]:
        for each in super().__reversed__():
            self.append(each)
            yield each


def test_requests_go_on_while_the_service_is_waited_for(lab: Lab) -> None:
    """A deque that grows meanwhile cannot be iterated."""
    lab.samples = Arriving([Sample(0.0, 0.0, 0.1, False, "", "refused")] * 3)
    with pytest.raises(NotBack, match="no request has succeeded"):
        lab.wait_service(limit_s=0)


def test_connections_that_are_not_open_are_waited_for(lab: Lab) -> None:
    """The progress says how many are; one that has ended is not open any more."""
    for number, state in enumerate((State.RUNS, State.RUNS, State.OPENING, State.DONE)):
        lab.fates.note(Fate(1.0, f"tunnel {number}", 1, state, "10.0.0.1", 0, 0.0, ""))
    lab.wait_open(2)
    with pytest.raises(NotBack, match="waited 0 s for 3 connections to be open: 2 are"):
        lab.wait_open(3, limit_s=0)


def test_the_client_asks_the_first_virtual_ip() -> None:
    """IPv6 in brackets, at the port of the file."""
    assert Lab().proxy == "10.0.0.3:8080"
    assert Lab(overrides={"virtual_ip": ["fd00:77::3/64"], "port": 3128}).proxy == "[fd00:77::3]:3128"


def settings(command: list[str]) -> dict[str, str]:
    """What stands after each --set."""
    return dict(value.split("=", 1) for option, value in itertools.pairwise(command) if option == "--set")


def test_one_node_can_be_set_up_otherwise_and_as_at_first_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file, its options, the names that resolve and the addresses that are watched; the lab's own settings stay."""
    monkeypatch.setattr(lab_module, "FOLDER", tmp_path)
    made = Lab(3, {"b.priority": 150, "priority": 90}, options={"c.http2": "false", "flow_detail": "1"})
    given: list[tuple[str, dict[str, str]]] = []
    watched: set[str] = set()
    fake_c: Any = SimpleNamespace(configure=lambda file, command: given.append((file.text, settings(command))))
    fake_log: Any = SimpleNamespace(watch=watched.update)
    made.nodes, made.holder_log = {"c": fake_c}, fake_log

    made.configure("c", {"priority": 7, "virtual_ip": "10.0.0.9/24", "hostname": "other"}, {"confdir": "/ca2"})
    text, options = given[-1]
    assert "priority: 7 " in text and "10.0.0.9/24" in text
    assert (options["confdir"], options["http2"], options["flow_detail"]) == ("/ca2", "false", "1")
    assert watched == {"10.0.0.3", "10.0.0.9"}
    assert "10.0.0.9 other" in (tmp_path / "hosts").read_text()

    made.configure("c", {})
    text, options = given[-1]
    assert "priority: 90 " in text and "10.0.0.3/24" in text and options["confdir"] == str(lab_module.AUTHORITY)
    assert "other" not in (tmp_path / "hosts").read_text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"z.http2": "false"}, "z.http2: there is no node z; the nodes are a, b"),
        ({"failover_config": "x"}, "failover_config: the lab sets failover_config by itself"),
    ],
)
def test_an_option_of_nobody_is_told_before_anything_starts(options: dict[str, str], told: str) -> None:
    """As a key of a file is."""
    with pytest.raises(OverrideError, match=told):
        Lab(options=options)
