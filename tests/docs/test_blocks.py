"""Every block of every page is either run, or of a language that no shell runs here, or excused by name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES
from tests.docs.blocks import ROOT
from tests.docs.blocks import SHELL
from tests.docs.blocks import Block
from tests.docs.blocks import blocks_in
from tests.docs.blocks import blocks_of
from tests.docs.blocks import not_said
from tests.docs.elsewhere import ELSEWHERE

LANGUAGES = {
    *SHELL,
    "text",  # what a program shows
    "yaml",
    "python",
    "ini",
    "json",
    "javascript",
    "html",
    "xml",
    "powershell",  # Windows
    "doscon",  # Windows' command prompt
    "zsh",  # macOS
    "mermaid",
}
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
BY_PLACE = {block.place: block for block in BLOCKS}
COMMAND = re.compile(r"^(?:sudo )?([a-z][a-z0-9_.-]*)", re.MULTILINE)

EXAMPLE = """
```sh a b exit=3
wsa-proxy status
```

```text
node a  10.0.0.1
```

Words.

```text
of nothing
```
"""


def test_words_and_output_of_a_block_are_read() -> None:
    """The words behind the language say where and how, the text block straight behind it what it shows."""
    first, second, third = blocks_in(EXAMPLE, "page.md")
    assert (first.language, first.hosts, first.status, first.line) == ("sh", ("a", "b"), 3, 2)
    assert first.shown == second.text == "node a  10.0.0.1\n"
    assert third.shown is None and not third.is_run


@pytest.mark.parametrize(
    ("shown", "said", "missing"),
    [
        ("a 1\nb 2", "a 10.5\nb  7\nc", None),
        ("a 1\nc 2", "a 1\nb 2\nc 2", "c 2"),
        ("a 1\n...\nc 2", "a 1\nb 2\nc 2", None),
        ("...\nc 2\na 1", "a 1\nc 2", "a 1"),
        ("at 2026-11-29T03:17:49+00:00", "at 2027-01-01T00:00:00+00:00", None),
        ("mac 00:00:5e:00:01:01", "mac 7e:aa:bb:cc:dd:ee", None),
        ("BACKUP for 1 s", "MASTER for 1 s", "BACKUP for 1 s"),
        ("\n...\nx", "x", None),
        ("x", "", "x"),
    ],
)
def test_shown_output_is_compared_by_its_shape(shown: str, said: str, missing: str | None) -> None:
    """Words and their order count, numbers do not."""
    assert not_said(shown, said) == missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_fence_is_one_of_a_block(page: Path) -> None:
    """A fence that is indented, or open, would hide a block from the tests."""
    fences = len(re.findall(r"^\s*(?:```|~~~)", page.read_text(), re.MULTILINE))
    assert fences == 2 * len(blocks_of(page))


@pytest.mark.parametrize("place", BY_PLACE)
def test_language_and_words_are_known(place: str) -> None:
    """A misspelt language or word would leave a block out without a word."""
    block = BY_PLACE[place]
    assert block.language in LANGUAGES
    assert block.language in SHELL or not block.words
    assert not block.unknown_words


def elsewhere() -> list[Block]:
    return [block for block in BLOCKS if "elsewhere" in block.words]


def test_blocks_that_are_not_run_are_shell_and_excused() -> None:
    """Each command of a block that says ``elsewhere`` stands in the list, and bash can read it."""
    for block in elsewhere():
        commands = COMMAND.findall(re.sub(r"\\\n", " ", block.text))
        assert commands, block.place
        assert set(commands) <= ELSEWHERE.keys(), block.place
        read = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
        assert read.returncode == 0, f"{block.place}: {read.stderr}"


def test_nothing_is_excused_that_no_page_has() -> None:
    """The list of excuses stays small."""
    used = {command for block in elsewhere() for command in COMMAND.findall(block.text)}
    assert ELSEWHERE.keys() <= used


def test_make_targets_exist() -> None:
    """``make X`` of a page is not run, but there is such a target."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {match for block in elsewhere() for match in re.findall(r"^make ([a-z-]+)", block.text, re.MULTILINE)}
    assert asked <= targets
