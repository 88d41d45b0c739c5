"""Member reports under way: ChaCha20-Poly1305 (RFC 8439) with keys that are made of the Shared Secret.

A datagram is, with all numbers big endian::

    0..3     "wsam"
    4        1, the version of this envelope
    5        the Failover Group ID
    6..17    nonce, random
    18..     the report, encrypted; its last 16 bytes authenticate it and the first six

Nonces are random: after 2^32 reports, which a node needs a century for, two are the same with a chance of 2^-33.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Callable
from collections.abc import Sequence
from enum import Enum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

MAGIC = b"wsam"
ENVELOPE = 1
DATAGRAM_BYTES_MAX = 1400
"""One Ethernet frame, tunnels included: a report is never fragmented."""
NONCE_BYTES = 12
HEAD_BYTES = len(MAGIC) + 2
OVERHEAD_BYTES = HEAD_BYTES + NONCE_BYTES + 16
FINGERPRINT_BYTES = 6


class Unread(Enum):
    """Why a datagram is not read; each value is the name of one counter."""

    MALFORMED = "malformed"
    """No report at all, or one that makes no sense although it authenticates."""
    OTHER_VERSION = "other_version"
    """An envelope that this version cannot open."""
    BAD_SECRET = "bad_secret"
    OTHER_GROUP = "other_group"
    """A group that this node does not have on the interface."""
    ECHO = "echo"
    """Our own, reflected."""
    REPLAY = "replay"
    """Not newer than what was heard from the same process."""
    CONTACT = "contact"
    """Authentic, but it repeats none of our challenges yet, so it may be old."""
    LIMIT = "limit"
    """More than this node takes the time for."""


@functools.lru_cache(maxsize=4096)  # as for the key of sealed advertisements
def members_key(pass_phrase: bytes) -> bytes:
    """The 32-byte key of reports. Takes some 60 ms: not for a loop that has to turn.

    Made slowly, and with a salt of its own, for the reasons of ``carp.seal.sealed_key``.
    """
    return hashlib.scrypt(pass_phrase, salt=b"wsa-proxy members 1", n=2**14, r=8, p=1, dklen=32)


def fingerprint(key: bytes, what: bytes) -> str:
    """Twelve hexadecimal digits that tell nothing of ``what`` to whoever does not know it and the key."""
    return hmac.digest(key, what, "sha256")[:FINGERPRINT_BYTES].hex()


class Cipher:
    """Of one group: the first key signs, all are accepted."""

    def __init__(self, vhid: int, keys: Sequence[bytes], random: Callable[[int], bytes]) -> None:
        """``random`` answers so many unpredictable bytes."""
        self._head = MAGIC + bytes((ENVELOPE, vhid))
        self._ciphers = [ChaCha20Poly1305(key) for key in keys]
        self._random = random

    def seal(self, report: bytes) -> bytes:
        """The datagram."""
        nonce = self._random(NONCE_BYTES)
        return self._head + nonce + self._ciphers[0].encrypt(nonce, report, self._head)

    def open(self, datagram: bytes) -> bytes | Unread:
        """The report, or why there is none. ``vhid`` has been looked at before."""
        head = datagram[:HEAD_BYTES]
        nonce, sealed = datagram[HEAD_BYTES : HEAD_BYTES + NONCE_BYTES], datagram[HEAD_BYTES + NONCE_BYTES :]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, sealed, head)
            except InvalidTag:
                continue
        return Unread.BAD_SECRET


def group_of(datagram: bytes) -> int | Unread:
    """The Failover Group ID that a datagram says, or why it is none of ours."""
    if len(datagram) < OVERHEAD_BYTES or len(datagram) > DATAGRAM_BYTES_MAX or not datagram.startswith(MAGIC):
        return Unread.MALFORMED
    if datagram[len(MAGIC)] != ENVELOPE:
        return Unread.OTHER_VERSION
    return datagram[HEAD_BYTES - 1]
