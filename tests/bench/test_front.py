"""README shows what was measured, and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.cells import a_run
from wsa_proxy.bench.front import COLUMNS
from wsa_proxy.bench.front import EAGER
from wsa_proxy.bench.front import ROWS
from wsa_proxy.bench.front import TRACKING
from wsa_proxy.bench.front import best_text
from wsa_proxy.bench.front import front_cells
from wsa_proxy.bench.front import front_table
from wsa_proxy.bench.playing import Run
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.session import texts_of
from wsa_proxy.bench.summary import make_cells

ROOT = Path(__file__).resolve().parents[2]


def document_of(runs: list[Run]) -> dict[str, Any]:
    return {"cells": [asdict(cell) for cell in make_cells(runs)]}


def all_runs() -> list[Run]:
    """Each product's gap is as many tens of milliseconds as its place."""
    return [
        a_run(name, trial, outage_ms=10.0 * (place + 1), two_holders_s=place / 10)
        for place, name in enumerate(COLUMNS)
        for _, trial, _ in ROWS
        if trial not in PRODUCTS[name].same
    ]


def test_each_product_stands_in_its_column() -> None:
    """What is the same for a product is told by what was done."""
    lines = front_table(document_of(all_runs())).splitlines()
    assert lines[2] == "| the proxy is killed | 10 (10..10) | 20 (20..20) | 30 (30..30) |"
    assert lines[-1].endswith("two nodes have the address | 0 | 0.100 | 0.200 |")
    assert len(lines) == len(ROWS) + 2


def test_a_table_with_a_gap_is_none() -> None:
    """A quick run, or a machine without the peers."""
    runs = [run for run in all_runs() if (run.product, run.trial) != ("ucarp", "mute")]
    assert front_table(document_of(runs)) == ""


def test_the_picture_shows_the_gaps_of_the_table() -> None:
    """Not what is no duration of an outage, and no other fault."""
    cells = front_cells(document_of([*all_runs(), a_run("ucarp", "power")]))
    assert {cell.trial for cell in cells} == {"kill", "freeze", "mute", "stop", "cable"}


def test_the_peer_at_its_best_is_not_left_out() -> None:
    """Its process tracking, and a check of which the first failure counts, where they could be measured."""
    assert "makes of the first: 45 (45..45)." in best_text(document_of([a_run(TRACKING, "kill", outage_ms=45.0)]))
    eager = [a_run(EAGER, "kill", outage_ms=400.0), a_run(EAGER, "freeze", outage_ms=900.0)]
    assert "400 (400..400) for the first line and 900 (900..900)" in best_text(document_of(eager))
    assert best_text(document_of(all_runs())) == ""


def test_readme_has_the_table_of_the_last_run() -> None:
    """Word for word, with the sentences below it."""
    document = json.loads((ROOT / "docs/benchmarks.json").read_text())
    readme = (ROOT / "README.md").read_text()
    table = front_table(document)
    assert table and table in readme
    assert " ".join(best_text(document).split()) in " ".join(readme.split())


def test_the_page_and_its_pictures_are_those_of_the_last_run() -> None:
    """Made from the same document: nobody has changed them by hand, or forgotten one."""
    document = json.loads((ROOT / "docs/benchmarks.json").read_text())
    for name, text in texts_of(document).items():
        assert (ROOT / "docs" / name).read_text() == text, name
