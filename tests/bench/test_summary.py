"""Runs become cells, and cells become what is read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.cells import a_run
from wsa_proxy.bench.summary import Cell
from wsa_proxy.bench.summary import holders_text
from wsa_proxy.bench.summary import make_cells
from wsa_proxy.bench.summary import outage_text


def cell_of(*changes: dict[str, Any]) -> Cell:
    (cell,) = make_cells([a_run(number=number, **each) for number, each in enumerate(changes)])
    return cell


def test_the_median_and_both_ends() -> None:
    """Of the gaps; of the failed requests the median; of the two holders and the lateness the worst."""
    cell = cell_of(
        {"outage_ms": 30.0, "failed": 1},
        {"outage_ms": 90.0, "failed": 9, "two_holders_s": 1.25},
        {"outage_ms": 40.0, "failed": 2, "late_ms": 12.0},
    )
    assert (cell.runs, cell.median_ms, cell.min_ms, cell.max_ms) == (3, 40.0, 30.0, 90.0)
    assert (cell.failed, cell.two_holders_s, cell.late_ms) == (2, 1.25, 12.0)
    assert outage_text(cell) == "40 (30..90)"
    assert holders_text(cell) == "1.250"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ([{"came_back": False, "steady": False}] * 3, "never (3 of 3)"),
        ([{"came_back": False, "steady": False}, {}], "40 (40..40), 1 of 2 never"),
        ([{"steady": False}, {}, {}], "40 (40..40), 1 of 3 unsteady"),
    ],
)
def test_a_service_that_did_not_come_back_is_no_number(changes: list[dict[str, Any]], text: str) -> None:
    """How long it was waited for says nothing of the product."""
    assert outage_text(cell_of(*changes)) == text


def test_two_holders_that_stay_have_no_duration() -> None:
    """In one run is enough: how long it lasts is decided by whoever undoes the fault."""
    assert holders_text(cell_of({}, {"two_holders_s": 2.0, "two_holders_stayed": True})) == "stays"
    assert holders_text(cell_of({})) == "0"


def test_the_return_of_the_better_node_is_measured_after_a_stop() -> None:
    """There only: after a kill it is the same thing once more."""
    cells = {cell.trial: cell for cell in make_cells([a_run(trial="stop"), a_run(trial="kill")])}
    assert cells.keys() == {"stop", "start", "kill"}
    assert (cells["stop"].median_ms, cells["start"].median_ms) == (40.0, 20.0)
