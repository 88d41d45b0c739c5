"""Bugs to plant into the way in which a group is moved to another secret or another security: into the product's
credentials, into what a running process does when it is told, and one into the operator."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.planted import Plant
from wsa_proxy.carp import credentials
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Sealer
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation import moving
from wsa_proxy.simulation.mover import Mover
from wsa_proxy.simulation.moving import MovingNode
from wsa_proxy.simulation.ways import ROTATION
from wsa_proxy.simulation.ways import Way


def plant_a_time_for_each_secret(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Credentials, "_share_time", lambda self, sealer: None)


def plant_tolerance_while_plain_carp_is_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(credentials.Reading, "_replace", lambda self, **_: self)


def plant_replays_refused_by_who_signs_plain_carp(patch: pytest.MonkeyPatch) -> None:
    def judge(self: Sealer, heard: Advertisement) -> Verdict:
        return Verdict.REPLAY if heard.counter < self.time.top else Verdict.BELIEVED

    patch.setattr(Sealer, "judge_without_time", judge)


def plant_headers_not_compared_by_who_signs_plain_carp(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Sealer, "judge_without_time", lambda self, heard: Verdict.BELIEVED)


def plant_wall_clock_not_asked_while_plain_carp_is_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GroupTime, "raise_to", lambda self, wall_ms, clock_ms: None)


def plant_only_the_first_secret_seals(patch: pytest.MonkeyPatch) -> None:
    original = Credentials.__init__

    def init(self: Credentials, security: Any, plain: Authenticator, sealers: Any) -> None:
        original(self, security, plain, sealers[:1])

    patch.setattr(Credentials, "__init__", init)


def plant_the_last_secret_signs(patch: pytest.MonkeyPatch) -> None:
    original = Credentials.__init__

    def init(self: Credentials, security: Any, plain: Authenticator, sealers: Any) -> None:
        original(self, security, plain, sealers[::-1])

    patch.setattr(Credentials, "__init__", init)


def plant_packets_of_no_secret_move_the_time(patch: pytest.MonkeyPatch) -> None:
    original = Credentials.accept

    def accept(self: Credentials, payload: bytes, *arguments: Any, **named: Any) -> Any:
        what = original(self, payload, *arguments, **named)
        if what is Reject.BAD_SECRET and self.seals:
            self.sealers[0].time.raise_to((int.from_bytes(payload[8:16]) >> 22) + 1.0, named["reading"].clock_ms)
        return what

    patch.setattr(Credentials, "accept", accept)


def _with_way(patch: pytest.MonkeyPatch, changed: Any) -> None:
    """The process reads another way than its operator has written."""
    original = MovingNode._read_way

    def read_way(self: MovingNode, known: dict[str, GroupTime]) -> None:
        written = self.way
        self.way = changed(written)
        original(self, known)
        self.way = written

    patch.setattr(MovingNode, "_read_way", read_way)


def plant_an_old_secret_is_believed_for_ever(patch: pytest.MonkeyPatch) -> None:
    def changed(way: Way) -> Way:
        return Way(way.security, (*way.secrets, *[secret for secret in ROTATION[1] if secret not in way.secrets]))

    _with_way(patch, changed)


def plant_plain_carp_is_believed_for_ever(patch: pytest.MonkeyPatch) -> None:
    def changed(way: Way) -> Way:
        return Way((Security.SEALED, Security.CARP), way.secrets) if way.only_sealed else way

    _with_way(patch, changed)


def plant_plain_carp_signs_on(patch: pytest.MonkeyPatch) -> None:
    def changed(way: Way) -> Way:
        return Way(way.security[::-1], way.secrets) if len(way.security) == 2 and way.signs_sealed else way

    _with_way(patch, changed)


def plant_another_plain_counter_with_each_step(patch: pytest.MonkeyPatch) -> None:
    """Our own advertisements that come back are a stranger's then."""
    original = MovingNode._read_way

    def read_way(self: MovingNode, known: dict[str, GroupTime]) -> None:
        self._counter += 1
        original(self, known)

    patch.setattr(MovingNode, "_read_way", read_way)


def plant_the_time_is_forgotten_with_each_step(patch: pytest.MonkeyPatch) -> None:
    original = MovingNode.take_way

    def take_way(self: MovingNode, way: Way) -> None:
        self.times, self.files = {}, {}
        original(self, way)

    patch.setattr(MovingNode, "take_way", take_way)


def plant_the_core_keeps_its_settings(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(moving, "_change", lambda core, settings: None)


def plant_the_core_keeps_the_deadlines_of_both_versions(patch: pytest.MonkeyPatch) -> None:
    def change(core: VirtualHost, settings: VirtualHostSettings) -> None:
        core.settings = settings

    patch.setattr(moving, "_change", change)


def plant_a_step_is_a_stop_and_a_start(patch: pytest.MonkeyPatch) -> None:
    original = MovingNode.take_way

    def take_way(self: MovingNode, way: Way) -> None:
        original(self, way)
        if self.core is not None and self.link_up:
            self.handle(Stopped("another way"))
            self.handle(Started("another way"))

    patch.setattr(MovingNode, "take_way", take_way)


def plant_the_operator_leaves_a_step_out(patch: pytest.MonkeyPatch) -> None:
    original = Mover._take

    def take(self: Mover, node: MovingNode, stage: int) -> None:
        original(self, node, min(stage + 1, len(self._move.ways) - 1))

    patch.setattr(Mover, "_take", take)


PLANTED: list[tuple[Plant, set[str]]] = [
    (plant_a_time_for_each_secret, {"I4"}),
    (plant_tolerance_while_plain_carp_is_taken, {"I4", "V5"}),
    (plant_replays_refused_by_who_signs_plain_carp, {"I4"}),
    (plant_headers_not_compared_by_who_signs_plain_carp, {"I4"}),
    (plant_wall_clock_not_asked_while_plain_carp_is_taken, {"I4"}),
    (plant_only_the_first_secret_seals, {"I4"}),
    (plant_the_last_secret_signs, {"I4"}),
    (plant_packets_of_no_secret_move_the_time, {"I3"}),
    (plant_an_old_secret_is_believed_for_ever, {"I3", "I4"}),
    (plant_plain_carp_is_believed_for_ever, {"I4"}),
    (plant_plain_carp_signs_on, {"I4", "V6"}),
    (plant_another_plain_counter_with_each_step, {"I4"}),
    (plant_the_time_is_forgotten_with_each_step, {"I4"}),
    (plant_the_core_keeps_its_settings, {"V6", "I7"}),
    (plant_the_core_keeps_the_deadlines_of_both_versions, {"I2", "V5"}),
    (plant_a_step_is_a_stop_and_a_start, {"V5"}),
    (plant_the_operator_leaves_a_step_out, {"I1", "V4"}),
]
"""Each is looked for in runs in which the group is moved."""
