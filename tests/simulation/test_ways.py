"""A way is read in its own words, and a move has steps of which two next to each other understand each other."""

from __future__ import annotations

from random import Random

import pytest

from wsa_proxy.simulation.ways import CARP
from wsa_proxy.simulation.ways import MIGRATION
from wsa_proxy.simulation.ways import ROTATION
from wsa_proxy.simulation.ways import SEALED
from wsa_proxy.simulation.ways import Way
from wsa_proxy.simulation.ways import draw_move

MOVES = [draw_move(Random(seed), 3, 30.0) for seed in range(300)]


@pytest.mark.parametrize(
    ("security", "farewell", "one_silence", "only"),
    [
        ((CARP,), False, False, False),
        ((CARP, SEALED), False, True, False),
        ((SEALED, CARP), True, True, False),
        ((SEALED,), True, True, True),
    ],
)
def test_what_a_way_means(security: tuple[object, ...], farewell: bool, one_silence: bool, only: bool) -> None:
    """With one secret, and with two, of which each decides for itself."""
    one, two = (Way(security, secrets) for secrets in (("old",), ("old", "new")))  # type: ignore[arg-type]
    for way in (one, two):
        assert (way.signs_sealed, way.believes_sealed, way.only_sealed) == (farewell, one_silence, only)
    assert (one.decided, two.decided) == (only, False)


def test_two_steps_next_to_each_other_understand_each_other_and_others_do_not() -> None:
    """What either signs with, the other believes."""
    for steps in (MIGRATION, ROTATION):
        for at, step in enumerate(steps):
            for other_at, other in enumerate(steps):
                assert (step[0] in other and other[0] in step) == (abs(at - other_at) <= 1)


def test_every_move_is_drawn_and_nothing_else_is_changed() -> None:
    """A rotation in each security; from carp to sealed and back, with one secret and with two."""
    assert {move.name for move in MOVES} == {"rotation", "migration", "return"}
    for name, of_all in (("rotation", set(MIGRATION)), ("migration", {("old",), ("old", "new")})):
        ways = [move.ways for move in MOVES if move.name == name]
        kept = [{way.security if name == "rotation" else way.secrets for way in each} for each in ways]
        assert all(len(each) == 1 for each in kept) and set().union(*kept) == of_all
    assert {move.ways[0].security for move in MOVES if move.name == "return"} == {(SEALED,)}


def test_the_steps_come_while_things_go_wrong() -> None:
    for move in MOVES:
        assert move.begins_s + move.steps * move.every_s < 30.0
