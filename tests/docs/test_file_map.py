"""docs/architecture: the list of all files is that of the source, and the map has each room."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs import file_map
from tests.docs.blocks import ROOT
from tests.test_architecture import ARROWS

MAP = (ROOT / "docs/architecture.md").read_text()


def test_the_list_of_files_is_that_of_the_source() -> None:
    """Else write it anew: .venv/bin/python -m tests.docs.file_map"""
    assert file_map.PAGE.read_text() == file_map.page(), test_the_list_of_files_is_that_of_the_source.__doc__


def test_every_file_is_in_the_list() -> None:
    """By its name, under its room; but for the maps of the rooms, which stand above their files."""
    rooms = re.split(r"^## ", file_map.page(), flags=re.MULTILINE)[1:]
    listed = {room.split("\n", 1)[0]: set(re.findall(r"^\| `(\S+\.py)` \|", room, re.MULTILINE)) for room in rooms}
    there: dict[str, set[str]] = {}
    for path in (ROOT / "wsa_proxy").rglob("*.py"):
        there.setdefault(path.parent.name, set()).add(path.name)
    assert {room: names - {"__init__.py"} for room, names in there.items()} == listed


def test_every_file_says_what_it_is() -> None:
    """An empty place in the list helps nobody; a file without code needs none."""
    empty = [
        path for path in (ROOT / "wsa_proxy").rglob("*.py") if path.read_text() and not file_map.first_sentence(path)
    ]
    assert not empty


def test_the_map_has_every_room() -> None:
    """In its picture; the single files of the package are rooms as well."""
    picture = MAP.partition("## The rooms")[2].partition("```")[2].partition("```")[0]
    assert {room for room in ARROWS if not re.search(rf"\b{room}\b", picture)} == set()


def test_the_map_leads_to_every_chapter() -> None:
    """What is in docs/architecture/ is linked from docs/architecture.md."""
    chapters = {path.name for path in (ROOT / "docs/architecture").glob("*.md")}
    assert {name for name in chapters if f"](architecture/{name})" not in MAP} == set()


def test_first_sentence(tmp_path: Path) -> None:
    """It ends where the next one begins, over the end of a line, and not at a file's name."""
    path = tmp_path / "x.py"
    path.write_text('"""Reads ``a.py`` and\nwrites b. Then it ends.\n\nMore.\n"""\n')
    assert file_map.first_sentence(path) == "Reads `a.py` and writes b."
