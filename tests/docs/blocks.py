"""The fenced blocks of a page, and what the words behind their language ask of the test.

A block of the language ``sh`` is run: on host a, or on the hosts that its words name, by ``bash -eu`` in the checkout.
Its other words: ``background`` (it goes on until the page ends, like a node in the foreground of a terminal; with
``ends`` a later block ends it), ``exit=3`` (its exit status), ``again`` (it is repeated until it shows what the page
shows: something else has to happen first) and ``elsewhere`` (it cannot be run here; its commands must stand in
``elsewhere.py``, which says why).

A block of the language ``text`` straight behind one that is run is what that shows.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = ("sh", "shell", "bash")
HOSTS = ("a", "b", "c", "d", "client")
FLAGS = ("background", "ends", "again", "elsewhere")
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?:[0-9A-F]{2}:){5,}[0-9A-F]{2}|(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|\d+(?:\.\d+)*")
REST = "..."
"""A line of shown output that stands for any number of lines."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. ``line`` is that of its opening fence; ``shown`` is the text block behind it, or None."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str
    shown: str | None = None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_run(self) -> bool:
        return self.language in SHELL and "elsewhere" not in self.words

    @property
    def hosts(self) -> tuple[str, ...]:
        """On which it is run."""
        return tuple(word for word in self.words if word in HOSTS) or ("a",)

    @property
    def status(self) -> int:
        """The exit status that the page promises."""
        return next((int(word.removeprefix("exit=")) for word in self.words if word.startswith("exit=")), 0)

    @property
    def unknown_words(self) -> list[str]:
        return [word for word in self.words if word not in (*HOSTS, *FLAGS) and not re.fullmatch(r"exit=\d+", word)]


def blocks_of(page: Path) -> list[Block]:
    """All blocks of a page, in its order."""
    return blocks_in(page.read_text(), page.relative_to(ROOT).as_posix())


def blocks_in(text: str, page: str) -> list[Block]:
    """The same for a text."""
    found: list[Block] = []
    matches = list(FENCE.finditer(text))
    for match, after in itertools.zip_longest(matches, matches[1:]):
        language, *words = match["info"].split() or [""]
        shown = None
        if after is not None and after["info"].strip() == "text" and not text[match.end() : after.start()].strip():
            shown = after["text"]
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, tuple(words), match["text"], shown))
    return found


def not_said(shown: str, said: str) -> str | None:
    """The first shown line that was not said after the ones before it, or None.

    Numbers, hardware addresses and fingerprints may be others, and blanks more or fewer.
    """
    rest = [_shape(line) for line in said.splitlines()]
    anywhere = False
    for line in shown.splitlines():
        if line.strip() == REST:
            anywhere = True
            continue
        wanted = _shape(line)
        if not wanted:
            continue
        while rest and not rest[0]:
            rest.pop(0)
        if wanted not in (rest if anywhere else rest[:1]):
            return line
        del rest[: rest.index(wanted) + 1]
        anywhere = False
    return None


def _shape(line: str) -> str:
    return NUMBER.sub("#", " ".join(line.split()))
