from __future__ import annotations

from pathlib import Path

from tests.doctor.patients import facts
from wsa_proxy.doctor.checks import CHECKS
from wsa_proxy.doctor.checks import examine


def test_every_check_is_made_and_bears_that_nothing_could_be_gathered() -> None:
    """Each is in the examination under its name, also when it could not be made."""
    examination = examine(facts(file=Path("node.yaml"), deaf={"eth0": "no right"}))
    assert [name for name, _ in examination.answers] == list(CHECKS)
    assert examination.findings == []
    undone = {name for name, _ in examination.not_made}
    done = {"configuration", "interface and subnet", "rights", "packet filter", "open connections", "files"}
    assert set(CHECKS) - undone == done


def test_a_check_that_says_the_same_twice_says_it_once() -> None:
    """Two groups on one interface."""
    group = facts().groups[0]
    examination = examine(facts(group, group, deaf={"eth0": "no right"}))
    assert [each.why for name, each in examination.not_made if name == "virtual MAC"] == ["eth0: no right"]
