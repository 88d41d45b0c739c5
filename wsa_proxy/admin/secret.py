"""What lets somebody in: the password of the configuration, or a random token that is told at the start."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets

import argon2

TOKEN_BYTES = 32
OFFERED_CHARACTERS_MAX = 1024  # a password has 256 at most; more is not worth a hash


class Secret:
    """``password``: plain, or its argon2 hash; None: a token is made."""

    def __init__(self, password: str | None) -> None:
        self.token = secrets.token_urlsafe(TOKEN_BYTES) if password is None else None
        """None: there is a password, which is never told."""
        self._key = secrets.token_bytes(32)
        self._hash = password if password is not None and password.startswith("$") else None
        plain = self.token or password
        self._right = None if self._hash or plain is None else self._digest(plain)
        self._turn = asyncio.Lock()

    async def is_right(self, offered: str) -> bool:
        """Whether this is the token or the password; takes the same time for every wrong one.

        An argon2 hash takes 64 MB and a tenth of a second: it is reckoned in a thread, one at a time, and once it was
        right, a digest is kept in memory, since a scraper asks again and again.
        """
        if len(offered) > OFFERED_CHARACTERS_MAX:
            return False
        digest = self._digest(offered)
        if self._hash is None or self._is_known(digest):
            return self._is_known(digest)
        async with self._turn:
            if not self._is_known(digest) and await asyncio.to_thread(_verify, self._hash, offered):
                self._right = digest
        return self._is_known(digest)

    def _is_known(self, digest: bytes) -> bool:
        return self._right is not None and hmac.compare_digest(digest, self._right)

    def _digest(self, text: str) -> bytes:
        """Of equal length for all, and with a key that ends with this process."""
        return hashlib.blake2b(text.encode(errors="replace"), key=self._key, digest_size=32).digest()


def _verify(hashed: str, offered: str) -> bool:
    try:
        return argon2.PasswordHasher().verify(hashed, offered)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError, UnicodeError):
        return False
