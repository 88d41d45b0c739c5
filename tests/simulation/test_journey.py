"""A group's last drill where it has clients: a healthy group passes each, and what a broken one does is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation.test_settling import make_run
from wsa_proxy.members.carrying import Carrying
from wsa_proxy.simulation.carrying_run import CarryingRun
from wsa_proxy.simulation.clientele import Clientele
from wsa_proxy.simulation.clientele import Journey
from wsa_proxy.simulation.filters import Reports
from wsa_proxy.simulation.plan import Drill
from wsa_proxy.simulation.plan import Plan
from wsa_proxy.simulation.post import Theft
from wsa_proxy.simulation.run import Outcome

DRAIN_S = 8.0


def plan_of(journey: Journey, *, guarded: bool = False, preempt: bool = False) -> Plan:
    """Three healthy nodes and twelve clients; the second thing comes after six seconds."""
    clientele = Clientele(12, DRAIN_S, (), journey, 6.0)
    reports = Reports(0.0, 0.0, Theft(), 1.0, (), None)
    return replace(make_run(Drill.CRASH, preempt=preempt).plan, reports=reports, clientele=clientele, guarded=guarded)


def play(journey: Journey, *, guarded: bool = False, seed: int = 1) -> Outcome:
    return CarryingRun(seed, plan_of(journey, guarded=guarded)).play()


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("journey", Journey)
def test_a_healthy_group_passes(journey: Journey, guarded: bool) -> None:
    """Clients are told of deaths, and go on where they are."""
    outcome = play(journey, guarded=guarded)
    assert outcome.violation is None
    assert outcome.marks[f"journey: {journey.value}"] == 1
    planned = journey not in (Journey.CRASH, Journey.FREEZE)
    assert outcome.marks["a segment was steered"] > 0 or not planned
    if not planned or journey is Journey.OLD_DIES:
        assert outcome.marks["a client was tickled"] > 0
    elif journey is not Journey.NEW_DIES:
        assert outcome.marks["a client was tickled"] == outcome.marks["a client was reset"] == 0


@pytest.mark.parametrize(
    ("journey", "name", "answer"),
    [
        (Journey.SWITCH, "steering", None),
        (Journey.STOP, "steering", None),
        (Journey.CRASH, "take_tickles", []),
        (Journey.FREEZE, "take_tickles", []),
        (Journey.OLD_DIES, "take_tickles", []),
        (Journey.NEW_DIES, "steering", None),
    ],
)
def test_what_a_broken_group_does_is_named(
    journey: Journey, name: str, answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C4: nobody steers, or nobody is told."""
    monkeypatch.setattr(Carrying, name, lambda self: answer)
    assert play(journey).invariant == "C4"


def test_who_had_frozen_and_is_master_again_at_once_is_nobodys_to_tell_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has lost its connections, and is their next master."""
    plan = plan_of(Journey.FREEZE, preempt=True)
    monkeypatch.setattr("wsa_proxy.simulation.journey.FREEZES_DOWNS", 1.03)
    outcome = CarryingRun(1, plan).play()
    assert outcome.violation is None and outcome.marks["who had frozen was master again at once"] == 1
