"""What a node signs with, and whom it believes: plain CARP, sealed advertisements, or both while a group moves.

The first of the group's ``security`` signs, all are accepted; the first secret signs, all are accepted. A sealed
advertisement is a CARP advertisement with a key of its own and a counter that says what the HMAC leaves out
(``seal.py``). What is believed becomes an event for the virtual host, everything else one reason.

The time of the group is one, whatever key tells it: what one key says or hears is the time of all of them. So a secret
is rotated without a node that must be met for the first time, and who is ahead under one secret is followed by those
who sign with another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Address
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import Signature
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.election import BOW_OUT
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import Verdict
from wsa_proxy.carp.seal import is_farewell
from wsa_proxy.carp.seal import says
from wsa_proxy.carp.seal import sealed_key
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.carp.wire import Version

type Believed = AdvertisementReceived | FarewellReceived | FirstContact


class Security(Enum):
    """A way to sign."""

    CARP = "carp"
    """Plain CARP, for the BSDs, pfSense, the WSA and ucarp: what was captured can be rewritten and replayed."""
    SEALED = "sealed"


class Reading(NamedTuple):
    """What the clocks say at one moment, in milliseconds; see ``seal.py``."""

    clock_ms: float
    arrived_ms: float
    """The clock when the receive queue was last seen empty."""
    wall_ms: float
    """From 2020-01-01 UTC."""


class Sealer:
    """One sealed key of one virtual host, with the group's time as this key has told it."""

    def __init__(self, key: bytes, vhid: int, addresses: Collection[Address], time: GroupTime) -> None:
        self.time = time
        self._vhid = vhid
        self._signature = Signature(key, vhid, addresses)

    def fits(self, advertisement: Advertisement) -> bool:
        """Whether this key has signed it."""
        return self._signature.fits(advertisement)

    def sign(self, advbase: int, advskew: int, demotion: int, farewell: bool, reading: Reading, chance: int) -> bytes:
        """The 36 bytes, with the next counter. Raises OverflowError when the group's time has come to its end."""
        counter = self.time.sign(advbase, advskew, demotion, farewell, reading.clock_ms, reading.wall_ms, chance)
        digest = self._signature.digest(counter)
        # The counter has one bit for the demotion, and a byte of it that nobody signs says no more.
        return wire.pack(self._vhid, advbase, advskew, min(demotion, 1), counter, digest)

    def will(self, demotion: int, chance: int, clock_ms: float) -> bytes:
        """The 36 bytes of a bow-out for a guardian, see ``GroupTime.will``."""
        counter = self.time.will(demotion, chance, clock_ms)
        digest = self._signature.digest(counter)
        return wire.pack(self._vhid, BOW_OUT, BOW_OUT, min(demotion, 1), counter, digest)

    def judge(self, heard: Advertisement, limit_ms: float, reading: Reading, top_of_others: int) -> Verdict:
        """What came of an advertisement that this key has signed. ``top_of_others``: see ``GroupTime``."""
        if not says(heard.counter, heard.advbase, heard.advskew, heard.demotion):
            return Verdict.REWRITTEN
        clock_ms, arrived_ms, wall_ms = reading
        return self.time.judge(heard.counter, limit_ms, clock_ms, arrived_ms, wall_ms, top_of_others)

    def judge_without_time(self, heard: Advertisement) -> Verdict:
        """The same, for one who believes replays in any case."""
        if not says(heard.counter, heard.advbase, heard.advskew, heard.demotion):
            return Verdict.REWRITTEN
        return Verdict.ECHO if self.time.has_said(heard.counter) else Verdict.BELIEVED


class Credentials:
    """Signs and believes for one virtual host. ``plain`` has its pass phrases, ``sealers`` a key of each of them."""

    def __init__(self, security: Sequence[Security], plain: Authenticator, sealers: Sequence[Sealer]) -> None:
        if not security or (Security.SEALED in security and not sealers):
            raise ValueError("a group signs as carp or sealed, and seals with a secret only")
        self.security = tuple(security)
        self.sealers = tuple(sealers)
        one_for_all = Security.SEALED in security or plain.unicast
        self.versions = plain.versions[:1] if one_for_all else plain.versions
        """The IP versions that are silent each for itself. Of all copies of a sealed advertisement, in any version,
        the first is believed and the others are duplicates: there one version stands for both. So it does among unicast
        peers: each sends to each in the version of its address, which need not be the same for any two of them."""
        self._plain = plain
        known = [sealer for sealer in sealers if sealer.time.line_ms is not None]
        if known:
            self._share_time(max(known, key=lambda sealer: sealer.time.line_ms or 0.0))

    @property
    def seals(self) -> bool:
        """Whether what we send is sealed: then a farewell can be said."""
        return self.security[0] is Security.SEALED

    @property
    def crossings_decided(self) -> bool:
        """Whether of two advertisements that cross exactly one is believed: where all counters are of one key."""
        return self.security == (Security.SEALED,) and len(self.sealers) == 1

    def sign(
        self, advbase: int, advskew: int, demotion: int, *, farewell: bool = False, reading: Reading, chance: int
    ) -> bytes:
        """The 36 bytes for all copies of one advertisement: each IP version, each unicast peer."""
        if not self.seals:
            return self._plain.sign(advbase, advskew, demotion)
        if Security.CARP in self.security:
            # Its first contact may have been a replay of long ago, and then those of yesterday would be new again.
            self.sealers[0].time.raise_to(reading.wall_ms, reading.clock_ms)
        payload = self.sealers[0].sign(advbase, advskew, demotion, farewell, reading, chance)
        self._share_time(self.sealers[0])
        return payload

    def will(self, demotion: int, *, chance: int, clock_ms: float) -> bytes:
        """The 36 bytes of a bow-out for a guardian to send once we are gone; to be made after each advertisement, and
        whenever one was believed, and before it is ten seconds old."""
        if not self.seals:
            return self._plain.sign(BOW_OUT, BOW_OUT, demotion)
        return self.sealers[0].will(demotion, chance, clock_ms)

    def accept(
        self, payload: bytes, ttl: int, version: Version, sender: str, *, limit_ms: float, reading: Reading
    ) -> Believed | Reject:
        """The event that a payload is, or the one reason why it is none. ``limit_ms`` is our own interval."""
        heard = self._plain.identify(payload, ttl, version)
        if isinstance(heard, Reject):
            return heard
        # Plain CARP first where we speak it: each key costs an HMAC, and most of what is heard is as what is said.
        plain = None if self.seals else self._plain.judge(heard)
        if plain is None or plain is Reject.BAD_SECRET:
            for sealer in self.sealers:
                if sealer.fits(heard):
                    return self._accept_sealed(sealer, heard, version, sender, limit_ms, reading)
            plain = plain or self._plain.judge(heard)
        if isinstance(plain, Reject):
            return plain
        return self._received(plain, version, sender) if Security.CARP in self.security else Reject.PLAIN_MEMBER

    def _accept_sealed(
        self,
        sealer: Sealer,
        heard: Advertisement,
        version: Version,
        sender: str,
        limit_ms: float,
        reading: Reading,
    ) -> Believed | Reject:
        if Security.SEALED not in self.security:
            return Reject.SEALED_MEMBER
        if self.seals:
            # Who takes plain CARP as well gains nothing from asking how old a first contact is: clocks that are hours
            # apart would make two groups of one.
            asked = reading._replace(wall_ms=0.0) if Security.CARP in self.security else reading
            others = 0 if len(self.sealers) == 1 else max(each.time.top for each in self.sealers if each is not sealer)
            verdict = sealer.judge(heard, limit_ms, asked, others)
        else:
            # Who signs plain CARP tells nobody the time of the group. What it knew of it may be another one than that
            # of those who sign sealed already, and it could not make them follow.
            verdict = sealer.judge_without_time(heard)
        if verdict not in (Verdict.BELIEVED, Verdict.FIRST_CONTACT):
            return Reject(verdict.value)
        if self.seals:
            self._share_time(sealer)
        # Who takes plain CARP as well gains nothing from meeting a sealed member with more care.
        if verdict is Verdict.FIRST_CONTACT and Security.CARP not in self.security:
            return FirstContact(sender)
        if is_farewell(heard.counter):
            return FarewellReceived(sender)
        return self._received(heard, version, sender)

    def group_ms(self, clock_ms: float) -> int:
        """The time of the group now, as far as it is known; else 0."""
        return max((sealer.time.now_ms(clock_ms) for sealer in self.sealers), default=0)

    def learn_group_ms(self, group_ms: int, clock_ms: float) -> None:
        """A member that proves that it speaks now says the time of the group."""
        for sealer in self.sealers:
            sealer.time.learn(group_ms, clock_ms)

    def _received(self, heard: Advertisement, version: Version, sender: str) -> AdvertisementReceived:
        return AdvertisementReceived(heard, version if version in self.versions else self.versions[0], sender)

    def _share_time(self, sealer: Sealer) -> None:
        """What one key has told, all know."""
        for other in self.sealers:
            if other is not sealer:
                other.time.take_time_of(sealer.time)


def make_credentials(
    security: Sequence[Security],
    pass_phrases: Sequence[bytes],
    vhid: int,
    addresses: Collection[Address],
    counter: int,
    time_of: Callable[[str], GroupTime],
    *,
    peers: Collection[Address] = (),
) -> Credentials:
    """Those of one node; without a pass phrase plain CARP signs with 20 zero bytes, as the BSDs do.

    ``counter`` is plain CARP's; ``time_of`` answers what is known of the group's time by the name of a sealed key;
    ``peers`` are those of a group that does not use multicast.
    Takes some 60 ms for each pass phrase whose sealed key was not made before.
    """
    plain_keys = [key_from_pass_phrase(phrase) for phrase in pass_phrases or (b"",)]
    sealers = [Sealer(key, vhid, addresses, time_of(key_name(key))) for key in map(sealed_key, pass_phrases)]
    return Credentials(security, Authenticator(plain_keys, vhid, addresses, counter, peers=peers), sealers)


def key_name(key: bytes) -> str:
    """A name for a key that tells nothing of it, for the file that outlives the process."""
    return hashlib.sha256(b"wsa-proxy key name" + key).hexdigest()[:16]
