"""All runs of a fault with one product as one cell of a table. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from wsa_proxy.bench.playing import Part
from wsa_proxy.bench.playing import Run
from wsa_proxy.bench.trials import RETURN
from wsa_proxy.bench.trials import RETURN_OF

LATE_WORTH_TELLING_MS = 50.0


@dataclass(frozen=True, slots=True)
class Cell:
    """What a client saw of one fault with one product."""

    product: str
    trial: str
    runs: int
    median_ms: float
    """Of the longest gap in each run; a run in which the service did not come back counts with how long it was waited
    for."""
    min_ms: float
    max_ms: float
    stayed_away: int
    """In so many runs the service did not come back by itself."""
    unsteady: int
    """In so many others requests still failed when it was no longer waited for."""
    failed: float
    """Requests in a run, the median."""
    two_holders_s: float
    """The longest of all runs."""
    two_holders_stayed: bool
    """In one at least there still were two when it was no longer watched."""
    late_ms: float

    @property
    def never(self) -> bool:
        """Tell whether the service came back in no run: then the gap is as long as it was waited for, and says
        nothing."""
        return self.stayed_away == self.runs


def make_cells(runs: Iterable[Run]) -> list[Cell]:
    """One for each product and trial, and for the return of the better node."""
    parts: dict[tuple[str, str], list[Part]] = {}
    for run in runs:
        parts.setdefault((run.product, run.trial), []).append(run.fault)
        if run.trial == RETURN_OF and run.back is not None:
            parts.setdefault((run.product, RETURN), []).append(run.back)
    return [_cell(product, trial, seen) for (product, trial), seen in parts.items()]


def _cell(product: str, trial: str, seen: Sequence[Part]) -> Cell:
    outages = [part.outage_ms for part in seen]
    return Cell(
        product=product,
        trial=trial,
        runs=len(seen),
        median_ms=median(outages),
        min_ms=min(outages),
        max_ms=max(outages),
        stayed_away=sum(not part.came_back for part in seen),
        unsteady=sum(part.came_back and not part.steady for part in seen),
        failed=median(part.failed for part in seen),
        two_holders_s=max(part.two_holders_s for part in seen),
        two_holders_stayed=any(part.two_holders_stayed for part in seen),
        late_ms=max(part.late_ms for part in seen),
    )


def outage_text(cell: Cell) -> str:
    """``38 (31..52)`` in milliseconds; how often it never came back."""
    if cell.never:
        return f"never ({cell.runs} of {cell.runs})"
    text = f"{cell.median_ms:.0f} ({cell.min_ms:.0f}..{cell.max_ms:.0f})"
    for count, what in ((cell.stayed_away, "never"), (cell.unsteady, "unsteady")):
        text += f", {count} of {cell.runs} {what}" if count else ""
    return text


def holders_text(cell: Cell) -> str:
    """Seconds; "stays" where nothing has ended it."""
    if cell.two_holders_stayed:
        return "stays"
    return f"{cell.two_holders_s:.3f}" if cell.two_holders_s else "0"
