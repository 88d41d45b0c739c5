"""The status document (``runtime/status.py``), read by whoever must bear that anything of it is absent.

A node of an earlier version has fewer keys; what is not there, or is not what it should be, is not known, and nothing
raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

type Json = Any
"""What ``json.loads`` answers."""


@dataclass(frozen=True, slots=True)
class Part:
    """One object of the document."""

    data: Mapping[str, Json]

    def part(self, *names: str) -> Part:
        """The object under these names, one inside the other; an empty one if there is none."""
        found: Json = self.data
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return Part(found if isinstance(found, Mapping) else {})

    def parts(self, name: str) -> list[Part]:
        """The objects of a list."""
        return [Part(each) for each in self.items(name) if isinstance(each, Mapping)]

    def items(self, name: str) -> list[Json]:
        """Of a list; none if it is no list."""
        found = self.data.get(name)
        return found if isinstance(found, list) else []

    def knows(self, name: str) -> bool:
        """It is told, if only that there is none (null)."""
        return name in self.data

    def text(self, name: str) -> str:
        """Of a text or a number; empty if it is neither. What UTF-8 cannot say is a question mark."""
        found = self.data.get(name)
        return printable(found) if isinstance(found, str | int | float) else ""

    def number(self, name: str) -> float | None:
        """Of a number, or of true and false; None if it is none."""
        return number_of(self.data.get(name))

    def numbers(self, name: str) -> dict[str, float]:
        """Those of an object, by name."""
        read = {printable(each): number_of(value) for each, value in self.part(name).data.items()}
        return {each: value for each, value in read.items() if value is not None}


def printable(value: object) -> str:
    """As UTF-8 can say it."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def number_of(value: Json) -> float | None:
    """None for what is no number, and for one that no float can hold."""
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None
