"""The test of the tests: each bug, planted into the real core, is caught, and by the invariant that names it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation import planted
from tests.simulation import planted_lines
from tests.simulation import planted_moves
from tests.simulation import planted_seals
from tests.simulation.planted import Plant
from wsa_proxy.simulation.run import play
from wsa_proxy.simulation.run import play_moving

PLANTED = planted.PLANTED + planted_seals.PLANTED + planted_lines.PLANTED
SEEDS = 300
SHOWN_BY = [5, 29, 49, 14, 68, 117, 7, 62, 135, 147, 177, 194, 42, 89, 118, 143, 225, 311, 313, 712, 899, 1958, 415]
SHOWN_BY += [3762]
"""Seeds that show one bug or another (docs/mutants.md), so that few runs are enough; then the rest."""
MOVES_SHOWN_BY = [0, 1, 2, 4, 5, 7, 20, 23, 26, 77, 101]


@pytest.mark.parametrize(("plant", "invariants"), PLANTED, ids=lambda value: value.__name__ if callable(value) else "")
def test_a_planted_bug_is_caught(plant: Plant, invariants: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By an invariant that names what is wrong, within a few hundred seeds."""
    plant(monkeypatch)
    seen: Counter[str] = Counter()
    for seed in [*SHOWN_BY, *range(SEEDS)]:
        if invariant := play(seed).invariant:
            seen[invariant] += 1
            if invariant in invariants:
                return
    pytest.fail(f"not caught by any of {sorted(invariants)} in {SEEDS} seeds; others: {dict(seen)}")


@pytest.mark.parametrize(
    ("plant", "invariants"), planted_moves.PLANTED, ids=lambda value: value.__name__ if callable(value) else ""
)
def test_a_bug_of_moving_groups_is_caught(plant: Plant, invariants: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, where a secret or the security is changed while the group runs."""
    plant(monkeypatch)
    seen: Counter[str] = Counter()
    for seed in [*MOVES_SHOWN_BY, *range(SEEDS)]:
        if invariant := play_moving(seed).invariant:
            seen[invariant] += 1
            if invariant in invariants:
                return
    pytest.fail(f"not caught by any of {sorted(invariants)} in {SEEDS} seeds; others: {dict(seen)}")
