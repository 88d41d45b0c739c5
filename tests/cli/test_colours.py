"""Colours add nothing to the words, and come to a terminal only."""

from __future__ import annotations

import io
import re

import pytest

from tests.test_status_text import STATUS
from wsa_proxy.cli import colours
from wsa_proxy.status_text import status_text


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_without_the_colours_the_text_is_the_same() -> None:
    text = status_text(STATUS)
    shown = colours.coloured(text)
    assert shown != text and re.sub(r"\x1b\[[0-9;]*m", "", shown) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  MASTER for 1 s: x", "  \x1b[32mMASTER\x1b[0m for 1 s: x"),
        ("  member b 10.0.0.2  BACKUP  ready", "  member b 10.0.0.2  \x1b[36mBACKUP\x1b[0m  ready"),
        ("ERROR group 1: MASTER", "\x1b[1;31mERROR group 1: MASTER\x1b[0m"),
        ("a\nNOTE b\n  fix: c", "a\n\x1b[36mNOTE\x1b[0m b\n\x1b[36m  fix:\x1b[0m c"),
        ("proxy: well", "proxy: \x1b[32mwell\x1b[0m"),
        ("not well", "not well"),
        ("MASTERS of none", "MASTERS of none"),
    ],
)
def test_words_of_ours_have_a_colour(text: str, shown: str) -> None:
    """Nothing within another word."""
    assert colours.coloured(text) == shown


def test_only_a_terminal_sees_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not one that is dumb, nor whoever has asked all programs for none."""
    assert colours.shown_on(FakeTerminal(), "MASTER") == "\x1b[32mMASTER\x1b[0m"
    assert colours.shown_on(io.StringIO(), "MASTER") == "MASTER"
    monkeypatch.setenv("TERM", "dumb")
    assert not colours.wanted(FakeTerminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours.wanted(FakeTerminal())
    monkeypatch.setenv("NO_COLOR", "")  # the same as not set, https://no-color.org
    assert colours.wanted(FakeTerminal())
