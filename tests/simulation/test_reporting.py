"""A node's reports: one in each interval, questions before a takeover, and answers of an owner that serves."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

import pytest

from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.report import Report
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.post import Letter
from wsa_proxy.simulation.post import Post
from wsa_proxy.simulation.reporting import QUEUE_MAX

KEY = key_from_pass_phrase(b"secret")
VIP = ip_address("10.0.0.3")


class World:
    """Two nodes, 0 the better one, and what they tell."""

    def __init__(self, skews: tuple[int, int] = (0, 100)) -> None:
        self.timeline = Timeline()
        self.told: list[tuple[int, str, object]] = []
        self.lan = Lan(self.timeline, Random, Weather())
        self.post = Post(self.lan, Random(7))
        self.nodes = [self.make_node(number, skew) for number, skew in enumerate(skews)]
        self.run(5.0)

    def make_node(self, number: int, skew: int) -> Node:
        settings = VirtualHostSettings(1, 1, skew, True, (4,), 10 + 100 * number)
        signer = Authenticator([KEY], 1, [VIP], number)
        node = Node(number, settings, signer, self.lan, Random(number), self.hear)
        node.post, node.reports_chance = self.post, Random(10 + number)
        self.post.attach(number, node.read_report)
        node.start()
        return node

    def hear(self, node: Node, kind: str, what: object) -> None:
        self.told.append((node.number, kind, what))

    def run(self, seconds: float) -> None:
        self.timeline.run(self.timeline.now + seconds, lambda: None)

    def states(self) -> list[str]:
        return [node.state.name for node in self.nodes]

    def reports(self, number: int) -> list[Report]:
        return [what for who, kind, what in self.told if who == number and kind == "reports"]  # type: ignore[misc]

    def count(self, kind: str) -> int:
        return sum(told == kind for _, told, _ in self.told)

    def filter(self) -> None:
        self.lan.filtered = {(0, 1), (1, 0)}


def test_one_report_in_each_interval_and_at_each_change() -> None:
    world = World()
    world.told.clear()
    world.run(10.0)
    assert [report.state for report in world.reports(0)] == ["master"] * 10 and len(world.reports(1)) == 10
    world.nodes[0].stop()
    assert [(report.state, report.leaves) for report in world.reports(0)[10:]] == [("init", False), ("init", True)]


def test_an_owner_that_nobody_hears_advertise_keeps_the_addresses_until_it_dies() -> None:
    world = World()
    world.filter()
    world.run(60.0)
    assert world.states() == ["MASTER", "BACKUP"] and world.count("answered") > 15
    world.nodes[0].crash()
    world.run(3.5)
    assert world.states() == ["INIT", "MASTER"]


def test_a_sick_owner_does_not_answer() -> None:
    """For 2.5 s its last proof counts; both are unwell, or the well one would follow at once."""
    world = World()
    world.filter()
    for node in world.nodes:
        node.demote(1)
    world.run(8.0)
    assert world.states() == ["MASTER", "MASTER"]


def test_an_owner_without_the_addresses_does_not_answer() -> None:
    world = World()
    world.filter()
    reporter = world.nodes[0].reporter
    assert reporter is not None and reporter._serves()
    world.nodes[0].kernel.end()
    assert not reporter._serves()


def test_two_masters_that_cannot_hear_each_other_meet_by_reports() -> None:
    """As soon as reports pass; the better one announces again."""
    world = World()
    world.filter()
    world.post.stop({(0, 1), (1, 0)})
    world.run(8.0)
    assert world.states() == ["MASTER", "MASTER"]
    world.post.stop(set())
    world.told.clear()
    world.run(2.5)
    assert world.states() == ["MASTER", "BACKUP"]
    assert {who for who, kind, _ in world.told if kind == "announcement"} == {0}


def test_of_two_equals_one_stays() -> None:
    """Their answers cross each time."""
    world = World(skews=(50, 50))
    world.filter()
    world.post.stop({(0, 1), (1, 0)})
    world.run(8.0)
    world.post.stop(set())
    world.run(2.5)
    assert sorted(world.states()) == ["BACKUP", "MASTER"]


def test_what_a_sleeping_process_is_sent_waits_and_is_bounded() -> None:
    world = World()
    node = world.nodes[1]
    node.stall(2.0)
    letter = Letter(world.reports(0)[-1], 0, again=True)
    for _ in range(QUEUE_MAX + 10):
        node.read_report(letter)
    world.told.clear()
    world.run(2.1)
    heard = [what for who, kind, what in world.told if who == 1 and kind == "a report came"]
    assert len([what for what in heard if what is letter]) == QUEUE_MAX


@pytest.mark.parametrize(("forged", "why"), [(True, Unread.BAD_SECRET), (False, Unread.REPLAY)])
def test_what_is_forged_or_replayed_is_not_believed(forged: bool, why: Unread) -> None:
    world = World()
    node = world.nodes[1]
    before = node.fingerprint()
    for report in world.reports(0):
        node.read_report(Letter(report, 0, again=True, forged=forged))
    assert node.reporter is not None and node.reporter.unread[why] >= 3
    assert node.fingerprint() == before


def test_a_new_life_is_another_member() -> None:
    """And the reports of the former one are old."""
    world = World()
    former = world.reports(0)[-1]
    world.nodes[0].crash()
    world.nodes[0].start()
    world.run(2.0)
    assert world.reports(0)[-1].life != former.life
    reporter = world.nodes[1].reporter
    assert reporter is not None
    reporter.unread.clear()
    world.nodes[1].read_report(Letter(former, 0, again=True))
    assert reporter.unread == {Unread.REPLAY: 1}
