"""The tables and the judging of ``make scale``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import scale_tables as tables

PROMISED = "from the first answer to the last, promised"


def of_nodes(**changed: Any) -> dict[str, Any]:
    """One run that keeps what was promised."""
    fine = {"fault": "kill", "nodes": 8, "outage_ms": 40.0, "takers": ["b"], "two_holders_s": 0.0, "failed": 2}
    return fine | {"problem": None} | changed


def of_groups(**changed: Any) -> dict[str, Any]:
    """Likewise."""
    fine = {"fault": "kill", "groups": 64, "mac": "virtual", "silent": 0, "two_holders_s": 0.0}
    return fine | {"served_ms": [30.0, 1030.0], "connected_ms": [20.0, 500.0]} | changed


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"outage_ms": 150.0}, None),
        ({"outage_ms": 151.0}, "kill, 8 nodes: 151 ms, promised 150"),
        ({"fault": "cable", "outage_ms": 3500.0}, None),
        ({"fault": "cable", "outage_ms": 3516.0}, "cable, 8 nodes: 3516 ms, promised 3515"),
        ({"takers": ["c"]}, "kill, 8 nodes: taken over by c, not by b alone"),
        ({"takers": ["b", "c"]}, "kill, 8 nodes: taken over by b, c, not by b alone"),
        ({"takers": []}, "kill, 8 nodes: taken over by nobody, not by b alone"),
        ({"two_holders_s": 0.01}, None),
        ({"two_holders_s": 0.011}, "kill, 8 nodes: two holders for 0.011 s"),
        ({"problem": "waited 12 s"}, "kill, 8 nodes: waited 12 s"),
    ],
)
def test_what_a_lab_of_many_nodes_has_missed_is_told(changed: dict[str, Any], told: str | None) -> None:
    """Exactly at the bound it is kept; a sentence names fault and size."""
    assert tables.nodes_missed([of_nodes(), of_nodes(**changed)]) == ([told] if told else [])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"served_ms": [30.0, 1031.0]}, f"kill, 64 groups, mac: virtual: 1001 ms {PROMISED} 1 s"),
        ({"served_ms": [30.0, 1031.0], "groups": 255}, None),
        ({"served_ms": [2000.0, 4000.0], "fault": "power"}, None),
        ({"served_ms": [2000.0, 4001.0], "fault": "power"}, f"power, 64 groups, mac: virtual: 2001 ms {PROMISED} 2 s"),
        ({"silent": 3}, "kill, 64 groups, mac: virtual: 3 virtual IPs did not answer"),
        ({"silent": 3, "groups": 255}, "kill, 255 groups, mac: virtual: 3 virtual IPs did not answer"),
        ({"two_holders_s": 0.5}, "kill, 64 groups, mac: virtual: two holders for 0.500 s"),
    ],
)
def test_what_many_groups_have_missed_is_told(changed: dict[str, Any], told: str | None) -> None:
    """With 255 of them no time is promised."""
    problems = tables.groups_missed([of_groups(), of_groups(**changed)], 255)
    assert problems == ([told] if told else [])


def test_the_rows_are_markdown_with_medians_and_ranges() -> None:
    """Of all runs; whoever took over in any of them is named."""
    runs = [of_nodes(outage_ms=each) for each in (30.0, 50.0, 41.0)]
    row = "| kill | 8 | 3 | 41 (30..50) | b | 0.000 | 6 |"
    assert tables.nodes_row(runs) == row
    assert tables.nodes_row([*runs, of_nodes(takers=["b", "c"])]).split(" | ")[4] == "b / b, c"
    assert tables.nodes_row([of_nodes(takers=[])]).split(" | ")[4] == "nobody"
    assert {each.count("|") for each in tables.nodes_head()} == {row.count("|")}
    groups = tables.groups_row([of_groups(), of_groups(served_ms=[10.0, 20.0], two_holders_s=0.5)])
    times = "20 (10..30) | 525 (20..1030) | 505 (10..1000) | 500 (500..500)"
    assert groups == f"| kill | 64 | virtual | 2 | {times} | 0.500 |"
    assert {each.count("|") for each in tables.groups_head()} == {groups.count("|")}
