"""How the help is laid out: paragraphs are filled to the width of the terminal, indented lines stay as they are."""

from __future__ import annotations

import argparse
import textwrap


class HelpFormatter(argparse.HelpFormatter):
    """For every verb. A line of a description or an epilog that begins with two blanks is an example or a table; it
    is only folded, under its own text, where the terminal is narrower."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(_filled(paragraph, width, indent) for paragraph in text.strip("\n").split("\n\n"))


def _filled(paragraph: str, width: int, indent: str) -> str:
    lines: list[str] = []
    plain: list[str] = []
    for line in [*paragraph.splitlines(), None]:
        if line is not None and not line.startswith("  "):
            plain.append(line)
            continue
        if plain:
            lines += textwrap.wrap(" ".join(plain), width, initial_indent=indent, subsequent_indent=indent)
            plain = []
        if line is not None:
            lines += _folded(indent + line, width)
    return "\n".join(lines)


def _folded(line: str, width: int) -> list[str]:
    """Continued under the text of the last column: what comes after two blanks or more."""
    if len(line) <= width:
        return [line]
    under = len(line) - len(line.lstrip())
    column = line.rfind("  ", under, width * 2 // 3) + 2
    hanging = " " * (column if column > under + 2 else under + 2)
    return textwrap.wrap(line, width, subsequent_indent=hanging, drop_whitespace=True, break_on_hyphens=False)
