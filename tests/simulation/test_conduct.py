"""What a node may answer to an event, state by state: everything else is named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ProbeAddresses
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportRefusal
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.commands import SendIntent
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.conduct import Conduct
from wsa_proxy.simulation.plan import OURS
from wsa_proxy.simulation.plan import Member
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run
from wsa_proxy.simulation.violation import Violation

SEND, FAREWELL, BOW_OUT = SendAdvertisement(1, 50, 0), SendFarewell(1, 50, 0), SendAdvertisement(255, 255, 0)
ACQUIRE, RELEASE, ANNOUNCE = AcquireAddresses(), ReleaseAddresses(), AnnounceAddresses()
TIMER, FAREWELL_HEARD = DeadlineReached(), FarewellReceived("node-1")
DOWN_S = 3 + 50 / 256


def report(old: State, new: State, reason: str) -> ReportTransition:
    return ReportTransition(old, new, reason, "")


PROMOTED = report(State.BACKUP, State.MASTER, "master_silent")
PROMOTION: list[Command] = [SEND, ACQUIRE, ANNOUNCE, PROMOTED]
DEFEATED = report(State.MASTER, State.BACKUP, "better_advertisement_received")
TIED = report(State.MASTER, State.BACKUP, "equal_advertisement_received")
OVERSLEPT = report(State.MASTER, State.BACKUP, "overslept")
LEFT = report(State.MASTER, State.INIT, "stop")


def heard(advskew: int, advbase: int = 1, demotion: int = 0) -> AdvertisementReceived:
    return AdvertisementReceived(Advertisement(1, advbase, advskew, demotion, 7, bytes(20)), 4, "somebody")


class World:
    """One node, which is told what to be, and its judge. It preempts, with an advskew of 50."""

    def __init__(self, state: State, sealed: bool = False, virtual: bool = False) -> None:
        plan = draw(Random(1), 2, sealed)
        settings = replace(plan.members[0].settings, advbase=1, advskew=50, preempt=True, versions=(4,), tie_break=102)
        settings = replace(settings, acquires_first=virtual)
        members = (Member(settings, OURS), Member(replace(settings, advskew=99), OURS))
        self.run = Run(1, replace(plan, members=members, lateness_s=0.0, bystanders=(), mishaps=()))
        self.node = self.run.nodes[0]
        self.judge = Conduct(self.node, Counter())
        self.node.core = self.node._new_core()
        self.judge.told("life", None)
        self.answer(Started(""), [report(State.INIT, State.BACKUP, "ready")])
        if state is State.MASTER:
            self.later(DOWN_S)
            self.answer(TIMER, PROMOTION)

    def later(self, seconds: float) -> None:
        self.run.lan.timeline.now += seconds

    def answer(self, cause: Event, commands: list[Command]) -> None:
        if isinstance(cause, str):
            self.judge.told(cause, None)
        else:
            self.judge.told("event", cause)
            if isinstance(cause, DemotionChanged):
                self.node.demotion = cause.demotion
        reports = [command for command in commands if isinstance(command, ReportTransition)]
        if reports:
            assert self.node.core is not None
            self.node.core.state = reports[-1].new
        self.judge.told("commands", commands)


@pytest.mark.parametrize(
    ("promise", "seconds", "cause", "commands"),
    [
        ("I2", DOWN_S - 0.01, TIMER, PROMOTION),
        ("I2", 1.0, heard(20), PROMOTION),
        ("I2", 1.0, heard(90), [*PROMOTION[:3], report(State.BACKUP, State.MASTER, "master_demoted")]),
        ("I2", 1.0, heard(255, 255), [*PROMOTION[:3], report(State.BACKUP, State.MASTER, "master_bowed_out")]),
        ("I6", DOWN_S, TIMER, PROMOTION[:3]),
        ("I6", DOWN_S, TIMER, [SendAdvertisement(1, 51, 0), *PROMOTION[1:]]),
        ("I6", 1.0, TIMER, [SEND]),
        ("I6", 1.0, Stopped(""), [BOW_OUT, report(State.BACKUP, State.INIT, "stop")]),
        ("I6", 1.0, heard(20), [FAREWELL]),
        ("I7", DOWN_S, TIMER, [ACQUIRE, SEND, ANNOUNCE, PROMOTED]),
        ("I7", DOWN_S, TIMER, [SEND, ACQUIRE, PROMOTED]),
        ("I7", DOWN_S, TIMER, [SEND, SEND, ACQUIRE, ANNOUNCE, PROMOTED]),
        ("I7", 1.0, TIMER, [ANNOUNCE]),
        ("I7", 1.0, TIMER, [ACQUIRE]),
        ("V11", DOWN_S, TIMER, [ReportRefusal("address_answered_by_another_host", "")]),
        ("I2", 1.0, TIMER, [PROMOTED, DEFEATED, DEFEATED]),
    ],
)
def test_a_backup_breaks(promise: str, seconds: float, cause: Event, commands: list[Command]) -> None:
    world = World(State.BACKUP)
    world.later(seconds)
    with pytest.raises(Violation, match=rf"^{promise}"):
        world.answer(cause, commands)


@pytest.mark.parametrize(
    ("promise", "seconds", "cause", "commands"),
    [
        ("I1", 0.5, heard(20), []),
        ("I1", 0.5, heard(50), []),
        ("I6", 0.5, TIMER, [SEND]),
        ("I6", 1.2, TIMER, [SEND, SEND]),
        ("I6", 1.2, TIMER, [SendAdvertisement(1, 50, 1)]),
        ("I6", 0.5, DemotionChanged(1, ""), []),
        ("I7", 0.5, heard(20), [SEND, RELEASE, DEFEATED]),
        ("I7", 0.5, heard(20), [ANNOUNCE, RELEASE, DEFEATED]),
        ("I7", 0.5, heard(20), [DEFEATED]),
        ("I7", 1.2, TIMER, [SEND, ANNOUNCE]),
        ("I7", 1.2, TIMER, [RELEASE]),
        ("I7", 1.2, Stopped(""), [RELEASE, BOW_OUT, LEFT]),
        ("V3", 1.2, Stopped(""), [RELEASE, LEFT]),
        ("V3", 1.2, Stopped(""), [BOW_OUT, BOW_OUT, RELEASE, LEFT]),
        ("V5", 0.5, heard(90), [RELEASE, DEFEATED]),
        ("V5", 0.5, heard(255, 255), [RELEASE, DEFEATED]),
        ("V5", 2.0, TIMER, [RELEASE, OVERSLEPT]),
        ("V5", 0.5, heard(50), [RELEASE, DEFEATED]),
        ("V5", 0.5, heard(20), [RELEASE, TIED]),
        ("V6", 0.5, heard(90), [SEND]),
        ("V6", 0.5, FAREWELL_HEARD, []),
        ("V7", 3.0, TIMER, [SEND]),
    ],
)
def test_a_master_breaks(promise: str, seconds: float, cause: Event, commands: list[Command]) -> None:
    world = World(State.MASTER)
    world.later(seconds)
    with pytest.raises(Violation, match=rf"^{promise}"):
        world.answer(cause, commands)


@pytest.mark.parametrize(
    ("seconds", "cause", "commands"),
    [
        (0.5, heard(20), [RELEASE, DEFEATED]),
        (0.5, heard(50), [RELEASE, TIED]),
        (0.5, heard(90), [SEND, ANNOUNCE]),
        (0.5, heard(255, 255), []),
        (1.2, TIMER, [SEND]),
        (1.2, TIMER, [ANNOUNCE, SEND]),
        (0.5, DemotionChanged(1, ""), [SendAdvertisement(1, 240, 1)]),
        (3.0, TIMER, [RELEASE, OVERSLEPT]),
        (0.5, Stopped(""), [BOW_OUT, RELEASE, LEFT]),
        (0.5, FAREWELL_HEARD, [ANNOUNCE]),
    ],
)
def test_a_master_may(seconds: float, cause: Event, commands: list[Command]) -> None:
    world = World(State.MASTER)
    world.later(seconds)
    world.answer(cause, commands)


@pytest.mark.parametrize(("said", "promise"), [([FAREWELL], None), ([], "V6"), ([FAREWELL, FAREWELL], "V6")])
def test_the_loser_of_a_sealed_group_says_farewell_once(said: list[Command], promise: str | None) -> None:
    world = World(State.MASTER, sealed=True)
    if promise is None:
        return world.answer(heard(20), [*said, RELEASE, DEFEATED])
    with pytest.raises(Violation, match=rf"^{promise}"):
        world.answer(heard(20), [*said, RELEASE, DEFEATED])
    return None


INTENT, VIRTUAL = SendIntent(1, 50, 0), [ACQUIRE, SEND, ANNOUNCE]
PREEMPTED = report(State.BACKUP, State.MASTER, "preempted_inferior_master")
FOLLOWS = report(State.BACKUP, State.MASTER, "master_bowed_out")


@pytest.mark.parametrize(
    ("sealed", "cause", "commands", "promise"),
    [
        (True, TIMER, [INTENT, *VIRTUAL, FOLLOWS], None),
        (True, TIMER, [*VIRTUAL, FOLLOWS], "I7"),
        (True, TIMER, [ACQUIRE, INTENT, *VIRTUAL[1:], FOLLOWS], "I7"),
        (True, TIMER, [SendIntent(1, 51, 0), *VIRTUAL, FOLLOWS], "I6"),
        (True, heard(90), [INTENT, *VIRTUAL, PREEMPTED], "I7"),
        (True, heard(90), [*VIRTUAL, PREEMPTED], None),
        (True, TIMER, [INTENT], "I6"),
        (False, TIMER, [INTENT, *VIRTUAL, FOLLOWS], "I7"),
        (False, TIMER, [*VIRTUAL, FOLLOWS], None),
    ],
)
def test_with_a_virtual_mac_a_backup_of_a_sealed_group_says_its_intent(
    sealed: bool, cause: Event, commands: list[Command], promise: str | None
) -> None:
    """To a bow-out: once, first, as what it is."""
    world = World(State.BACKUP, sealed, virtual=True)
    world.later(1.0)
    world.answer(heard(255, 255), [])
    world.later(0.01)
    if promise is None:
        return world.answer(cause, commands)
    with pytest.raises(Violation, match=rf"^{promise}"):
        world.answer(cause, commands)
    return None


def test_an_intent_does_not_come_from_the_virtual_mac() -> None:
    """It would draw the clients to who has not the addresses yet."""
    world = World(State.BACKUP, sealed=True, virtual=True)
    world.judge.told("advertisement", INTENT)
    with pytest.raises(Violation, match=r"^I7.*from their MAC"):
        world.judge.told("from the virtual MAC", 4)


def test_an_answer_that_must_wait_is_due_and_counted() -> None:
    world = World(State.MASTER)
    world.later(0.1)
    world.answer(heard(90), [SEND, ANNOUNCE])
    world.later(0.1)
    world.answer(heard(90), [])
    assert world.judge.memory.answer_due_s == pytest.approx(world.node.now - 0.1 + (1 + 50 / 256) / 4)
    with pytest.raises(Violation, match=r"^I6"):
        world.answer(TIMER, [SEND, ANNOUNCE])


def test_ten_advertisements_have_one_announcement() -> None:
    world = World(State.MASTER)
    for number in range(11):
        commands: list[Command] = [ANNOUNCE, SEND] if number == 1 else [SEND]
        world.later(1.2)
        world.answer(TIMER, commands)
    world.later(1.2)
    with pytest.raises(Violation, match=r"^V6.*11 times"):
        world.answer(TIMER, [SEND])


@pytest.mark.parametrize("after", ["a promotion", "an answer"])
def test_a_master_announces_once_more_with_the_second_advertisement(after: str) -> None:
    world = World(State.MASTER)
    if after == "an answer":
        world.later(0.5)
        world.answer(heard(90), [SEND, ANNOUNCE])
    world.later(1.2)
    world.answer(TIMER, [SEND])
    world.later(1.2)
    with pytest.raises(Violation, match=r"^V6.*once more"):
        world.answer(TIMER, [SEND])


def test_who_has_tied_takes_over_only_after_its_wait() -> None:
    """Its tie break is 102: a fifth of an interval of 1 + 50/256 s, and of that 102/256."""
    world = World(State.MASTER)
    world.later(0.5)
    world.answer(heard(50), [RELEASE, TIED])
    world.later(0.5)
    world.answer(heard(90), [])
    world.later(0.2 * (1 + 50 / 256) * 102 / 256 - 0.001)
    with pytest.raises(Violation, match=r"^I2"):
        world.answer(TIMER, [*PROMOTION[:3], PREEMPTED])


def test_who_has_held_the_addresses_does_not_ask_who_has_them() -> None:
    world = World(State.BACKUP)
    world.answer(TIMER, [ProbeAddresses()])
    world = World(State.MASTER)
    world.later(3.0)
    world.answer(TIMER, [RELEASE, OVERSLEPT])
    with pytest.raises(Violation, match=r"^V11.*has held"):
        world.answer(TIMER, [ProbeAddresses()])


@pytest.mark.parametrize(("kind", "said"), [("farewell", FAREWELL), ("advertisement", BOW_OUT)])
def test_who_yields_or_leaves_says_so_while_it_holds_the_addresses(kind: str, said: object) -> None:
    """In the process, after the order of the commands has been judged."""
    world = World(State.MASTER)
    world.later(1.0)
    world.node.kernel.take(world.node.now)
    world.judge.told(kind, said)
    world.node.kernel.release()
    with pytest.raises(Violation, match=r"^I7.*has removed"):
        world.judge.told(kind, said)


def test_a_refused_release_is_not_tried_again_for_ever() -> None:
    world = World(State.BACKUP)
    for _ in range(20):
        world.judge.told("release again", None)
    with pytest.raises(Violation, match=r"^I9"):
        world.judge.told("release again", None)


def test_a_stranger_who_answers_holds_a_takeover_back_by_one_interval() -> None:
    world = World(State.BACKUP)
    refusal = ReportRefusal("address_answered_by_another_host", "")
    world.later(DOWN_S)
    world.answer(AddressAnswered("a stranger"), [])
    world.answer(TIMER, [refusal])
    with pytest.raises(Violation, match=r"^I2"):
        world.answer(TIMER, PROMOTION)


def test_a_backup_that_overslept_listens_anew() -> None:
    world = World(State.BACKUP)
    world.later(1.6 * DOWN_S)
    world.answer(TIMER, [])
    world.later(2.0 * DOWN_S)  # asleep once more, and far too late
    world.answer(TIMER, [])
    world.later(0.5)
    with pytest.raises(Violation, match=r"^I2"):
        world.answer(TIMER, PROMOTION)


@pytest.mark.parametrize("age_s", [0.0, 0.6])
def test_only_a_master_announces_and_nothing_old(age_s: float) -> None:
    world = World(State.MASTER if age_s else State.BACKUP)
    with pytest.raises(Violation, match=r"^I7" if age_s else r"^I5"):
        world.judge.told("announcement", age_s)


def test_a_rejected_frame_moves_one_counter_and_nothing_else() -> None:
    """I3."""
    node = World(State.BACKUP).run.nodes[1]
    node.start()
    judge = Conduct(node, marks=Counter())
    judge.told("life", None)
    with pytest.raises(Violation, match=r"^I3"):
        judge.told("reject", None)
