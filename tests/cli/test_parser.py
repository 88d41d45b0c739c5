"""Each verb is there with its words, and the rooms' arguments come with their verb."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsa_proxy.cli.parser import ROOMS
from wsa_proxy.cli.parser import make_parser
from wsa_proxy.cli.parser import parser_for


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_brings_its_arguments_when_it_is_called(room: str) -> None:
    """And only then; with options of the whole program before it, too."""
    choices = next(each.choices for each in parser_for([room])._actions if each.dest == "verb")
    assert choices is not None
    counts = {name: len(parser._actions) for name, parser in dict(choices).items() if name in ROOMS}
    assert counts[room] > 1 and {count for name, count in counts.items() if name != room} == {1}


def test_a_file_and_a_group_in_either_place() -> None:
    """One word is what must be there; two are the file and the group."""
    parser = make_parser()
    for verb in ("test", "switch", "drill"):
        assert (parser.parse_args([verb, "1"]).file, parser.parse_args([verb, "1"]).group) == (None, "1")
        both = parser.parse_args([verb, "node.yaml", "1"])
        assert (both.file, both.group) == (Path("node.yaml"), "1")
    assert parser.parse_args(["test", "-1"]).group == "-1"  # the WSA's word for all groups
