"""Bugs to plant into the sealed counter and into the way in which a sealed group uses it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.planted import Plant
from wsa_proxy.carp import credentials
from wsa_proxy.carp import seal
from wsa_proxy.carp import virtual_host
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.simulation import run


def plant_key_of_plain_carp(patch: pytest.MonkeyPatch) -> None:
    """Every counter of plain CARP passes for a seal then."""
    patch.setattr(run, "SEALED_KEY", run.KEY)


def plant_header_not_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(credentials, "says", lambda counter, advbase, advskew, demotion: True)


def plant_growth_is_freshness(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(seal, "AGE_MS_MIN", 1e15)
    patch.setattr(seal, "AGE_BOW_OUT_MS", 1e15)


def plant_wall_clock_followed(patch: pytest.MonkeyPatch) -> None:
    """Whoever speaks asks the wall clock how late it is."""
    original = GroupTime.sign

    def sign(self: GroupTime, *arguments: Any) -> int:
        clock_ms, wall_ms = arguments[4], arguments[5]
        self.line_ms = wall_ms - clock_ms
        return original(self, *arguments)

    patch.setattr(GroupTime, "sign", sign)


def plant_lower_counters_believed(patch: pytest.MonkeyPatch) -> None:
    """As if each source address had a history of its own."""
    original = GroupTime.judge

    def judge(self: GroupTime, counter: int, *arguments: Any) -> Verdict:
        verdict = original(self, counter, *arguments)
        return Verdict.BELIEVED if verdict is Verdict.REPLAY else verdict

    patch.setattr(GroupTime, "judge", judge)


def plant_first_contact_counts_in_full(patch: pytest.MonkeyPatch) -> None:
    def contact(self: VirtualHost, event: FirstContact, now: float) -> list[Command]:
        self._deadlines_master_down_s = dict.fromkeys(self._deadlines_master_down_s, now)
        return []

    patch.setitem(virtual_host.CELLS, (State.BACKUP, FirstContact), contact)


def plant_own_sends_do_not_raise_the_top(patch: pytest.MonkeyPatch) -> None:
    original = GroupTime.sign

    def sign(self: GroupTime, *arguments: Any) -> int:
        top = self.top
        counter = original(self, *arguments)
        self.top = top
        return counter

    patch.setattr(GroupTime, "sign", sign)


def plant_clock_of_the_group_not_followed(patch: pytest.MonkeyPatch) -> None:
    """Everybody keeps the wall clock's time that it began with."""

    def follow(self: GroupTime, counter: int, line_ms: float, clock_ms: float) -> None:
        self.line_ms = line_ms if self.line_ms is None else self.line_ms

    patch.setattr(GroupTime, "_follow", follow)


def plant_farewell_is_a_bow_out(patch: pytest.MonkeyPatch) -> None:
    original = Credentials.sign

    def sign(self: Credentials, *values: int, farewell: bool = False, reading: Reading, chance: int) -> bytes:
        said = (255, 255, values[2]) if farewell else values
        return original(self, *said, reading=reading, chance=chance)

    patch.setattr(Credentials, "sign", sign)


def plant_farewell_without_its_bit(patch: pytest.MonkeyPatch) -> None:
    original = Credentials.sign

    def sign(self: Credentials, *values: int, farewell: bool = False, reading: Reading, chance: int) -> bytes:
        return original(self, *values, reading=reading, chance=chance)

    patch.setattr(Credentials, "sign", sign)


def plant_farewell_announced_by_all(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(virtual_host.CELLS, (State.BACKUP, FarewellReceived), VirtualHost._master_farewell)


PLANTED: list[tuple[Plant, set[str]]] = [
    (plant_key_of_plain_carp, {"I4"}),
    (plant_header_not_compared, {"I3", "I4"}),
    (plant_growth_is_freshness, {"I4"}),
    (plant_lower_counters_believed, {"I4"}),
    (plant_wall_clock_followed, {"I10", "I4", "V5"}),
    (plant_first_contact_counts_in_full, {"I2"}),
    (plant_own_sends_do_not_raise_the_top, {"I4"}),
    (plant_clock_of_the_group_not_followed, {"I4", "V4"}),
    (plant_farewell_is_a_bow_out, {"I6", "V4", "V5", "I9"}),
    (plant_farewell_without_its_bit, {"V2", "V3", "V4", "V9"}),
    (plant_farewell_announced_by_all, {"I7"}),
]
