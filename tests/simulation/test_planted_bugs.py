"""The test of the tests: each bug, planted into the real core, is caught, and by the invariant that names it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from wsa_proxy.carp import election
from wsa_proxy.carp import virtual_host
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.virtual_host import Reason
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.simulation.run import play

SEEDS = 250

type Plant = Callable[[pytest.MonkeyPatch], None]


def plant_dead_ratio_2(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(election, "master_down_s", lambda advbase, advskew: 2 * advbase + advskew / 256)


def plant_dead_ratio_4(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(election, "master_down_s", lambda advbase, advskew: 4 * advbase + advskew / 256)


def plant_deadline_not_pushed_back(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._backup_hears

    def hears(self: VirtualHost, *arguments: Any) -> list[Command]:
        before = dict(self._deadlines_master_down_s)
        commands = original(self, *arguments)
        self._deadlines_master_down_s.update(before)
        return commands

    patch.setitem(virtual_host.CELLS, (State.BACKUP, AdvertisementReceived), hears)


def plant_bow_out_ignored(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._take_over

    def take_over(self: VirtualHost, now: float, wait_s: float, reason: Reason, evidence: str) -> list[Command]:
        return [] if reason is Reason.MASTER_BOWED_OUT else original(self, now, wait_s, reason, evidence)

    patch.setattr(VirtualHost, "_take_over", take_over)


def plant_bow_out_heard_for_one_version_only(patch: pytest.MonkeyPatch) -> None:
    """The bug that the tunnel found first: a worse node took over beside the one that had followed the bow-out."""
    original = VirtualHost._backup_hears

    def hears(self: VirtualHost, event: Any, now: float) -> list[Command]:
        before = dict(self._deadlines_master_down_s)
        commands = original(self, event, now)
        if not commands and not event.advertisement.is_bow_out:
            others = {version: deadline for version, deadline in before.items() if version != event.version}
            self._deadlines_master_down_s.update(others)
        return commands

    patch.setitem(virtual_host.CELLS, (State.BACKUP, AdvertisementReceived), hears)


def plant_takeover_at_once_after_a_tie(patch: pytest.MonkeyPatch) -> None:
    """The second one: two equals and a demoted third changed their master for ever."""
    patch.setattr(VirtualHost, "_tie_wait_s", lambda self, now: 0.0)


def plant_no_longer_wait_after_a_tie(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VirtualHost, "_tie_extra_s", lambda self: 0.0)


def plant_nobody_yields_to_an_equal(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(election, "outranks", lambda one, other: one <= other)


def plant_no_release_on_defeat(patch: pytest.MonkeyPatch) -> None:
    without(patch, "_yield", ReleaseAddresses)


def plant_no_announcement(patch: pytest.MonkeyPatch) -> None:
    without(patch, "_promote", AnnounceAddresses)


def plant_no_refresh(patch: pytest.MonkeyPatch) -> None:
    without(patch, "_advertise", AnnounceAddresses)
    without(patch, "_answer_inferior", AnnounceAddresses)


def plant_oversleeping_not_noticed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VirtualHost, "_wake", lambda self, now: [])


def plant_demotion_not_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VirtualHost, "_set_demotion", lambda self, event, now: [])


def plant_no_preemption(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._take_over

    def take_over(self: VirtualHost, now: float, wait_s: float, reason: Reason, evidence: str) -> list[Command]:
        return [] if reason is Reason.PREEMPTED else original(self, now, wait_s, reason, evidence)

    patch.setattr(VirtualHost, "_take_over", take_over)


def plant_no_bow_out(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._master_stop

    def stop(self: VirtualHost, *arguments: Any) -> list[Command]:
        return [command for command in original(self, *arguments) if not isinstance(command, SendAdvertisement)]

    patch.setitem(virtual_host.CELLS, (State.MASTER, Stopped), stop)


def plant_storm_of_answers(patch: pytest.MonkeyPatch) -> None:
    def answer(self: VirtualHost, now: float) -> list[Command]:
        return [*[each for _ in range(9) for each in self._advertise(now)], AnnounceAddresses()]

    patch.setattr(VirtualHost, "_answer_inferior", answer)


def plant_backup_advertises(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._backup_deadline

    def deadline(self: VirtualHost, *arguments: Any) -> list[Command]:
        return original(self, *arguments) or [SendAdvertisement(self.settings.advbase, self.advskew, 0)]

    patch.setitem(virtual_host.CELLS, (State.BACKUP, DeadlineReached), deadline)


def without(patch: pytest.MonkeyPatch, method: str, kind: type) -> None:
    """A step of the machine that forgets one kind of command."""
    original = getattr(VirtualHost, method)

    def forgetful(self: VirtualHost, *arguments: Any) -> list[Command]:
        return [command for command in original(self, *arguments) if not isinstance(command, kind)]

    patch.setattr(VirtualHost, method, forgetful)


@pytest.mark.parametrize(
    ("plant", "invariants"),
    [
        (plant_dead_ratio_2, {"I2"}),
        (plant_dead_ratio_4, {"V1", "V2", "V4"}),
        (plant_deadline_not_pushed_back, {"I2"}),
        (plant_bow_out_ignored, {"V3"}),
        (plant_bow_out_heard_for_one_version_only, {"I2"}),
        (plant_takeover_at_once_after_a_tie, {"V9", "V4", "V5"}),
        (plant_no_longer_wait_after_a_tie, {"V2", "V3", "V4", "V9"}),
        (plant_nobody_yields_to_an_equal, {"I1", "I6", "V4"}),
        (plant_no_release_on_defeat, {"I5"}),
        (plant_no_announcement, {"I7"}),
        (plant_no_refresh, {"I7", "V6"}),
        (plant_oversleeping_not_noticed, {"V7"}),
        (plant_demotion_not_compared, {"V9", "V4"}),
        (plant_no_preemption, {"I2"}),
        (plant_no_bow_out, {"V3"}),
        (plant_storm_of_answers, {"I6"}),
        (plant_backup_advertises, {"I6"}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_planted_bug_is_caught(plant: Plant, invariants: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By an invariant that names what is wrong, within a few hundred seeds."""
    plant(monkeypatch)
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        if invariant := play(seed).invariant:
            seen[invariant] += 1
            if invariant in invariants:
                return
    pytest.fail(f"not caught by any of {sorted(invariants)} in {SEEDS} seeds; others: {dict(seen)}")
