"""What carries reports: ways of their own beside the frames, and a hostile host that keeps what it sees."""

from __future__ import annotations

from random import Random

import pytest

from wsa_proxy.members.report import Report
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.post import Letter
from wsa_proxy.simulation.post import Post
from wsa_proxy.simulation.post import Theft
from wsa_proxy.simulation.post import Thief

REPORT = Report(node="a", life=bytes(8), number=1, challenge=bytes(16))


class World:
    """Three ports, of which 0 sends."""

    def __init__(self) -> None:
        self.lan = Lan(Timeline(), Random, Weather(delay_s_min=0.1, delay_s_max=0.2))
        self.post = Post(self.lan, Random(1))
        self.heard: list[tuple[int, Letter]] = []
        for number in range(3):
            self.post.attach(number, lambda letter, number=number: self.heard.append((number, letter)))  # type: ignore[misc]

    def run(self, seconds: float) -> None:
        self.lan.timeline.run(self.lan.timeline.now + seconds, lambda: None)

    def arrives_at(self) -> list[int]:
        self.heard.clear()
        self.post.send(0, REPORT)
        self.run(1.0)
        return sorted(number for number, _ in self.heard)


def test_a_report_reaches_all_others_within_the_greatest_delay() -> None:
    world = World()
    world.post.delay_s_max = 0.3
    world.post.send(0, REPORT)
    world.run(0.099)
    assert not world.heard
    world.run(world.post.d_s)
    assert sorted(number for number, _ in world.heard) == [1, 2]


def test_filters_of_reports_and_of_advertisements_are_two() -> None:
    """A cut cable stops both."""
    world = World()
    world.lan.filtered = {(0, 1), (0, 2)}
    assert world.arrives_at() == [1, 2] and world.post.passes(0, 1)
    world.post.stop({(0, 1)})
    assert world.arrives_at() == [2] and not world.post.passes(0, 1)
    world.post.stop(set())
    world.lan.cuts = {(0, 2)}
    assert world.arrives_at() == [1]
    world.lan.cuts.clear()
    world.post.loss = 1.0
    assert world.arrives_at() == []


def test_what_did_not_arrive_is_remembered_by_its_way() -> None:
    world = World()
    assert world.arrives_at() == [1, 2] and not world.post.disturbed_at_s
    world.lan.cuts = {(0, 1)}
    now_s = world.lan.timeline.now
    world.arrives_at()
    assert world.post.disturbed_at_s == {(0, 1): now_s}


def test_a_host_without_a_way_to_a_peer_has_none_for_reports() -> None:
    world = World()
    world.post.send(0, REPORT, frozenset({2}))
    world.run(1.0)
    assert [number for number, _ in world.heard] == [1]


def test_what_is_held_back_comes_later_in_its_order() -> None:
    world = World()
    thief = Thief(world.post, world.lan, Random(2), Theft())
    thief.hold(0)
    assert world.arrives_at() == [] and world.arrives_at() == []
    thief.release(0.5)
    world.run(0.6)
    assert [number for number, _ in world.heard] == [1, 2] and all(letter.again for _, letter in world.heard)
    assert world.arrives_at().count(1) == 2, "the second one that was held back, and one that is not"


@pytest.mark.parametrize(("theft", "forged"), [(Theft(replays=True), False), (Theft(forges=True), True)])
def test_the_hostile_host_goes_on(theft: Theft, forged: bool) -> None:
    """It replays what it has seen, or makes something of it that does not authenticate."""
    world = World()
    world.post.send(0, REPORT)
    Thief(world.post, world.lan, Random(3), theft).begin(0.5)
    world.run(30)
    stolen = [letter for _, letter in world.heard if letter.again]
    assert len(stolen) > 20 and all(letter.forged is forged and letter.report == REPORT for letter in stolen)


def test_a_host_that_does_nothing_does_nothing() -> None:
    world = World()
    world.post.send(0, REPORT)
    Thief(world.post, world.lan, Random(3), Theft()).begin(0.5)
    world.run(30)
    assert len(world.heard) == 2
