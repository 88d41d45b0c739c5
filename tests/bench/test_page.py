"""The page says what was measured, what was not and why, and on what."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from tests.bench.cells import a_run
from wsa_proxy.bench.page import make_page
from wsa_proxy.bench.playing import Run
from wsa_proxy.bench.summary import make_cells


def a_document(*runs: Run, **changes: Any) -> dict[str, Any]:
    """As session.py makes it."""
    document: dict[str, Any] = {
        "command": "wsa-proxy bench",
        "quick": False,
        "began": "2026-01-02T03:04:05+00:00",
        "minutes": 41.7,
        "versions": {"wsa-proxy": "0.1.0", "ucarp": "1.5.2"},
        "machine": {"processors": "2 x Processor", "kernel": "Linux 6.1"},
        "load": {"before": 0.1, "processors": 2.0, "after": 1.5},
        "products": {
            "wsa-proxy": {"told": "", "files": {}},
            "ucarp": {"told": "", "files": {"vip-up.sh": "#!/bin/sh\nexec ip\n"}},
        },
        "unavailable": {},
        "impossible": {},
        "problems": [],
        "cells": [asdict(cell) for cell in make_cells(runs)],
    }
    return document | changes


KILLS = (a_run("wsa-proxy", "kill", outage_ms=31.0), a_run("ucarp", "kill", came_back=False, steady=False))


def rows(page: str, begins: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith(f"| {begins}")]


def test_a_fault_is_one_row_with_a_column_for_each_product() -> None:
    """Of gaps, and of failed requests with two holders."""
    page = make_page(a_document(*KILLS))
    assert rows(page, "fault") == ["| fault | wsa-proxy | ucarp |"] * 2
    assert rows(page, "proxy killed") == [
        "| proxy killed (SIGKILL) | 31 (31..31) | never (1 of 1) |",
        "| proxy killed (SIGKILL) | 3; 0 | 3; 0 |",
    ]
    assert not rows(page, "cable")


def test_what_is_missing_was_not_measured() -> None:
    """Beside a product of which it was."""
    products = {name: {"told": "", "files": {}} for name in ("keepalived", "ucarp")}
    page = make_page(a_document(a_run("ucarp", "cable"), products=products))
    assert rows(page, "cable")[0].split("|")[2:4] == [" (not measured) ", " 40 (40..40) "]


def test_what_is_the_same_for_a_product_has_the_same_numbers() -> None:
    """The failover of ours is the proxy itself; such a line is there only if a peer has it."""
    page = make_page(a_document(*KILLS, a_run("ucarp", "daemon-kill")))
    assert rows(page, "failover daemon killed")[0].split("|")[2:4] == [" 31 (31..31) ", " 40 (40..40) "]
    assert 'With wsa-proxy "failover daemon killed (SIGKILL)" is the same as "proxy killed (SIGKILL)"' in page
    assert not rows(make_page(a_document(*KILLS)), "failover daemon killed")


def test_a_product_that_is_not_here_is_named_with_the_reason() -> None:
    """And so is a run that came to no end."""
    why = "keepalived missing; install with: apt-get install keepalived"
    page = make_page(
        a_document(*KILLS, unavailable={"keepalived": why}, problems=["ucarp, stop, run 2 (1): waited\nlog"])
    )
    assert f"- **keepalived** was not measured: {why}." in page
    assert "- A run came to no end: ucarp, stop, run 2 (1): waited\n" in page


def test_a_fault_that_cannot_be_done_here_is_named_with_the_reason() -> None:
    """As a product that is not here."""
    page = make_page(a_document(*KILLS, impossible={"filter": "nft missing; install with: apt-get install nftables"}))
    assert '- "advertisements filtered, nothing else" was not done: nft missing; install with:' in page


def test_a_variant_has_a_table_of_its_own() -> None:
    """It is measured for a few faults."""
    variant = {"keepalived, 50 ms": {"told": "", "files": {}}}
    page = make_page(a_document(a_run("keepalived, 50 ms", "cable", two_holders_s=0.5), products=variant))
    assert rows(page, "keepalived, 50 ms") == ["| keepalived, 50 ms | cable pulled | 40 (40..40) | 3 | 0.500 |"]
    assert "## The longest gap" not in page


def test_the_page_says_where_it_was_measured() -> None:
    """Versions, machine, load, the command, and the peers' files."""
    page = make_page(a_document(*KILLS))
    for line in ("- ucarp: 1.5.2", "- kernel: Linux 6.1", "- load before it 0.1, after it 1.5", "#!/bin/sh\nexec ip\n"):
        assert line in page
    assert "stopped by SIGTERM to its daemon and, once that has ended, to the proxy" in page
    assert "`wsa-proxy bench`" in page and "begun 2026-01-02T03:04:05+00:00, 42 minutes" in page


@pytest.mark.parametrize(("late_ms", "told"), [(50.0, False), (51.0, True)])
def test_a_busy_machine_is_told(late_ms: float, told: bool) -> None:
    """Its numbers are those of the machine."""
    page = make_page(a_document(a_run("ucarp", "kill", late_ms=late_ms)))
    assert ("the machine was busy: a request started 51 ms late" in page) is told


def test_others_at_work_are_told() -> None:
    """A request may start in time, and a peer's check fail all the same."""
    crowded = {"before": 9.6, "processors": 2.0, "after": 9.0}
    assert "busy before it began (load 9.6)" in make_page(a_document(*KILLS, load=crowded))
    assert "busy before" not in make_page(a_document(*KILLS))


def test_a_quick_run_says_so() -> None:
    """Two runs are no measurement."""
    assert "This was a quick run" in make_page(a_document(*KILLS, quick=True))
    assert "This was a quick run" not in make_page(a_document(*KILLS))


def test_no_block_of_the_page_is_taken_for_a_command() -> None:
    """The tests of the documentation would run it."""
    assert "```sh" not in make_page(a_document(*KILLS)) and "```text" in make_page(a_document(*KILLS))
