"""Bugs to plant into the wait before a preemption: what it concerns, when it begins, how it grows, who ends it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.simulation.planted import Plant
from tests.simulation.planted_lines import make_plant
from wsa_proxy.carp import calm
from wsa_proxy.carp import virtual_host
from wsa_proxy.carp.calm import Calm
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.simulation.node import Node


def plant_silence_waits_as_well(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._backup_deadline

    def deadline(self: VirtualHost, event: Any, now: float) -> list[Command]:
        is_silence = self._reason_master_down is Reason.MASTER_SILENT
        if is_silence and self._earliest_s() <= now < self.calm.due_s:
            self._listen(now)
            return []
        return original(self, event, now)

    patch.setitem(virtual_host.CELLS, (State.BACKUP, DeadlineReached), deadline)


def plant_doubled_without_a_limit(patch: pytest.MonkeyPatch) -> None:
    def grown_s(self: Calm) -> float:
        return math.ldexp(self.settings.preempt_delay_s, max(self._role_changes - 1, 0))

    patch.setattr(Calm, "_grown_s", property(grown_s))


def plant_never_doubled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Calm, "_grown_s", property(lambda self: self.settings.preempt_delay_s))


def plant_every_first_change_doubles(patch: pytest.MonkeyPatch) -> None:
    def grown_s(self: Calm) -> float:
        first_s = self.settings.preempt_delay_s
        return min(math.ldexp(first_s, self._role_changes), max(first_s, self.settings.preempt_delay_max_s))

    patch.setattr(Calm, "_grown_s", property(grown_s))


def plant_a_succession_without_an_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calm, "QUICK_S", math.inf)


def plant_a_succession_of_twenty_seconds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calm, "QUICK_S", 20.0)


def plant_waits_from_the_last_role_change_on(patch: pytest.MonkeyPatch) -> None:
    original = Calm.role_changed

    def role_changed(self: Calm, now: float) -> None:
        original(self, now)
        self._begun_at_s = now

    patch.setattr(Calm, "role_changed", role_changed)
    patch.setattr(Calm, "begin", lambda self, now: None)


def plant_waits_from_the_first_inferior_heard_on(patch: pytest.MonkeyPatch) -> None:
    original = Calm.endure

    def endure(self: Calm, now: float) -> list[Command]:
        if not self.waits:
            self._begun_at_s = now
        return original(self, now)

    patch.setattr(Calm, "endure", endure)


def plant_each_advertisement_begins_the_wait_anew(patch: pytest.MonkeyPatch) -> None:
    original = Calm.endure

    def endure(self: Calm, now: float) -> list[Command]:
        said = original(self, now)
        self._begun_at_s = now
        return said

    patch.setattr(Calm, "endure", endure)


def plant_being_unwell_counts_as_waiting(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(virtual_host.CELLS, (State.BACKUP, DemotionChanged), VirtualHost._set_demotion)


def plant_a_reload_begins_the_wait_anew(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._backup_change

    def change(self: VirtualHost, event: SettingsChanged, now: float) -> list[Command]:
        self.calm.begin(now)
        return original(self, event, now)

    patch.setitem(virtual_host.CELLS, (State.BACKUP, SettingsChanged), change)


def plant_a_reload_keeps_the_delay(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost._take

    def take(self: VirtualHost, settings: Any) -> None:
        before = self.calm.settings
        original(self, settings)
        self.calm.settings = before

    patch.setattr(VirtualHost, "_take", take)


def plant_released_by_what_is_refused(patch: pytest.MonkeyPatch) -> None:
    original = Node._refuse

    def refuse(self: Node, *arguments: Any) -> None:
        if self.core is not None:
            self.core.calm.release()
        original(self, *arguments)

    patch.setattr(Node, "_refuse", refuse)


def plant_a_farewell_ends_the_wait(patch: pytest.MonkeyPatch) -> None:
    original = VirtualHost.handle

    def handle(self: VirtualHost, event: Any, now: float) -> list[Command]:
        if type(event).__name__ == "FarewellReceived":
            self.calm.release()
        return original(self, event, now)

    patch.setattr(VirtualHost, "handle", handle)


def plant_released_for_all_time(patch: pytest.MonkeyPatch) -> None:
    original = Calm.begin

    def begin(self: Calm, now: float) -> None:
        if math.isinf(self._told_due_s) or not math.isinf(self._begun_at_s):
            original(self, now)

    patch.setattr(Calm, "begin", begin)


def plant_the_operator_is_not_heard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Calm, "release", lambda self: None)


def plant_the_wait_is_told_with_each_advertisement(patch: pytest.MonkeyPatch) -> None:
    original = Calm.endure

    def endure(self: Calm, now: float) -> list[Command]:
        self._told_due_s = math.nan
        return original(self, now)

    patch.setattr(Calm, "endure", endure)


def plant_the_wait_is_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Calm, "endure", lambda self, now: self.rest())


def plant_who_is_endured_is_not_heard(patch: pytest.MonkeyPatch) -> None:
    """Its silence seems to have begun before."""
    original = VirtualHost._backup_hears

    def hears(self: VirtualHost, event: Any, now: float) -> list[Command]:
        before = dict(self._deadlines_master_down_s)
        commands = original(self, event, now)
        if self.calm.waits:
            self._deadlines_master_down_s = before
        return commands

    patch.setattr(VirtualHost, "_backup_hears", hears)
    for cell, handler in virtual_host.CELLS.items():
        if handler is original:
            patch.setitem(virtual_host.CELLS, cell, hears)


INFERIOR = "if inferior and now >= self.calm.due_s:"
STILL = f"{INFERIOR[:-1]} and not self.calm.waits:"
ENDURED = "now < self.calm.due_s and self.settings.preempt"

BUGS: list[tuple[str, Any, str, str, str, set[str]]] = [
    ("preempts at once", VirtualHost, "_backup_hears", INFERIOR, "if inferior:", {"I2"}),
    ("who has waited waits on", VirtualHost, "_backup_hears", INFERIOR, STILL, {"V4"}),
    (
        "an unwell master is endured",
        VirtualHost,
        "_backup_hears",
        "if other.demotion > self.demotion:",
        f"if other.demotion > self.demotion and not ({ENDURED}):",
        {"V9", "V4"},
    ),
    (
        "a bow-out is endured",
        VirtualHost,
        "_backup_hears",
        "if heard.is_bow_out:",
        f"if heard.is_bow_out and not ({ENDURED}):",
        {"V3", "I2"},
    ),
    (
        "a hopeless master is endured",
        VirtualHost,
        "_backup_hears",
        "if election.is_hopeless(",
        f"if not ({ENDURED}) and election.is_hopeless(",
        {"V4"},
    ),
]

PLANTED: list[tuple[Plant, set[str]]] = [
    (plant_silence_waits_as_well, {"V11"}),
    (plant_doubled_without_a_limit, {"V4"}),
    (plant_never_doubled, {"I2", "V4"}),
    (plant_every_first_change_doubles, {"V4"}),
    (plant_a_succession_without_an_end, {"V4"}),
    (plant_a_succession_of_twenty_seconds, {"I2", "V4"}),
    (plant_waits_from_the_last_role_change_on, {"I2"}),
    (plant_waits_from_the_first_inferior_heard_on, {"V4"}),
    (plant_each_advertisement_begins_the_wait_anew, {"V4"}),
    (plant_being_unwell_counts_as_waiting, {"I2", "V4"}),
    (plant_a_reload_begins_the_wait_anew, {"V4"}),
    (plant_a_reload_keeps_the_delay, {"I2", "V4"}),
    (plant_released_by_what_is_refused, {"I3"}),
    (plant_a_farewell_ends_the_wait, {"I2"}),
    (plant_released_for_all_time, {"I2"}),
    (plant_the_operator_is_not_heard, {"V4"}),
    (plant_the_wait_is_told_with_each_advertisement, {"V4"}),
    (plant_the_wait_is_not_told, {"V4"}),
    (plant_who_is_endured_is_not_heard, {"I2", "V11"}),
    *[(make_plant(*bug[:5]), bug[5]) for bug in BUGS],
]
"""In 15 of 100 runs nodes wait."""
