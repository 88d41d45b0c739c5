"""``GET /api/events``: what happens, as server-sent events, for as long as the page is open."""

from __future__ import annotations

import asyncio
from collections import deque

from tornado.iostream import StreamClosedError

from wsa_proxy.admin.handler import Handler
from wsa_proxy.admin.handler import Refusal
from wsa_proxy.admin.handler import Site

WAITING_MAX = 64  # things that have happened, for a listener who is behind


class EventStream(Handler):
    """A ``Listener``. One message is on its way at a time; the door closes a connection on which nothing moves."""

    def initialize(self, site: Site) -> None:
        super().initialize(site)
        self._ended = False  # also by somebody who goes away before he is let in
        self._news = asyncio.Event()
        self._state = b""
        self._happened: deque[bytes] = deque()

    async def get(self) -> None:
        if not self.site.events.join(self):
            raise Refusal(503, "too many pages are open; close one", {"Retry-After": "10"})
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        try:
            while not self._ended:
                await self._news.wait()
                await self._send()
        except StreamClosedError:
            pass  # it comes again when it wants to
        finally:
            self.site.events.leave(self)

    async def _send(self) -> None:
        """All that there is; what comes while it is on its way is sent together as well."""
        self._news.clear()
        message = b"".join(self._happened) + self._state
        self._happened.clear()
        self._state = b""
        if message and not self._ended:
            self.write(message)
            await self.flush()

    # -- as a listener -----------------------------------------------------------------------------------------------

    def may_stay(self) -> bool:
        return self.asker is not None and self.site.access.still(self.asker)

    def offer(self, message: bytes) -> None:
        self._state = message
        self._news.set()

    def tell(self, message: bytes) -> None:
        if len(self._happened) >= WAITING_MAX:
            self.end()
            return
        self._happened.append(message)
        self._news.set()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    def on_connection_close(self) -> None:
        self.end()
