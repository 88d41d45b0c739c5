"""What the origin sends back: TCP on a port of its own, for CONNECT tunnels, and WebSocket.

Each says first from which address it was asked, as every answer of the origin does: that is the node that serves.
"""

from __future__ import annotations

import asyncio

from wsproto import ConnectionType
from wsproto import WSConnection
from wsproto.events import AcceptConnection
from wsproto.events import BytesMessage
from wsproto.events import CloseConnection
from wsproto.events import Event
from wsproto.events import Ping
from wsproto.events import Request
from wsproto.events import TextMessage
from wsproto.utilities import RemoteProtocolError

GREETING = "asked by "
PIECE_BYTES = 1 << 16


def greeting(peer: str) -> bytes:
    """The first line of a TCP connection."""
    return f"{GREETING}{peer}\n".encode()


async def echo_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
    """Greet, then send back what comes until the other end closes. Raises OSError."""
    writer.write(greeting(peer))
    while piece := await reader.read(PIECE_BYTES):
        writer.write(piece)
        await writer.drain()


async def echo_websocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, peer: str) -> None:
    """Accept the upgrade whose request is ``head``, then send each message back until the other end closes.

    What is no WebSocket ends the connection. Raises OSError.
    """
    connection = WSConnection(ConnectionType.SERVER)
    received = head
    while received:
        try:
            connection.receive_data(received)
            answers = [answer for event in connection.events() if (answer := _answer(event, peer)) is not None]
        except RemoteProtocolError:
            return
        for answer in answers:
            writer.write(connection.send(answer))
        await writer.drain()
        if any(isinstance(answer, CloseConnection) for answer in answers):
            return
        received = await reader.read(PIECE_BYTES)


def _answer(event: Event, peer: str) -> Event | None:
    """What is sent for one event; a message may come in pieces, which go back as they came."""
    if isinstance(event, Request):
        return AcceptConnection(extra_headers=[(b"x-asked-by", peer.encode())])
    if isinstance(event, TextMessage | BytesMessage):
        return event
    if isinstance(event, Ping | CloseConnection):
        return event.response()
    return None
