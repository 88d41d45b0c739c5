"""Would a node with this configuration believe it? The node's own word, and why.

The order is that of ``carp/auth.py`` and of the sealed counter: shape, id, IP version, digest under every key of the
group, header against counter, and then the counter against the highest that was heard. The clock is the capture's.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Literal

from wsa_proxy.carp import seal
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import Seal
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.groups import CARP
from wsa_proxy.watch.groups import SEALED
from wsa_proxy.watch.groups import WatchedGroup
from wsa_proxy.watch.groups import WatchedKey
from wsa_proxy.watch.vrrp import Vrrp

type Tone = Literal["good", "plain", "bad"]

VALID, UNVERIFIED, PLAIN_MEMBER = "valid", "unverified", "plain_member"
YEAR_2020_S = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
COPIES_OF_BOW_OUT_MAX = 3
"""A guardian sends it at 0, 20 and 100 ms."""
MEMORIES_MAX = 64
"""Of interfaces, VLANs and keys: what comes after those shares one."""
PLACES_MAX = 16
SEAL_PLAUSIBLE_S = 86_400.0
"""Without a key, a counter that repeats its header and says a time so near is taken for a seal."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What comes of one packet."""

    word: str
    """The name of the counter that a node would raise, or valid, unverified, ``VRRP 2`` ..."""
    why: str = ""
    tone: Tone = "bad"
    seal: Seal | None = None
    """What its counter says, when it is a sealed one."""

    @property
    def is_believed(self) -> bool:
        return self.word == VALID


@dataclass(slots=True)
class _Last:
    """The newest believed sealed advertisement, to know its copies: each address and IP version gets one."""

    counter: int
    mac: str
    places: dict[tuple[int, str], int]


class Judge:
    """The groups of one file, or None without a file, and what was heard of their sealed counters."""

    def __init__(self, groups: Sequence[WatchedGroup] | None) -> None:
        self._groups = groups
        self._times: dict[tuple[object, ...], GroupTime] = {}
        self._last: dict[tuple[object, ...], _Last] = {}

    def opinion(self, heard: Heard) -> Opinion:
        """Of one packet, in the order of the capture."""
        if isinstance(heard.says, Vrrp):
            return _of_vrrp(heard, heard.says)
        if heard.fault is not None:
            return Opinion(heard.fault.reject.value, heard.fault.text)
        assert heard.says is not None
        if self._groups is None:
            return Opinion(UNVERIFIED, tone="plain", seal=plausible_seal(heard.says, heard.captured.at_s))
        return self._of_member(heard, heard.says, self._groups)

    def _of_member(self, heard: Heard, advertisement: Advertisement, groups: Sequence[WatchedGroup]) -> Opinion:
        here = heard.captured.interface
        candidates = [each for each in groups if each.vhid == advertisement.vhid]
        if not candidates:
            known = ", ".join(str(each.vhid) for each in groups)
            return Opinion(Reject.OTHER_VHID.value, f"the file has the id {known}, not {advertisement.vhid}", "plain")
        group = candidates[0]
        if here and group.interface and here != group.interface:
            return Opinion(Reject.OTHER_VHID.value, f"this group is on {group.interface}, not on {here}")
        if all(address.version != heard.version for address in group.addresses):
            text = f"it comes in IPv{heard.version}, and the group has only IPv{group.addresses[0].version} addresses"
            return Opinion(Reject.OTHER_FAMILY.value, text)
        for key in group.keys:
            if _fits(key, advertisement):
                return self._of_signed(heard, advertisement, group, key)
        return Opinion(Reject.BAD_SECRET.value, _why_not_signed(group, advertisement))

    def _of_signed(self, heard: Heard, advertisement: Advertisement, group: WatchedGroup, key: WatchedKey) -> Opinion:
        if key.security == CARP:
            if CARP in group.security:
                return Opinion(VALID, tone="good")
            text = "it speaks plain CARP with the right secret; this file accepts security: sealed only"
            return Opinion(PLAIN_MEMBER, text)
        found = seal.unpack(advertisement.counter)
        if SEALED not in group.security:
            text = "it is sealed with the right secret; this file accepts security: carp only"
            return Opinion(Reject.BAD_SECRET.value, text, seal=found)
        demotion = int(found.demoted)
        if (found.advbase, found.advskew, demotion) != (
            advertisement.advbase,
            advertisement.advskew,
            advertisement.demotion,
        ):
            return Opinion(Verdict.REWRITTEN.value, _why_rewritten(advertisement, found), seal=found)
        return self._of_sealed(heard, advertisement, found, group, key)

    def _of_sealed(
        self, heard: Heard, advertisement: Advertisement, found: Seal, group: WatchedGroup, key: WatchedKey
    ) -> Opinion:
        captured = heard.captured
        place = (captured.interface, heard.vlans, group.vhid, key.number)
        if place not in self._times and len(self._times) >= MEMORIES_MAX:
            place = ("", (), group.vhid, key.number)
        clock_ms = (captured.at_s - YEAR_2020_S) * 1000
        time = self._times.setdefault(place, GroupTime("", None, clock_ms))
        highest = seal.unpack(time.top)
        verdict = time.judge(
            advertisement.counter,
            limit_ms=group.interval_s * 1000,
            clock_ms=clock_ms,
            arrived_ms=clock_ms,
            wall_ms=clock_ms,
        )
        copy_to = (heard.version, heard.destination)
        if verdict in (Verdict.BELIEVED, Verdict.FIRST_CONTACT):
            self._last[place] = _Last(advertisement.counter, heard.mac, {copy_to: 1})
            return Opinion(VALID, tone="good", seal=found)
        if verdict is Verdict.DUPLICATE and self._is_copy(place, heard, found, copy_to):
            return Opinion(VALID, "a copy of the advertisement before it", tone="good", seal=found)
        return Opinion(verdict.value, _why_not_fresh(verdict, found, highest, clock_ms), seal=found)

    def _is_copy(self, place: tuple[object, ...], heard: Heard, found: Seal, copy_to: tuple[int, str]) -> bool:
        """One counter serves both IP versions and each unicast peer; a bow-out is sent three times to each."""
        last = self._last.get(place)
        if last is None or last.mac != heard.mac or len(last.places) >= PLACES_MAX:
            return False
        last.places[copy_to] = last.places.get(copy_to, 0) + 1
        return last.places[copy_to] <= (COPIES_OF_BOW_OUT_MAX if found.is_bow_out else 1)


def plausible_seal(advertisement: Advertisement, at_s: float) -> Seal | None:
    """What the counter says if it looks like a seal: without the key nobody can know."""
    found = seal.unpack(advertisement.counter)
    same = (found.advbase, found.advskew) == (advertisement.advbase, advertisement.advskew)
    near = abs(found.ms / 1000 + YEAR_2020_S - at_s) < SEAL_PLAUSIBLE_S
    return found if same and near else None


def _fits(key: WatchedKey, advertisement: Advertisement) -> bool:
    return hmac.compare_digest(key.signature.digest(advertisement.counter), advertisement.digest)


def _of_vrrp(heard: Heard, vrrp: Vrrp) -> Opinion:
    counted = f"a node counts it as {heard.fault.reject.value}" if heard.fault else ""
    why = f"{heard.fault.text}; {counted}" if heard.fault and heard.fault.text else counted
    return Opinion(f"VRRP {vrrp.version}", why, "plain" if vrrp.intact else "bad")


def _why_not_signed(group: WatchedGroup, advertisement: Advertisement) -> str:
    for other in group.other_lists:
        if hmac.compare_digest(other.signature.digest(advertisement.counter), advertisement.digest):
            return other.text
    secrets = max(key.number for key in group.keys)
    which = "the secret" if secrets == 1 else f"any of the {secrets} secrets"
    return f"it fits not {which} with {', '.join(map(str, group.addresses))}: another secret, or other virtual IPs"


def _why_rewritten(advertisement: Advertisement, found: Seal) -> str:
    names = ("advbase", "advskew", "demotion")
    header = (advertisement.advbase, advertisement.advskew, advertisement.demotion)
    sealed = (found.advbase, found.advskew, int(found.demoted))
    wrong = [
        f"{name} {said}, {signed} expected"
        for name, said, signed in zip(names, header, sealed, strict=True)
        if said != signed
    ]
    return f"{', '.join(wrong)} by its counter: somebody has changed it"


def _why_not_fresh(verdict: Verdict, found: Seal, highest: Seal, clock_ms: float) -> str:
    behind_s = (clock_ms - found.ms) / 1000
    match verdict:
        case Verdict.DUPLICATE:
            return "its counter was heard already: a switch reflects it, or somebody sends it again"
        case Verdict.REPLAY:
            return f"its counter is {(highest.ms - found.ms) / 1000:.3f} s below the highest heard: sent again, or late"
        case Verdict.STALE if highest.ms:
            return f"it is too old, {behind_s:.1f} s behind this clock: held back, or its sender has lost the time"
    return f"its time is {behind_s:.1f} s behind this clock, or it leaves: too little for a first contact"
