"""One question to whoever has a virtual IP: does its proxy answer? It leaves no trace in any log, and reaches no addon.

It asks for nothing, as ``vip_probe.py`` does. What this process asks itself is one of its self-tests. What it asks
another node comes from one port, which the reports tell to all members: they know the connection by its address and
port, and show it to nobody (``SelfTests.expect_members``). It ends with a reset, so that the same port can be used
again a second later, at the same address.

Of a node that knows nothing of it (an earlier version, or no report was heard yet), and over IPv6 where the reports are
sent from a link-local address, the log says that a client has connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence

from wsa_proxy.proxy.connections import Address
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.self_tests import SelfTests
from wsa_proxy.proxy.vip_probe import ANSWER_BYTES
from wsa_proxy.proxy.vip_probe import LIMIT_S
from wsa_proxy.proxy.vip_probe import QUESTIONS
from wsa_proxy.runtime.service_watch import Answered
from wsa_proxy.runtime.service_watch import Member

logger = logging.getLogger(__name__)

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for 0 seconds."""


class ServiceProbe:
    """Of one process; ``endpoints`` answers the modes that it serves, and others are expected to."""

    def __init__(self, self_tests: SelfTests, endpoints: Callable[[], Sequence[LoopbackEndpoint]]) -> None:
        self._self_tests, self._endpoints = self_tests, endpoints
        self._reserved: socket.socket | None = None

    def open(self) -> int:
        """Take a port, the same for both IP versions; nobody else of this host gets it. 0: there is none to be had,
        and other nodes are asked from any."""
        try:
            reserved = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        except OSError:  # no IPv6 on this host
            reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind(("", 0))
        except OSError as error:
            reserved.close()
            logger.warning("failover: no port to ask other nodes from: %s; their logs will show each question", error)
            return 0
        self._reserved = reserved
        return self._port

    @property
    def _port(self) -> int:
        return int(self._reserved.getsockname()[1]) if self._reserved is not None else 0

    def close(self) -> None:
        """Harmless when repeated."""
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def expect(self, members: Collection[Member]) -> None:
        """A ``runtime.ServiceProbe``, as is all of this."""
        self._self_tests.expect_members([(address, port or self._port) for address, port in members])

    async def ask(self, address: Address, port: int, *, here: bool) -> Answered:
        """One question; the limit is ``vip_probe``'s."""
        modes = [endpoint.mode for endpoint in self._endpoints()]
        question, expected = QUESTIONS.get(modes[0] if modes else "", (b"", b""))
        try:
            async with asyncio.timeout(LIMIT_S):
                with self._own_socket(str(address)) if here else self._socket_of(address) as connection:
                    return await _ask(connection, (str(address), port), question, expected)
        except TimeoutError:
            return Answered(False, f"no answer within {LIMIT_S:g} s")
        except OSError as error:
            return Answered(False, os.strerror(error.errno) if error.errno else str(error))

    @contextlib.contextmanager
    def _own_socket(self, host: str) -> Iterator[socket.socket]:
        with self._self_tests.own_socket(host) as (connection, _):
            yield connection

    @contextlib.contextmanager
    def _socket_of(self, address: Address) -> Iterator[socket.socket]:
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.bind(("", self._port))
            yield connection


async def _ask(connection: socket.socket, place: Member, question: bytes, expected: bytes) -> Answered:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, place)
    if not expected:
        return Answered(True, "accepts connections")
    await loop.sock_sendall(connection, question)
    answer = await loop.sock_recv(connection, ANSWER_BYTES)
    if answer.startswith(expected):
        return Answered(True, "answers")
    return Answered(False, "has hung up" if not answer else "something else than this proxy answers")
