"""Bugs to plant into the real core, the seal and the model of a process; each with the invariants that must catch it.

``make mutants`` plants them one by one, runs a campaign with each and writes the table of docs/mutants.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from wsa_proxy.carp import election
from wsa_proxy.carp import virtual_host
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.simulation import acting
from wsa_proxy.simulation import kernel
from wsa_proxy.simulation import node
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.node import Node

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
    patch.setattr(VirtualHost, "_tie_extra_s", lambda self, again=False: 0.0)


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


# -- the protocol, further ---------------------------------------------------------------------------------------------


def plant_inferior_not_answered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VirtualHost, "_answer_inferior", lambda self, now: [])


def plant_waiting_answer_not_counted(patch: pytest.MonkeyPatch) -> None:
    """The tunnel's: what was answered late could be answered once more at once."""
    patch.setattr(
        VirtualHost,
        "_master_deadline",
        lambda self, event, now: [] if now < self._deadline_advertisement_s else self._advertise(now),
    )
    patch.setitem(virtual_host.CELLS, (State.MASTER, DeadlineReached), VirtualHost._master_deadline)


def plant_no_release_on_stop(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._master_stop

    def stop(self: VirtualHost, *arguments: Any) -> list[Command]:
        return [command for command in original(self, *arguments) if not isinstance(command, ReleaseAddresses)]

    patch.setitem(virtual_host.CELLS, (State.MASTER, Stopped), stop)


def plant_every_slower_master_is_hopeless(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(election, "is_hopeless", lambda advbase, advskew, heard: advbase * 256 + advskew < heard)


def plant_bow_out_answered_by_all_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(virtual_host, "BOW_OUT_WAIT_S_MAX", 0.5)
    patch.setattr(virtual_host, "BOW_OUT_WAIT_PER_ADVSKEW_S", 0.5)


def plant_interval_of_the_advskew_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(VirtualHost, "_interval_s", lambda self: 0.5 + self.advskew / 256)


# -- the process and its kernel ----------------------------------------------------------------------------------------


def plant_lease_not_renewed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(kernel, "RENEW_EVERY_S", math.inf)


def plant_leftovers_not_removed(patch: pytest.MonkeyPatch) -> None:
    original = Node._notice

    def notice(self: Node) -> None:
        if self.core is not None and self.state is State.INIT:
            self.kernel.lease_until_s = self._left_s  # type: ignore[attr-defined]
        original(self)

    def crash(self: Node) -> None:
        self._left_s = self.kernel.lease_until_s  # type: ignore[attr-defined]
        original_crash(self)

    original_crash = Node.crash
    patch.setattr(Node, "_left_s", 0.0, raising=False)
    patch.setattr(Node, "crash", crash)
    patch.setattr(Node, "_notice", notice)


def plant_lost_carrier_not_noticed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Node, "plug", lambda self, up: setattr(self, "link_up", up))


def plant_no_second_look_after_a_slow_kernel(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(acting, "FROZEN_S", math.inf)


def plant_lease_of_a_minute(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(kernel, "LEASE_S_MIN", 60.0)
    patch.setattr(kernel, "LEASE_S_MAX", 60.0)


def plant_refused_acquisition_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Node, "_leave", lambda self: None)


def plant_timer_set_anew_by_another_group(patch: pytest.MonkeyPatch) -> None:
    """Any frame sets the timer anew, with a new lateness, although it means nothing."""
    original = Node._hear

    def hear(self: Node, frame: Advertised, sender: int) -> None:
        original(self, frame, sender)
        self._arm()

    patch.setattr(Node, "_hear", hear)


def plant_queue_without_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(node, "QUEUE_MAX", 100_000)


PLANTED: list[tuple[Plant, set[str]]] = [
    (plant_dead_ratio_2, {"I2"}),
    (plant_dead_ratio_4, {"V1", "V2", "V4", "V11"}),
    (plant_deadline_not_pushed_back, {"I2"}),
    (plant_bow_out_ignored, {"V3"}),
    (plant_bow_out_heard_for_one_version_only, {"I2"}),
    (plant_takeover_at_once_after_a_tie, {"I2", "V9", "V4", "V5"}),
    (plant_no_longer_wait_after_a_tie, {"I2", "V2", "V3", "V4", "V9"}),
    (plant_nobody_yields_to_an_equal, {"I1", "I6", "V4"}),
    (plant_no_release_on_defeat, {"I5", "I7", "V6"}),
    (plant_no_announcement, {"I7"}),
    (plant_no_refresh, {"I7", "V6"}),
    (plant_oversleeping_not_noticed, {"V7"}),
    (plant_demotion_not_compared, {"I6", "V9", "V4"}),
    (plant_no_preemption, {"I2"}),
    (plant_no_bow_out, {"V3"}),
    (plant_storm_of_answers, {"I6"}),
    (plant_backup_advertises, {"I6"}),
    (plant_inferior_not_answered, {"I1"}),
    (plant_waiting_answer_not_counted, {"I6"}),
    (plant_no_release_on_stop, {"I5", "I7"}),
    (plant_every_slower_master_is_hopeless, {"I2"}),
    (plant_bow_out_answered_by_all_at_once, {"V3"}),
    (plant_interval_of_the_advskew_alone, {"I6"}),
    (plant_lease_not_renewed, {"I5"}),
    (plant_leftovers_not_removed, {"I5"}),
    (plant_lost_carrier_not_noticed, {"V10"}),
    (plant_no_second_look_after_a_slow_kernel, {"I7"}),
    (plant_lease_of_a_minute, {"V8"}),
    (plant_refused_acquisition_ignored, {"I5", "I9"}),
    (plant_queue_without_end, {"I9"}),
    (plant_timer_set_anew_by_another_group, {"I8"}),
]
