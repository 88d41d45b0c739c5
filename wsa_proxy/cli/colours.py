"""Colours for a text that is complete without them: the words stay the same, and only a terminal sees more."""

from __future__ import annotations

import os
import re
from typing import TextIO

GREEN, YELLOW, RED, CYAN, DIM = "32", "33", "1;31", "36", "2"
RULES = (
    (re.compile(r"^ERROR\b.*$|\bNO HEALTHY STANDBY\b|\bFAILED\b|\bDOES NOT ANSWER\b|^NOT\b", re.MULTILINE), RED),
    (re.compile(r"^WARNING\b", re.MULTILINE), YELLOW),
    (re.compile(r"^NOTE\b|^  fix:|^  see:|^in maintenance\b", re.MULTILINE), CYAN),
    (re.compile(r"\bMASTER\b|\bpassed\b|(?<=^proxy: )well$", re.MULTILINE), GREEN),
    (re.compile(r"\bBACKUP\b"), CYAN),
    (re.compile(r"\bINIT\b"), YELLOW),
    (re.compile(r"\bUNKNOWN\b"), DIM),
)
"""Which words have which colour; the first rule that a place fits holds."""
_ANY = re.compile("|".join(f"(?P<r{number}>{rule.pattern})" for number, (rule, _) in enumerate(RULES)), re.MULTILINE)


def wanted(stream: TextIO) -> bool:
    """Only on a terminal that can, and never against NO_COLOR (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in ("", "dumb")


def coloured(text: str) -> str:
    """With the escape sequences of ECMA-48. What is not known as a word of ours stays as it is."""
    return _ANY.sub(_in_colour, text)


def shown_on(stream: TextIO, text: str) -> str:
    """As it should be written there."""
    return coloured(text) if wanted(stream) else text


def _in_colour(found: re.Match[str]) -> str:
    colour = RULES[int(str(found.lastgroup)[1:])][1]
    return f"\x1b[{colour}m{found[0]}\x1b[0m"
