"""The few lines of docs/benchmarks.md that README shows as well, and their picture. Pure."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.summary import Cell
from wsa_proxy.bench.summary import holders_text
from wsa_proxy.bench.summary import outage_text

COLUMNS = ("wsa-proxy", "keepalived", "ucarp")
TRACKING = "keepalived, process tracking"
EAGER = "keepalived, one failure"
type Row = tuple[str, str, Callable[[Cell], str]]
ROWS: tuple[Row, ...] = (
    ("the proxy is killed", "kill", outage_text),
    ("it is frozen (SIGSTOP)", "freeze", outage_text),
    ("it lives, and answers nothing", "mute", outage_text),
    ("its node is stopped in order", "stop", outage_text),
    ("its cable is pulled", "cable", outage_text),
    ("the failover is killed: seconds in which two nodes have the address", "daemon-kill", holders_text),
)

PICTURE = "benchmarks-short.svg"


def front_cells(document: Mapping[str, Any]) -> list[Cell]:
    """What the picture shows: the rows of the table that are gaps."""
    pictured = {trial for _, trial, text in ROWS if text is outage_text}
    return [Cell(**cell) for cell in document["cells"] if cell["trial"] in pictured]


def front_table(document: Mapping[str, Any]) -> str:
    """Markdown. Only with all three products; empty without. ``document`` is that of session.py."""
    cells = {(cell["product"], cell["trial"]): Cell(**cell) for cell in document["cells"]}
    lines = [f"| what happens to the master | {' | '.join(COLUMNS)} |", "| --- |" + " --- |" * len(COLUMNS)]
    for told, trial, text in ROWS:
        row = [cells.get((name, PRODUCTS[name].done_as(trial))) for name in COLUMNS]
        if any(cell is None for cell in row):
            return ""
        lines.append(f"| {told} | {' | '.join(text(cell) for cell in row if cell is not None)} |")
    return "\n".join(lines) + "\n"


def best_text(document: Mapping[str, Any]) -> str:
    """Sentences on the set-ups in which the first two lines of the table are better for keepalived; empty where they
    were not measured."""
    cells = {(cell["product"], cell["trial"]): Cell(**cell) for cell in document["cells"]}
    told = ""
    if (kill := cells.get((EAGER, "kill"))) and (freeze := cells.get((EAGER, "freeze"))):
        told += (
            "Where the first failure of its check counts, and not the second one in a row, keepalived takes"
            f" {outage_text(kill)} for the first line and {outage_text(freeze)} for the second.\n"
        )
    if kill := cells.get((TRACKING, "kill")):
        told += (
            "Its process tracking, for which it has to run in the machine's initial namespaces, makes of the first:"
            f" {outage_text(kill)}.\n"
        )
    return told
