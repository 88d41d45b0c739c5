"""Texts of other hosts, before they are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.members.text import TEXT_CHARACTERS_MAX
from wsa_proxy.members.text import one_line

ANY = st.text(st.characters(exclude_categories=()), max_size=300)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as it is", "as it is"),
        ("two\nlines\tand \x1b[31mred", "two lines and  [31mred"),
        ("turned \u202eround, \u200bhidden, \ud800half", "turned  round,  hidden,  half"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 197 + "..."),
        ("Zürich 🙂", "Zürich 🙂"),
    ],
)
def test_what_a_screen_gets(text: str, shown: str) -> None:
    """One line, of bounded length, without anything that steers a terminal."""
    assert one_line(text) == shown


@given(ANY, st.integers(4, 80))
def test_any_text(text: str, characters_max: int) -> None:
    """Can be printed and written as UTF-8, is within its bound, and stays as it is the second time."""
    for shown, limit in ((one_line(text), TEXT_CHARACTERS_MAX), (one_line(text, characters_max), characters_max)):
        assert shown.isprintable() and len(shown) <= limit
        shown.encode()
        assert one_line(shown, limit) == shown
