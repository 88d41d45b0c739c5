"""Connections that can carry one request after the other, as browsers keep them: for the client's steady requests."""

from __future__ import annotations

import asyncio
from collections import deque

from wsa_proxy.lab.answer import is_last
from wsa_proxy.lab.answer import read_answer


class Kept(asyncio.Protocol):
    """One connection, with at most one request under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._finished: asyncio.Future[tuple[str, str] | None] | None = None
        self._asks_last = False
        """The request has said that there will be no other: nobody has to repeat that in the answer."""
        self.usable = False
        """It may carry another request."""

    async def ask(self, head: bytes) -> tuple[str, str] | None:
        """(server, error) of one request; None when the connection ended before a byte of the answer."""
        assert self._transport is not None
        self.usable, self._asks_last = False, is_last(head)
        self._received.clear()
        self._finished = asyncio.get_running_loop().create_future()
        self._transport.write(head)
        return await self._finished

    def end(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self.usable = transport, True

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = bytes(self._received)
        outcome = read_answer(answer)
        if outcome is not None:
            self.usable = not (outcome[1] or self._asks_last or is_last(answer))
            self._finish(outcome)

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        told = f"connection lost: {error}" if error else "connection closed before the answer was complete"
        self._finish(("", told) if self._received else None)

    def _finish(self, outcome: tuple[str, str] | None) -> None:
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(outcome)


class Pool:
    """The connections to one proxy that are free for another request."""

    def __init__(self, host: str, port: int, size_max: int) -> None:
        self._host, self._port = host, port
        self._free: deque[Kept] = deque()
        self._size_max = size_max

    def free(self) -> Kept | None:
        """One that may carry a request, if there is one."""
        while self._free:
            if (kept := self._free.popleft()).usable:
                return kept
        return None

    async def connect(self) -> Kept:
        """A new one. Raises OSError."""
        _, kept = await asyncio.get_running_loop().create_connection(Kept, self._host, self._port)
        return kept

    async def ask(self, kept: Kept, head: bytes) -> tuple[str, str] | None:
        """(server, error) of one request; None when the connection ended before a byte of the answer. The connection is
        free again, or ended: if it may carry no more, if enough others are free, or if the request was given up."""
        try:
            return await kept.ask(head)
        finally:
            if kept.usable and len(self._free) < self._size_max:
                self._free.append(kept)
            else:
                kept.end()
