"""Who may ask, and in whose name: by a session of the page, or by the token or password in each request.

- A browser logs in and gets a cookie that no script sees and that no other site's page can have sent (HttpOnly,
  SameSite=Strict). What changes something needs the session's CSRF token as well, and comes from no other origin.
- A script sends ``Authorization: Bearer TOKEN-OR-PASSWORD``. A browser adds that to nothing by itself.
- The Host header must mean this listener, or be an address: a name that another site has pointed here (DNS rebinding)
  is refused before anything else is looked at.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from ipaddress import ip_address
from urllib.parse import urlsplit

from wsa_proxy.admin.attempts import Attempts
from wsa_proxy.admin.secret import Secret
from wsa_proxy.admin.sessions import Session
from wsa_proxy.admin.sessions import Sessions
from wsa_proxy.settings import AdminSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who was let in."""

    address: str
    secret: Secret
    """Of the time; with another one nobody of before is let in any more."""
    cookie: str = field(default="", repr=False)
    session: Session | None = None
    """None: the request itself has brought the token or password."""

    def __str__(self) -> str:
        return f"{self.address} ({f'session {self.session.name}' if self.session else 'bearer'})"


class TooManyAttempts(Exception):
    """Wrong too often; ``wait_s`` until the next try."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many wrong passwords from this address; try again in {math.ceil(wait_s)} s")
        self.wait_s = wait_s


class Access:
    """``clock``: monotonic seconds."""

    def __init__(self, settings: AdminSettings, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._settings = settings
        self._attempts = Attempts()
        self._sessions = Sessions()
        self.secret = Secret(settings.password)

    def change(self, settings: AdminSettings) -> bool:
        """Other settings. With another password everybody must log in anew; whether that is so."""
        another = settings.password != self._settings.password
        self._settings = settings
        if another:
            self.secret = Secret(settings.password)
            self._sessions.end_all()
        return another

    def is_meant(self, host: str) -> bool:
        """Whether the Host header of a request means this server."""
        name = _name_in(host)
        if name is None:
            return False
        return name in ("localhost", self._settings.host.lower()) or _is_address(name)

    async def asker(self, address: str, cookie: str, authorization: str) -> Asker | None:
        """Who sends this; None: nobody that is known. Raises TooManyAttempts."""
        scheme, _, offered = authorization.partition(" ")
        if scheme.lower() == "bearer":
            secret = self.secret
            return Asker(address, secret) if await self._is_right(address, offered.strip()) else None
        session = self._sessions.find(cookie, self._clock()) if cookie else None
        return Asker(address, self.secret, cookie, session) if session else None

    async def log_in(self, address: str, offered: str) -> str | None:
        """The cookie of a new session; None: that was wrong. Raises TooManyAttempts."""
        return self._sessions.begin(self._clock()) if await self._is_right(address, offered) else None

    def log_out(self, asker: Asker) -> None:
        self._sessions.end(asker.cookie)

    def still(self, asker: Asker) -> bool:
        """Whether somebody who was let in, and has stayed, would be let in now."""
        if asker.secret is not self.secret:
            return False
        return asker.session is None or self._sessions.find(asker.cookie, self._clock()) is asker.session

    async def _is_right(self, address: str, offered: str) -> bool:
        if not offered:  # no guess
            return False
        if not self._attempts.take(address, self._clock()):
            raise TooManyAttempts(self._attempts.wait_s(address, self._clock()))
        secret = self.secret
        if not await secret.is_right(offered) or secret is not self.secret:  # another one came meanwhile
            logger.warning("page: %s: a wrong token or password", address)
            return False
        self._attempts.give_back(address, self._clock())
        return True


def is_same_origin(origin: str, host: str) -> bool:
    """Whether a page of this server has sent it: Origin and Host name the same place."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.netloc.lower() == host.lower()


def _name_in(host: str) -> str | None:
    """The host of ``name:port``, without brackets; None when it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    if parts.netloc != host or parts.username is not None:
        return None
    return (parts.hostname or "").removesuffix(".") or None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
