"""Bugs of a node whose host refuses to send its advertisements, and of groups whose nodes name each other as peers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.simulation.planted import Plant
from tests.simulation.planted_lines import make_plant
from wsa_proxy.carp import send_errors
from wsa_proxy.carp.send_errors import SendErrors
from wsa_proxy.runtime.sending import Sending
from wsa_proxy.simulation import outlet
from wsa_proxy.simulation.node import Node

BUGS: list[tuple[str, Any, str, str, str, set[str]]] = [
    ("unheard for ever", SendErrors, "failed", "self.unheard_at_s = ", "_ = ", {"I1"}),
    ("unheard since the first error", SendErrors, "failed", "= min(self._heard_at_s, now)", "= now", {"I1"}),
    ("unheard by the interval of a demoted", Sending, "take", "settings.advbase or", "2 * settings.advbase or", {"I1"}),
    ("bow-out of an unclaimed address", Sending, "send", "not self.claimed:", "False:", {"I7"}),
    (
        "one refused version does not count",
        Sending,
        "send",
        "(len(self._versions) if self._one_for_all else 1)",
        "len(self._versions)",
        {"I1", "V9"},
    ),
    (
        "a seal refused in one version counts",
        Sending,
        "send",
        "(len(self._versions) if self._one_for_all else 1)",
        "1",
        {"V9", "V11"},
    ),
    ("errors never demote", SendErrors, "failed", "self.demotion = 1", "self.demotion = 0", {"V9"}),
    ("demotion never taken back", SendErrors, "sent", "self.demotion, ", "_, ", {"V9"}),
    ("a backup stays demoted", SendErrors, "recover", "self.demotion, ", "_, ", {"V9"}),
    ("a backup recovers as soon each time", SendErrors, "failed", "2 * self._recovery_s", "self._recovery_s", {"V9"}),
    ("errors not in a row", SendErrors, "sent", "min(self._in_a_row, 0) - 1", "self._in_a_row - 1", {"V9", "I1"}),
    (
        "errors of an earlier time",
        SendErrors,
        "left",
        "self._heard_at_s = self.unheard_at_s = math.inf",
        "pass",
        {"V11"},
    ),
    ("demotion that no seal tells", Node, "_notice_health", "if self.way.believes_sealed:", "if False:", {"V9"}),
    ("untold and demoted unnoticed", Node, "_look_at_sending", "self._notice_health()", "pass", {"V9"}),
    # Unicast peers.
    (
        "one unreachable peer of two",
        outlet,
        "failure_of",
        "return PartlySent(errors[0], text)",
        "return OSError(errors[0], text)",
        {"V9", "V11"},
    ),
    ("no way to any peer is an error", Sending, "send", "self._unreachable or silent", "silent", {"V9", "V11"}),
    (
        "two masters of which one has no way",
        Sending,
        "in_vain_beside",
        "return self._unreachable",
        "return False",
        {"I1"},
    ),
    (
        "no way for one is no way for all",
        outlet,
        "failure_of",
        "len(errors) < copies",
        "len(errors) < copies and not _NO_WAY.issuperset(errors)",
        {"I1", "V9", "V11"},
    ),
    (
        "refused is no way",
        outlet,
        "failure_of",
        "if _NO_WAY.issuperset(errors) else OSError",
        "if True else OSError",
        {"I1"},
    ),
    ("a deadline for each version of peers", Node, "_new_core", "if self.unicast", "if False", {"I2", "V11"}),
    ("takes over untold", Sending, "begin", "= command.from_living", "= False", {"I1", "I7"}),
]


def plant_two_errors_demote(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(send_errors, "ERRORS_MAX", 2)


def plant_unheard_after_four_intervals(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(send_errors, "UNHEARD_INTERVALS", 4)


def plant_leaves_and_never_comes_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("wsa_proxy.simulation.acting.UNTOLD_RETRY_S", math.inf)


PLANTED: list[tuple[Plant, set[str]]] = [
    *((make_plant(*bug[:5]), bug[5]) for bug in BUGS),
    (plant_two_errors_demote, {"V9"}),
    (plant_unheard_after_four_intervals, {"I1"}),
    (plant_leaves_and_never_comes_back, {"V11"}),
]
