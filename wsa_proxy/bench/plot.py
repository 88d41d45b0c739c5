"""The picture of docs/benchmarks.md: the longest gap of each fault, product beside product. Pure.

The scale is logarithmic. It is an SVG of plain shapes and text, readable on a light and on a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.summary import Cell
from wsa_proxy.bench.trials import ROWS

WIDTH, LEFT, RIGHT = 860, 250, 60
BAR, GAP, TOP, FOOT = 9, 12, 56, 28
FLOOR_MS, CEILING_MS = 10.0, 10_000.0
"""The scale. Below it is the interval of the requests; above it a service counts as away."""
TICKS_MS = ((10, "10 ms"), (30, ""), (100, "100 ms"), (300, ""), (1000, "1 s"), (3000, ""), (10_000, "10 s"))
COLOURS = ("#2a78c2", "#d1752c", "#7d8a3c")
INK, LINES = "#808080", "#80808055"


def make_plot(cells: Sequence[Cell], products: Sequence[str]) -> str:
    """One row for each fault that was measured, in the order of the page; a bar for each of at most three products:
    the median, with a line from the shortest to the longest run."""
    found = {(cell.product, cell.trial): cell for cell in cells}
    rows = [name for name in ROWS if any((product, name) in found for product in products)]
    height = TOP + len(rows) * _row(products) + FOOT
    parts = [_head(height), *_legend(products), *_scale(height)]
    for number, name in enumerate(rows):
        top = TOP + number * _row(products)
        middle = top + len(products) * BAR / 2 + 4
        parts.append(_text(LEFT - 8, middle, ROWS[name], anchor="end"))
        for index, product in enumerate(products):
            if cell := found.get((product, PRODUCTS[product].done_as(name))):
                parts += _bar(cell, top + index * BAR, COLOURS[index])
    return "\n".join([*parts, "</svg>", ""])


def _row(products: Sequence[str]) -> int:
    return len(products) * BAR + GAP


def position(value_ms: float) -> float:
    """On the logarithmic scale; what is outside of it stands at its end."""
    bounded = min(max(value_ms, FLOOR_MS), CEILING_MS)
    share = math.log(bounded / FLOOR_MS) / math.log(CEILING_MS / FLOOR_MS)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _bar(cell: Cell, top: float, colour: str) -> list[str]:
    end = position(CEILING_MS if cell.never else cell.median_ms)
    bar = f'<rect x="{LEFT}" y="{top}" width="{max(end - LEFT, 2):.1f}" height="{BAR - 2}" fill="{colour}"'
    if cell.never:
        return [f'{bar} fill-opacity="0.35"/>', _text(end + 4, top + BAR - 2, "never")]
    middle = top + (BAR - 2) / 2
    span = f'x1="{position(cell.min_ms):.1f}" x2="{position(cell.max_ms):.1f}" y1="{middle}" y2="{middle}"'
    return [f"{bar}/>", f'<line {span} stroke="{INK}" stroke-width="2"/>']


def _head(height: int) -> str:
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    title = "<title>The longest gap that a client sees, by fault and product</title>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">\n{title}'


def _legend(products: Sequence[str]) -> list[str]:
    parts = []
    for index, product in enumerate(products):
        left = LEFT + index * 150
        parts.append(f'<rect x="{left}" y="10" width="12" height="12" fill="{COLOURS[index]}"/>')
        parts.append(_text(left + 18, 20, product))
    return parts


def _scale(height: int) -> list[str]:
    parts = []
    for value_ms, label in TICKS_MS:
        x = f"{position(value_ms):.1f}"
        parts.append(f'<line x1="{x}" x2="{x}" y1="{TOP - 8}" y2="{height - FOOT}" stroke="{LINES}"/>')
        if label:
            parts.append(_text(position(value_ms), TOP - 14, label, anchor="middle"))
    parts.append(_text(LEFT, height - 8, "bar: median of the longest gap; line: shortest to longest run"))
    return parts


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" text-anchor="{anchor}">{escape(text)}</text>'
