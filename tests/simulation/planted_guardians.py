"""Bugs of guardians and of what their proxies leave them, most of them in the product's own code."""

from __future__ import annotations

from typing import Any

from tests.simulation.planted import Plant
from tests.simulation.planted_lines import make_plant
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.net.guardian import Guardian
from wsa_proxy.net.guarding import Guarding
from wsa_proxy.runtime.sending import Sending
from wsa_proxy.simulation.node import Node

BUGS: list[tuple[str, Any, str, str, str, set[str]]] = [
    # The will.
    (
        "will above the next advertisement",
        GroupTime,
        "will",
        "pack(self._willed_ms,",
        "pack(self._willed_ms + 3000,",
        {"I4"},
    ),
    ("no will before an advertisement", Sending, "_send", "self._will.leave()", "pass", {"V3"}),
    ("will of what nobody was told", Sending, "send", "self._will.withdraw()", "pass", {"I7"}),
    ("will not withdrawn at a release", Guardian, "_release", "self._wards.pop(message.vhid, None)", "pass", {"I6"}),
    ("will not told to another guardian", Guarding, "_tell_again", "in wills.items():", "in ():", {"V3"}),
    ("will not known as an own one", GroupTime, "will", "self._own.append(counter)", "pass", {"I3", "I4"}),
    # The fence.
    (
        "bow-out of what could not be removed",
        Guardian,
        "fence",
        "and vhid not in kept",
        "",
        {"I7"},
    ),
    (
        "bow-out before the removal",
        Guardian,
        "fence",
        "wards, self._wards =",
        "self._say([part for ward in self._wards.values() for part in ward.will]); wards, self._wards =",
        {"I7"},
    ),
    (
        "bow-out long after the last beat",
        Guardian,
        "fence",
        "< min(BOW_OUT_WITHIN_S, 2 * self._stall_limit_s)",
        "< 60.0",
        {"I6"},
    ),
    (
        "addresses left by a fence",
        Guardian,
        "fence",
        "kept = self._remove(wards)",
        "kept = {}",
        {"I7", "V8"},
    ),
    ("silent fence", Guardian, "fence", "if early and ward.envelopes", "if False and ward.envelopes", {"V3"}),
    ("a death is not noticed", Guardian, "look", "self._wards and gone", "False", {"V8", "V3"}),
    ("a stall is not noticed", Guardian, "look", "elif self._wards and", "elif False and", {"V8", "V3"}),
    ("beats are no signs of life", Guardian, "_lives", "self._alive_at_s = max", "_ = max", {"I6", "V5"}),
    # The proxy.
    ("fenced and goes on as master", Node, "read_guardian", "if was_master:", "if False:", {"I5", "V7"}),
    ("fence not read on waking", Node, "read_guardian", "not self.guard.has_news", "True", {"V7"}),
    ("fence not read when refused", Node, "_leave", "self.read_guardian()", "pass", {"V7", "I6"}),
    ("bows out after its guardian", Node, "read_guardian", "and not bowed_out", "", {"I6"}),
    (
        "a lost guardian is not replaced",
        Guarding,
        "_start_again",
        "self._start(START_AGAIN_S)",
        "raise GuardianGone",
        {"V2", "V3", "V4", "V9"},
    ),
    # Copies and orders that come late. A late copy needs a guardian that stands still between two copies, and a will
    # below another's bow-out needs that one in the same millisecond: 1,500 seeds have neither. The judge of guardians
    # knows the first, and tests/net/test_guardian.py and tests/carp/test_seal.py fail with these bugs.
    ("four copies", Guardian, "fence", "COPIES_AFTER_S[1:]", "(0.02, 0.06, 0.1)", {"I6"}),
    (
        "copies without end",
        Guardian,
        "look",
        "self._say(will)",
        "self._say(will); self._copies.append((due_s + 0.1, will))",
        {"I6"},
    ),
    ("late renewal after a fence", Guardian, "handle", "if message.epoch != self.epoch:", "if False:", {"V3"}),
    (
        "an order goes on with another guardian",
        Guarding,
        "_ask",
        "if len(self._fences) > fences and kind != orders.RELEASE:",
        "if False:",
        {"I5"},
    ),
    (
        "a guardian that hung beside a backup is a stall",
        Guarding,
        "will",
        "if not self._held and not self._wills:",
        "if False:",
        {"V3"},
    ),
    (
        "will not renewed when another is believed",
        Node,
        "take_in",
        "self.leave()  # what was heard may be above the one before",
        "pass",
        {"V3"},
    ),
]


PLANTED: list[tuple[Plant, set[str]]] = [(make_plant(*bug[:5]), bug[5]) for bug in BUGS]
