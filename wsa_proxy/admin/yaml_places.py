"""Where each value of a YAML text stands, to the character.

ruamel's events carry the places, aliases' own among them, and nothing is constructed. What YAML leaves vague (the end
of a block, of a literal text, of a value that is missing) is made exact: a place ends behind its last character.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.events import MappingStartEvent
from ruamel.yaml.events import NodeEvent
from ruamel.yaml.events import ScalarEvent
from ruamel.yaml.events import SequenceStartEvent

FOLD = "\a"  # ruamel's mark of a line end within a folded text
COLON = re.compile(r"[ \t]*:")

type Path = tuple[str | int, ...]
"""``("groups", 0, "id")``, as in the configuration's messages."""


class NoPlace(Exception):
    """The text is no YAML, or nothing stands at a path."""


@dataclass(slots=True)
class Place:
    """One value. Offsets count characters of the text from 0."""

    start: int
    end: int
    """Behind its last character, and behind its tag and anchor when there is nothing else."""
    column: int
    """Of ``start``, from 0; of a block, of its first key or its first dash."""
    style: str = ""
    """``alias``; ``"`` or ``'`` of a quoted text, ``|`` or ``>`` of a block of text; ``{`` or ``[`` in brackets."""
    text: str = ""
    """Of a single value, as YAML understands it."""
    keys: list[tuple[Place, Place]] = field(default_factory=list)
    """Of a mapping: each key with its value, in the text's order."""
    items: list[Place] = field(default_factory=list)
    """Of a sequence."""
    is_mapping: bool = False
    is_sequence: bool = False

    @property
    def in_brackets(self) -> bool:
        return self.style in ("{", "[")


def find(root: Place, path: Path) -> Place:
    """The value at a path; of a key that is there twice, the first. Raises NoPlace."""
    place = root
    for part in path:
        if isinstance(part, int) and place.is_sequence and part < len(place.items):
            place = place.items[part]
            continue
        place = next((value for key, value in place.keys if key.text == part), _NOWHERE)
        if place is _NOWHERE:
            raise NoPlace(f"nothing stands at {path}")
    return place


_NOWHERE = Place(0, 0, 0)


def read_places(text: str) -> Place:
    """The whole document. Raises NoPlace when it is none."""
    reader = _Reader(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ruamel's notes on anchors used twice go to stderr
            return reader.read(YAML(typ="rt").parse(text))
    except (YAMLError, RecursionError, StopIteration) as error:
        raise NoPlace(f"no YAML: {type(error).__name__}") from None


class _Reader:
    """Turns the events of one text into places."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._anchored: dict[str, str] = {}

    def read(self, events: Iterator[Any]) -> Place:
        first = next(event for event in events if isinstance(event, NodeEvent))
        return self._place(first, events, 0)

    def _place(self, event: Any, events: Iterator[Any], after: int) -> Place:
        """``after``: where the last thing before it ends."""
        start, end, column = event.start_mark.index, event.end_mark.index, event.start_mark.column
        if isinstance(event, MappingStartEvent):
            return self._mapping(Place(start, end, column, "{" if event.flow_style else "", is_mapping=True), events)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(Place(start, end, column, "[" if event.flow_style else "", is_sequence=True), events)
        if isinstance(event, AliasEvent):
            return Place(start, end, column, "alias", self._anchored.get(event.anchor, ""))
        assert isinstance(event, ScalarEvent)
        if start == end:  # a value that is missing: its mark is that of whatever comes next
            start = end = after
        elif event.style in ("|", ">"):
            end = start + len(self._text[start:end].rstrip())
        value = str(event.value).replace(FOLD, "")
        if event.anchor:
            self._anchored[event.anchor] = value
        return Place(start, end, column, event.style or "", value)

    def _mapping(self, place: Place, events: Iterator[Any]) -> Place:
        after = place.end
        while isinstance(event := next(events), NodeEvent):
            key = self._place(event, events, after)
            colon = COLON.match(self._text, key.end)
            value = self._place(next(events), events, colon.end() if colon else key.end)
            if not place.style and not place.keys:
                place.start, place.column = key.start, key.column  # not where its tag and anchor are
            place.keys.append((key, value))
            after = value.end
        place.end = event.end_mark.index if place.style else after
        return place

    def _sequence(self, place: Place, events: Iterator[Any]) -> Place:
        after = place.start
        if not place.style and self._text[after : after + 1] != "-":
            after = place.end  # behind its tag and anchor
        while isinstance(event := next(events), NodeEvent):
            if not place.style:
                after = behind_dash(self._text, after)
                if not place.items:
                    place.start = after - 1
                    place.column = place.start - self._text.rfind("\n", 0, place.start) - 1
            item = self._place(event, events, after)
            place.items.append(item)
            after = item.end
        place.end = event.end_mark.index if place.style else after
        return place


def behind_dash(text: str, after: int) -> int:
    """Behind the next item's dash: between two items there are only blanks and comments. Raises NoPlace."""
    at = after
    while at < len(text):
        if text[at] == "-":
            return at + 1
        if text[at] == "#":
            at = text.find("\n", at)
            if at < 0:
                break
        elif not text[at].isspace():
            break
        at += 1
    raise NoPlace("an item without its dash")
