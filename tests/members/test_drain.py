"""How a node finishes its connections: when it counts, when its list is settled, and when it is over."""

from __future__ import annotations

import pytest

from wsa_proxy.members.drain import COUNTED_S
from wsa_proxy.members.drain import HURRY_S
from wsa_proxy.members.drain import SETTLES_S
from wsa_proxy.members.drain import Drain


def test_it_counts_at_once_and_twice_a_second() -> None:
    """So that what is told before the demotion is what there is."""
    drain = Drain(60.0, 10.0)
    assert drain.count_at_s() < 10.0
    drain.counted(5, 10.0)
    assert drain.count_at_s() == 10.0 + COUNTED_S


def test_the_list_is_settled_a_second_after_the_successor_answers() -> None:
    """By the first count from then on, which is due then; once."""
    drain = Drain(60.0, 10.0)
    drain.counted(5, 20.0)  # as long as nobody has taken over nothing is settled
    drain.silent(20.2)
    drain.silent(20.9)
    assert drain.count_at_s() == 20.0 + COUNTED_S
    drain.counted(6, 20.9)
    assert drain.settled is None and drain.count_at_s() == 20.2 + SETTLES_S
    drain.counted(7, 21.2)
    assert drain.settled == 7 and drain.count_at_s() == 21.2 + COUNTED_S
    drain.counted(8, 21.7)
    assert drain.settled == 7


def test_it_is_over_when_none_is_left_and_none_can_come() -> None:
    """Or when the time is up, whatever is left."""
    drain = Drain(60.0, 10.0)
    drain.silent(10.0)
    assert not drain.is_over(0, 10.5)
    drain.counted(5, 11.0)
    assert drain.is_over(0, 11.0) and not drain.is_over(1, 59.9) and drain.is_over(1, 60.0)


@pytest.mark.parametrize("steps", [[0.0], [0.0, 3.0], [0.0, 3.0, 3.0 + SETTLES_S]])
def test_it_hurries_after_each_step(steps: list[float]) -> None:
    """The beginning, the silence, the settled list; not between them."""
    drain = Drain(60.0, 0.0)
    if len(steps) > 1:
        drain.silent(steps[1])
    if len(steps) > 2:
        drain.counted(1, steps[2])
    assert drain.hurries(steps[-1]) and not drain.hurries(steps[-1] + HURRY_S)
