"""One virtual host against the model of ``model.py``, step by step, whatever happens and whenever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import rule
from hypothesis.stateful import run_state_machine_as_test

from tests.carp.model import Model
from tests.carp.trace import words
from wsa_proxy.carp import election
from wsa_proxy.carp import virtual_host
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Version

A_MOMENT_S = 1e-6
"""Before or after a threshold; shorter than every wait of the protocol."""
RUNS = 500
SEEN: Counter[str] = Counter()
"""The effects of all runs, to be sure that each one was met."""

settings_of_a_node = st.builds(
    VirtualHostSettings,
    vhid=st.just(1),
    advbase=st.sampled_from([1, 0, 2]),
    advskew=st.sampled_from([0, 10, 100, 254]),
    preempt=st.booleans(),
    versions=st.sampled_from([(4,), (6,), (4, 6)]),
    tie_break=st.sampled_from([0, 1, 128, 255]),
)
# Odd numbers, so that no two sums of them meet a threshold by chance: what is meant to meet one is named.
moments = st.sampled_from(
    [
        *["now", 0.00017, 0.013, 0.29, 1.07],
        *["at the deadline", "at the deadline", "at the deadline", "just before", "late", "overslept"],
    ]
)
# Relative to the node's own rank: (demotion more, 1/256 s more), or what stands out.
advertisements = st.sampled_from(
    [
        *[(0, -1), (0, -20), (0, 0), (0, 0), (0, 1), (0, 20), (-1, 20), (1, -1), (1, 0)],
        *["bow-out", "bow-out", "bow-out", "hopeless", "nearly hopeless", "nearly hopeless", "longest", "shortest"],
    ]
)


class OneNode(RuleBasedStateMachine):
    """After each event the core and the model have done the same and wait for the same."""

    @initialize(given=settings_of_a_node)
    def begin(self, given: VirtualHostSettings) -> None:
        self.core = VirtualHost(given)
        self.model = Model(given.advbase, given.advskew, given.preempt, given.versions, given.tie_break)
        self.now = 1000.0
        self._happens(Started("ready"))

    @rule(moment=moments)
    def start(self, moment: str | float) -> None:
        self._move(moment)
        self._happens(Started("ready"))

    @rule(moment=moments, again=st.sampled_from([True, True, False]))
    def stop(self, moment: str | float, again: bool) -> None:
        self._move(moment)
        self._happens(Stopped("asked"))
        self._happens(DeadlineReached())  # a timer that was armed before
        if again:
            self._move(0.013)
            self._happens(Started("ready"))

    @rule(moment=moments, said=advertisements, place=st.integers(0, 1))
    def hear(self, moment: str | float, said: str | tuple[int, int], place: int) -> None:
        self._move(moment)
        version = self.core.settings.versions[place % len(self.core.settings.versions)]
        self._happens(self._advertisement(said, version))

    @rule(moment=moments, said=advertisements)
    def hear_in_each_version(self, moment: str | float, said: str | tuple[int, int]) -> None:
        self._move(moment)
        for version in self.core.settings.versions:
            self._happens(self._advertisement(said, version))

    @rule(moment=moments, between=st.sampled_from(["now", 0.00017]))
    def quarrel(self, moment: str | float, between: str | float) -> None:
        """A worse one, a better, one that is unwell, a worse again: master, BACKUP and master within one interval."""
        self._move(moment)
        for said in [(0, 20), (0, -20), (1, -1), (0, 20)]:
            self._happens(self._advertisement(said, self.core.settings.versions[0]))
            self._move(between)

    @rule(moment=moments, between=st.sampled_from(["restart", "recovery"]))
    def tie_twice(self, moment: str | float, between: str) -> None:
        """The longer wait of a tie stays, although the second time it would be shorter."""
        self._move(moment)
        if between == "recovery":
            self._happens(DemotionChanged(1, "proxy"))
        self._happens(self._advertisement((0, 0), self.core.settings.versions[0]))
        self._move(0.00017)
        restart: list[Event] = [Stopped("asked"), Started("ready")]
        for event in restart if between == "restart" else [DemotionChanged(0, "proxy")]:
            self._happens(event)
        self._happens(self._advertisement((0, 0), self.core.settings.versions[-1]))

    @rule(times=st.sampled_from([1, 2, 4, 12]))
    def follow(self, times: int) -> None:
        """Nothing happens but what is due: a whole promotion with its questions, or a tenth advertisement."""
        self._follow(times)

    def _follow(self, times: int) -> None:
        for _ in range(times):
            self._move("at the deadline")
            self._happens(DeadlineReached())

    @rule(moment=moments)
    def look_at_the_clock(self, moment: str | float) -> None:
        self._move(moment)
        self._happens(DeadlineReached())

    @rule(moment=moments, demotion=st.sampled_from([0, 0, 1, 2]))
    def change_demotion(self, moment: str | float, demotion: int) -> None:
        self._move(moment)
        self._happens(DemotionChanged(demotion, "proxy"))

    @rule(moment=moments, waits=st.booleans())
    def answer(self, moment: str | float, waits: bool) -> None:
        self._move(moment)
        self._happens(AddressAnswered("02:00:00:00:00:99"))
        if waits:
            self._follow(4)

    @rule(moment=moments, told=settings_of_a_node, beside=st.sampled_from(["nobody", "a worse one", "the same rank"]))
    def change_settings(self, moment: str | float, told: VirtualHostSettings, beside: str) -> None:
        """A worse one is heard before and after: how soon it is answered again is a matter of the new interval."""
        self._move(moment)
        if beside == "the same rank":
            told = replace(self.core.settings, preempt=told.preempt)
        if beside == "a worse one":
            self._happens(self._advertisement((0, 20), self.core.settings.versions[0]))
        self._happens(SettingsChanged(told))
        if beside == "a worse one":
            self._happens(self._advertisement((0, 20), told.versions[0]))

    def _move(self, moment: str | float) -> None:
        deadline_s = self.model.deadline_s
        if isinstance(moment, float):
            self.now += moment
        elif deadline_s is not None and moment != "now":
            if self.model.state is State.BACKUP and moment in ("late", "overslept"):
                deadline_s = min(self.model.patience_ends_s.values())  # not the question before it
            after_s = {
                "at the deadline": 0.0,
                "just before": -A_MOMENT_S,
                "late": self.model.patience_s / 2 - A_MOMENT_S,
                "overslept": self.model.patience_s / 2 + A_MOMENT_S,
            }[moment]
            self.now = max(self.now, deadline_s + after_s)

    def _advertisement(self, said: str | tuple[int, int], version: Version) -> AdvertisementReceived:
        model, demotion = self.model, 0
        patience_256ths = 3 * 256 * model.advbase + model.skew
        named = {"hopeless": patience_256ths + 1, "nearly hopeless": patience_256ths, "longest": 0xFFFE, "shortest": 1}
        if isinstance(said, str):
            interval_256ths, demotion = named.get(said, 0xFFFF), model.demotion
        else:
            interval_256ths = min(max(256 * model.advbase + model.skew + said[1], 0), 0xFFFE)
            demotion = max(model.demotion + said[0], 0)
        advbase, advskew = divmod(interval_256ths, 256)
        return AdvertisementReceived(Advertisement(1, advbase, advskew, demotion, 7, bytes(20)), version, "10.0.0.9")

    def _happens(self, event: Event) -> None:
        expected = self.model.happens(event, self.now)
        done = [words(command) for command in self.core.handle(event, self.now)]
        assert done == expected, f"at {self.now} {event}"
        assert self.core.state is self.model.state
        deadline_s, expected_s = self.core.next_deadline(), self.model.deadline_s
        assert (deadline_s is None) == (expected_s is None)
        if deadline_s is not None:
            assert deadline_s == pytest.approx(expected_s, rel=0, abs=1e-9), f"after {event} at {self.now}"
        SEEN.update(done)


def compare(runs: int, *phases: Phase, machine: type[OneNode] = OneNode) -> None:
    """The same runs at every call; raises AssertionError at the first difference."""
    profile = settings(
        max_examples=runs,
        stateful_step_count=50,
        derandomize=True,
        database=None,
        deadline=None,
        phases=phases or (Phase.generate, Phase.shrink),
    )
    run_state_machine_as_test(machine, settings=profile)


def test_the_core_does_what_the_model_says() -> None:
    """State, deadline, effects and reasons agree after every event, and every kind of effect was met often."""
    SEEN.clear()
    compare(RUNS)
    transitions = {
        "INIT -> BACKUP ready",
        "BACKUP -> INIT asked",
        "MASTER -> INIT asked",
        "BACKUP -> MASTER master_silent",
        "BACKUP -> MASTER master_bowed_out",
        "BACKUP -> MASTER master_demoted",
        "BACKUP -> MASTER preempted_inferior_master",
        "BACKUP -> MASTER master_hopeless",
        "MASTER -> BACKUP better_advertisement_received",
        "MASTER -> BACKUP equal_advertisement_received",
        "MASTER -> BACKUP overslept",
    }
    assert {said for said in SEEN if "->" in said} == transitions
    others = {"acquire", "release", "announce", "probe", "refuse address_answered_by_another_host"}
    rare = {said: SEEN[said] for said in transitions | others if SEEN[said] < 5}
    assert not rare, "hardly ever met"


# -- the test of the test ----------------------------------------------------------------------------------------------

type Plant = Callable[[pytest.MonkeyPatch], None]


def dead_ratio_2(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(election, "master_down_s", lambda advbase, advskew: 2 * advbase + advskew / 256)


def patience_of_the_raised_advskew(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._restart_master_down

    def restart(self: VirtualHost, version: Version, now: float, extra_s: float = 0.0) -> None:
        original(self, version, now, extra_s + (self.advskew - self.settings.advskew) / 256)

    patch.setattr(VirtualHost, "_restart_master_down", restart)


def hopeless_one_too_early(patch: pytest.MonkeyPatch) -> None:
    original = election.is_hopeless
    patch.setattr(election, "is_hopeless", lambda advbase, advskew, heard: original(advbase, advskew, heard + 1))


def equals_outrank(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(election, "outranks", lambda one, other: one <= other)


def demotion_not_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(election, "outranks", lambda one, other: one.interval_256ths < other.interval_256ths)


def no_takeover(reason: Reason) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        original = VirtualHost._take_over

        def take_over(self: VirtualHost, now: float, wait_s: float, why: Any, evidence: str) -> list[Command]:
            return [] if why is reason else original(self, now, wait_s, why, evidence)

        patch.setattr(VirtualHost, "_take_over", take_over)

    return plant


def no_extra_wait_after_a_tie(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VirtualHost, "_tie_extra_s", lambda self, again=False: 0.0)


def a_tie_is_forgotten_too_soon(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(virtual_host, "TIE_REMEMBERED_INTERVALS", 1)


def oversleeping_not_noticed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VirtualHost, "_wake", lambda self, now: [])


def no_announcement(step: str) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        original = getattr(VirtualHost, step)

        def forgetful(self: VirtualHost, *arguments: Any) -> list[Command]:
            return [each for each in original(self, *arguments) if not isinstance(each, AnnounceAddresses)]

        patch.setattr(VirtualHost, step, forgetful)

    return plant


def answers_not_limited(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._answer_inferior

    def answer(self: VirtualHost, now: float) -> list[Command]:
        self._answer_after_s = now
        return original(self, now)

    patch.setattr(VirtualHost, "_answer_inferior", answer)


def the_limit_outlives_a_defeat(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._promote

    def promote(self: VirtualHost, *arguments: Any) -> list[Command]:
        before_s = self._answer_after_s
        commands = original(self, *arguments)
        self._answer_after_s = before_s
        return commands

    patch.setattr(VirtualHost, "_promote", promote)


def the_longer_wait_is_cut(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._restart_master_down

    def restart(self: VirtualHost, version: Version, now: float, extra_s: float = 0.0) -> None:
        self._deadlines_master_down_s.pop(version, None)
        original(self, version, now, extra_s)

    patch.setattr(VirtualHost, "_restart_master_down", restart)


def both_families_must_be_silent(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VirtualHost, "_earliest_s", lambda self: max(self._deadlines_master_down_s.values()))


def an_answer_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VirtualHost, "_backup_address_answered", lambda self, event, now: [])
    patch.setitem(virtual_host.CELLS, (State.BACKUP, AddressAnswered), lambda self, event, now: [])


def demotion_not_advertised_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(virtual_host.CELLS, (State.MASTER, DemotionChanged), VirtualHost._set_demotion)


def early_by_a_moment(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._backup_deadline

    def deadline(self: VirtualHost, event: DeadlineReached, now: float) -> list[Command]:
        return original(self, event, now + 2 * A_MOMENT_S)

    patch.setitem(virtual_host.CELLS, (State.BACKUP, DeadlineReached), deadline)


PLANTS: dict[str, Plant] = {
    "dead ratio 2": dead_ratio_2,
    "patience of the raised advskew": patience_of_the_raised_advskew,
    "hopeless one too early": hopeless_one_too_early,
    "equals outrank": equals_outrank,
    "demotion not compared": demotion_not_compared,
    "bow-out ignored": no_takeover(Reason.MASTER_BOWED_OUT),
    "no preemption": no_takeover(Reason.PREEMPTED),
    "demoted master not relieved": no_takeover(Reason.MASTER_DEMOTED),
    "hopeless master kept": no_takeover(Reason.MASTER_HOPELESS),
    "no extra wait after a tie": no_extra_wait_after_a_tie,
    "a tie is forgotten too soon": a_tie_is_forgotten_too_soon,
    "oversleeping not noticed": oversleeping_not_noticed,
    "no announcement at promotion": no_announcement("_promote"),
    "no announcement later": no_announcement("_advertise"),
    "no announcement in an answer": no_announcement("_answer_inferior"),
    "answers not limited": answers_not_limited,
    "the longer wait after a tie is cut": the_longer_wait_is_cut,
    "the limit of answers outlives a defeat": the_limit_outlives_a_defeat,
    "both families must be silent": both_families_must_be_silent,
    "an answer is ignored": an_answer_is_ignored,
    "demotion not advertised at once": demotion_not_advertised_at_once,
    "early by a moment": early_by_a_moment,
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_core_with_a_planted_bug_differs_from_the_model(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mistake is found within as many runs."""
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        compare(RUNS, Phase.generate)
