"""How long a better backup endures: who does as the product does is judged right, who does otherwise is named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import ReportWait
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import PreemptionReleased
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.memory import NEVER_S
from wsa_proxy.simulation.memory import Memory
from wsa_proxy.simulation.plan import Member
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.restraint import Restraint
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.violation import Violation

PREEMPTED = "preempted_inferior_master"
SETTINGS = VirtualHostSettings(1, 1, 0, True, (4,), preempt_delay_s=4.0, preempt_delay_max_s=20.0)


class World:
    """A node with advskew 0 that waits for 4 s at first, and its judge, which is told what it does."""

    def __init__(self) -> None:
        members = (Member(SETTINGS), Member(replace(SETTINGS, advskew=99)))
        plan = replace(draw(Random(1), 2, False), members=members, lateness_s=0.0, bystanders=(), mishaps=())
        self.lan = (run := Run(1, plan)).lan
        self.node = run.nodes[0]
        self.node.core = self.node._new_core()
        self.memory, self.marks = Memory(3.0, 1e-6), Counter[str]()
        self.judge = Restraint(self.node, self.memory, self.marks)
        self.become(State.BACKUP, "started")

    def become(self, new: State, reason: str) -> None:
        assert self.node.core is not None
        old, self.node.core.state = self.node.core.state, new
        self.judge.told("commands", [ReportTransition(old, new, reason, "")])

    def hear(self, *said: ReportWait, advbase: int = 1, advskew: int = 99, demotion: int = 0) -> None:
        heard = Advertisement(1, advbase, advskew, demotion, 7, bytes(20))
        self.judge.told("event", AdvertisementReceived(heard, 4, "10.0.0.9"))
        self.judge.told("commands", list(said))

    def later(self, seconds: float) -> None:
        self.lan.timeline.now += seconds

    def waits_s(self) -> float:
        return self.judge.from_s - self.node.now

    def broken(self, *said: ReportWait, advskew: int = 99) -> str | None:
        try:
            self.hear(*said, advskew=advskew)
        except Violation as violation:
            return violation.invariant
        return None


def test_a_wait_is_four_seconds_then_doubled_then_twenty() -> None:
    """The first two role changes make none longer, the third does; and a process that begins has had none."""
    world = World()
    waits_s = [world.waits_s()]
    for _ in range(4):
        world.later(1.0)
        world.become(State.MASTER, "master_silent")
        world.become(State.BACKUP, "overslept")
        waits_s.append(world.waits_s())
    assert waits_s == [4, 8, 20, 20, 20]
    world.judge.told("life", None)
    world.become(State.BACKUP, "started")
    assert world.waits_s() == 4


def test_a_succession_ends_after_a_minute_or_four_waits() -> None:
    """Within a wait as well."""
    world = World()
    for _ in range(3):
        world.become(State.MASTER, "master_silent")
        world.become(State.BACKUP, "overslept")
    world.later(75.0)
    world.become(State.INIT, "link down")
    world.become(State.BACKUP, "started")
    assert world.waits_s() == 5
    world.later(80.0)
    world.become(State.INIT, "link down")
    world.become(State.BACKUP, "started")
    assert world.waits_s() == 4


def test_it_begins_anew_with_better_health_and_ends_with_the_operator() -> None:
    world = World()
    world.node.demotion = 1
    world.later(3.0)
    world.judge.told("event", DemotionChanged(2, ""))
    assert world.waits_s() == 1
    world.judge.told("event", DemotionChanged(0, ""))
    assert world.waits_s() == 4
    world.judge.told("event", PreemptionReleased())
    assert world.waits_s() == -NEVER_S


def test_who_preempts_too_early_breaks_i2() -> None:
    for seconds, kept in ((3.99, False), (4.01, True)):
        world = World()
        world.later(seconds)
        if kept:
            world.become(State.MASTER, PREEMPTED)
        else:
            with pytest.raises(Violation, match=r"^I2"):
                world.become(State.MASTER, PREEMPTED)


def test_a_wait_is_told_once_and_truly_or_v4_is_broken() -> None:
    """Not told, told twice, another one told, and told where there is none."""
    told = ReportWait(4.0, 0, 0.0)
    assert World().broken(told) is None
    assert World().broken() == "V4" == World().broken(told, told)
    assert World().broken(ReportWait(5.0, 0, 0.0)) == "V4" == World().broken(told, advskew=0)
    world = World()
    world.hear(told)
    assert world.broken() is None and world.broken(told) == "V4"
    assert world.marks["a better backup waits"] == 1


@pytest.mark.parametrize(
    ("advbase", "advskew", "demotion"), [(1, 0, 0), (1, 99, 1), (4, 99, 0), (255, 255, 0)], ids=str
)
def test_who_is_not_inferior_or_not_well_or_not_in_time_is_not_endured(
    advbase: int, advskew: int, demotion: int
) -> None:
    """The reasons that its advertisement has given stay."""
    world = World()
    world.memory.reasons = frozenset({"some"})
    world.hear(advbase=advbase, advskew=advskew, demotion=demotion)
    assert world.memory.reasons == {"some"}


def test_who_endures_has_no_reason_to_take_over() -> None:
    world = World()
    world.memory.reasons, world.memory.takeover_due_s = frozenset({PREEMPTED}), world.node.now
    world.hear(ReportWait(4.0, 0, 0.0))
    assert not world.memory.reasons and world.memory.takeover_due_s == NEVER_S
