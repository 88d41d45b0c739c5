"""The process in which one product is measured: what it prints, and when it stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.bench.cells import a_run
from wsa_proxy.bench import __main__ as measuring_process
from wsa_proxy.bench import playing
from wsa_proxy.bench.playing import Run
from wsa_proxy.bench.products import Product
from wsa_proxy.bench.trials import Trial
from wsa_proxy.lab import namespace
from wsa_proxy.lab.lab import NotBack


class MadeLab:
    """Nothing starts."""

    nodes: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def __enter__(self) -> MadeLab:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, int], Run]], None]:
    """Sets what comes of a trial and the number of its run."""
    monkeypatch.setattr(namespace, "run", lambda work, shared: work())
    monkeypatch.setattr(playing, "make_lab", lambda *_: MadeLab())
    monkeypatch.setattr(playing, "ready", lambda lab: None)

    def play_as(outcome: Callable[[str, int], Run]) -> None:
        def play(lab: object, product: Product, trial: Trial, number: int) -> Run:
            return outcome(trial.name, number)

        monkeypatch.setattr(playing, "play", play)

    return play_as


def ordered(*trials: tuple[str, list[int]]) -> list[str]:
    return [json.dumps({"product": "ucarp", "interval_s": 0.01, "trials": trials})]


def test_each_run_is_a_line(
    plays: Callable[[Callable[[str, int], Run]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the numbers that are wanted, trial by trial."""
    plays(lambda name, number: a_run(trial=name, number=number))
    assert measuring_process.main(ordered(("kill", [1, 2]), ("cable", [0]))) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["trial"], line["number"]) for line in lines] == [("kill", 1), ("kill", 2), ("cable", 0)]


def test_a_service_that_never_comes_back_is_not_waited_for_again(
    plays: Callable[[Callable[[str, int], Run]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """After three; another fault is another question."""
    plays(lambda name, number: a_run(trial=name, number=number, came_back=name == "cable"))
    assert measuring_process.main(ordered(("kill", list(range(10))), ("cable", [0]))) == 0
    trials = [json.loads(line)["trial"] for line in capsys.readouterr().out.splitlines()]
    assert trials == ["kill", "kill", "kill", "cable"]


def test_a_master_that_does_not_return_ends_it_and_is_the_last_word(
    plays: Callable[[Callable[[str, int], Run]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The page tells the last line."""

    def lost(name: str, number: int) -> Run:
        raise NotBack("waited 90 s")

    plays(lost)
    assert measuring_process.main(ordered(("kill", [0]))) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.splitlines()[-1] == "ucarp: waited 90 s"


def test_wrong_arguments_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """It is started by the bench only."""
    assert measuring_process.main([]) == 2 and "ORDERS is JSON" in capsys.readouterr().err
