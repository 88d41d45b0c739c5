"""An operator uses the real page of a real node: everything there, nothing reloaded, while nodes come and go."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.browser.chromium import needs_chromium
from tests.lab import scenarios
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.lab.lab import Lab

pytestmark = [needs_namespaces, needs_chromium]

PAGE = re.compile(r"http://127\.0\.0\.1:8112/login\?token=\S+")


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What the page showed, by step."""
    lines: list[dict[str, Any]] = run_inside(operate, 110.0)
    return {line["step"]: line for line in lines}


def test_a_switch_and_a_failover_are_seen_without_reload(told: dict[str, Any]) -> None:
    """Master, backup by the operator's own order, and master again when b is killed: nobody stands by then."""
    assert [told[step]["role"] for step in ("arrived", "switched", "failed over")] == ["MASTER", "BACKUP", "MASTER"]
    assert told["failed over"]["redundancy"] == "LOST"
    assert told["switched"]["title"].partition(" a -")[0].endswith("BACKUP")
    assert told["ended"]["is_the_same_page"]


def test_a_group_is_added_and_serves(told: dict[str, Any]) -> None:
    """Two field errors, then Submit and Commit Changes: the node is master of a new group."""
    assert {"submitted", "committed"} <= told.keys()
    assert told["committed"]["role"] == "MASTER"


def test_the_history_tells_the_story(told: dict[str, Any]) -> None:
    """The newest first; the switch and the takeover are among it."""
    causes = told["looked back"]["causes"]
    assert any("MASTER of group 2" in cause for cause in causes), causes
    assert any("BACKUP of group 1" in cause for cause in causes), causes


def test_the_page_speaks_with_nobody_else(told: dict[str, Any]) -> None:
    """And its console has nothing to complain of, but for the two refusals that were provoked."""
    assert told["ended"]["hosts"] == ["127.0.0.1:8112"]
    unexpected = [line for line in told["ended"]["console"] if "status of 422 " not in line]
    assert unexpected == []


def operate() -> list[dict[str, Any]]:
    """Inside the namespaces."""
    lab = Lab(say=scenarios.say).__enter__()
    lab.settle()
    found = PAGE.search(lab.nodes["a"].log.read_text())
    assert found, lab.nodes["a"].log.read_text()
    operator = lab.run_in("a", "tests.browser.operator", found[0])
    assert operator.stdout is not None
    lines = []
    for line in operator.stdout:
        lines.append(json.loads(line))
        scenarios.say(str(lines[-1]))
        if lines[-1]["step"] == "switched":
            scenarios.do(lab, "kill", "b")
    assert operator.wait(10) == 0
    return lines
