"""Has one product measured, in a process of its own; each run is told as soon as it is over.

A lab in which the master does not return, or that says nothing of a run for RUN_S_MAX, is given up; the runs that are
left are made in a new one. The runs that came to no end are gone, and told.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Generator
from collections.abc import Sequence
from typing import IO

from wsa_proxy.bench.plan import Order
from wsa_proxy.bench.plan import is_given_up
from wsa_proxy.bench.playing import Run
from wsa_proxy.bench.playing import read_run

INTERVAL_S = 0.01
"""Between two requests of the client: what a gap can be told apart from."""
LABS_MAX = 4
"""Of one product: a product whose master does not return again and again cannot be measured here."""
LINES_KEPT = 60
RUN_S_MAX = 300.0
"""For a run, with the start of a lab before it; one that has hung keeps the others waiting no longer."""
ENDED_S_MAX = 20.0
"""For a lab to end after it was told to: ten times what it takes."""
TOLD_S_MAX = 5.0
"""For what it has said last to be read."""

type Told = Callable[[str], None]


class Measuring:
    """All the runs of one product."""

    def __init__(self, orders: Sequence[Order], problems: list[str], say: Told | None = None) -> None:
        """``orders`` of one product, one at least; ``problems`` gets what is lost, as soon as it is; ``say`` gets each
        line of what a lab waits for."""
        self._problems = problems
        self._over: set[str] = set()
        """Trials of which no more runs are made: the service never came back by itself."""
        self._orders = {order.trial: order for order in orders}
        self._next = dict.fromkeys(self._orders, 0)
        self._away = dict.fromkeys(self._orders, 0)
        self._say = say
        self._heard: list[str] = []
        """What the lab has said last that is on now."""

    def runs(self) -> Generator[Run]:
        """Each as soon as it is over. To close it ends the lab."""
        for _ in range(LABS_MAX):
            if not self._left():
                return
            yield from self._one_lab()
        if self.left:
            product = next(iter(self._orders.values())).product
            self._problems.append(
                f"{product}: runs that were not even tried, since {LABS_MAX} labs were lost: {self.left}"
            )

    @property
    def left(self) -> int:
        """Runs that are still to come."""
        return sum(len(numbers) for _, numbers in self._left())

    def _left(self) -> list[tuple[str, list[int]]]:
        """Each trial with the numbers of the runs that are still to be made."""
        left = [
            (name, list(range(self._next[name], order.runs)))
            for name, order in self._orders.items()
            if name not in self._over
        ]
        return [(name, numbers) for name, numbers in left if numbers]

    def _one_lab(self) -> Generator[Run]:
        left, self._heard = self._left(), []
        product = next(iter(self._orders.values())).product
        wanted = json.dumps({"product": product, "interval_s": INTERVAL_S, "trials": left})
        process = subprocess.Popen(
            [sys.executable, "-m", "wsa_proxy.bench", wanted],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C and a closed terminal are this process's to judge
        )
        try:
            assert process.stdout is not None and process.stderr is not None
            teller = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
            teller.start()
            while line := self._line(process, process.stdout):
                run = read_run(json.loads(line))
                self._note(run)
                yield run
            status = process.wait()
            teller.join(TOLD_S_MAX)
            if status != 0:
                self._lost(left, status)
        finally:
            _end(process)

    def _line(self, process: subprocess.Popen[str], lines: IO[str]) -> str:
        """The next one of a run; empty at the end, also of a lab that was given up."""

        def give_up() -> None:
            self._heard.append(f"no run came to its end for {RUN_S_MAX:g} s: the lab is given up")
            _end(process)

        patience = threading.Timer(RUN_S_MAX, give_up)
        patience.start()
        try:
            return lines.readline()
        finally:
            patience.cancel()

    def _note(self, run: Run) -> None:
        self._next[run.trial] = run.number + 1
        self._away[run.trial] += not run.fault.came_back
        if is_given_up(self._away[run.trial], self._next[run.trial]):
            self._over.add(run.trial)

    def _lost(self, left: Sequence[tuple[str, list[int]]], status: int) -> None:
        """The run during which the lab ended is not made again: it would end so again."""
        name = next((each for each, _ in left if each in dict(self._left())), None)
        if name is None:
            return
        order = self._orders[name]
        why = self._heard[-1] if self._heard else f"ended with status {status}"
        told = [f"{order.product}, {name}, run {self._next[name] + 1}: {why}", *self._heard]
        self._problems.append("\n".join(told))
        self._next[name] += 1

    def _listen(self, lines: IO[str]) -> None:
        for line in lines:
            self._heard = [*self._heard, line.rstrip()][-LINES_KEPT:]
            if self._say is not None:
                self._say(line.rstrip())


def _end(process: subprocess.Popen[str]) -> None:
    """In order, if it does so in time; harmless when repeated."""
    process.terminate()
    try:
        process.wait(ENDED_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
