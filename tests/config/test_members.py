"""The key ``members`` of a group."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.config.members import MEMBERS_ALLOWED
from wsa_proxy.config.members import MEMBERS_KEYS
from wsa_proxy.config.members import NODES_MAX
from wsa_proxy.settings import MembersSettings


def with_members(text: str) -> str:
    return GOOD + f"    members: {text}\n"


def test_what_is_left_out_is_the_usual(tmp_path: Path) -> None:
    """Nothing has to be written on one LAN; a name that stands twice counts once."""
    assert loaded(tmp_path, GOOD).settings.groups[0].members == MembersSettings()
    assert MembersSettings() == MembersSettings(8112, (), False)
    written = with_members("{port: 8113, nodes: [a, b, a], allow_ca_mismatch: true}")
    assert loaded(tmp_path, written).settings.groups[0].members == MembersSettings(8113, ("a", "b"), True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3", "members: 3: must be keys with values; known are port, nodes, allow_ca_mismatch"),
        ("{port: 0}", "members.port: 0: must be a whole number from 1 to 65535"),
        ("{port: '8112'}", "members.port: '8112': must be a whole number from 1 to 65535; write it without quotes"),
        ("{nodes: b}", "members.nodes: b: must be a list of the names of the group's nodes, 31 at most"),
        ("{nodes: [b c]}", "members.nodes[0]: b c: must be a name of 1 to 63 letters, digits, '.', '_' and '-'"),
        ("{allow_ca_mismatch: 1}", "members.allow_ca_mismatch: 1: must be true or false"),
        ("{nodse: [b]}", "members.nodse: unknown key; did you mean nodes?"),
        ("{colour: red}", "members.colour: unknown key; known here are port, nodes, allow_ca_mismatch"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, words: str) -> None:
    """Each with its line, what was expected, and what is known."""
    assert words in told(tmp_path, with_members(text))


def test_too_many_nodes(tmp_path: Path) -> None:
    """No report names more."""
    names = ", ".join(f"n{number}" for number in range(NODES_MAX + 1))
    assert "31 at most" in told(tmp_path, with_members(f"{{nodes: [{names}]}}"))


def test_every_key_has_its_words() -> None:
    """``port`` has those of a group's."""
    assert set(MEMBERS_ALLOWED) - {"members"} == set(MEMBERS_KEYS) - {"port"}
