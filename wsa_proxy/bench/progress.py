"""What is told while it is measured: a line for each run, and on a terminal a bar with the time that remains."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn
from rich.progress import Progress
from rich.progress import TextColumn

from wsa_proxy.bench import plan
from wsa_proxy.bench.playing import Run


class Telling:
    """In one ``with``."""

    def __init__(self, runs: int, console: Console) -> None:
        self._console, self._done, self._left = console, 0, runs
        self._began_s = time.monotonic()
        columns = (BarColumn(), TextColumn("{task.completed:.0f} of {task.total:.0f} runs, {task.description}"))
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=runs)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def run_over(self, run: Run, left: int) -> None:
        """``left``: runs that are still to come; fewer than planned where a service has been given up."""
        self._done, self._left = self._done + 1, left
        elapsed_s = time.monotonic() - self._began_s
        remaining = remaining_text(plan.remaining_s(left, self._done, elapsed_s))
        self._progress.update(self._task, completed=self._done, total=self._done + left, description=remaining)
        position = f"{self._done} of {self._done + left}"
        self._console.print(f"{position:>10}  {run_text(run)}; {remaining}", highlight=False, soft_wrap=True)

    def say(self, line: str) -> None:
        """Something else."""
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)


def run_text(run: Run) -> str:
    """One run in a line."""
    fault = run.fault
    came = f"served by {fault.served_by}, gap {fault.outage_ms:.0f} ms{'' if fault.steady else ', unsteady'}"
    what = came if fault.came_back else f"not back after {fault.outage_ms / 1000:.0f} s"
    holders = f", two holders for {fault.two_holders_s:.2f} s" if fault.two_holders_s else ""
    return f"{run.product}: {run.trial}, run {run.number + 1}: {what}, {fault.failed} failed{holders}"


def remaining_text(seconds: float) -> str:
    """In whole minutes from two minutes on."""
    return f"about {seconds / 60:.0f} min left" if seconds >= 120 else f"about {seconds:.0f} s left"
