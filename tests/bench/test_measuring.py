"""The runs of one product, from a process that tells them; here a script tells them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.cells import a_run
from wsa_proxy.bench import measuring
from wsa_proxy.bench.measuring import Measuring
from wsa_proxy.bench.plan import Order
from wsa_proxy.bench.playing import Run

TELLER = """
import json, sys
wanted = json.loads(sys.argv[-1])
{before}
for name, numbers in wanted["trials"]:
    for number in numbers:
        print("waiting", name, number, file=sys.stderr, flush=True)
        {run}
"""
PYTHON = sys.executable
AWAY: dict[str, Any] = {"came_back": False, "steady": False}


class Interpreter:
    """Stands for the Python that would enter the lab: the same, with another script, whatever it is asked to run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._script, self.asked = folder / "teller.py", folder / "asked"
        program = folder / "python"
        program.write_text(f'#!/bin/sh\necho "$3" >>{self.asked}\nexec {PYTHON} {self._script} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    def tells(self, run: Run, before: str = "", ends_at: int = -1, end: str = "sys.exit(1)") -> None:
        """This run for each one that is wanted; instead of the one with this number it ends so."""
        told = f"r = {run.document()!r}; r |= dict(trial=name, number=number); print(json.dumps(r), flush=True)"
        stop = f'if name == "kill" and number == {ends_at}: {end}'
        self._script.write_text(TELLER.format(before=before, run=f"{stop}\n        {told}"))

    @property
    def wanted(self) -> list[list[object]]:
        """The trials of each lab."""
        return [json.loads(line)["trials"] for line in self.asked.read_text().splitlines()]


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Interpreter:
    return Interpreter(tmp_path, monkeypatch)


def numbers(runs: list[Run]) -> list[tuple[str, int]]:
    return [(run.trial, run.number) for run in runs]


def test_all_runs_come_from_one_lab(python: Interpreter) -> None:
    """In order, each as soon as it is over."""
    python.tells(a_run())
    said: list[str] = []
    problems: list[str] = []
    measured = Measuring([Order("ucarp", "kill", 2), Order("ucarp", "cable", 1)], problems, said.append)
    lefts = [(run.trial, measured.left) for run in measured.runs()]
    assert lefts == [("kill", 2), ("kill", 1), ("cable", 0)]
    assert python.wanted == [[["kill", [0, 1]], ["cable", [0]]]]
    assert problems == [] and "waiting kill 1" in said


def test_what_is_left_of_a_lost_lab_is_made_in_a_new_one(python: Interpreter) -> None:
    """The run during which it was lost is not made again, but told: the last line, then all."""
    python.tells(a_run(), ends_at=1)
    problems: list[str] = []
    measured = Measuring([Order("ucarp", "kill", 3), Order("ucarp", "cable", 1)], problems)
    assert numbers(list(measured.runs())) == [("kill", 0), ("kill", 2), ("cable", 0)]
    assert python.wanted[1] == [["kill", [2]], ["cable", [0]]]
    (problem,) = problems
    assert problem.startswith("ucarp, kill, run 2: waiting kill 1\nwaiting kill 0\nwaiting kill 1")


def test_a_lab_that_never_starts_is_given_up(python: Interpreter) -> None:
    """After LABS_MAX times; the runs that were not even tried are told as well."""
    python.tells(a_run(), before="sys.exit(77)")
    problems: list[str] = []
    assert list(Measuring([Order("ucarp", "kill", 10)], problems).runs()) == []
    assert len(python.wanted) == measuring.LABS_MAX == 4
    assert problems[0] == "ucarp, kill, run 1: ended with status 77"
    assert problems[4:] == ["ucarp: runs that were not even tried, since 4 labs were lost: 6"]


@pytest.mark.parametrize("ends", ["pass", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"], ids=["told", "killed"])
def test_a_lab_that_hangs_is_given_up(python: Interpreter, monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    """The run in which it hung is lost, and the others are made: also if it does not end when it is told to."""
    monkeypatch.setattr(measuring, "RUN_S_MAX", 1.0)
    monkeypatch.setattr(measuring, "ENDED_S_MAX", 0.2)
    python.tells(a_run(), before=f"import signal, time\n{ends}", ends_at=1, end="time.sleep(60)")
    problems: list[str] = []
    measured = Measuring([Order("ucarp", "kill", 2), Order("ucarp", "cable", 1)], problems)
    assert numbers(list(measured.runs())) == [("kill", 0), ("cable", 0)]
    (problem,) = problems
    assert problem.startswith("ucarp, kill, run 2: no run came to its end for 1 s: the lab is given up\nwaiting kill 0")


def test_a_lab_that_says_nothing_is_not_told_by_the_words_of_another(python: Interpreter, tmp_path: Path) -> None:
    """By its status then."""
    first = f"import pathlib; mark = pathlib.Path({str(tmp_path / 'second')!r})\nif mark.exists(): sys.exit(77)\n"
    python.tells(a_run(), before=f"{first}mark.touch(); print('of the first lab', file=sys.stderr); sys.exit(1)")
    problems: list[str] = []
    assert list(Measuring([Order("ucarp", "kill", 2)], problems).runs()) == []
    assert problems == [
        "ucarp, kill, run 1: of the first lab\nof the first lab",
        "ucarp, kill, run 2: ended with status 77",
    ]


def test_a_service_that_never_comes_back_is_given_up(python: Interpreter) -> None:
    """Then no more runs are left, and a lab that ended for another reason does not make them either."""
    python.tells(a_run(**AWAY), ends_at=3)
    measured = Measuring([Order("ucarp", "kill", 10)], [])
    assert numbers(list(measured.runs())) == [("kill", 0), ("kill", 1), ("kill", 2)]
    assert measured.left == 0 and len(python.wanted) == 1


def test_the_lab_is_in_a_session_of_its_own(python: Interpreter) -> None:
    """A terminal that is closed sends SIGHUP to all of its group: under nohup the lab would end, and nobody else."""
    python.tells(a_run(), before="import os\nif os.getsid(0) != os.getpid(): sys.exit(1)")
    problems: list[str] = []
    assert len(list(Measuring([Order("ucarp", "kill", 1)], problems).runs())) == 1 and problems == []
