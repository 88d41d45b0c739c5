"""The short form of ``make start-time``, and what a start does not wait for."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.bench import in_lab
from tests.bench import start
from tests.bench import starts
from tests.lab.inside import needs_namespaces

PLAIN = {"kind": "plain", "cpu": 600.0, "listening": 1000.0}
LOG = """
[23:59:59.100] Loading script carp_failover.py
[23:59:59.100] Loading script saboteur.py
[23:59:59.900] HTTP(S) proxy listening at 10.0.0.3:8080.
not a line of the log
[00:00:00.250] carp vhid=1 INIT -> BACKUP reason=ready listening_s=3.00
[00:00:03.260] carp vhid=1 BACKUP -> MASTER reason=master_silent last_master=none
"""


def node(**changed: Any) -> dict[str, Any]:
    """One that keeps what was promised."""
    fine = {"kind": "node", "cpu": 1500.0, "loading": 900.0, "listening": 1700.0, "ready": 2000.0, "master": 5010.0}
    return fine | changed


@needs_namespaces
def test_a_start_is_measured() -> None:
    """A real node and plain mitmdump: what was to happen happened in its order, and the protocol's part is its own."""
    plain, measured = start.run(["plain", "node"])
    assert plain["listening"] > 0 and 0 < plain["cpu"] < measured["cpu"]
    assert 0 < measured["loading"] < measured["listening"] <= measured["ready"]
    assert measured["master"] - measured["ready"] >= 3000


def test_the_addon_is_there_without_scapy_and_the_page() -> None:
    """They are half of a second on a slow machine: the one is imported while the keys are made, the other later."""
    code = "import sys, addons.carp_failover; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=in_lab.ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "wsa_proxy.runtime.node" in loaded
    assert not loaded & {"scapy", "tornado.web", "prometheus_client", "wsa_proxy.admin", "wsa_proxy.runtime.kernel"}


def test_the_moments_are_those_of_the_log() -> None:
    """The first line of each, counted from the start, over midnight as well."""
    began_ms = starts.DAY_MS - 1900
    seen = starts.moments("node", LOG.splitlines(), began_ms)
    assert seen == {"loading": 1000.0, "listening": 1800.0, "ready": 2150.0, "master": 5160.0}
    assert starts.moments("plain", LOG.splitlines(), began_ms) == {"listening": 1800.0}


def test_the_parts_of_the_table_make_the_whole() -> None:
    """Medians with lowest and highest, of each kind its own."""
    rows = start.table([PLAIN, node(), PLAIN | {"listening": 1200.0}, node(ready=2100.0)])
    assert [row.split("  ")[-1].strip() for row in rows] == [
        "1100 (1000..1200)",
        "900 (900..900)",
        "800 (800..800)",
        "350 (300..400)",
        "2960 (2910..3010)",
        "2050 (2000..2100)",
        "5010 (5010..5010)",
        "600 (600..600), 1500 (1500..1500)",
    ]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"master": 5201.0}, "start 1: 3201 ms of listening, 3200 at most"),
        ({"ready": 3100.0, "master": 6100.0}, "a node is ready 3.10 times as late as plain mitmdump, 3 at most"),
    ],
)
def test_each_promise_is_missed_by_name(changed: dict[str, Any], told: str) -> None:
    """One sentence for each, and none when all are kept."""
    assert start.missed([PLAIN, node()]) == []
    assert start.missed([PLAIN, node(**changed)]) == [told]
