"""The verdict of a drill, in words and as an exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsa_proxy.runtime.drill_report import FILE_NAME
from wsa_proxy.runtime.drill_report import MISSED
from wsa_proxy.runtime.drill_report import NOT_DONE
from wsa_proxy.runtime.drill_report import PASS
from wsa_proxy.runtime.drill_report import DrillReport
from wsa_proxy.runtime.drill_report import Leg
from wsa_proxy.runtime.drill_report import keep
from wsa_proxy.runtime.probing import Measured

AT = "2026-01-01T00:00:00+00:00"
THERE, BACK = Leg("a", "b", "c", "", Measured(23, 0, 180)), Leg("b", "a", "c", "", Measured(200, 2, 181))


def report(*legs: Leg, ended_on: str = "a", objective_ms: int = 200) -> DrillReport:
    return DrillReport(AT, 1, objective_ms, legs, "a", ended_on)


@pytest.mark.parametrize(
    ("drilled", "exit_status", "last_line"),
    [
        (report(THERE, BACK), PASS, "pass: node a is master"),
        (report(THERE, BACK, objective_ms=199), MISSED, "FAIL: node a is master"),
        (report(THERE), NOT_DONE, "not carried out: node a is master"),
        (report(THERE, BACK, ended_on="b"), NOT_DONE, "not carried out: node b is master, not a as before"),
        (report(THERE, BACK, ended_on=""), NOT_DONE, "not carried out: nobody is known to be master, not a as before"),
        (report(THERE, Leg("b", "a", "c", "too slow")), NOT_DONE, "not carried out: node a is master"),
    ],
)
def test_the_verdict(drilled: DrillReport, exit_status: int, last_line: str) -> None:
    """Exactly at the objective it is met; a half of it is none."""
    assert (drilled.exit_status, drilled.lines()[-1]) == (exit_status, last_line)


def test_each_leg_has_its_line() -> None:
    """Who went where, what a client would have seen, and whose word that is."""
    lines = report(THERE, BACK, objective_ms=100).lines()
    assert lines[:3] == [
        f"drill of group 1 at {AT}, objective 100 ms",
        "  a -> b: 23 ms without an answer, 0 of 180 probes of c failed: pass",
        "  b -> a: 200 ms without an answer, 2 of 181 probes of c failed: FAIL",
    ]
    assert Leg("a", "b", "c", "node b: silent").line(100) == "a -> b: not carried out: node b: silent"
    dead = Leg("a", "b", "c", "node b is gone", Measured(3000, 9, 300))
    assert dead.line(100).endswith("9 of 300 probes of c failed: node b is gone")


def test_what_cannot_be_kept_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The drill was carried out all the same."""
    keep(tmp_path / "gone", report(THERE, BACK))
    assert "the report of the drill was not kept" in caplog.text
    keep(tmp_path, report(THERE, BACK))
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0
