"""What befalls reports and advertisements: each filter stands on its ways, for its time."""

from __future__ import annotations

from random import Random

import pytest

from wsa_proxy.simulation.filters import Filter
from wsa_proxy.simulation.filters import Filtered
from wsa_proxy.simulation.filters import Filters
from wsa_proxy.simulation.filters import Reports
from wsa_proxy.simulation.filters import draw_reports
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.post import Post
from wsa_proxy.simulation.post import Theft

FROM_0 = {(0, 1), (0, 2)}
TO_0 = {(1, 0), (2, 0)}


class World:
    def __init__(self, *filters: Filtered) -> None:
        self.told: list[str] = []
        self.lan = Lan(Timeline(), Random, Weather())
        self.post = Post(self.lan, Random(1))
        for number in range(3):
            self.post.attach(number, lambda letter: None)
        plan = Reports(0.1, 0.2, Theft(), 1.0, filters, None)
        self.filters = Filters(plan, self.lan, self.post, Random(2), self.told.append)
        self.filters.begin()

    def run(self, seconds: float) -> None:
        self.lan.timeline.run(self.lan.timeline.now + seconds, lambda: None)


@pytest.mark.parametrize(
    ("what", "advertisements", "reports"),
    [
        (Filter.ADVERTISEMENTS, FROM_0, set()),
        (Filter.ADVERTISEMENTS_BOTH_WAYS, FROM_0 | TO_0, set()),
        (Filter.REPORTS, set(), FROM_0),
        (Filter.EVERYTHING, FROM_0, FROM_0),
        (Filter.HELD, set(), set()),
    ],
)
def test_each_stands_for_its_time(
    what: Filter, advertisements: set[tuple[int, int]], reports: set[tuple[int, int]]
) -> None:
    world = World(Filtered(1.0, 2.0, what, 0, None))
    assert world.post.loss == 0.1 and world.post.delay_s_max == 0.2
    world.run(1.5)
    assert (world.lan.filtered, world.post.stopped) == (advertisements, reports)
    assert world.post.held_from == (0 if what is Filter.HELD else None)
    assert world.told == [f"{what.value} from node 0 for 2.00 s"]
    world.run(2.0)
    assert not world.lan.filtered and not world.post.stopped and world.post.held_from is None


def test_one_that_ends_takes_no_other_one_down() -> None:
    world = World(Filtered(0.0, 5.0, Filter.ADVERTISEMENTS, 0, 1), Filtered(1.0, 1.0, Filter.ADVERTISEMENTS, 0, None))
    world.run(1.5)
    assert world.lan.filtered == FROM_0
    world.run(1.0)
    assert world.lan.filtered == {(0, 1)}
    world.filters.heal()
    assert not world.lan.filtered and world.post.loss == world.post.delay_s_max == 0.0


def test_short_intervals_bear_no_long_delays() -> None:
    """And everything that can be drawn is drawn."""
    short = [draw_reports(Random(seed), 3, [0.2, 0.2, 0.2], 15.0) for seed in range(300)]
    assert max(each.delay_s_max for each in short) <= 0.001
    usual = [draw_reports(Random(seed), 3, [3.0, 3.0, 3.0], 30.0) for seed in range(300)]
    assert max(each.delay_s_max for each in usual) == 0.3
    filters = [one for each in usual for one in each.filters]
    assert {one.what for one in filters} == set(Filter) and {one.other for one in filters} == {None, 0, 1, 2}
    assert all(one.at_s + one.duration_s <= 30.0 and one.other != one.node for one in filters)
