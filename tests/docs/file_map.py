"""``python -m tests.docs.file_map`` writes docs/architecture/files.md: every file, with the first sentence in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.blocks import ROOT

PAGE = ROOT / "docs/architecture/files.md"
PACKAGE = ROOT / "wsa_proxy"
HEAD = """# All files

By room, each with the first sentence of its docstring. This page is written by `.venv/bin/python -m
tests.docs.file_map`; a test compares.
"""


def page() -> str:
    """What docs/architecture/files.md has to be."""
    rooms = sorted({path.parent for path in PACKAGE.rglob("*.py")})
    return HEAD + "".join(_room(room) for room in rooms)


def _room(room: Path) -> str:
    name = room.relative_to(PACKAGE).as_posix()
    lines = ["", "## wsa_proxy" if room == PACKAGE else f"## {name}", ""]
    if said := first_sentence(room / "__init__.py"):
        lines += [said, ""]
    lines += ["| file | |", "| --- | --- |"]
    lines += [f"| `{path.name}` | {first_sentence(path)} |" for path in _files(room)]
    return "\n".join([*lines, ""])


def _files(room: Path) -> Iterator[Path]:
    yield from (path for path in sorted(room.glob("*.py")) if path.name != "__init__.py")


def first_sentence(path: Path) -> str:
    """Of a module's docstring, in one line; empty without one."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) if path.exists() else None
    paragraph = " ".join((docstring or "").partition("\n\n")[0].split())
    sentence = re.match(r".*?[.?!](?= [A-Z`]|$)", paragraph)
    text = sentence[0] if sentence is not None else paragraph
    return text.replace("``", "`").replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page())
