"""What every request goes through, whatever it asks for: the checks before, the headers and the line in the log after.

A handler that does not say otherwise (``OPEN``) lets nobody in who is not known: what is forgotten is closed.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import responses
from typing import Any
from typing import ClassVar
from typing import Protocol

from tornado.web import HTTPError
from tornado.web import RequestHandler

from wsa_proxy.admin.access import Access
from wsa_proxy.admin.access import Asker
from wsa_proxy.admin.access import TooManyAttempts
from wsa_proxy.admin.access import is_same_origin
from wsa_proxy.admin.events import Events
from wsa_proxy.admin.static_files import StaticFile
from wsa_proxy.runtime.verbs import Verb

logger = logging.getLogger(__name__)

CHANGING = ("POST", "PUT", "PATCH", "DELETE")
LOGGED_CHARACTERS_MAX = 500
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer a browser sends the form to log in with "Origin: null", as a page of another site does.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOG_IN = "log in, or send the header Authorization: Bearer with the token or password"
NO_CSRF = "a change needs the header X-CSRF-Token with what GET /api/session tells"
WRONG_HOST = "this host name is not the page's: go there by the address, localhost, or the name in admin: listen"


class NodeView(Protocol):
    """What the page needs of the node."""

    @property
    def name(self) -> str: ...
    @property
    def verbs(self) -> Mapping[str, Verb]: ...
    def status(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Site:
    """What the handlers share."""

    node: NodeView
    access: Access
    events: Events
    files: Mapping[str, StaticFile]
    """Of the page, by name."""
    exposition: Callable[[dict[str, Any]], bytes] | None = None
    """The metrics of a status document."""


class Refusal(HTTPError):
    """The answer to a request that is not carried out, with the reason for whoever asked."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.text = text
        self.headers = dict(headers or {})


class Handler(RequestHandler):
    """The base of all of them. ``asker`` is there from ``prepare`` on, unless ``OPEN``."""

    OPEN: ClassVar[bool] = False
    """Whoever comes is answered."""
    asker: Asker | None = None
    told: str = ""
    """For the log: the arguments of what was asked for, without a secret, and the reason when it was refused."""

    def initialize(self, site: Site) -> None:
        self.site = site

    @property
    def address(self) -> str:
        """Of whoever has connected."""
        return str(self.request.remote_ip)

    @property
    def cookie_name(self) -> str:
        """By node: cookies know no ports, and several nodes are seen at localhost through tunnels."""
        return f"wsa-proxy-{self.site.node.name}"

    def is_open(self) -> bool:
        """Whether whoever comes is answered."""
        return self.OPEN

    @classmethod
    def methods(cls) -> list[str]:
        """Those that it answers."""
        known = [(method, getattr(cls, method.lower())) for method in cls.SUPPORTED_METHODS]
        return [method for method, function in known if function is not getattr(RequestHandler, method.lower())]

    # -- before ------------------------------------------------------------------------------------------------------

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)

    async def prepare(self) -> None:
        host, origin = self.request.host, self.request.headers.get("Origin")
        changing = self.request.method in CHANGING
        if not self.site.access.is_meant(host):
            raise Refusal(403, WRONG_HOST)
        if changing and origin is not None and not is_same_origin(origin, host):
            raise Refusal(403, "a page of another site may change nothing here")
        if self._is_drawn_in():
            raise Refusal(403, "a page of another site may only lead here, not draw this in")
        if self.is_open():
            return
        asker = await self._find_asker()
        if asker is None:
            raise Refusal(401, LOG_IN, {"WWW-Authenticate": "Bearer"})
        if changing and asker.session and not asker.session.is_csrf(self.request.headers.get("X-CSRF-Token", "")):
            raise Refusal(403, NO_CSRF)
        self.asker = asker

    def _is_drawn_in(self) -> bool:
        """By another site's page, as a picture or in a frame: it could use up the attempts to log in, as whoever looks
        at it. What sends this header is a browser that knows (Fetch Metadata); a link that is followed is no such."""
        headers = self.request.headers
        is_foreign = headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none")
        return is_foreign and headers.get("Sec-Fetch-Dest") != "document"

    async def _find_asker(self) -> Asker | None:
        # A header is taken for Latin-1; whoever sends a password sends UTF-8.
        authorization = (
            self.request.headers.get("Authorization", "").encode("latin-1", "replace").decode(errors="replace")
        )
        cookie = self.get_cookie(self.cookie_name) or ""
        try:
            return await self.site.access.asker(self.address, cookie, authorization)
        except TooManyAttempts as error:
            raise too_many(error) from None

    # -- after -------------------------------------------------------------------------------------------------------

    def answer(self, document: dict[str, Any], status: int = 200) -> None:
        """A JSON document; it ends the request."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(document))

    def write_error(self, status_code: int, **more: Any) -> None:
        error = more.get("exc_info", (None, None))[1]
        for name, value in getattr(error, "headers", {}).items():
            self.set_header(name, value)
        if status_code == 405:
            self.set_header("Allow", ", ".join(self.methods()))
        text = getattr(error, "text", responses.get(status_code, "unknown error"))
        self.told = f"{self.told} {text}".strip()
        self.answer({"error": text}, status_code)

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        """A refusal is the business of whoever asked; anything else is a mistake of ours."""
        if not isinstance(error, HTTPError):
            logger.error("page: %s", self._summary(), exc_info=(kind, error, trace))

    def on_finish(self) -> None:
        """The audit line: whoever was let in and changes something is named, whatever came of it."""
        if self.asker is not None and self.request.method in CHANGING:
            logger.info("page: %s %s: %d", self.asker, self._summary(), self.get_status())

    def _summary(self) -> str:
        text = f"{self.request.method} {self.request.path} {self.told}".strip()
        return "".join(each if each.isprintable() else "?" for each in text[:LOGGED_CHARACTERS_MAX])


class NotFound(Handler):
    """For every path that nothing else answers."""

    async def prepare(self) -> None:
        await super().prepare()
        raise Refusal(404, "there is nothing at this path")


def too_many(error: TooManyAttempts) -> Refusal:
    """The answer to somebody who was wrong too often."""
    return Refusal(429, str(error), {"Retry-After": str(math.ceil(error.wait_s))})
