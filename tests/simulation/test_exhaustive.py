"""Every run of a few small LANs keeps the promises, and the search that says so is complete and can say no."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from tests.simulation import planted
from tests.simulation import planted_calm
from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Version
from wsa_proxy.simulation import exhaustive
from wsa_proxy.simulation.exhaustive import Configuration
from wsa_proxy.simulation.exhaustive import Result
from wsa_proxy.simulation.exhaustive import search
from wsa_proxy.simulation.promises import Promises


def lan(preempting: int, *skews: int, versions: tuple[Version, ...] = (4,)) -> tuple[VirtualHostSettings, ...]:
    """Nodes with these skews, of which the first so many preempt; equals break their ties as far apart as they can."""
    ties = zip(skews, (0, 255, 128), strict=False)
    return tuple(VirtualHostSettings(1, 1, skew, n < preempting, versions, tie) for n, (skew, tie) in enumerate(ties))


def calm(delay_s: float, *nodes: VirtualHostSettings) -> tuple[VirtualHostSettings, ...]:
    """Those, and each waits for so long before it preempts."""
    return tuple(replace(node, preempt_delay_s=delay_s, preempt_delay_max_s=delay_s) for node in nodes)


CONFIGURATIONS = (
    Configuration("two, preemptive", lan(2, 0, 128), losses=3, crashes=2, stops=1),
    Configuration("two, not preemptive", lan(0, 0, 128), losses=3, stops=1),
    Configuration("two, finer ticks", lan(2, 0, 64), stops=1, tick_s=0.25),
    Configuration("two strangers", lan(2, 0, 51), losses=3, tick_s=0.2, strangers=True),
    Configuration("two equals", lan(2, 0, 0), losses=3),
    Configuration("two equals, one stop", lan(2, 0, 0), crashes=0, stops=1),
    Configuration("two, dual stack", lan(2, 0, 128, versions=(4, 6)), crashes=0, stops=1),
    Configuration("two equals, dual stack", lan(2, 0, 0, versions=(4, 6))),
    Configuration("two, calm", calm(1.5, *lan(2, 0, 128)), losses=2, stops=1),
    Configuration("three, calm, together", calm(1.0, *lan(3, 0, 128, 254)), losses=0, together=True),
    Configuration("three, preemptive", lan(3, 0, 128, 254), losses=0, crashes=0),
    Configuration("three, not preemptive", lan(0, 0, 128, 254), losses=2, crashes=0),
    Configuration("three, preemptive, together", lan(3, 0, 128, 254), together=True),
    Configuration("three, not preemptive, together", lan(0, 0, 128, 254), together=True),
    Configuration("three, two equals, together", lan(3, 0, 0, 128), losses=0, together=True),
)

PINNED = {
    "two, preemptive": (46603, 8),
    "two, not preemptive": (14280, 9),
    "two, finer ticks": (39884, 14),
    "two strangers": (19587, 17),
    "two equals": (14917, 12),
    "two equals, one stop": (37678, 12),
    "two, dual stack": (76478, 8),
    "two equals, dual stack": (69361, 12),
    "two, calm": (16253, 9),
    "three, calm, together": (21559, 11),
    "three, preemptive": (33162, 10),
    "three, not preemptive": (56162, 8),
    "three, preemptive, together": (304336, 10),
    "three, not preemptive, together": (66124, 11),
    "three, two equals, together": (157786, 12),
}
"""How many states the search must have seen, and the most ticks until one master is agreed on for good."""

BY_NAME = {configuration.name: configuration for configuration in CONFIGURATIONS}

KEPT = {"state", "_held_before", "_probes_left", "_reason_master_down", "_answer_owed", "_deadline_advertisement_s"}
KEPT |= {"_deadlines_master_down_s", "calm", "_tied_until_s", "_answer_after_s"}


# -- the search says yes -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """Of all searches, the longest ones first, on all cores."""
    longest_first = sorted(CONFIGURATIONS, key=lambda configuration: -PINNED[configuration.name][0])
    with ProcessPoolExecutor(os.cpu_count(), initializer=gc.disable) as pool:  # nothing is garbage before the end
        found = pool.map(partial(search, judge=Promises), longest_first)
        return {configuration.name: result for configuration, result in zip(longest_first, found, strict=True)}


@pytest.mark.parametrize("name", BY_NAME)
def test_every_run_keeps_the_promises(name: str, results: dict[str, Result]) -> None:
    """In every state that the core and its adversary can reach; fewer states than before are a defect of the search."""
    result = results[name]
    print(f"{name}: {result.states} states, {result.transitions} transitions, {result.settled_ticks} ticks")
    assert result.violation is None, "\n".join(result.story)
    assert result.complete
    states, settled_ticks = PINNED[name]
    assert result.states >= states
    assert result.settled_ticks <= settled_ticks <= result.bound_ticks


def test_every_rule_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The searches judge every reason for a transition that their adversary can bring about."""
    monkeypatch.setattr(Promises, "rules", set())
    for name in ("two, preemptive", "two equals"):
        assert search(replace(BY_NAME[name], losses=1, crashes=0, stops=1), Promises).complete
    unseen = {Reason.MASTER_DEMOTED, Reason.MASTER_HOPELESS, Reason.OVERSLEPT, Reason.ADDRESS_ANSWERED}
    assert Promises.rules == {reason.value for reason in set(Reason) - unseen} | {"ready", "stop"}


def test_every_field_of_the_core_is_remembered_or_dropped_for_a_reason() -> None:
    """A new field of the virtual host must be judged before the search may forget it."""
    assert vars(VirtualHost(CONFIGURATIONS[0].nodes[0])).keys() == KEPT | exhaustive.DROPPED


def test_what_is_dropped_decides_nothing() -> None:
    """Cores that differ only in what the search drops answer every event alike, and differ in nothing else after it."""
    settings = CONFIGURATIONS[0].nodes[0]
    inferior, bow_out = (
        AdvertisementReceived(Advertisement(1, base, skew, 0, 7, bytes(20)), 4, "")
        for base, skew in ((1, 128), (255, 255))
    )
    story: list[tuple[Event, float]] = []
    story += [(Started(""), 0.0), (DeadlineReached(), 3.0), (inferior, 3.1), (inferior, 3.2), (DeadlineReached(), 3.35)]
    story += [
        (DeadlineReached(), 4.35),
        (Stopped(""), 4.5),
        (Started(""), 5.0),
        (bow_out, 5.5),
        (DeadlineReached(), 6.5),
    ]
    one, other = VirtualHost(settings), VirtualHost(settings)
    one._held_before = other._held_before = True
    for event, now in story:
        other.last_master, other._heard_at_s = "somebody", {4: now - 1}
        other._advertisements_sent, other._announce_at = 0, 0
        assert decisive(one.handle(event, now)) == decisive(other.handle(event, now))
        assert {name: vars(one)[name] for name in KEPT} == {name: vars(other)[name] for name in KEPT}


def decisive(commands: list[Command]) -> list[Command | State]:
    """The commands without the periodic announcements and the words for the operator."""
    promoted = AcquireAddresses() in commands
    kept = [command for command in commands if promoted or not isinstance(command, AnnounceAddresses)]
    return [command.new if isinstance(command, ReportTransition) else command for command in kept]


# -- the search can say no ---------------------------------------------------------------------------------------------

EQUALS = tuple(replace(node, preempt=False) for node in BY_NAME["two equals"].nodes)
PATIENT_EQUALS = Configuration("equals that do not preempt", EQUALS)


@pytest.mark.parametrize(
    ("plant", "configuration", "promise"),
    [
        (planted.plant_dead_ratio_2, BY_NAME["two, not preemptive"], "I2"),
        (planted.plant_deadline_not_pushed_back, BY_NAME["two, not preemptive"], "I2"),
        (planted.plant_bow_out_ignored, BY_NAME["two, preemptive"], "V3"),
        (planted.plant_bow_out_heard_for_one_version_only, BY_NAME["two, dual stack"], "I2"),
        (planted.plant_no_bow_out, BY_NAME["two, preemptive"], "V3"),
        (planted.plant_nobody_yields_to_an_equal, BY_NAME["two equals"], "I2"),
        (planted.plant_nobody_yields_to_an_equal, PATIENT_EQUALS, "I6"),
        (planted.plant_no_longer_wait_after_a_tie, BY_NAME["two equals"], "V4"),
        (planted.plant_no_release_on_defeat, BY_NAME["three, not preemptive"], "I5"),
        (planted.plant_no_preemption, BY_NAME["two, preemptive"], "V4"),
        (planted.plant_no_announcement, BY_NAME["two, preemptive"], "I7"),
        (planted_calm.plant_waits_from_the_last_role_change_on, BY_NAME["two, calm"], "I2"),
        (planted_calm.plant_each_advertisement_begins_the_wait_anew, BY_NAME["two, calm"], "V4"),
        (planted_calm.plant_who_is_endured_is_not_heard, BY_NAME["two, calm"], "I2"),
        (planted.plant_storm_of_answers, BY_NAME["two, not preemptive"], "I6"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or getattr(value, "name", value),
)
def test_a_planted_bug_is_found(
    plant: planted.Plant, configuration: Configuration, promise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of the promise that it breaks, with a story that ends there."""
    plant(monkeypatch)
    result = search(configuration, Promises)
    assert result.violation is not None
    assert result.violation.startswith(f"{promise}: "), "\n".join(result.story)
    assert not result.complete
    assert result.story[-1] == result.violation
    assert len(result.story) > 1


def test_two_masters_are_seen_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """I1 needs no judge of the single node, who would complain sooner: equals of which nobody yields stay two."""
    planted.plant_nobody_yields_to_an_equal(monkeypatch)
    violation = search(PATIENT_EQUALS).violation
    assert violation is not None
    assert violation.startswith("I1: nodes (0, 1)")


def test_a_story_is_short_and_has_the_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stands in it that the violation does not need: here a start, and three seconds of silence."""
    planted.plant_no_announcement(monkeypatch)
    result = search(BY_NAME["two, preemptive"], Promises)
    assert result.story == (
        "tick 0: node 0, Started(reason='ready'), INIT -> BACKUP ready",
        "tick 6: node 0, DeadlineReached()",
        "I7: a promotion is advertise, acquire, announce",
    )


def test_a_longer_patience_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time to agree is measured, not only bounded: a dead ratio of 4 is within the bound, and is seen."""
    planted.plant_dead_ratio_4(monkeypatch)
    configuration = BY_NAME["two, not preemptive"]
    assert search(configuration, Promises).settled_ticks > PINNED[configuration.name][1]


def test_a_search_cut_short_is_not_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cap on the states makes no promise."""
    monkeypatch.setattr(exhaustive, "STATES_MAX", 100)
    result = search(CONFIGURATIONS[0], Promises)
    assert not result.complete
    assert result.violation is None
