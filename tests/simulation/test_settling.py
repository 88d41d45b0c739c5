"""What must happen in the end: each drill is kept by a healthy group, and what does not happen is named."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from wsa_proxy.carp.calm import Calm
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.simulation import settling
from wsa_proxy.simulation.checker import Checker
from wsa_proxy.simulation.lan import SWITCH
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.plan import OURS
from wsa_proxy.simulation.plan import Drill
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Member
from wsa_proxy.simulation.plan import Mishap
from wsa_proxy.simulation.plan import draw
from wsa_proxy.simulation.run import Run

SECONDS = 5.0


def make_run(drill: Drill, sealed: bool = False, dialect: str = OURS, preempt: bool = True) -> Run:
    """Three healthy nodes, the best one first, and the drill that they will get."""
    settings = VirtualHostSettings(1, 1, 0, preempt, (4,))
    dialects = (OURS, OURS, dialect)
    members = tuple(Member(replace(settings, advskew=60 * each), dialects[each]) for each in range(3))
    return Run(
        1,
        replace(
            draw(Random(1), 3, sealed),
            members=members,
            started_at_s=(0.0, 0.0, 0.0),
            weather=Weather(),
            lateness_s=0.0,
            faults_s=SECONDS,
            mishaps=(),
            drill=drill,
            bystanders=(),
        ),
    )


@pytest.mark.parametrize("dialect", [OURS, "FreeBSD", "OpenBSD", "ucarp", "sealed"])
@pytest.mark.parametrize("drill", Drill)
def test_a_healthy_group_passes(drill: Drill, dialect: str) -> None:
    outcome = make_run(drill, dialect == "sealed", OURS if dialect == "sealed" else dialect).play()
    assert outcome.violation is None and outcome.marks[f"drill: {drill.value}"] == 1


@pytest.mark.parametrize("for_ever", [False, True])
def test_the_best_one_may_wait_before_it_preempts(for_ever: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """V4: it comes last and endures the others for 15 s; that is waited for, and no longer."""
    run = make_run(Drill.STOP)
    first, *others = run.plan.members
    told = replace(first.settings, preempt_delay_s=15.0, preempt_delay_max_s=15.0)
    plan = replace(run.plan, members=(replace(first, settings=told), *others), started_at_s=(4.5, 0.0, 0.0))
    run = Run(1, plan, judged=not for_ever)
    if for_ever:
        monkeypatch.setattr(Calm, "due_s", property(lambda self: math.inf))
        monkeypatch.setattr(Checker, "follow", lambda *_: None)
        run._settling.preempts_in_s = lambda _: 15.0
    outcome = run.play()
    assert outcome.invariant == ("V4" if for_ever else None)
    assert for_ever or outcome.marks["a better backup waits"] == 1


def test_what_disturbs_the_quiet_is_noticed() -> None:
    """V5: it begins when the group has agreed, and not before."""
    run = make_run(Drill.STOP)

    def disturb() -> None:
        for event in (Stopped("for no reason"), Started("again")):
            run.nodes[0].handle(event)

    run._settling._disturb = disturb
    outcome = run.play()
    assert outcome.invariant == "V5" and outcome.marks["drill: stop"] == 0


def never(node: Node) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("drill", "method", "instead", "promise"),
    [
        (Drill.STOP, "stop", Node.crash, "V3"),
        (Drill.SPARE_DEMOTED, "stop", Node.crash, "V3"),
        (Drill.CRASH, "start", never, "V4"),
    ],
)
def test_what_does_not_happen_is_named(
    drill: Drill, method: str, instead: Callable[[Node], None], promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Node, method, instead)
    assert make_run(drill).play().invariant == promise


def test_a_lone_node_that_does_not_come_back_breaks_v1(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = Node.start, set[int]()

    def start_once(node: Node) -> None:
        if node.number not in started:
            started.add(node.number)
            start(node)

    monkeypatch.setattr(Node, "start", start_once)
    assert make_run(Drill.ALONE).play().invariant == "V1"


def test_a_transition_in_the_quiet_breaks_v5() -> None:
    run = make_run(Drill.CRASH)
    run.lan.timeline.at(run.lan.timeline.now + SECONDS + 20, run.nodes[0].crash)
    assert run.play().invariant == "V5"


@pytest.mark.parametrize(("sealed", "refused", "promise"), [(True, 1, None), (True, 0, "V5"), (False, 1, "V5")])
def test_only_a_master_that_lags_may_lose_once_in_the_quiet(sealed: bool, refused: int, promise: str | None) -> None:
    """Its machine was paused, and the others refused what it said."""
    run = make_run(Drill.CRASH, sealed)
    run.plan = run._settling._plan = replace(run.plan, mishaps=(Mishap(0.1, 0.1, Fault.PAUSE, 0, 1, 0),))

    def lose() -> None:
        run.nodes[0].stall(4.0)
        run.lan.lost[0, 1] += refused

    run.lan.timeline.at(run.lan.timeline.now + SECONDS + 20, lose)
    outcome = run.play()
    assert outcome.invariant == promise
    assert outcome.marks["a master lagged"] == (promise is None)


def test_two_masters_in_the_end_break_v4() -> None:
    run = make_run(Drill.CRASH)
    run.lan.timeline.at(run.lan.timeline.now + SECONDS + 1, lambda: run.lan.cuts.update({(0, 1), (0, 2)}))
    assert run.play().invariant == "V4"


def test_a_switch_that_sends_elsewhere_breaks_v6() -> None:
    run = make_run(Drill.CRASH)

    def mislead() -> None:
        run.lan.cuts.add((0, SWITCH))
        run.lan.believed[1] = 2

    run.lan.timeline.at(run.lan.timeline.now + SECONDS + 1, mislead)
    assert run.play().invariant == "V6"


def test_a_worse_master_of_a_preemptive_group_breaks_v4(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best one is master; here a judge is told that it is the worst."""
    monkeypatch.setattr(settling, "rank", lambda station: (0, -station.number))
    assert make_run(Drill.CRASH, preempt=False).play().invariant is None
    assert make_run(Drill.CRASH).play().invariant == "V4"
