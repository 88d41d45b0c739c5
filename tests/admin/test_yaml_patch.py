"""One change, character for character, in each form that a mapping and a list can have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from wsa_proxy.admin.yaml_patch import append_item
from wsa_proxy.admin.yaml_patch import newline_of
from wsa_proxy.admin.yaml_patch import remove_item
from wsa_proxy.admin.yaml_patch import remove_key
from wsa_proxy.admin.yaml_patch import set_value
from wsa_proxy.admin.yaml_places import NoPlace
from wsa_proxy.admin.yaml_places import Path


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("a: 1  # c\nb: 2\n", ("a",), 5, "a: 5  # c\nb: 2\n"),
        ("a:\nb: 2\n", ("a",), 5, "a: 5\nb: 2\n"),
        ("a:   # c\nb: 2\n", ("a",), 5, "a: 5   # c\nb: 2\n"),
        ("a: 'x'\r\nb: 2\r\n", ("a",), "y z", "a: 'y z'\r\nb: 2\r\n"),
        ("a: >-\n  x\n  y\n\n# c\nb: 2", ("a",), "z", "a: z\n\n# c\nb: 2"),
        ("a: x\n  y # c\nb: 2", ("a",), "z", "a: z # c\nb: 2"),
        ("{a: 1, b: 2}\n", ("b",), "x: y", '{a: 1, b: "x: y"}\n'),
        ('{"a":1}', ("a",), 2, '{"a": 2}'),
        ("- {a: 1}\n- {a: 2}\n", (1, "a"), 3, "- {a: 1}\n- {a: 3}\n"),
    ],
)
def test_a_value_is_replaced_where_it_stands(before: str, path: Path, value: Any, after: str) -> None:
    """Comments, quotes and line ends stay."""
    assert set_value(before, path, value) == after


ORDER = ("id", "name", "list", "last")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- id: 1  # c\n  last: 2\n", "- id: 1  # c\n  name: x\n  last: 2\n"),
        ("- last: 2\n  id: 1\n\n# c", "- last: 2\n  id: 1\n  name: x\n\n# c"),
        ("- last: 2", "- last: 2\n  name: x"),
        ("-   id:\n      # c\n    last: 2\r\n", "-   id:\n    name: x\n      # c\n    last: 2\r\n"),
        ("-   id: 1\r\n    last: 2\r\n", "-   id: 1\r\n    name: x\r\n    last: 2\r\n"),
        ("- {id: 1, last: 2}\n", "- {id: 1, name: x, last: 2}\n"),
        ("- {last: 2, id: 1 }\n", "- {last: 2, id: 1, name: x }\n"),
    ],
)
def test_a_key_that_is_missing_comes_behind_those_before_it(before: str, after: str) -> None:
    """In the indentation of the others."""
    assert set_value(before, (0, "name"), "x", ORDER) == after


@pytest.mark.parametrize(
    ("before", "values", "after"),
    [
        ("a: x\n", ["u"], "a: u\n"),
        ("a: x\n", ["x", "u"], "a: [x, u]\n"),
        ("a: [x]\n", ["u"], "a: [u]\n"),
        ("a: [x, u]\n", ["x", "z", "u"], "a: [x, z, u]\n"),
        ("a: [x, u]\n", ["z", "x", "u"], "a: [z, x, u]\n"),
        ("a: [x, u, z]\n", ["x", "z"], "a: [x, z]\n"),
        ("a: [x, u, z]\n", ["u"], "a: [u]\n"),
        ("a: [\n  x, # 1\n  u, # 2\n]\n", ["x", "z"], "a: [\n  x, # 1\n  z, # 2\n]\n"),
        ("a:\n  - x # 1\n  - u # 2\nb: 1\n", ["u"], "a:\n  - u # 2\nb: 1\n"),
        ("a:\n  - x # 1\n  - u # 2\nb: 1\n", ["z", "u"], "a:\n  - z # 1\n  - u # 2\nb: 1\n"),
        ("a:\n- x # 1\nb: 1\n", ["w", "x", "u"], "a:\n- w\n- x # 1\n- u\nb: 1\n"),
        ("a:\n  - x\n  - u\n  - z", ["x", "v", "w"], "a:\n  - x\n  - v\n  - w"),
        ("a:\r\n  - x", ["x", "u"], "a:\r\n  - x\r\n  - u"),
    ],
)
def test_a_list_keeps_the_items_that_stay(before: str, values: Sequence[str], after: str) -> None:
    """With their comments; one value becomes a list only when there are several."""
    assert set_value(before, ("a",), values) == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("a: 1\nb: 2 # c\n# d\nc: 3\n", ("b",), "a: 1\n# d\nc: 3\n"),
        ("a: 1\nb:\n  - 2\n  - 3\nc: 3\n", ("b",), "a: 1\nc: 3\n"),
        ("- a: 1 # x\n  b: 2\n", (0, "a"), "- b: 2\n"),
        ("a: 1\nb: 2", ("b",), "a: 1\n"),
        ("a: 1\r\nb: 2\r\nc: 3\r\n", ("b",), "a: 1\r\nc: 3\r\n"),
        ("{a: 1, b: 2, c: 3}", ("b",), "{a: 1, c: 3}"),
        ("{a: 1, b: 2, c: 3}", ("a",), "{b: 2, c: 3}"),
        ("{a: 1, b: 2}", ("b",), "{a: 1}"),
    ],
)
def test_a_key_goes_with_its_line(before: str, path: Path, after: str) -> None:
    """Or with its comma."""
    assert remove_key(before, path) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "g:\n  - id: 1\n    # own\n  # no more\nz: 1\n",
            "g:\n  - id: 1\n    # own\n  - id: 2\n    n: x\n  # no more\nz: 1\n",
        ),
        ("g:\n- id: 1", "g:\n- id: 1\n- id: 2\n  n: x"),
        ("g:\n  -   id: 1\n", "g:\n  -   id: 1\n  -   id: 2\n      n: x\n"),
        ("g:\n  -\n    id: 1\n", "g:\n  -\n    id: 1\n  - id: 2\n    n: x\n"),
        ("g:\r\n  - id: 1\r\n", "g:\r\n  - id: 1\r\n  - id: 2\r\n    n: x\r\n"),
        (
            "g:\n  - id: 0\n\n  - id: 1\n\n# c\nz: 1\n",
            "g:\n  - id: 0\n\n  - id: 1\n\n  - id: 2\n    n: x\n\n# c\nz: 1\n",
        ),
        ("g: [{id: 1}]\n", "g: [{id: 1}, {id: 2, n: x}]\n"),
        ("g:\n  - {id: 1} # c\n", "g:\n  - {id: 1} # c\n  - {id: 2, n: x}\n"),
    ],
)
def test_an_item_comes_behind_all_that_belongs_to_the_last_one(before: str, after: str) -> None:
    """And in its form."""
    assert append_item(before, ("g",), {"id": 2, "n": "x"}) == after


@pytest.mark.parametrize(
    ("before", "n", "after"),
    [
        ("g:\n  - id: 1 # -\n    # own\n  # before\n  - id: 2\n", 0, "g:\n  # before\n  - id: 2\n"),
        ("g:\n  - id: 1 # -\n    # own\n  # before\n  - id: 2\n", 1, "g:\n  - id: 1 # -\n    # own\n  # before\n"),
        ("g:\n  - id: 1\n\n  - id: 2\n\n  - id: 3\n", 1, "g:\n  - id: 1\n\n  - id: 3\n"),
        ("g:\n- id: 1\n- id: 2\nz: 1", 1, "g:\n- id: 1\nz: 1"),
        ("g: [{id: 1}, {id: 2}]", 0, "g: [{id: 2}]"),
        ("g: [{id: 1}, {id: 2}]", 1, "g: [{id: 1}]"),
    ],
)
def test_an_item_goes_with_the_comments_within_it(before: str, n: int, after: str) -> None:
    """Those of the list stay."""
    assert remove_item(before, ("g", n)) == after


@pytest.mark.parametrize(
    "change",
    [
        lambda: set_value("a: {b: 1}\n", ("a",), 1),
        lambda: set_value("{}", ("a",), 1),
        lambda: set_value("a: []\n", ("a",), ["x"]),
        lambda: remove_key("a: 1\n", ("b",)),
        lambda: remove_key("a: 1\n", ("a",)),
        lambda: append_item("g: []\n", ("g",), {"id": 1}),
        lambda: append_item("g: 1\n", ("g",), {"id": 1}),
        lambda: append_item("? - id: 0\n  - id: 1\n: 1\n", ("g",), {"id": 1}),
        lambda: remove_item("g: [1]\n", ("g", 0)),
        lambda: remove_item("g: [1, 2]\n", ("g", 2)),
        lambda: remove_item("g: {a: 1, b: 1}\n", ("g", "a")),
        lambda: remove_item("- - 1\n  - 2\n", (0, 0)),
    ],
)
def test_what_is_not_there_cannot_be_changed(change: Any) -> None:
    """Nor what would leave nothing."""
    with pytest.raises(NoPlace):
        change()


def test_a_file_has_the_line_ends_of_its_first_line() -> None:
    """One without any has the usual."""
    assert [newline_of(text) for text in ("a", "a\n", "a\r\nb\n", "\n")] == ["\n", "\n", "\r\n", "\n"]
