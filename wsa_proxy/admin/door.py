"""Where the page listens: how many connections there may be, from whom, and for how long one may stand still.

The proxy needs its descriptors and its loop for its own clients. So there are few connections here, few from one
address, each must say what it wants in time, and one on which an answer waits to be read, and nothing moves, is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.web import Application

from wsa_proxy.admin.gate import Gate
from wsa_proxy.admin.gate import Pace

logger = logging.getLogger(__name__)

CONNECTIONS_MAX = 64
OF_ONE_ADDRESS_MAX = 32  # one page takes 7: a browser has 6 connections to a host, and the stream of events
ACCEPTS_PER_TURN = 16
BACKLOG = 64
BODY_BYTES_MAX = 64 * 1024
HEADER_BYTES_MAX = 8 * 1024  # as web servers have it; 16 KB of cookies took 5 ms of the loop
HEADER_S_MAX = 20.0  # from the first moment, and between two requests
BODY_S_MAX = 10.0
STUCK_S_MAX = 10.0
SWEEP_EVERY_S = 2.0
HANG_UP_S_MAX = 1.0
NO_DESCRIPTORS_S = 1.0  # until it is tried again


class DoorStream(IOStream):
    """Knows when something has left it last."""

    moved_s = 0.0

    def write_to_fd(self, data: memoryview) -> int:
        count = super().write_to_fd(data)
        if count:
            self.moved_s = asyncio.get_running_loop().time()
        return count

    def is_stuck(self, now_s: float) -> bool:
        return self.writing() and now_s - self.moved_s > STUCK_S_MAX


class Door:
    """Of one application; opened and closed as often as the settings change."""

    def __init__(self, application: Application) -> None:
        self._http = HTTPServer(
            Gate(application, Pace(time.monotonic)),
            max_header_size=HEADER_BYTES_MAX,
            max_body_size=BODY_BYTES_MAX,
            idle_connection_timeout=HEADER_S_MAX,
            body_timeout=BODY_S_MAX,
        )
        self._listening: list[socket.socket] = []
        self._streams: dict[DoorStream, str] = {}
        """Those that are open, with the address at the other end."""
        self._sweep: asyncio.TimerHandle | None = None

    async def open(self, host: str, port: int) -> None:
        """Listen on all addresses of a host, which are one, or those of a name. Raises OSError, and nothing is open."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        opened: list[socket.socket] = []
        try:
            for family, name in dict.fromkeys((family, name) for family, _, _, _, name in found):
                opened.append(_bind(family, name))
        except OSError:
            for each in opened:
                each.close()
            raise
        self._listening = opened
        for each in opened:
            loop.add_reader(each, self._accept, each)

    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens."""
        return [each.getsockname()[:2] for each in self._listening]

    def connections(self) -> int:
        """How many are open."""
        self._look()
        return len(self._streams)

    def close(self) -> None:
        """Nobody comes in any more; those who are inside stay."""
        for each in self._listening:
            asyncio.get_running_loop().remove_reader(each)
            each.close()
        self._listening = []

    async def hang_up(self) -> None:
        """End all connections."""
        for stream in [*self._streams]:
            stream.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANG_UP_S_MAX):
                await self._http.close_all_connections()
        self._look()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                connection, name = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors are left; to ask again at once would take the loop all its time
                logger.debug("page: a connection could not be accepted: %s", error)
                self._pause(listening)
                return
            self._let_in(connection, name)

    def _pause(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)

        def go_on() -> None:
            if listening in self._listening:
                loop.add_reader(listening, self._accept, listening)

        loop.call_later(NO_DESCRIPTORS_S, go_on)

    def _let_in(self, connection: socket.socket, name: Any) -> None:
        self._look()
        address = str(name[0])
        if len(self._streams) >= CONNECTIONS_MAX or [*self._streams.values()].count(address) >= OF_ONE_ADDRESS_MAX:
            connection.close()
            return
        connection.setblocking(False)
        stream = DoorStream(connection)
        stream.set_nodelay(True)
        self._streams[stream] = address
        self._http.handle_stream(stream, name)
        self._sweep_later()

    def _sweep_later(self) -> None:
        if self._sweep is None and self._streams:
            self._sweep = asyncio.get_running_loop().call_later(SWEEP_EVERY_S, self._sweep_now)

    def _sweep_now(self) -> None:
        self._sweep = None
        now_s = asyncio.get_running_loop().time()
        for stream in [*self._streams]:
            if stream.is_stuck(now_s):
                logger.debug("page: %s does not read its answer and is cut off", self._streams[stream])
                stream.close()
        self._look()
        self._sweep_later()

    def _look(self) -> None:
        """Forget those that are closed."""
        self._streams = {stream: address for stream, address in self._streams.items() if not stream.closed()}


def _bind(family: int, name: Any) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(name)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
