"""Tables of Markdown, as the programs of this folder print them."""

from __future__ import annotations

from collections.abc import Sequence


def row(cells: Sequence[str]) -> str:
    """One line."""
    return " ".join(f"| {cell}" if cell else "|" for cell in cells) + " |"


def head(columns: Sequence[str]) -> list[str]:
    """The names of the columns, and the line below them."""
    return [row(columns), row(["---"] * len(columns))]
