"""The test of the tests: each bug, planted into the real core, is caught, and by the invariant that names it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.planted import PLANTED
from tests.simulation.planted import Plant
from wsa_proxy.simulation.run import play

SEEDS = 600


@pytest.mark.parametrize(("plant", "invariants"), PLANTED, ids=lambda value: value.__name__ if callable(value) else "")
def test_a_planted_bug_is_caught(plant: Plant, invariants: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By an invariant that names what is wrong, within a few hundred seeds."""
    plant(monkeypatch)
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        if invariant := play(seed).invariant:
            seen[invariant] += 1
            if invariant in invariants:
                return
    pytest.fail(f"not caught by any of {sorted(invariants)} in {SEEDS} seeds; others: {dict(seen)}")
