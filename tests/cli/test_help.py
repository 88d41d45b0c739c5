"""The help of every verb fits a terminal of 80 columns, examples and tables included."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from wsa_proxy import cli
from wsa_proxy.cli.exit_status import EXIT_STATUSES
from wsa_proxy.cli.help import HelpFormatter


@pytest.mark.parametrize("words", [[], *([verb] for verb in EXIT_STATUSES), ["maintenance", "on"]], ids=" ".join)
def test_it_fits_and_says_something(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line is longer, and every argument has its word of explanation."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert lines[0].startswith("usage: wsa-proxy") and len(lines) > 5


def test_paragraphs_are_filled_and_examples_are_not() -> None:
    """A line that begins with two blanks stays a line; where it is too long, it goes on under its last column."""
    parser = argparse.ArgumentParser(prog="x", formatter_class=lambda prog: HelpFormatter(prog, width=42))
    parser.description = "One two three four five\nsix seven eight nine ten eleven.\n\nA list:\n  -a  b\n  -c  d"
    parser.epilog = "words:\n  kill X      the process is killed, with everything in it"
    described = parser.format_help().split("\n\n", 1)[1]
    assert described.startswith(
        "One two three four five six seven eight\nnine ten eleven.\n\nA list:\n  -a  b\n  -c  d\n\n"
    )
    assert described.endswith("words:\n  kill X      the process is killed, with\n              everything in it\n")


def test_an_ordinary_verb_does_not_load_the_rooms_of_others() -> None:
    """``status`` should answer at once: the parser of the simulator alone takes longer than the answer."""
    code = (
        "import sys; from wsa_proxy.cli.parser import parser_for; parser_for(['status']);"
        " print(sorted(name for name in sys.modules if name.startswith('wsa_proxy.') and '.cli' not in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
