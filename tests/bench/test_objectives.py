"""The judging of ``make objectives``; its runs are played in tests/lab/test_end_to_end_ailments.py."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import objectives
from tests.bench.objectives import MASTER_DOWN_MS
from tests.bench.objectives import OBJECTIVES
from tests.bench.objectives import Objective
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.script import parse

KILL = OBJECTIVES["kill"]


def runs(*outages_ms: float, failed: int = 0, gone_s: float | None = 0.1) -> list[dict[str, Any]]:
    return [
        {"outage_ms": each, "failed": failed, "late_ms": 2.0, "gone_s": gone_s, "taken_ms": each - 5, "problem": None}
        for each in outages_ms
    ]


@pytest.mark.parametrize(
    ("objective", "seen", "told"),
    [
        (KILL, runs(30, 40, 150), []),
        (KILL, runs(30, 41, 50), ["median 41 ms, promised 40"]),
        (KILL, runs(30, 40, 151), ["worst 151 ms, promised 150"]),
        (OBJECTIVES["stop"], runs(*[20] * 20, failed=0), []),
        (OBJECTIVES["stop"], runs(*[20] * 20, failed=1), ["20 failed requests in 20 runs, promised 1 in 20"]),
        (OBJECTIVES["kill-all"], runs(3400, gone_s=2.2), []),
        (OBJECTIVES["kill-all"], runs(3400, gone_s=2.4), ["the address was there for 2.40 s, promised 2.3"]),
    ],
)
def test_what_is_missed_is_told(objective: Objective, seen: list[dict[str, Any]], told: list[str]) -> None:
    """Exactly at the bound it is kept."""
    assert objective.missed(seen) == told


def test_a_service_that_did_not_come_back_is_a_miss() -> None:
    """However short the time that was measured."""
    (run,) = runs(10)
    assert KILL.missed([run | {"problem": "waited 12 s"}]) == ["waited 12 s"]


def test_the_table_promises_what_was_promised() -> None:
    """Median and worst, in ms; a backup of priority 200 is patient for 3.21 s."""
    promised = {name: (each.median_ms, each.worst_ms) for name, each in OBJECTIVES.items()}
    assert promised["freeze"] == promised["block"] == (1300, 1600)
    assert promised["freeze-0.25"] == promised["block-0.25"] == (400, 600)
    assert promised["starve"] == promised["mute"] == promised["ignore"] == (3500, 5000)
    assert promised["kill"] == (40, 150) and promised["deafen"] == (300, 500)
    assert promised["kill-all"][1] == promised["power"][1] == pytest.approx(3515, abs=1) and MASTER_DOWN_MS < 3215


def test_each_fault_can_be_undone_and_done_again() -> None:
    """By the words of the lab, in an order that makes sense."""
    for each in OBJECTIVES.values():
        round_trip = "; ".join(f"{FAULTS[word].text(['a'])}; settle" for word in (each.fault, *each.undo))
        assert parse(f"{round_trip}; {round_trip}", "ab"), each.name


def test_the_line_shows_each_run_with_its_noise() -> None:
    """Who reads it sees how late the client itself was."""
    first, second = objectives.line(KILL, runs(30, 41)).splitlines()
    assert first.split()[:8] == ["kill", "2", "36", "41", "30/36", "0", "0.100", "2"] and first.endswith("40 / 150")
    assert second == "  outage/late of each run: 30/2 41/2"
