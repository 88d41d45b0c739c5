"""Whose advertisement is it? The HMAC of CARP, and the echo of our own.

The digest is HMAC-SHA1 over the bytes 02 01, the vhid, all IPv4 addresses of the virtual host in ascending order,
all its IPv6 addresses in ascending order, and the counter (FreeBSD and OpenBSD ip_carp.c). The same
digest stands in the IPv4 and the IPv6 advertisement of a virtual host with both.

What the digest leaves out (advbase, advskew, demotion, sender) an attacker who has seen one packet can rewrite, and
no implementation of plain CARP can tell a replay. That is a property of the protocol, not of this file.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from collections.abc import Sequence
from ipaddress import IPv4Address
from ipaddress import IPv6Address

from wsa_proxy.carp import wire
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.carp.wire import Version

type Address = IPv4Address | IPv6Address

KEY_BYTES = 20
PASS_PHRASE_BYTES_MAX = 19
"""ifconfig on the BSDs copies into 20 bytes with a final NUL: longer phrases are cut there (ifconfig, CARP_KEY_LEN)."""


_SIGNED_MAX = 8
"""Payloads that are kept: the usual one and its bow-out, well and demoted, and those of a moment."""


def key_from_pass_phrase(pass_phrase: bytes) -> bytes:
    """The 20-byte key: the phrase, padded with zero bytes. No phrase is 20 zero bytes, and is still hashed.

    Raises ValueError when the phrase is longer than the peers' ifconfig would take.
    """
    if len(pass_phrase) > PASS_PHRASE_BYTES_MAX:
        raise ValueError(f"a pass phrase has at most {PASS_PHRASE_BYTES_MAX} bytes, not {len(pass_phrase)}")
    return pass_phrase.ljust(KEY_BYTES, b"\0")


class Signature:
    """The digest of one key for one virtual host, prepared so that a packet costs one copy and one update."""

    def __init__(self, key: bytes, vhid: int, addresses: Collection[Address]) -> None:
        ipv4 = sorted({address.packed for address in addresses if address.version == 4})
        ipv6 = sorted({address.packed for address in addresses if address.version == 6})
        self._prefix = hmac.new(key, b"\x02\x01" + bytes([vhid]) + b"".join(ipv4 + ipv6), hashlib.sha1)

    def digest(self, counter: int) -> bytes:
        """The 20 bytes for this counter."""
        mac = self._prefix.copy()
        mac.update(counter.to_bytes(8))
        return mac.digest()

    def fits(self, advertisement: Advertisement) -> bool:
        """Whether this key has signed it; compared in constant time."""
        return hmac.compare_digest(self.digest(advertisement.counter), advertisement.digest)


class Authenticator:
    """Signs our advertisements and says which received ones may be believed.

    ``counter`` is a random number of 64 bits, one for the life of the process, as OpenBSD does it: peers that adopt
    what they hear send counter + 1 or more, so an advertisement with exactly this counter is our own, reflected by
    a switch. Counters that repeat or fall are normal for peers and mean nothing.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        vhid: int,
        addresses: Collection[Address],
        counter: int,
        *,
        peers: Collection[Address] = (),
    ) -> None:
        """``peers``: whom we send to instead of the multicast group; then routers may be between us and them."""
        if not keys:
            raise ValueError("at least one key is needed; without a pass phrase it is 20 zero bytes")
        self._vhid = vhid
        self.unicast = bool(peers)
        self.versions: tuple[Version, ...] = tuple(sorted({address.version for address in peers or addresses}))
        """The IP versions that carry advertisements: those of the virtual host's addresses, or of its peers'."""
        self._counter = counter
        self._signatures = [Signature(key, vhid, hashed) for key in keys for hashed in _hashed(addresses)]
        self._lists = len(self._signatures) // len(keys)
        self._list = 0
        """Which of the address lists we sign: OpenBSD's, or the one that the last believed peer has signed."""
        self._signed: dict[tuple[int, ...], bytes] = {}

    def sign(self, advbase: int, advskew: int, demotion: int) -> bytes:
        """The 36 bytes of our advertisement with these values, signed with the first key."""
        # With a counter that never changes, an advertisement is the same as the one before until a value is another;
        # and so is the bow-out for the guardian, which is signed with each of them.
        values = (advbase, advskew, demotion, self._list)
        payload = self._signed.get(values)
        if payload is None:
            if len(self._signed) >= _SIGNED_MAX:
                self._signed.clear()
            digest = self._signatures[self._list].digest(self._counter)
            payload = self._signed[values] = wire.pack(self._vhid, advbase, advskew, demotion, self._counter, digest)
        return payload

    def accept(self, payload: bytes, ttl: int, version: Version) -> Advertisement | Reject:
        """The advertisement in this payload if a peer of this virtual host sent it, else the one reason why not."""
        advertisement = self.identify(payload, ttl, version)
        return advertisement if isinstance(advertisement, Reject) else self.judge(advertisement)

    def identify(self, payload: bytes, ttl: int, version: Version) -> Advertisement | Reject:
        """What claims to be an advertisement of this virtual host, not yet believed; or why it is none."""
        advertisement = wire.decode(payload, None if self.unicast else ttl)
        if isinstance(advertisement, Reject):
            return advertisement
        if advertisement.vhid != self._vhid:
            return Reject.OTHER_VHID
        # An IPv6 advertisement for a vhid that has only IPv4 addresses is for somebody else's (FreeBSD carp_input).
        if version not in self.versions:
            return Reject.OTHER_FAMILY
        return advertisement

    def judge(self, advertisement: Advertisement) -> Advertisement | Reject:
        """Believed when one of the keys has signed it, and not by us.

        From then on our own are signed over the same list of addresses: FreeBSD refuses one without the link-local
        ones, and OpenBSD, which adds one that we do not know, any other.
        """
        fitting = (number for number, signature in enumerate(self._signatures) if signature.fits(advertisement))
        number = next(fitting, None)
        if number is None:
            return Reject.BAD_SECRET
        if advertisement.counter == self._counter:
            return Reject.ECHO
        self._list = number % self._lists
        return advertisement


def _hashed(addresses: Collection[Address]) -> list[Collection[Address]]:
    """What goes into the digest: without link-local IPv6 addresses, as OpenBSD sends it; with them, as FreeBSD does, it
    is believed as well (OpenBSD accepts both). To both all IPv4 addresses are alike."""
    without = [address for address in addresses if not (address.version == 6 and address.is_link_local)]
    return [without, addresses] if len(without) < len(addresses) else [addresses]
