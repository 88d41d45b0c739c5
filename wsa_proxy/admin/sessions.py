"""Who has logged in and not out again: kept here and not in the cookie, so that a session can be ended."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from dataclasses import field

SESSIONS_MAX = 64
IDLE_S_MAX = 12 * 3600.0  # a shift; an open page is not idle


@dataclass(slots=True)
class Session:
    """Of one browser."""

    used_s: float
    name: str = field(default_factory=lambda: secrets.token_hex(3))
    """For the log: opens nothing."""
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """What the page alone can know; other pages that the browser has open cannot."""

    def is_csrf(self, offered: str) -> bool:
        return hmac.compare_digest(offered.encode(errors="replace"), self.csrf.encode())


class Sessions:
    """All of them, by the digest of their cookie: to look one up takes no time that a guess could be measured by."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def begin(self, now_s: float) -> str:
        """The cookie of a new one. With too many the one that was idle for longest ends."""
        cookie = secrets.token_urlsafe(32)
        self._sessions[_digest(cookie)] = Session(now_s)
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return cookie

    def find(self, cookie: str, now_s: float) -> Session | None:
        """Of this cookie, which is used now."""
        key = _digest(cookie)
        session = self._sessions.get(key)
        if session is None:
            return None
        if now_s - session.used_s > IDLE_S_MAX:
            del self._sessions[key]
            return None
        session.used_s = now_s
        self._sessions.move_to_end(key)
        return session

    def end(self, cookie: str) -> None:
        """It has logged out."""
        self._sessions.pop(_digest(cookie), None)

    def end_all(self) -> None:
        """The password has changed."""
        self._sessions.clear()


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode(errors="replace")).digest()
