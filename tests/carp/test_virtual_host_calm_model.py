"""One virtual host with a delay against the model of ``model.py``, and planted bugs that must differ from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import Phase
from hypothesis import strategies as st
from hypothesis.stateful import initialize
from hypothesis.stateful import rule

from tests.carp.test_virtual_host_model import A_MOMENT_S
from tests.carp.test_virtual_host_model import OneNode
from tests.carp.test_virtual_host_model import compare
from tests.carp.test_virtual_host_model import moments
from wsa_proxy.carp import calm
from wsa_proxy.carp import virtual_host
from wsa_proxy.carp.calm import Calm
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import PreemptionReleased
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Version

calm_settings = st.builds(
    VirtualHostSettings,
    vhid=st.just(1),
    advbase=st.sampled_from([1, 0, 2]),
    advskew=st.sampled_from([0, 10, 100]),
    preempt=st.sampled_from([True, True, True, False]),
    versions=st.sampled_from([(4,), (4, 6)]),
    tie_break=st.sampled_from([0, 128]),
    preempt_delay_s=st.sampled_from([0.7, 2.3, 7.1, 31.0, 0.0]),
    preempt_delay_max_s=st.sampled_from([1.7, 23.0, 60.0, 170.0]),
)
AROUND_THE_WAIT_S = {"before the wait ends": -A_MOMENT_S, "when the wait ends": A_MOMENT_S}
long_moments = st.one_of(moments, st.sampled_from([*AROUND_THE_WAIT_S, *AROUND_THE_WAIT_S, "in a minute", 31.7]))
WORSE_ONES = st.sampled_from([(0, 1), (0, 20), (0, 20), (1, 20), (0, -1), "hopeless", "bow-out"])


class OneCalmNode(OneNode):
    """The same with a delay, and more of what makes it longer."""

    @initialize(given=calm_settings)
    def begin(self, given: VirtualHostSettings) -> None:
        super().begin(given)
        self.model.delay_s, self.model.delay_max_s = given.preempt_delay_s, given.preempt_delay_max_s

    @rule(moment=long_moments, said=WORSE_ONES)
    def hear_a_worse_one(self, moment: str | float, said: str | tuple[int, int]) -> None:
        self._move(moment)
        self._happens(self._advertisement(said, self.core.settings.versions[0]))

    @rule(moment=long_moments)
    def release(self, moment: str | float) -> None:
        self._move(moment)
        self._happens(PreemptionReleased())

    @rule(moment=long_moments, for_s=st.sampled_from([0.013, 3.1, 57.3, 131.0]))
    def leave_and_come_back(self, moment: str | float, for_s: float) -> None:
        self._move(moment)
        self._happens(Stopped("asked"))
        self._move(for_s)
        self._happens(Started("ready"))

    @rule(delay_s=st.sampled_from([0.0, 1.3, 12.7]), most_s=st.sampled_from([1.7, 41.0]))
    def take_another_delay(self, delay_s: float, most_s: float) -> None:
        told = replace(self.core.settings, preempt_delay_s=delay_s, preempt_delay_max_s=most_s)
        self._happens(SettingsChanged(told))

    @rule(times=st.sampled_from([1, 3, 7]))
    def flap(self, times: int) -> None:
        for _ in range(times):
            for said in [(0, 20), (0, -20)]:
                self._move("when the wait ends")
                self._happens(self._advertisement(said, self.core.settings.versions[0]))

    def _move(self, moment: str | float) -> None:
        if moment in AROUND_THE_WAIT_S:
            self.now = max(self.now, self.model.calm_until_s + AROUND_THE_WAIT_S[str(moment)])
        else:
            super()._move(59.3 if moment == "in a minute" else moment)


RUNS = 300


def test_the_core_does_what_the_model_says_of_calm() -> None:
    """After every event; where the delay is 0, ``test_virtual_host_model.py`` does."""
    compare(RUNS, machine=OneCalmNode)


type Plant = Callable[[pytest.MonkeyPatch], None]


def no_limit(patch: pytest.MonkeyPatch) -> None:
    def grown_s(self: Calm) -> float:
        return math.ldexp(self.settings.preempt_delay_s, max(self._role_changes - 1, 0))

    patch.setattr(Calm, "_grown_s", property(grown_s))


def no_doubling(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Calm, "_grown_s", property(lambda self: self.settings.preempt_delay_s))


def never_calm_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calm, "QUICK_S", math.inf)


def calm_again_while_it_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calm, "QUICK_DELAYS", 0)


def from_the_last_role_change(patch: pytest.MonkeyPatch) -> None:
    original = Calm.role_changed

    def role_changed(self: Calm, now: float) -> None:
        original(self, now)
        self._begun_at_s = now

    patch.setattr(Calm, "role_changed", role_changed)
    patch.setattr(Calm, "begin", lambda self, now: None)


def unwell_counts_as_waiting(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(virtual_host.CELLS, (State.BACKUP, DemotionChanged), VirtualHost._set_demotion)


def released_for_ever(patch: pytest.MonkeyPatch) -> None:
    original = Calm.begin

    def begin(self: Calm, now: float) -> None:
        if not math.isinf(self._begun_at_s) or self._role_changes == 0:
            original(self, now)

    patch.setattr(Calm, "begin", begin)


def wait_for_silence_too(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._backup_deadline

    def deadline(self: VirtualHost, event: DeadlineReached, now: float) -> list[Command]:
        return [] if now < self.calm.due_s else original(self, event, now)

    patch.setitem(virtual_host.CELLS, (State.BACKUP, DeadlineReached), deadline)


def told_each_time(patch: pytest.MonkeyPatch) -> None:
    original = Calm.endure

    def endure(self: Calm, now: float) -> list[Command]:
        self._told_due_s = math.nan
        return original(self, now)

    patch.setattr(Calm, "endure", endure)


def endured_in_silence(patch: pytest.MonkeyPatch) -> None:
    """The advertisement of a master that is endured is not heard: its silence ends too soon."""
    original = VirtualHost._restart_master_down

    def restart(self: VirtualHost, version: Version, now: float, extra_s: float = 0.0) -> None:
        if not self.calm.waits:
            original(self, version, now, extra_s)

    patch.setattr(VirtualHost, "_restart_master_down", restart)


PLANTS = [
    no_limit,
    no_doubling,
    never_calm_again,
    calm_again_while_it_waits,
    from_the_last_role_change,
    unwell_counts_as_waiting,
    released_for_ever,
    wait_for_silence_too,
    told_each_time,
    endured_in_silence,
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_core_that_is_calm_in_another_way_differs_from_the_model(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake is found within as many runs."""
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        compare(RUNS, Phase.generate, machine=OneCalmNode)
