"""A verb is called with what it names, and with text."""

from __future__ import annotations

from typing import Any

import pytest

from wsa_proxy.runtime.verbs import WrongArguments
from wsa_proxy.runtime.verbs import arguments_of
from wsa_proxy.runtime.verbs import call


def switch(group: str, to: str = "") -> dict[str, Any]:
    return {"changes": [group, to]}


def status() -> dict[str, Any]:
    return {"node": "a"}


def test_the_arguments_are_the_functions_own() -> None:
    """In their order, and whether each must be there."""
    assert arguments_of(switch) == {"group": True, "to": False}
    assert arguments_of(status) == {}


def test_what_may_be_left_out_may_be_left_out() -> None:
    """And comes as it is when it is there."""
    assert call("switch", switch, {"group": "1"}) == {"changes": ["1", ""]}
    assert call("switch", switch, {"group": "1", "to": "b"}) == {"changes": ["1", "b"]}
    assert call("status", status, {}) == {"node": "a"}


@pytest.mark.parametrize("arguments", [{}, {"to": "b"}, {"group": "1", "more": "2"}, ["group"], "group", None, 7])
def test_other_arguments_are_told_and_call_nothing(arguments: Any) -> None:
    """Whatever JSON can hold."""
    with pytest.raises(WrongArguments, match=r"^switch takes the arguments: group, to$"):
        call("switch", switch, arguments)


def test_a_verb_without_arguments_says_so() -> None:
    """Rather than nothing."""
    with pytest.raises(WrongArguments, match=r"^status takes the arguments: none$"):
        call("status", status, {"group": "1"})


@pytest.mark.parametrize("value", [1, None, True, ["1"], {}])
def test_what_is_no_text_is_told(value: Any) -> None:
    """No number becomes text by itself."""
    with pytest.raises(WrongArguments, match=r"^switch: each argument must be text$"):
        call("switch", switch, {"group": value})


@pytest.mark.parametrize("value", ["\x1b]0;title\x07", "two\nlines", "\ud800", "\u202ebackwards", "x" * 1001])
def test_what_cannot_be_shown_is_told(value: str) -> None:
    """It would be in the log, and half a surrogate pair ends whoever writes it there."""
    refused = {"error": "switch: each argument must be one line of text, at most 1000 characters"}
    assert call("switch", switch, {"group": "1", "to": value}) == refused
    assert call("switch", switch, {"group": "1", "to": "ä" * 1000}) == {"changes": ["1", "ä" * 1000]}
