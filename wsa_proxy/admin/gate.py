"""What a request may cost before anybody has looked at who asks: so much to read, and so many a second.

tornado takes a request apart on the proxy's loop, before any handler sees it. A form of 64 KB takes 12 ms of it, a body
in pieces of one byte 50, and 64 connections send them at once: nothing else would happen for seconds, and the guardian
would give the virtual IPs up. So what no page sends is not read, and the rest waits for its turn on its own connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from collections.abc import Callable

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPConnection
from tornado.httputil import HTTPHeaders
from tornado.httputil import HTTPMessageDelegate
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.httputil import RequestStartLine
from tornado.httputil import ResponseStartLine

JSON = "application/json"
FORM_BYTES_MAX = 4096  # a password has 256 characters, of which each may be four bytes and each of these three letters
PER_S = 100.0
AT_ONCE = 100  # a few pages that are opened together


class Pace:
    """So many turns a second, in the order in which they were asked for. ``clock``: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._free_s = 0.0
        """When the last turn that was given would have been due at an even pace."""
        self._queue = asyncio.Lock()

    async def turn(self, is_gone: Callable[[], bool]) -> None:
        """Wait for one. Whoever is gone meanwhile takes none."""
        async with self._queue:
            if is_gone():
                return
            now_s = self._clock()
            self._free_s = max(self._free_s + 1 / PER_S, now_s - (AT_ONCE - 1) / PER_S)
            if self._free_s > now_s:
                await asyncio.sleep(self._free_s - now_s)


class Gate(HTTPServerConnectionDelegate):
    """Before an application."""

    def __init__(self, application: HTTPServerConnectionDelegate, pace: Pace) -> None:
        self._application = application
        self._pace = pace

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        assert isinstance(request_conn, HTTP1Connection)
        return _Request(self._application.start_request(server_conn, request_conn), request_conn, self._pace)

    def on_close(self, server_conn: object) -> None:
        self._application.on_close(server_conn)


class _Request(HTTPMessageDelegate):
    def __init__(self, request: HTTPMessageDelegate, connection: HTTP1Connection, pace: Pace) -> None:
        self._request = request
        self._connection = connection
        self._pace = pace

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        if "Transfer-Encoding" in headers:  # neither a browser nor a script needs that here
            self._connection.set_max_body_size(0)
        elif headers.get("Content-Type", "").partition(";")[0].strip().lower() != JSON:
            self._connection.set_max_body_size(FORM_BYTES_MAX)
        await self._pace.turn(self._connection.stream.closed)
        begun = self._request.headers_received(start_line, headers)
        if begun is not None:
            await begun

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._request.data_received(chunk)

    def finish(self) -> None:
        self._request.finish()

    def on_connection_close(self) -> None:
        self._request.on_connection_close()
