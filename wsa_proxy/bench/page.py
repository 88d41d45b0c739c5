"""docs/benchmarks.md, from the document that a run writes as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from wsa_proxy.bench.front import best_text
from wsa_proxy.bench.front import front_table
from wsa_proxy.bench.machine import busy_text
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.products import Product
from wsa_proxy.bench.summary import LATE_WORTH_TELLING_MS
from wsa_proxy.bench.summary import Cell
from wsa_proxy.bench.summary import holders_text
from wsa_proxy.bench.summary import outage_text
from wsa_proxy.bench.trials import ROWS
from wsa_proxy.bench.trials import TRIALS

PICTURE = "benchmarks.svg"
HEAD = """# Beside keepalived and ucarp

Written by `{command}`, which anybody can repeat. Each product stands in front of the same mitmdump on two hosts of the
lab; a client on a third starts a request every 10 ms through the virtual IP, each on a connection of its own. A fault
is done to the master, undone, and done again.

![The longest gap of each fault, product beside product]({picture})
"""
STOPS = (
    '- A peer\'s node is stopped by SIGTERM to its daemon and, once that has ended, to the proxy. "Its failover" is the'
    " peer's daemon with all its processes; of wsa-proxy it is the guardian, since the rest is the proxy itself."
)
FRONT_HEAD = """
## In short

The longest gap between two successes in milliseconds: the median, and the shortest and the longest of all runs.

"""
GAPS_HEAD = """
## The longest gap

Milliseconds between two successes that follow each other: the median of all runs, and the shortest and the longest. An
undisturbed service has gaps of about 10 ms. "Never": the service did not come back by itself within 10 s; "unsteady":
it did, but some requests still failed after that time.
"""
REQUESTS_HEAD = """
## Requests failed, and seconds with two holders

Failed requests in a run, the median; then the longest time for which two nodes had the virtual IP at once. "Stays":
there were still two when the run was over, and nothing but the undoing of the fault has ended that. A host without
power has none.
"""
VARIANTS_HEAD = """
## Other set-ups

For the faults on which they have a bearing; in the columns of the tables above.
"""


def make_page(document: Mapping[str, Any]) -> str:
    """The whole page. ``document`` is that of session.py."""
    cells = {(cell["product"], cell["trial"]): Cell(**cell) for cell in document["cells"]}
    measured = [PRODUCTS[name] for name in document["products"]]
    parts = [HEAD.format(command=document["command"], picture=PICTURE)]
    if document["quick"]:
        parts.append("\nThis was a quick run: few runs of few faults. Its numbers are hints.\n")
    if front := front_table(document):
        parts += [FRONT_HEAD, front, "\n", best_text(document)]
    main = [product for product in measured if not product.is_variant]
    if main:
        parts += [GAPS_HEAD, *_table(main, cells, outage_text)]
        parts += [REQUESTS_HEAD, *_table(main, cells, lambda cell: f"{cell.failed:g}; {holders_text(cell)}")]
    parts += _variants([product for product in measured if product.is_variant], cells)
    parts += _notes(document, measured)
    parts += _place(document, list(cells.values()))
    parts += _files(document)
    return "".join(parts)


def _table(products: Sequence[Product], cells: Mapping[tuple[str, str], Cell], text: Any) -> list[str]:
    lines = ["", "| fault | " + " | ".join(product.name for product in products) + " |"]
    lines.append("| --- |" + " --- |" * len(products))
    for name, told in ROWS.items():
        if any((product.name, name) in cells for product in products):
            row = [cells.get((product.name, product.done_as(name))) for product in products]
            texts = ["(not measured)" if cell is None else text(cell) for cell in row]
            lines.append(f"| {told} | " + " | ".join(texts) + " |")
    return ["\n".join(lines), "\n"]


def _variants(products: Sequence[Product], cells: Mapping[tuple[str, str], Cell]) -> list[str]:
    lines = ["", "| set-up | fault | longest gap | failed | two holders s |", "| --- | --- | --- | --- | --- |"]
    for product in products:
        for name, told in ROWS.items():
            if cell := cells.get((product.name, name)):
                figures = f"{outage_text(cell)} | {cell.failed:g} | {holders_text(cell)}"
                lines.append(f"| {product.name} | {told} | {figures} |")
    return [VARIANTS_HEAD, "\n".join(lines), "\n"] if len(lines) > 3 else []


def _notes(document: Mapping[str, Any], measured: Sequence[Product]) -> list[str]:
    """How each is set up, and what is missing, with the reason."""
    lines = ["", "## How each is set up, and what is missing", ""]
    lines += [*(f"- **{product.name}**: {product.told}." for product in measured), STOPS]
    for product in measured:
        lines += [
            f'- With {product.name} "{TRIALS[name].told}" is the same as "{TRIALS[other].told}": its failover is the'
            " proxy itself. It was not done twice."
            for name, other in product.same.items()
        ]
    lines += [f"- **{name}** was not measured: {why}." for name, why in document["unavailable"].items()]
    lines += [f'- "{TRIALS[name].told}" was not done: {why}.' for name, why in document["impossible"].items()]
    lines += [f"- A run came to no end: {problem.splitlines()[0]}" for problem in document["problems"]]
    return ["\n".join(lines), "\n"]


def _place(document: Mapping[str, Any], cells: Sequence[Cell]) -> list[str]:
    lines = ["", "## Where it was measured", ""]
    lines += [f"- {name}: {value}" for name, value in (*document["versions"].items(), *document["machine"].items())]
    lines.append(f"- begun {document['began']}, {document['minutes']:.0f} minutes")
    lines.append(f"- load before it {document['load']['before']}, after it {document['load']['after']}")
    latest_ms = max((cell.late_ms for cell in cells), default=0.0)
    if busy := busy_text(document["load"]):
        lines.append(f"- {busy}")
    if latest_ms > LATE_WORTH_TELLING_MS:
        lines.append(f"- the machine was busy: a request started {latest_ms:.0f} ms late")
    return ["\n".join(lines), "\n"]


def _files(document: Mapping[str, Any]) -> list[str]:
    """The peers' files, as they were used on node a."""
    parts = []
    for name, product in document["products"].items():
        for file, text in product["files"].items():
            parts.append(f"\n{name}, `{file}` of node a:\n\n```text\n{text.rstrip()}\n```\n")
    return ["\n## The peers' configurations\n", *parts] if parts else []
