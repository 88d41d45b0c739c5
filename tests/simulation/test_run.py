"""Whole runs: the same seed tells the same story, and the seeds that found bugs stay."""

from __future__ import annotations

import pytest

from wsa_proxy.simulation.run import play


def test_the_same_seed_tells_the_same_story() -> None:
    """I11, by the digest of every line."""
    for seed in range(20):
        assert play(seed) == play(seed)
    assert play(1).digest != play(2).digest


def test_a_story_is_told_line_by_line() -> None:
    told: list[str] = []
    outcome = play(3, None, told.append)
    assert outcome.violation is None
    assert tuple(told[-len(outcome.story) :]) == outcome.story
    assert any("BACKUP -> MASTER reason=master_silent" in line for line in told)


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(75, id="a bow-out ended the patience in both IP versions, its successor was heard in one"),
        pytest.param(36, id="two equals and a demoted third changed their master for ever"),
        pytest.param(200836, id="of four equals two tied in turn, for ever"),
        pytest.param(202523, id="a change of rank begins the time of two masters anew (the checker was wrong)"),
    ],
)
def test_a_seed_that_found_a_bug(seed: int) -> None:
    """Each is one sentence; test_planted_bugs.py plants the same mistakes again."""
    assert play(seed).violation is None
