"""What a node owes whose host refuses: who does as the product does keeps each promise; what is broken is named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.plan import OURS
from wsa_proxy.simulation.plan import Member
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.telling import LISTENERS
from wsa_proxy.simulation.telling import Telling
from wsa_proxy.simulation.violation import Violation

SAYS = SendAdvertisement(1, 50, 0)
LEAVES = Stopped("advertisements cannot be sent: IPv4: operation not permitted")
PAYLOAD, BOW_OUT = bytes([0x21, 1, 50, 7, 0, 1]) + bytes(30), bytes([0x21, 1, 255, 7, 0, 255]) + bytes(30)


class World:
    """A master by what its core says, and the judge, which is told all else here; its host speaks IPv4 and IPv6."""

    def __init__(self, sealed: bool = False, reason: str = "master_silent", unicast: bool = False) -> None:
        plan = draw(Random(1), 2, sealed)
        settings = replace(plan.members[0].settings, advbase=1, advskew=50, versions=(4, 6))
        members = (Member(settings, OURS), Member(replace(settings, advskew=99), OURS))
        self.run = Run(1, replace(plan, members=members, lateness_s=0.0, bystanders=(), mishaps=()))
        self.node = self.run.nodes[0]
        self.node.unicast = unicast
        self.node.core = self.node._new_core()
        self.node.core.state = State.MASTER
        self.marks: Counter[str] = Counter()
        self.judge = Telling(self.node, Memory(3.2, 1e-6), self.marks)
        self.tell("life", None)
        self.tell("commands", [ReportTransition(State.BACKUP, State.MASTER, reason, "")])

    def tell(self, kind: str, what: object) -> None:
        LISTENERS[kind](self.judge, what)

    def later(self, seconds: float) -> None:
        self.run.lan.timeline.now += seconds

    def says(self, *refused: int, payload: bytes = PAYLOAD) -> None:
        self.tell("advertisement", SAYS)
        for version in (4, 6):
            if version in refused:
                self.tell("the host refused to send", version)
            else:
                self.judge.on_the_lan(Advertised(4 if version == 4 else 6, payload))

    def breaks(self) -> str | None:
        try:
            self.judge.judge()
        except Violation as broken:
            return broken.invariant
        return None


def test_a_master_that_cannot_send_leaves_when_its_last_one_is_two_and_a_half_intervals_old() -> None:
    """By the interval without the advskew, which is all that the others wait for."""
    world = World()
    world.says()
    world.later(1.2)
    world.says(4, 6)
    world.later(1.29)
    assert world.breaks() is None
    world.later(0.02)
    assert world.breaks() == "I1"


def test_nobody_waits_for_a_master_that_was_never_heard() -> None:
    """It has two and a half intervals from its first error."""
    world = World()
    world.says(4, 6)
    world.later(2.49)
    assert world.breaks() is None
    world.later(0.02)
    assert world.breaks() == "I1"


def test_what_is_sent_again_is_forgiven() -> None:
    world = World()
    for _ in range(5):
        world.says(4, 6)
        world.later(1.2)
        world.says()
        world.later(1.2)
        assert world.breaks() is None
    assert not world.judge.is_misjudged()


@pytest.mark.parametrize(("sealed", "broken"), [(False, "I1"), (True, None)])
def test_one_ip_version_counts_where_it_has_a_deadline_of_its_own(sealed: bool, broken: str | None) -> None:
    """In a sealed group one copy is enough."""
    world = World(sealed)
    for _ in range(4):
        world.says(6)
        world.later(1.2)
    assert world.breaks() == broken
    assert world.judge.is_misjudged() is not sealed


def test_leaving_without_a_cause_breaks_v11() -> None:
    world = World()
    world.says(4, 6)
    with pytest.raises(Violation, match="V11"):
        world.tell("event", LEAVES)
    world.later(2.5)
    world.tell("event", LEAVES)
    assert world.marks["left, for it could tell nobody"] == 1


def test_it_is_back_after_a_wait_that_doubles() -> None:
    world = World()
    for wait_s in (5.0, 10.0, 20.0):
        world.says(4, 6)
        world.later(2.5)
        world.tell("event", LEAVES)
        assert world.judge.out_until_s == world.node.now + wait_s
        world.tell("transition", ReportTransition(State.MASTER, State.INIT, "", ""))


def has_no_way(world: World, *versions: int) -> None:
    world.tell("advertisement", SAYS)
    for version in (4, 6):
        world.tell("no way to a peer" if version in versions else "the host refused to send", version)


def test_without_a_way_to_any_peer_a_master_stays_until_another_is_heard() -> None:
    """Then it leaves before it takes that in, and may."""
    world = World(unicast=True)
    for _ in range(5):
        has_no_way(world, 4, 6)
        world.later(1.2)
    assert world.breaks() is None and not world.judge.is_misjudged()
    with pytest.raises(Violation, match="V11"):
        world.tell("event", LEAVES)
    world.tell("accept", Advertised(4, BOW_OUT))
    with pytest.raises(Violation, match="V11"):
        world.tell("event", LEAVES)
    world.tell("accept", Advertised(4, PAYLOAD))
    with pytest.raises(Violation, match="I1"):
        world.tell("event", AdvertisementReceived(Advertisement(1, 1, 50, 0, 7, bytes(20)), 4, "node-1"))
    world.tell("event", LEAVES)
    assert world.marks["left a master that it could not reach"] == 1


def test_a_copy_for_one_peer_is_enough() -> None:
    world = World(unicast=True)
    for _ in range(5):
        world.says(6)
        world.later(1.2)
    assert world.breaks() is None and not world.judge.is_misjudged()


def test_what_is_refused_is_not_excused_by_what_has_no_way() -> None:
    world = World(unicast=True)
    world.says()
    world.later(1.2)
    has_no_way(world, 4)
    world.later(1.4)
    assert world.breaks() == "I1"


def test_a_bow_out_of_what_nobody_was_told_breaks_i7() -> None:
    """Also when somebody was, in an earlier time as master."""
    world = World()
    world.says()
    world.says(payload=BOW_OUT)
    world.tell("transition", ReportTransition(State.MASTER, State.INIT, "", ""))
    world.says(4, 6)
    with pytest.raises(Violation, match="I7"):
        world.says(payload=BOW_OUT)


def test_who_cannot_tell_the_living_master_that_it_follows_leaves_at_once() -> None:
    """And announces nothing; after a silence there is nobody to be told."""
    for reason, broken in [("preempted_inferior_master", "I1"), ("master_silent", None)]:
        world = World(reason=reason)
        world.says(4, 6)
        assert world.breaks() == broken
    with pytest.raises(Violation, match="I7"):
        world = World(reason="master_demoted")
        world.says(4, 6)
        world.tell("announcement", AnnounceAddresses())
    world.tell("event", LEAVES)


def test_three_errors_in_a_row_demote_and_three_that_were_sent_take_it_back() -> None:
    """Within an interval."""
    world = World()
    for expected in (0, 0, 1, 1):
        world.says(4)
        world.node.demotion = expected
        world.later(1.3)
        assert not world.judge.is_misjudged()
    for expected in (1, 1, 0, 0):
        world.says()
        world.node.demotion = expected
        world.later(1.3)
        assert not world.judge.is_misjudged()
    world.node.demotion = 1
    assert world.judge.is_misjudged()
    assert world.marks["demoted by its host"] == 1


def test_a_node_that_is_not_master_recovers_after_five_seconds_and_not_before() -> None:
    world = World()
    for _ in range(3):
        world.says(4)
    assert world.node.core is not None
    world.node.core.state = State.BACKUP
    world.node.demotion = 1
    world.later(4.9)
    assert not world.judge.is_misjudged()
    world.node.demotion = 0
    assert world.judge.is_misjudged()
    world.node.demotion = 1
    world.later(0.2)
    assert world.judge.is_misjudged()
    world.node.demotion = 0
    assert not world.judge.is_misjudged()


@pytest.mark.parametrize("refused", [(), (4,)], ids=["well", "troubled"])
def test_a_node_that_believes_seals_is_told_one_degree(refused: tuple[int, ...]) -> None:
    """Its proxy may have been worse while it believed plain CARP alone."""
    world = World(sealed=True)
    world.says(*refused)
    world.later(3.0)
    world.node.health, world.node.demotion = 2, 1
    assert not world.judge.is_misjudged()
    world.node.demotion = 2
    assert world.judge.is_misjudged()
