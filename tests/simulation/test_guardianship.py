"""The judge of guardians: one that does as the product does keeps each promise; what is broken is named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.simulation.bounds import BOW_OUT_COPIES_S
from wsa_proxy.simulation.bounds import BOW_OUT_WITHIN_S
from wsa_proxy.simulation.bounds import GUARDIAN_LATE_S
from wsa_proxy.simulation.bounds import NOTICED_S
from wsa_proxy.simulation.bounds import STALL_LIMIT_S
from wsa_proxy.simulation.guardianship import Guardianship
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.plan import OURS
from wsa_proxy.simulation.plan import Member
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.violation import Violation

SAYS, BOWS_OUT = SendAdvertisement(1, 50, 0), SendAdvertisement(255, 255, 0)
WILL = "bowed out by its guardian"
ADDS = "guardian adds what it has fenced"


class World:
    """A master by what its core has said, and the judge, which is told all else here."""

    def __init__(self) -> None:
        plan = draw(Random(1), 2, False)
        settings = replace(plan.members[0].settings, advbase=1, advskew=50, versions=(4, 6))
        members = (Member(settings, OURS), Member(replace(settings, advskew=99), OURS))
        self.run = Run(1, replace(plan, members=members, lateness_s=0.0, bystanders=(), mishaps=(), guarded=True))
        self.node = self.run.nodes[0]
        self.node._tell = lambda *_: None
        self.node.start()
        self.memory, self.claimed = Memory(3.2, 1e-6), True
        timeline = self.run.lan.timeline
        self.judge = Guardianship(self.node, self.memory, Counter(), lambda: timeline.now, lambda: self.claimed)
        self.tell("commands", [ReportTransition(State.BACKUP, State.MASTER, "master_silent", "")])

    def tell(self, kind: str, what: object = None) -> None:
        self.judge.told(kind, what)

    def later(self, seconds: float) -> None:
        self.run.lan.timeline.now += seconds

    def stands_still(self, seconds: float, *, dead: bool = False) -> None:
        """Since then."""
        if dead:
            self.node.core = None
        else:
            self.node.asleep_until_s = self.run.lan.timeline.now + 100
        self.memory.still_since_s = self.run.lan.timeline.now
        self.judge.judge_still()
        self.later(seconds)

    def broken(self, kind: str, what: object = None) -> str | None:
        """The invariant, or None."""
        try:
            self.tell(kind, what)
        except Violation as violation:
            return violation.invariant
        return None


def test_what_the_product_does() -> None:
    world = World()
    world.stands_still(1.0)
    for after_s in (0.0, 0.02, 0.08):
        world.later(after_s)
        assert world.broken(WILL) is world.broken(WILL) is None  # in both IP versions
    assert world.broken("fence", True) is None
    assert world.broken("fenced", True) is world.broken("advertisement", SAYS) is None


def test_a_will_is_said_up_to_three_times() -> None:
    world = World()
    world.stands_still(1.0)
    assert {world.broken(WILL) for _ in range(6)} == {None}
    assert world.broken(WILL) == "I6"


def test_a_copy_that_comes_late_is_not_said() -> None:
    """Without a fence that goes before it, it can be no new bow-out."""
    world = World()
    world.stands_still(0.6, dead=True)
    for after_s, kept in ((0.0, True), (BOW_OUT_COPIES_S - 0.01, True), (0.02, False)):
        world.later(after_s)
        assert world.broken(WILL) is None
        if not after_s:
            world.tell("fence", True)
        if kept:
            world.judge.judge_still()
    with pytest.raises(Violation, match="I6"):
        world.judge.judge_still()


def test_the_addresses_go_first() -> None:
    world = World()
    world.stands_still(1.0)
    world.node.kernel.take(world.node.now)
    assert world.broken(WILL) == "I7"


def test_nothing_is_said_for_who_was_no_master_or_told_nobody() -> None:
    world = World()
    world.claimed = False
    world.stands_still(1.0)
    assert world.broken(WILL) == "I7"
    world = World()
    world.tell("commands", [ReportTransition(State.MASTER, State.BACKUP, "better", "")])
    world.stands_still(1.0)
    assert world.broken(WILL) == "I6"
    world = World()
    world.tell("life")
    assert world.broken(WILL) == "I6"


def test_nothing_is_said_for_who_turns_unless_its_guardian_has_just_slept() -> None:
    world = World()
    world.later(1.0)
    assert world.broken(WILL) == "I6"
    world = World()
    assert world.node.guard is not None
    world.node.guard.sleep(0.0)
    assert world.broken(WILL) is None


def test_nothing_is_said_when_others_have_lost_their_patience() -> None:
    for still_s, broken in ((BOW_OUT_WITHIN_S - 0.01, None), (BOW_OUT_WITHIN_S + 0.01, "I6")):
        world = World()
        world.stands_still(still_s)
        assert world.broken(WILL) == broken
        world.later(BOW_OUT_COPIES_S - 0.01)
        assert broken or world.broken(WILL) is None


def test_a_fence_without_a_word_needs_a_reason() -> None:
    world = World()
    world.stands_still(1.0, dead=True)
    assert world.broken("fence", False) == "V3"
    for excuse in range(5):
        world = World()
        world.stands_still(2.0 if excuse == 0 else 1.0)
        world.claimed = excuse != 1
        if excuse == 2:
            world.node.kernel.take(world.node.now)
        if excuse == 3:
            world.tell("life")
        if excuse == 4:
            assert world.node.guard is not None
            world.node.guard.sleep(0.0)
            world.tell("commands", [ReportTransition(State.BACKUP, State.MASTER, "master_silent", "")])
        assert world.broken("fence", False) is None


def test_who_is_fenced_reads_it_before_anything_else() -> None:
    world = World()
    world.tell("fence", True)
    assert world.broken("advertisement", SAYS) == world.broken("farewell", SAYS) == "V7"
    assert world.broken(ADDS) == "I5"
    world.tell("fenced", True)
    assert world.broken("advertisement", BOWS_OUT) == "I6"
    world.tell("commands", [ReportTransition(State.BACKUP, State.MASTER, "master_silent", "")])
    assert world.broken("advertisement", BOWS_OUT) is None
    world.claimed = False
    world.tell("fence", False)
    world.tell("fenced", False)
    assert world.broken("advertisement", BOWS_OUT) is None


@pytest.mark.parametrize(("dead", "patience_s"), [(True, NOTICED_S), (False, STALL_LIMIT_S)])
def test_the_addresses_are_taken_in_time(dead: bool, patience_s: float) -> None:
    for excuse in (None, "kept", "refuses", "asleep", "killed"):
        world = World()
        world.node.kernel.lease_until_s = world.node.now + 100
        assert world.node.guard is not None
        if excuse == "asleep":
            world.node.guard.sleep(1000)
        elif excuse == "killed":
            world.node.guard.guardian = None
        elif excuse:
            setattr(world.node.kernel, excuse, True)
        world.stands_still(patience_s + GUARDIAN_LATE_S, dead=dead)
        world.judge.judge_still()
        world.later(0.001)
        if excuse:
            world.judge.judge_still()
        else:
            with pytest.raises(Violation, match="V8"):
                world.judge.judge_still()


def test_who_has_not_stood_still_is_not_fenced() -> None:
    """Unless its guardian says so, or guardians end again and again."""
    for stall_s, broken in ((None, "V5"), (0.3, "V5"), (0.9, None)):
        world = World()
        if stall_s:
            world.tell("stall", stall_s)
            world.later(stall_s)
        assert world.broken("fenced", False) == broken
        world.tell("life")
        world.tell("fence", False)
        assert world.broken("fenced", False) is None
    world = World()
    assert world.node.guard is not None
    world.node.guard.guardian = None
    assert world.broken("fenced", False) is None
