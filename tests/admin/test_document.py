"""The status document, read by whoever must not fall over what is not there."""

from __future__ import annotations

import pytest

from wsa_proxy.admin.document import Part
from wsa_proxy.admin.document import number_of
from wsa_proxy.admin.document import printable

PART = Part(
    {"members": {"redundancy": {"healthy_standbys": 1}}, "list": [{"node": "b"}, "x"], "port": 8080, "held": None}
)


def test_what_lies_deep_is_found() -> None:
    """One name for each object on the way."""
    assert PART.part("members", "redundancy").number("healthy_standbys") == 1.0
    assert [each.text("node") for each in PART.parts("list")] == ["b"] and PART.items("list") == [{"node": "b"}, "x"]
    assert PART.text("port") == "8080" and PART.part().number("port") == 8080.0


@pytest.mark.parametrize("names", [("absent",), ("port",), ("members", "absent", "deeper"), ("list", "node")])
def test_what_is_no_object_is_an_empty_one(names: tuple[str, ...]) -> None:
    """Absent, or something else: nothing of it is known."""
    part = PART.part(*names)
    assert (dict(part.data), part.number("x"), part.text("x"), part.parts("x")) == ({}, None, "", [])
    assert part.items("x") == [] and part.numbers("x") == {}


def test_that_there_is_none_is_known() -> None:
    """Null is said by this version, an absent key by an earlier one."""
    assert PART.knows("held") and not PART.knows("absent")
    assert PART.number("held") is None and PART.text("held") == ""


@pytest.mark.parametrize(
    ("value", "number"), [(1, 1.0), (0.5, 0.5), (True, 1.0), (False, 0.0), ("1", None), (None, None), (10**400, None)]
)
def test_a_number_is_a_number(value: object, number: float | None) -> None:
    """True and false are 1 and 0; what no float can hold is none."""
    assert number_of(value) == number


def test_the_numbers_of_an_object_go_by_name() -> None:
    """What is none among them is left out."""
    assert Part({"rejected": {"vrrp": 2, "echo": None, "replay": "x"}}).numbers("rejected") == {"vrrp": 2.0}


def test_what_utf_8_cannot_say_is_a_question_mark() -> None:
    """JSON can say half of a surrogate pair, and no text of ours may."""
    assert printable("a\ud800b") == "a?b" and Part({"hostname": "\udfff"}).text("hostname") == "?"
