"""The quick reader says what the real one says, or leaves it to that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wsa_proxy.cli.state_place import FILE_BYTES_MAX
from wsa_proxy.cli.state_place import plain_state_dir
from wsa_proxy.config import read_state_dir

PLAIN = [
    "state_dir: /srv/state",
    "state_dir: state  # beside the file",
    'state_dir: "with blanks in it"',
    "groups: nonsense\nstate_dir: elsewhere",
    "groups: []",
    "state_dirr: typo",
]
NOT_PLAIN = [
    "state_dir: ~/state",
    "state_dir: 7",
    "state_dir:",
    "state_dir: ' '",
    "- a list",
    "",
    "a: b: c",
    "a: 1\na: 2",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_plain_is_read_as_the_real_reader_reads_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text(text)
    assert plain_state_dir(file) == read_state_dir(file)


@pytest.mark.parametrize("text", [*NOT_PLAIN, "#" * FILE_BYTES_MAX + "\nstate_dir: x", "\x00", "\xff"])
def test_what_is_not_plain_is_left_to_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_bytes(text.encode("latin-1"))
    assert plain_state_dir(file) is None
    assert plain_state_dir(tmp_path / "none.yaml") is None


def test_a_status_with_a_file_loads_neither_checks_nor_packets(tmp_path: Path) -> None:
    """It would take ten times as long."""
    file = tmp_path / "node.yaml"
    file.write_text("state_dir: nowhere\n")
    code = (
        "import sys; from wsa_proxy import cli; cli.main(['status', sys.argv[1]]);"
        " print([name for name in ('pydantic', 'scapy', 'rich', 'wsa_proxy.config') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n" and "no node runs with this state_dir" in done.stderr
