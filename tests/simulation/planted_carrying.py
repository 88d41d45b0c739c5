"""Bugs of what becomes of open connections: in the product's own members, and in what a process does with them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.planted import Plant
from tests.simulation.planted_lines import make_plant
from wsa_proxy.members import lives
from wsa_proxy.members.carrying import Carrying
from wsa_proxy.members.client_list import ClientList
from wsa_proxy.members.drain import Drain
from wsa_proxy.members.lives import Lives

BUGS: list[tuple[str, Any, str, str, str, set[str]]] = [
    (
        "own connections are steered",
        Carrying,
        "_to_steer",
        "life.copy.clients - self._list.clients",
        "life.copy.clients",
        {"C1"},
    ),
    ("what is not listed is not steered", Carrying, "_to_steer", "gap = self._gap()", "gap = b''", {"C4"}),
    ("who says that it drains is dead", Lives, "takes_over", "if life.said.drains", "if False", {"C3", "C4"}),
    (
        "who drains is told as well",
        Lives,
        "takes_over",
        "meets(Fate.DRAINS)",
        "meets(Fate.NONE), self._dies(life)",
        {"C3"},
    ),
    ("lists are not told", ClientList, "_page", "taken.append(client)", "pass", {"C4"}),
    ("the dead are not told of", Lives, "_dies", "self._dead.append(life)", "pass", {"C4"}),
    ("a drain without an end", Drain, "is_over", "now_s >= self.until_s or", "", {"C2"}),
]


def plant_who_drains_is_missed_a_minute_later(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lives, "LOST_S", 60.0)


PLANTED: list[tuple[Plant, set[str]]] = [
    *((make_plant(*bug[:5]), bug[5]) for bug in BUGS),
    (plant_who_drains_is_missed_a_minute_later, {"C2", "C4"}),
]
