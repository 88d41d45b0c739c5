"""The page itself, and the way in and out: what a browser asks for."""

from __future__ import annotations

import html
import logging

from wsa_proxy.admin.access import TooManyAttempts
from wsa_proxy.admin.handler import Handler
from wsa_proxy.admin.handler import Refusal
from wsa_proxy.admin.handler import too_many

logger = logging.getLogger(__name__)

MESSAGE = b"<!-- message -->"
"""In login.html: where it says why somebody was not let in."""
WRONG = "That is neither the token nor the password."


class FileHandler(Handler):
    """Sends one of the page's files."""

    def send_file(self, name: str, *, status: int = 200, message: str = "") -> None:
        """Raises Refusal when there is no such file."""
        file = self.site.files.get(name)
        if file is None:
            raise Refusal(404, "there is nothing at this path")
        if file.open and status == 200 and not message:
            self.set_header("Cache-Control", "no-cache")  # kept, and asked about each time
        self.set_status(status)
        self.set_header("Content-Type", file.kind)
        if message:
            note = f'<p class="message error" role="alert">{html.escape(message)}</p>'.encode()
            self.finish(file.body.replace(MESSAGE, note))
            return
        self.set_header("Etag", file.etag)
        if status == 200 and self.check_etag_header():
            self.set_status(304)
            self.finish()
            return
        self.finish(file.body)

    def compute_etag(self) -> None:
        """None but a file's own."""


class Page(FileHandler):
    """``GET /``: the page, and for those who have not logged in the way to do so."""

    async def get(self) -> None:
        self.send_file("index.html")

    def write_error(self, status_code: int, **more: object) -> None:
        if status_code == 401 and "login.html" in self.site.files:
            self.set_header("WWW-Authenticate", "Bearer")
            self.send_file("login.html", status=401)
            return
        super().write_error(status_code, **more)


class Static(FileHandler):
    """``GET /static/NAME``: a part of the page."""

    def is_open(self) -> bool:
        file = self.site.files.get(self.path_args[0])
        return file is not None and file.open

    async def get(self, name: str) -> None:
        self.send_file(name)


class Login(FileHandler):
    """``/login``: by the address that the log tells (``?token=``), or by the form."""

    OPEN = True

    async def get(self) -> None:
        offered = self.get_query_argument("token", "")
        if offered:
            await self._log_in(offered)
        else:
            self.send_file("login.html")

    async def post(self) -> None:
        await self._log_in(self.get_body_argument("password", "", strip=False))

    async def _log_in(self, offered: str) -> None:
        try:
            cookie = await self.site.access.log_in(self.address, offered)
        except TooManyAttempts as error:
            self._turn_away(too_many(error))
            return
        if cookie is None:
            self._turn_away(Refusal(403, WRONG))
            return
        logger.info("page: %s has logged in", await self.site.access.asker(self.address, cookie, ""))
        self.set_cookie(self.cookie_name, cookie, httponly=True, samesite="Strict", path="/")
        self.set_status(303)
        self.set_header("Location", "/")
        self.finish()

    def _turn_away(self, refusal: Refusal) -> None:
        if "login.html" not in self.site.files:
            raise refusal
        for name, value in refusal.headers.items():
            self.set_header(name, value)
        self.send_file("login.html", status=refusal.status_code, message=refusal.text)


class Logout(Handler):
    """``POST /logout``: the session ends, and every page that uses it."""

    async def post(self) -> None:
        assert self.asker is not None
        self.site.access.log_out(self.asker)
        self.clear_cookie(self.cookie_name, path="/")
        self.answer({"changes": ["logged out"]})
