"""The test of the tests: each bug, planted into the real core, is caught, and by the invariant that names it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.simulation import planted_carrying
from tests.simulation import planted_moves
from tests.simulation import planted_reports
from tests.simulation.mutants import PLANTED as ALL
from tests.simulation.mutants import STANDING
from tests.simulation.mutants import shown_by
from tests.simulation.planted import Plant
from wsa_proxy.simulation.carrying_run import play_carrying
from wsa_proxy.simulation.run import Outcome
from wsa_proxy.simulation.run import play
from wsa_proxy.simulation.run import play_moving
from wsa_proxy.simulation.run import play_reporting

SEEDS = 300


def seeds(plant: Plant, invariants: set[str]) -> list[int]:
    """First the one that docs/mutants.md names, so that one run is enough; then all, if the stories are others now."""
    known = [seed for invariant, seed in shown_by(plant).items() if invariant in invariants]
    return [*known, *range(SEEDS)]


def look_for(plant: Plant, invariants: set[str], run: Callable[[int], Outcome]) -> None:
    seen: Counter[str] = Counter()
    for seed in seeds(plant, invariants):
        if invariant := run(seed).invariant:
            seen[invariant] += 1
            if invariant in invariants:
                return
    pytest.fail(f"not caught by any of {sorted(invariants)} in {SEEDS} seeds; others: {dict(seen)}")


@pytest.mark.parametrize(("plant", "invariants"), STANDING, ids=lambda value: value.__name__ if callable(value) else "")
def test_a_planted_bug_is_caught(plant: Plant, invariants: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By an invariant that names what is wrong, within a few hundred seeds."""
    plant(monkeypatch)
    look_for(plant, invariants, play)


@pytest.mark.parametrize(
    ("plant", "invariants"), planted_moves.PLANTED, ids=lambda value: value.__name__ if callable(value) else ""
)
def test_a_bug_of_moving_groups_is_caught(plant: Plant, invariants: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, where a secret or the security is changed while the group runs."""
    plant(monkeypatch)
    look_for(plant, invariants, play_moving)


@pytest.mark.parametrize(
    ("plant", "invariants"), planted_reports.PLANTED, ids=lambda value: value.__name__ if callable(value) else ""
)
def test_a_bug_of_member_reports_is_caught(plant: Plant, invariants: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, where the nodes send member reports, and somebody filters them, or advertisements."""
    plant(monkeypatch)
    look_for(plant, invariants, play_reporting)


@pytest.mark.parametrize(
    ("plant", "invariants"), planted_carrying.PLANTED, ids=lambda value: value.__name__ if callable(value) else ""
)
def test_a_bug_of_open_connections_is_caught(
    plant: Plant, invariants: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, where the nodes have clients as well, whose connections are carried over."""
    plant(monkeypatch)
    look_for(plant, invariants, play_carrying)


def test_every_planted_bug_is_in_the_table() -> None:
    """Else ``make mutants`` was not run, and the bug is looked for seed by seed."""
    assert [each.__name__ for each, _ in ALL if not shown_by(each)] == []
