"""The doctor beside real nodes in the lab: nothing where nothing is wrong, then what only a running node knows."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from typing import Any

import pytest

from tests.lab import scenarios
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from tests.learning_switch import run
from wsa_proxy import cli
from wsa_proxy.cli import asking
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.namespace import inside

pytestmark = needs_namespaces

EVERY_S = 0.05
WAIT_S_MAX = 40.0
DROP_112 = "meta protocol ip ip protocol 112 drop; meta protocol ip6 ip6 nexthdr 112 drop;"


def examine(lab: Lab, name: str, *, with_file: bool = True) -> dict[str, Any]:
    """One run on a node's host: the document, with the exit status."""
    node = lab.nodes[name]
    file = [str(node.configuration)] if with_file else []
    out = io.StringIO()
    with inside(lab.topology.networks[name]), contextlib.redirect_stdout(out):
        status = cli.main(["doctor", *file, "--json"])
    return {**json.loads(out.getvalue()), "status": status}


def group_of(lab: Lab, name: str) -> dict[str, Any]:
    group: dict[str, Any] = scenarios.status(lab, name)["groups"][0]
    return group


def beside_nodes() -> dict[str, Any]:
    """Clean on both nodes, then a hairpin, then protocol 112 is dropped between them, then the standby is killed."""
    lab = Lab(say=scenarios.say, interval_s=EVERY_S).__enter__()
    lab.settle()
    lab.start_client()
    lab.wait_service()
    lab.wait_for("a healthy standby", lambda: None if standbys(lab) else "none yet", WAIT_S_MAX)
    asked = len(lab.samples)
    found: dict[str, Any] = {"before": {name: group_of(lab, name) for name in "ab"}}
    found["clean"] = {name: examine(lab, name) for name in "ab"}
    asking.DEFAULT_SOCKET = lab.nodes["b"].state_dir / "control.sock"
    found["without a file"] = examine(lab, "b", with_file=False)
    found["after"] = {name: group_of(lab, name) for name in "ab"}
    found["failed"] = [sample.error for sample in list(lab.samples)[asked:] if not sample.ok]
    with hairpin():
        found["hairpin"] = {name: examine(lab, name) for name in "ab"}
    chain = f"chain passing {{ type filter hook forward priority 0; {DROP_112} }}"
    run("nft", "-f", "-", text=f"table bridge filtered {{\n{chain}\n}}\n")
    lab.wait_for("a filter to be noticed", lambda: noticed(lab), WAIT_S_MAX)
    found["filtered"] = {name: examine(lab, name) for name in "ab"}
    run("nft", "delete", "table", "bridge", "filtered")
    lab.wait_for("the filter to be forgotten", lambda: None if noticed(lab) else "it is known", WAIT_S_MAX)
    scenarios.do(lab, "kill", "b")
    lab.wait_for("redundancy to be lost", lambda: "not lost" if lost_s(lab) is None else None, WAIT_S_MAX)
    found["alone"] = examine(lab, "a")
    found["killed"] = examine(lab, "b")
    return found


@contextlib.contextmanager
def hairpin() -> Any:
    """The switch sends back to node a what comes from there."""
    for word in ("on", "off"):
        subprocess.run(["ip", "link", "set", "dev", "a", "type", "bridge_slave", "hairpin", word], check=True)
        if word == "on":
            yield


def standbys(lab: Lab) -> int:
    return min(int(group_of(lab, name)["members"]["redundancy"]["healthy_standbys"]) for name in "ab")


def lost_s(lab: Lab) -> float | None:
    lost: float | None = group_of(lab, "a")["members"]["redundancy"]["lost_s"]
    return lost


def noticed(lab: Lab) -> str | None:
    """By both; None when it is."""
    for name in "ab":
        findings = group_of(lab, name)["members"]["findings"]
        if not findings:
            return f"{name} has found nothing"
    return None


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    found: dict[str, Any] = run_inside(beside_nodes, 110.0)
    return found


def checks(document: dict[str, Any]) -> list[str]:
    return [each["check"] for each in document["findings"]]


@pytest.mark.parametrize("name", ["a", "b"])
def test_nothing_is_wrong(seen: dict[str, Any], name: str) -> None:
    """On the master, and on the backup, which hears the master answer for the virtual IP; and every check is made."""
    found = seen["clean"][name]
    assert (found["status"], found["findings"], found["not_made"], found["node"]) == (0, [], [], name)


def test_without_a_file_the_running_nodes_is_found(seen: dict[str, Any]) -> None:
    """Its command line names it."""
    assert seen["without a file"] == seen["clean"]["b"]


def test_nobody_is_disturbed(seen: dict[str, Any]) -> None:
    """No transition, no packet that is refused, no failed request."""
    assert seen["failed"] == []
    for name in "ab":
        before, after = seen["before"][name], seen["after"][name]
        for unmoved in ("state", "transitions", "rejected", "virtual_ip_held", "obstacles", "demotion"):
            assert after[unmoved] == before[unmoved], (name, unmoved)


def test_a_reflection_is_named_where_it_is(seen: dict[str, Any]) -> None:
    """With both witnesses: the doctor's probes, and the master's own advertisements."""
    assert checks(seen["hairpin"]["a"]) == ["reflection"]
    evidence = seen["hairpin"]["a"]["findings"][0]["evidence"]
    assert "own ARP probes came in again" in evidence and "own advertisements came in again" in evidence
    assert checks(seen["hairpin"]["b"]) == []


@pytest.mark.parametrize("name", ["a", "b"])
def test_advertisements_that_are_filtered_are_named_on_both_nodes(seen: dict[str, Any], name: str) -> None:
    found = seen["filtered"][name]
    assert checks(found) == ["advertisements between members"], found["findings"]
    assert "those of a do not arrive at b" in found["findings"][0]["evidence"]


def test_the_standby_is_dead(seen: dict[str, Any]) -> None:
    """On the master redundancy is lost; on the dead node's host a socket is left at which nobody answers."""
    assert checks(seen["alone"]) == ["redundancy"], seen["alone"]["findings"]
    assert "b: last heard" in seen["alone"]["findings"][0]["evidence"]
    assert checks(seen["killed"]) == ["running node"], seen["killed"]["findings"]
