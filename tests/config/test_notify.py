"""The key ``notify``: a command, never a line for a shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import loaded
from tests.config.example import told


def with_notify(text: str) -> str:
    return f"notify: {text}\n{GOOD}"


def test_a_path_or_a_list(tmp_path: Path) -> None:
    """Without it nobody is told."""
    assert loaded(tmp_path, GOOD).settings.notify == ()
    assert loaded(tmp_path, with_notify("/bin/true")).settings.notify == ("/bin/true",)
    written = loaded(tmp_path, with_notify("[/bin/echo, 'a b', $HOME]"))
    assert written.settings.notify == ("/bin/echo", "a b", "$HOME")
    assert not [each for each in written.warnings if each.key == "notify"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5", "notify: 5: must be the whole path of a program, or a list of that and its arguments; no shell runs it"),
        ("mail", "notify: mail: must be the whole path of a program"),
        ("[]", "must be the whole path of a program"),
        ("[/bin/echo, 5]", "must be the whole path of a program"),
        ("{command: /bin/echo}", "must be the whole path of a program"),
        ("mail root", "no shell runs it; write a list: [mail, root]"),
        ('"/bin/echo\\0"', "must be the whole path of a program"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, words: str) -> None:
    """A line for a shell becomes a list."""
    assert words in told(tmp_path, with_notify(text))


@pytest.mark.parametrize("path", ["/nonexistent/program", "/tmp", "/etc/passwd"])
def test_a_program_that_cannot_be_run_is_a_warning(tmp_path: Path, path: str) -> None:
    """The proxy is worth more than whoever is told of it."""
    warnings = [str(each) for each in loaded(tmp_path, with_notify(path)).warnings]
    assert [each for each in warnings if f"{path} is no program that this user can run" in each]
