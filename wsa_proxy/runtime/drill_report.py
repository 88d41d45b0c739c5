"""What came of a drill: its report in words and as a document, and where the last ones are kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsa_proxy.runtime import state_file
from wsa_proxy.runtime.probing import Measured

logger = logging.getLogger(__name__)

KEPT_MAX = 20
FILE_NAME = "drills.json"

PASS, NOT_DONE, MISSED = 0, 1, 3
"""Exit status of the command line."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One of the two switches."""

    source: str
    target: str
    prober: str
    why_not: str
    """Why it was not carried out, or not measured; empty: it was."""
    measured: Measured | None = None

    def line(self, objective_ms: int) -> str:
        """``a -> b: 23 ms without an answer, 0 of 180 probes of c failed: pass``."""
        head = f"{self.source} -> {self.target}: "
        if self.measured is None:
            return f"{head}not carried out: {self.why_not}"
        failed = f"{self.measured.failed} of {self.measured.probes} probes of {self.prober} failed"
        verdict = self.why_not or ("pass" if self.measured.outage_ms <= objective_ms else "FAIL")
        return f"{head}{self.measured.outage_ms} ms without an answer, {failed}: {verdict}"


@dataclass(frozen=True, slots=True)
class DrillReport:
    """Of one drill; ``ended_on`` is who is master in the end."""

    at: str
    """ISO 8601, UTC."""
    group: int
    objective_ms: int
    legs: Sequence[Leg]
    first: str
    ended_on: str

    @property
    def exit_status(self) -> int:
        """Of the command line: passed, not carried out, or over the objective."""
        if any(leg.why_not for leg in self.legs) or len(self.legs) < 2 or self.ended_on != self.first:
            return NOT_DONE
        over = any(leg.measured is not None and leg.measured.outage_ms > self.objective_ms for leg in self.legs)
        return MISSED if over else PASS

    def lines(self) -> list[str]:
        """For a person."""
        verdict = {PASS: "pass", NOT_DONE: "not carried out", MISSED: "FAIL"}[self.exit_status]
        place = f"node {self.ended_on} is master" if self.ended_on else "nobody is known to be master"
        return [
            f"drill of group {self.group} at {self.at}, objective {self.objective_ms} ms",
            *(f"  {leg.line(self.objective_ms)}" for leg in self.legs),
            f"{verdict}: {place}" + ("" if self.ended_on == self.first else f", not {self.first} as before"),
        ]

    def document(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self) | {"exit_status": self.exit_status, "lines": self.lines()}


def keep(folder: Path, report: DrillReport) -> None:
    """Write it beside the last ones, of which what cannot be read is given up; for the thread that writes files."""
    path = folder / FILE_NAME
    try:
        before = state_file.load(path)["drills"]
        kept = list(before)[-(KEPT_MAX - 1) :]
    except (OSError, ValueError, TypeError, KeyError):
        kept = []
    try:
        state_file.store(path, {"drills": [*kept, report.document()]})
    except OSError as error:
        logger.error("carp the report of the drill was not kept: %s", error)
