"""A line for each run, with the time that remains."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from tests.bench.cells import a_run
from wsa_proxy.bench.progress import Telling
from wsa_proxy.bench.progress import remaining_text
from wsa_proxy.bench.progress import run_text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "ucarp: kill, run 1: served by b, gap 40 ms, 3 failed"),
        ({"two_holders_s": 0.5}, "ucarp: kill, run 1: served by b, gap 40 ms, 3 failed, two holders for 0.50 s"),
        ({"steady": False}, "ucarp: kill, run 1: served by b, gap 40 ms, unsteady, 3 failed"),
        (
            {"came_back": False, "steady": False, "outage_ms": 10_020.0},
            "ucarp: kill, run 1: not back after 10 s, 3 failed",
        ),
    ],
)
def test_a_run_in_a_line(changes: dict[str, Any], text: str) -> None:
    """What came of it."""
    assert run_text(a_run(**changes)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(5.0, "about 5 s left"), (119.4, "about 119 s left"), (120.0, "about 2 min left")]
)
def test_the_remaining_time(seconds: float, text: str) -> None:
    """In words that do not promise too much."""
    assert remaining_text(seconds) == text


@pytest.mark.parametrize("terminal", [True, False])
def test_runs_are_counted(terminal: bool) -> None:
    """On a terminal under a bar; in a pipe the lines are all there is. What is given up comes off the total."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=200, color_system=None)
    with Telling(4, console) as telling:
        telling.run_over(a_run(), 3)
        telling.run_over(a_run(number=1), 1)
        telling.say("[lost]")
    assert "1 of 4  ucarp: kill, run 1" in written.getvalue()
    assert "2 of 3  ucarp: kill, run 2" in written.getvalue()
    assert "[lost]\n" in written.getvalue()
    assert ("2 of 3 runs, about" in written.getvalue()) is terminal
