"""What a check answers."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, in three sentences."""

    what: str
    evidence: str
    """What was seen, so that a reader can look himself."""
    fix: str


@dataclass(frozen=True, slots=True)
class NotMade:
    """A check, or a part of it, that could not be made: nobody may take it for passed."""

    why: str


type Answer = Finding | NotMade


@dataclass(frozen=True, slots=True)
class Examination:
    """What all checks have answered, by their names, in their order."""

    answers: tuple[tuple[str, tuple[Answer, ...]], ...]

    @property
    def findings(self) -> list[tuple[str, Finding]]:
        return [(name, each) for name, answers in self.answers for each in answers if isinstance(each, Finding)]

    @property
    def not_made(self) -> list[tuple[str, NotMade]]:
        return [(name, each) for name, answers in self.answers for each in answers if isinstance(each, NotMade)]


def unique(answers: Iterable[Answer]) -> Iterator[Answer]:
    """Each once: two groups of one interface would say the same of it."""
    yield from dict.fromkeys(answers)
