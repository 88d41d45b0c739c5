"""Whole runs: the same seed tells the same story, and the seeds that found bugs stay."""

from __future__ import annotations

import pytest

from wsa_proxy.simulation.run import play
from wsa_proxy.simulation.run import play_moving


def test_the_same_seed_tells_the_same_story() -> None:
    """I11, by the digest of every line."""
    for seed in range(20):
        assert play(seed) == play(seed)
    assert play(1).digest != play(2).digest


def test_a_moving_group_has_one_story_too() -> None:
    """I11: its operator has a source of chance of its own."""
    for seed in range(12):
        assert play_moving(seed) == play_moving(seed)
    assert play_moving(1).digest != play(1).digest


def test_a_story_is_told_line_by_line() -> None:
    told: list[str] = []
    outcome = play(3, None, told.append)
    assert outcome.violation is None
    assert tuple(told[-len(outcome.story) :]) == outcome.story
    assert any("BACKUP -> MASTER reason=master_silent" in line for line in told)


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(6, id="a bow-out ended the patience in both IP versions, its successor was heard in one"),
        pytest.param(147, id="two equals and a demoted third changed their master for ever"),
        pytest.param(49, id="an answer to an inferior that had to wait was not counted as one"),
        pytest.param(
            135, id="of two deadlines at the same moment one was put off, and the other's questions asked anew"
        ),
        pytest.param(70009878, id="an answer to the last question before a bow-out held its successor back for a D"),
        pytest.param(1958, id="who spoke above its own clock kept its clock, and was soon too old for everybody"),
    ],
)
def test_a_seed_that_found_a_bug(seed: int) -> None:
    """Each is one sentence; planted.py plants the same mistakes again, and docs/mutants.md says that they fail."""
    assert play(seed).violation is None
