"""Each value's place holds its text and nothing else, in every form that YAML has for it."""

from __future__ import annotations

import pytest

from wsa_proxy.admin.yaml_places import NoPlace
from wsa_proxy.admin.yaml_places import Path
from wsa_proxy.admin.yaml_places import behind_dash
from wsa_proxy.admin.yaml_places import find
from wsa_proxy.admin.yaml_places import read_places

TEXT = """\
node: a  # a comment
quoted: "b: # c"
anchored: &x 'y'
alias: *x
folded: >-
  two
  lines

# between
missing:
brackets: {a: 1, b: [1, 2], c}
long: some
  words
? asked
: 5
groups: &g !!seq
  - id: 1
    list:
      - a  # a-b
      - b
    # behind
  - # - no dash
    id: 2
  - {id: 3}
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("node",), "a"),
        (("quoted",), '"b: # c"'),
        (("anchored",), "&x 'y'"),
        (("alias",), "*x"),
        (("folded",), ">-\n  two\n  lines"),
        (("missing",), ""),
        (("brackets",), "{a: 1, b: [1, 2], c}"),
        (("brackets", "a"), "1"),
        (("brackets", "b"), "[1, 2]"),
        (("brackets", "b", 1), "2"),
        (("brackets", "c"), ""),
        (("long",), "some\n  words"),
        (("asked",), "5"),
        (("groups", 0), "id: 1\n    list:\n      - a  # a-b\n      - b"),
        (("groups", 0, "list"), "- a  # a-b\n      - b"),
        (("groups", 0, "list", 1), "b"),
        (("groups", 1), "id: 2"),
        (("groups", 2), "{id: 3}"),
    ],
)
def test_a_place_ends_behind_its_last_character(path: Path, expected: str) -> None:
    """Comments and line ends are outside."""
    place = find(read_places(TEXT), path)
    assert TEXT[place.start : place.end] == expected


def test_a_missing_value_is_behind_its_colon() -> None:
    """Where it would be written."""
    place = find(read_places(TEXT), ("missing",))
    assert TEXT[: place.start].endswith("\nmissing:")


def test_what_the_places_say_is_what_yaml_reads() -> None:
    """Without quotes, lines joined; an alias says what it refers to."""
    root = read_places(TEXT)
    said = {key.text: value.text for key, value in root.keys}
    assert said["quoted"] == "b: # c" and said["alias"] == said["anchored"] == "y"
    assert said["folded"] == "two lines" and said["missing"] == ""
    assert find(root, ("groups",)).column == 2 and find(root, ("groups", 0)).column == 4


def test_of_a_key_that_is_there_twice_the_first_counts() -> None:
    """As everywhere in the configuration."""
    assert find(read_places("a: 1\na: 2\n"), ("a",)).text == "1"


@pytest.mark.parametrize("text", ["a: [", "", "# nothing", "a: \t- b\n c", "- " * 3000])
def test_what_is_no_document_has_no_places(text: str) -> None:
    """And no error of the reader comes through."""
    with pytest.raises(NoPlace):
        find(read_places(text), ("a",))


def test_an_alias_of_nothing_has_no_text() -> None:
    """The configuration's own reader refuses it."""
    assert find(read_places("a: *unknown"), ("a",)).text == ""


@pytest.mark.parametrize("path", [("other",), ("node", 0), ("groups", 3), ("groups", "id"), ("brackets", 0)])
def test_nothing_stands_at_another_path(path: Path) -> None:
    """Neither a key of a list nor an item of keys."""
    with pytest.raises(NoPlace):
        find(read_places(TEXT), path)


def test_a_dash_in_a_comment_is_none() -> None:
    """Nor is one in the text before."""
    text = "a # - \n\n  # -\n  - b"
    assert text[behind_dash(text, 1) :] == " b"
    for without in ("a # -", "a b - c", "a"):
        with pytest.raises(NoPlace):
            behind_dash(without, 1)
