"""The short form of ``make calm``: what moves a node under load is found here first, in half a minute."""

from __future__ import annotations

import shutil

import pytest

from tests.bench import calm
from tests.bench import loaded
from tests.lab.inside import needs_namespaces

SECONDS = 3.0

LOG = """
[22:10:35.001] carp vhid=1 INIT -> BACKUP reason=ready
[22:10:38.210] carp vhid=1 BACKUP -> MASTER reason=master_silent silent_s=3.20 last_master=none
[22:10:38.300] carp vhid=1 gratuitous ARP sent
[22:10:40.000] carp vhid=1 demotion=240 reason=no answer to GET for 2.1 s, limit 2.0
[22:11:07.123] carp vhid=1 cannot take part: the proxy's loop stood still for 1.02 s
"""


@needs_namespaces
@pytest.mark.skipif(shutil.which("wrk") is None, reason="apt-get install wrk")
def test_a_thousand_clients_move_nothing() -> None:
    """wrk with 1,000 connections, then 1,000 clients whose TLS is intercepted: both nodes stay what they are."""
    seen = calm.run([("wrk", 1000), ("tls", 1000)], SECONDS)
    assert seen["told"] == []
    assert seen["answered"] > 1000 and seen["errors"] == 0, seen


def test_every_move_is_found_in_a_log() -> None:
    """A change of state, a demotion, a refusal to take part; not what a node does besides."""
    assert [move.split(" ", 2)[2] for move in loaded.moves(LOG)] == [
        "INIT -> BACKUP reason=ready",
        "BACKUP -> MASTER reason=master_silent silent_s=3.20 last_master=none",
        "demotion=240 reason=no answer to GET for 2.1 s, limit 2.0",
        "cannot take part: the proxy's loop stood still for 1.02 s",
    ]


def test_what_wrk_prints_is_read() -> None:
    """With and without errors; what it was refused was not answered."""
    fine = "  4815 requests in 10.02s, 2.33MB read\nRequests/sec:    480.60\n"
    bad = (
        "  900 requests in 10.02s, 1MB read\n  Socket errors: connect 1, read 2, write 3, timeout 4\n"
        "  Non-2xx or 3xx responses: 100\n"
    )
    assert loaded.read("wrk", fine) == (4815, 0)
    assert loaded.read("wrk", bad) == (800, 110)
    assert loaded.read("tls", "1681 0\n") == (1681, 0)
    with pytest.raises(ValueError):
        loaded.read("wrk", "unable to connect")


def test_the_line_of_the_table_counts_the_moves() -> None:
    """And the table knows each load that was promised."""
    seen = {"answered": 10, "errors": 1, "lag_max_s": 0.5, "told": ["a: carp vhid=1 MASTER -> INIT"]}
    assert calm.line("wrk 50", 10.0, seen).split() == ["wrk", "50", "10", "10", "1", "500", "1"]
    assert list(calm.LOADS) == ["wrk 50", "wrk 200", "wrk 1000", "TLS 1000"]
