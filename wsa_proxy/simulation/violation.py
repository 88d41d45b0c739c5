"""What every judge raises."""

from __future__ import annotations


class Violation(Exception):
    """A promise was broken: ``invariant`` is its name, the text says how."""

    def __init__(self, invariant: str, story: str) -> None:
        super().__init__(f"{invariant}: {story}")
        self.invariant = invariant
