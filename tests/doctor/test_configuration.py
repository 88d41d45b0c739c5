from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.doctor.patients import facts
from tests.doctor.patients import findings
from tests.doctor.patients import only
from tests.doctor.patients import whys
from wsa_proxy.config.source import Problem
from wsa_proxy.doctor.configuration import check_file
from wsa_proxy.doctor.configuration import check_interface
from wsa_proxy.doctor.facts import FileFacts
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import InterfaceFacts

FILE = Path("node.yaml")


def test_a_problem_becomes_what_seen_fix() -> None:
    """The words are those of ``wsa-proxy check``, cut where the way out begins."""
    problem = Problem("node.yaml", 3, "groups[0].id", "300", "must be from 1 to 255; each group needs its own")
    assert only(check_file, facts(file=FILE, problems=(problem,))) == Finding(
        "groups[0].id 300 must be from 1 to 255", "node.yaml:3", "each group needs its own"
    )
    whole = Problem("node.yaml", 0, "", None, "is empty")
    assert only(check_interface, facts(file=FILE, host_problems=(whole,))) == Finding(
        "is empty", "node.yaml", "correct it there; wsa-proxy check node.yaml knows what is allowed"
    )


def test_the_mode_of_the_secrets_file_is_told_once() -> None:
    """The check of the files has it; where that could not look, the file's own problem stays."""
    text = "others may use it (mode 644); only its owner may: chmod 600 /secret"
    problem = Problem("node.yaml", 3, "groups[0].shared_secret_file", "/secret", text)
    looked = FileFacts(Path("/secret"), "the file of the Shared Secret", 0o644)
    assert list(check_file(facts(file=FILE, problems=(problem,), files=(looked,)))) == []
    assert len(findings(check_file(facts(file=FILE, problems=(problem,))))) == 1


def test_without_a_file_it_is_not_made() -> None:
    assert whys(check_file(facts())) == [
        "no file was named, and the running node's command line names none: wsa-proxy doctor FILE"
    ]


@pytest.mark.parametrize(
    ("state", "what"),
    [({}, None), ({"up": False}, "is down"), ({"carrier": False}, "has no carrier"), ({"name": "eth1"}, "is gone")],
)
def test_the_interface_of_a_node_without_a_file(state: dict[str, Any], what: str | None) -> None:
    values: dict[str, Any] = {"name": "eth0", "index": 2, "mac": "02:00:00:00:00:0a", "up": True, "carrier": True}
    host = HostFacts((InterfaceFacts(**(values | {"loopback": False, "addresses": ()} | state)),))
    found = findings(check_interface(facts(host=host)))
    assert [each.what for each in found] == ([f"the interface of group 1, eth0, {what}"] if what else [])
