"""A configuration's text without its secrets, and the difference between two such texts.

A secret that has changed shows as ``(changed)``. Hidden are the values of the keys that the configuration hides, the
same values wherever else they stand, and what a comment says behind a secret, or behind such a key or word: an old line
that was put out of force, with its list.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from wsa_proxy.admin.yaml_places import Place
from wsa_proxy.admin.yaml_places import read_places
from wsa_proxy.config.source import HIDDEN_KEYS

HIDDEN, CHANGED = "********", "******** (changed)"
IN_COMMENT = re.compile(r"(#.*?(?:secret|passw)\w*\W?\s*[:=]).*", re.IGNORECASE)
BEHIND_SECRET = re.compile(r"([\0\1].*?\s#).*")
ITEM_IN_COMMENT = re.compile(r"(\s*#\s*-\s).*")
CONTEXT_LINES = 3
ELSEWHERE_CHARACTERS_MIN = 6
"""Of a secret that is looked for in all of the text; a shorter one would be found in every other word."""


def masked_diff(before: str, after: str, name: str) -> str:
    """As `diff -u` shows it; empty when nothing differs. Raises NoPlace when one of them is no YAML."""
    known = {secret.text for secret in _secrets(read_places(before))}
    old, new = (_lines(masked(text, known)) for text in (before, after))
    return "".join(difflib.unified_diff(old, new, f"{name} (in force)", f"{name} (pending)", n=CONTEXT_LINES))


def masked(text: str, known: set[str]) -> str:
    """Every secret hidden; one that is not ``known`` counts as changed. Raises NoPlace when it is no YAML."""
    root = read_places(text)
    values = {secret.text for secret in _secrets(root)} | known
    parts, at = [], 0
    for place in _secrets(root):
        parts += [text[at : place.start], "\0" if place.text in known else "\1"]
        at = place.end
    text = "".join([*parts, text[at:]])
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= ELSEWHERE_CHARACTERS_MIN:
            text = text.replace(value, HIDDEN)
    text = "\n".join(_without_comments(text.split("\n")))
    return text.replace("\0", HIDDEN).replace("\1", CHANGED)


def _without_comments(lines: list[str]) -> Iterator[str]:
    """Nothing is left of what may have been a secret."""
    in_list = False
    for line in lines:
        in_list = in_list and ITEM_IN_COMMENT.match(line) is not None
        if in_list:
            yield ITEM_IN_COMMENT.sub(rf"\1{HIDDEN}", line)
            continue
        in_list = IN_COMMENT.search(line) is not None
        yield BEHIND_SECRET.sub(rf"\1 {HIDDEN}", IN_COMMENT.sub(rf"\1 {HIDDEN}", line))


def _secrets(place: Place, hidden: bool = False) -> Iterator[Place]:
    """In the order of the text."""
    if hidden and place.end > place.start and not (place.is_mapping or place.is_sequence):
        yield place
    for key, value in place.keys:
        yield from _secrets(value, hidden or key.text in HIDDEN_KEYS)
    for item in place.items:
        yield from _secrets(item, hidden)


def _lines(text: str) -> list[str]:
    """With their ends; a last one without is marked as `diff` does."""
    *lines, rest = text.split("\n")
    ended = [f"{line.removesuffix('\r')}\n" for line in lines]
    return [*ended, f"{rest}\n\\ No newline at end of file\n"] if rest else ended
