"""Bugs of one line: a few words of a function are replaced by others, as a tired developer would write them."""

from __future__ import annotations

import inspect
import sys
import textwrap
from typing import Any

import pytest

from tests.simulation.planted import Plant
from wsa_proxy.carp import auth
from wsa_proxy.carp import election
from wsa_proxy.carp import virtual_host
from wsa_proxy.carp import wire
from wsa_proxy.carp.credentials import Sealer
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.runtime.sending import Sending
from wsa_proxy.simulation.kernel import Kernel
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.sealed import SealedNode

MASTER_SENDS = "SendAdvertisement(self.settings.advbase, self.advskew, self.demotion)"

BUGS: list[tuple[str, Any, str, str, str, set[str]]] = [
    # The virtual host.
    ("bow out followed at once", VirtualHost, "_backup_hears", "wait_s = min(", "wait_s = 0 * min(", {"I2"}),
    ("bow out answered", VirtualHost, "_master_hears", "if heard.is_bow_out:", "if False:", {"I6"}),
    (
        "equals preempt",
        VirtualHost,
        "_backup_hears",
        "election.outranks(self.rank, other)",
        "self.rank <= other",
        {"I2"},
    ),
    ("deadline without max", VirtualHost, "_listen", "self.settings.versions", "self.settings.versions[:1]", {"I2"}),
    ("either version moves both", VirtualHost, "_backup_hears", "is not Reason.MASTER_SILENT", "is not None", {"V11"}),
    (
        "questions asked anew",
        VirtualHost,
        "_restart_master_down",
        "if self._earliest_s() != first_s:",
        "if True:",
        {"V11"},
    ),
    ("oversleeping of a backup", VirtualHost, "_wake", "self.state is State.BACKUP", "False", {"I2"}),
    ("oversleeping after D", VirtualHost, "_wake", "self._master_down_s / 2", "self._master_down_s", {"V7"}),
    ("demotion not told", VirtualHost, "_master_demotion", ", *self._advertise(now)", "", {"I6"}),
    ("another rank not told", VirtualHost, "_master_change", "return self._advertise(now)", "return []", {"I6"}),
    (
        "patience of the old settings",
        VirtualHost,
        "_backup_change",
        "deadline_s + longer_s",
        "deadline_s",
        {"I2", "V11"},
    ),
    (
        "patience anew with other settings",
        VirtualHost,
        "_backup_change",
        "max(now, deadline_s + longer_s)",
        "now + self._master_down_s",
        {"V11"},
    ),
    ("advskew of a demoted", VirtualHost, "_advertise", "self.advskew,", "self.settings.advskew,", {"I6"}),
    (
        "announced last",
        VirtualHost,
        "_advertise",
        "[AnnounceAddresses(), advertisement]",
        "[advertisement, AnnounceAddresses()]",
        {"I7"},
    ),
    ("refresh every 25", VirtualHost, "_advertise", "% ANNOUNCE_EVERY", "% 25", {"V6"}),
    ("answer without announcement", VirtualHost, "_answer_inferior", ", AnnounceAddresses()]", "]", {"V6"}),
    ("answers too rarely", VirtualHost, "_answer_inferior", "self._interval_s() / 4", "self._interval_s() * 4", {"I1"}),
    (
        "released before the bow out",
        VirtualHost,
        "_master_stop",
        "[bow_out, ReleaseAddresses(),",
        "[ReleaseAddresses(), bow_out,",
        {"I7"},
    ),
    ("bow out of a backup", VirtualHost, "_backup_stop", "return [", f"return [{MASTER_SENDS}, ", {"I6"}),
    ("no rest after a defeat", VirtualHost, "_yield", "self._listen(now, extra_s)", "pass", {"I2"}),
    ("unreported promotion", VirtualHost, "_promote", "AnnounceAddresses(), report]", "AnnounceAddresses()]", {"I6"}),
    ("hopeless never", election, "is_hopeless", "return advbase != 0", "return False", {"V4"}),
    ("hopeless below one second", election, "is_hopeless", "return advbase != 0", "return True", {"I2"}),
    ("240 below one second", election, "effective_advskew", "if demotion and advbase else", "if demotion else", {"I6"}),
    ("254 for a demoted", election, "effective_advskew", "max(advskew, ADVSKEW_DEMOTED)", "254", {"I6"}),
    ("patience below one second", election, "master_down_s", "if advbase == 0:", "if False:", {"I2"}),
    (
        "one announcement of a won conflict",
        VirtualHost,
        "_answer_inferior",
        "self._announce_at = self._advertisements_sent + 1 + ANNOUNCE_AGAIN_AFTER",
        "pass",
        {"V6"},
    ),
    ("an old answer kept", VirtualHost, "_restart_master_down", "self._answered_by = None", "pass", {"V11"}),
    ("takeover put off", VirtualHost, "_take_over", "min(deadline_s, now + wait_s)", "now + wait_s", {"V3"}),
    (
        "configured advskew waits",
        VirtualHost,
        "_backup_hears",
        "self.advskew * BOW",
        "self.settings.advskew * BOW",
        {"I2"},
    ),
    (
        "degrees of demotion",
        VirtualHost,
        "_backup_hears",
        "if other.demotion > self.demotion:",
        "if other.demotion and not self.demotion:",
        {"V9"},
    ),
    (
        "tie remembered after any defeat",
        VirtualHost,
        "_yield",
        "extra_s = 0.0",
        "extra_s, self._tied_until_s = 0.0, now + TIE_REMEMBERED_INTERVALS * self._master_down_s",
        {"V4"},
    ),
    (
        "asks again after it has overslept",
        VirtualHost,
        "_yield",
        "extra_s = 0.0",
        "extra_s, self._held_before = 0.0, reason is not Reason.OVERSLEPT",
        {"V11"},
    ),
    ("tie wait lost on hearing", VirtualHost, "_backup_hears", "version, now, extra_s)", "version, now)", {"I2"}),
    ("hopeless at the bound", election, "is_hopeless", " < heard_256ths", " <= heard_256ths", {"I2"}),
    # Whom it believes.
    ("digest not compared", auth.Signature, "fits", "return hmac", "return True or hmac", {"I4"}),
    (
        "a byte of the digest compared",
        auth.Signature,
        "fits",
        "digest(advertisement.counter), advertisement.digest",
        "digest(advertisement.counter)[:1], advertisement.digest[:1]",
        {"I4"},
    ),
    ("echo believed", auth.Authenticator, "judge", "if advertisement.counter == self._counter:", "if False:", {"I4"}),
    ("other version believed", auth.Authenticator, "identify", "if version not in self.versions:", "if False:", {"I4"}),
    ("checksum not compared", wire, "decode", "if checksum(head) != 0:", "if False:", {"I4"}),
    ("ttl not compared", wire, "decode", "if ttl is not None and ttl != TTL:", "if False:", {"I4"}),
    ("authlen not compared", wire, "decode", "payload[_AUTHLEN_PLACE] != _AUTHLEN_WORDS:", "False:", {"I4"}),
    # The sealed counter.
    (
        "first contact by anything",
        GroupTime,
        "judge",
        "if bows_out or is_farewell(counter) or ms",
        "if ms",
        {"I4"},
    ),
    ("first contact of any age", GroupTime, "judge", "or ms < wall_ms - self._tolerance_ms", "", {"I4"}),
    ("age limit of the least", GroupTime, "judge", "max(limit_ms, AGE_MS_MIN)", "min(limit_ms, AGE_MS_MIN)", {"I4"}),
    ("a late loop makes old", GroupTime, "judge", "ms < arrived_ms", "ms < clock_ms", {"I4"}),
    ("clock of another boot", GroupTime, "__init__", "saved.boot_id == boot_id and", "", {"I4"}),
    ("top of the file alone", GroupTime, "__init__", "max(saved.top, ", "min(saved.top, ", {"I4"}),
    ("line not lifted", GroupTime, "sign", "self.line_ms = ms - clock_ms", "pass", {"I4", "V5"}),
    ("time of the group rises", GroupTime, "_sunk_ms", "line_ms - (clock", "line_ms + (clock", {"I4"}),
    ("time of the group by a bow out", GroupTime, "judge", "if bows_out:", "if False:", {"I4"}),
    (
        "no first contact from ahead",
        GroupTime,
        "judge",
        "ms < wall_ms - self._tolerance_ms",
        "abs(ms - wall_ms) > self._tolerance_ms",
        {"I4"},
    ),
    (
        "bow out no older than others",
        GroupTime,
        "judge",
        "AGE_BOW_OUT_MS if bows_out and counter > top_of_others else max",
        "max",
        {"I4"},
    ),
    ("echo called a replay", GroupTime, "judge", "if counter in self._own:", "if False:", {"I3"}),
    ("line of the file unused", GroupTime, "__init__", "self.line_ms = saved.line_ms", "pass", {"I4"}),
    ("file never read", SealedNode, "_new_core", "self.boot_id, self.saved,", "self.boot_id, None,", {"I4"}),
    (
        "a counter for each version",
        SealedNode,
        "_sign",
        'self._tell(self, "said", counter)',
        '[self._tell(self, "said", counter) for _ in (1, 2)]',
        {"I4"},
    ),
    (
        "advbase of the header",
        Sealer,
        "judge",
        "heard.advbase, heard.advskew",
        "heard.counter >> 14 & 0xFF, heard.advskew",
        {"I3", "I4"},
    ),
    ("farewell not announced against", VirtualHost, "_master_farewell", "[AnnounceAddresses()]", "[]", {"V6"}),
    ("farewell of an overslept", VirtualHost, "_yield", " and reason is not Reason.OVERSLEPT", "", {"I7"}),
    ("farewell after the release", VirtualHost, "_yield", "commands.insert(0", "commands.insert(1", {"V6"}),
    # The process.
    (
        "renewed at the last moment",
        Kernel,
        "take",
        "self.renew_at_s = now + RENEW_EVERY_S",
        "self.renew_at_s = self.lease_until_s - RENEW_EVERY_S",
        {"I5"},
    ),
    ("said twice", Sending, "_send", "version in self._versions:", "version in self._versions * 2:", {"I6"}),
    (
        "sealed in one version",
        Sending,
        "_send",
        "version in self._versions:",
        "version in self._versions[: 1 if self._one_for_all else None]:",
        {"I6"},
    ),
    (
        "release tried for ever",
        Node,
        "_release",
        "if self.kernel.kept and self.kernel.holds(self.now):",
        "if self.state is not State.MASTER:",
        {"I9"},
    ),
    (
        "announced after the release",
        Node,
        "_release",
        "self.kernel.release()",
        "self.kernel.release(); self._announce(self.now)",
        {"I5"},
    ),
    ("the wrong one announced", Node, "_resume", "if self.state is State.MASTER:", "if True:", {"I5", "V7"}),
    (
        "health not told at the start",
        Node,
        "_notice_health",
        "if self.demotion != unwell:",
        "if self.demotion != unwell and self.state is not State.INIT:",
        {"V9"},
    ),
    ("old promotion never announced", Node, "_resume", "[*owed, AnnounceAddresses()]", "owed", {"V6"}),
    ("virtual MAC advertised first", VirtualHost, "_promote", "if self.settings.acquires_first", "if False", {"I7"}),
    (
        "farewell from the virtual MAC",
        Sending,
        "_send",
        "not isinstance(command, SendAdvertisement)",
        "not isinstance(command, SendAdvertisement | SendFarewell)",
        {"I7"},
    ),
    (
        "intent from the virtual MAC",
        Sending,
        "_send",
        "not isinstance(command, SendAdvertisement)",
        "isinstance(command, SendFarewell)",
        {"I7"},
    ),
    ("intent taken back from the virtual MAC", Sending, "_send", "bows_out and not self._drawn", "False", {"I7"}),
    ("no intent", VirtualHost, "_promote", "if self.settings.says_intent", "if False", {"I7"}),
    ("intent to whoever is master", VirtualHost, "_promote", " and reason is Reason.MASTER_BOWED_OUT", "", {"I7"}),
    ("intent after the addresses", VirtualHost, "_promote", "claims.insert(0", "claims.insert(1", {"I7"}),
    (
        "intent of the configured rank",
        VirtualHost,
        "_promote",
        "base, self.advskew",
        "base, self.settings.advskew",
        {"I6"},
    ),
    ("refused and advertised", Node, "_perform", "Addresses() if refused:", "Addresses() if False:", {"I7"}),
    ("a stop leaves it to the lease", Node, "stop", "self.crash()", "self.kernel.take(self.now), self.crash()", {"I5"}),
]


def reword(patch: pytest.MonkeyPatch, owner: Any, name: str, old: str, new: str) -> None:
    """Replace ``old`` by ``new`` in the source of a method or of a module's function."""
    original = inspect.getattr_static(owner, name)
    function = original.__func__ if isinstance(original, staticmethod) else original
    source = textwrap.dedent(inspect.getsource(function)).replace("@staticmethod\n", "")
    assert old in source, f"{name} has no longer: {old}"
    space: dict[str, Any] = {}
    # As in a class, for super().
    text = "def make(__class__):\n" + textwrap.indent(source.replace(old, new), "    ") + f"\n    return {name}\n"
    exec(compile(text, f"planted: {name}", "exec"), vars(sys.modules[function.__module__]), space)
    planted = space["make"](owner)
    patch.setattr(owner, name, staticmethod(planted) if isinstance(original, staticmethod) else planted)
    for cell, handler in virtual_host.CELLS.items():
        if handler is original:
            patch.setitem(virtual_host.CELLS, cell, planted)


def make_plant(bug: str, owner: Any, name: str, old: str, new: str) -> Plant:
    """As those of planted.py."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        reword(patch, owner, name, old, new)

    plant.__name__ = "plant_" + bug.replace(" ", "_")
    return plant


PLANTED: list[tuple[Plant, set[str]]] = [(make_plant(*bug[:5]), bug[5]) for bug in BUGS]
