from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from collections.abc import Callable

import pytest
from wsproto import ConnectionType
from wsproto import WSConnection
from wsproto.events import AcceptConnection
from wsproto.events import CloseConnection
from wsproto.events import Event
from wsproto.events import Ping
from wsproto.events import Pong
from wsproto.events import Request
from wsproto.events import TextMessage

from wsa_proxy.lab.echoes import echo_tcp
from wsa_proxy.lab.echoes import echo_websocket

type Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def ask(served: Served, *pieces: bytes) -> bytes:
    """Send the pieces, each when something came back for the one before, and return all until the server closes."""

    raised: list[Exception] = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await served(reader, writer)
        except Exception as error:
            raised.append(error)
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    received = b""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for piece in pieces:
            writer.write(piece)
            received += await reader.read(1 << 16)
        writer.write_eof()
        received += await reader.read()
        writer.close()
    server.close()
    assert raised == []
    return received


async def test_a_tunnel_is_greeted_and_gets_back_what_it_sends() -> None:
    """The greeting comes unasked: so an idle tunnel, too, knows who serves it."""
    received = await ask(lambda reader, writer: echo_tcp(reader, writer, "10.0.0.2"), b"one", b"two")
    assert received == b"asked by 10.0.0.2\nonetwo"


async def test_a_websocket_gets_each_message_back_and_is_told_who_asked() -> None:
    """Spoken by a client that is another end of the protocol: upgrade, message, ping, close."""
    client = WSConnection(ConnectionType.CLIENT)
    sent = [client.send(Request(host="10.0.0.80", target="/echo"))]
    received = await ask(serve_websocket, sent[0])
    client.receive_data(received)
    (accepted,) = client.events()
    assert isinstance(accepted, AcceptConnection) and (b"x-asked-by", b"10.0.0.2") in accepted.extra_headers
    talk: list[Event] = [TextMessage("again"), Ping(b"there?"), CloseConnection(code=1000)]
    client.receive_data((await ask(serve_websocket, *sent, *map(client.send, talk)))[len(received) :])
    told, pong, closed = client.events()
    assert isinstance(told, TextMessage) and told.data == "again"
    assert isinstance(pong, Pong) and pong.payload == b"there?"
    assert isinstance(closed, CloseConnection)


@pytest.mark.parametrize("request_", [b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_what_is_no_websocket_is_ended(request_: bytes) -> None:
    """Without an upgrade, and without HTTP."""
    assert await ask(lambda reader, writer: echo_websocket(reader, writer, request_, "10.0.0.2")) == b""


async def serve_websocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await echo_websocket(reader, writer, await reader.readuntil(b"\r\n\r\n"), "10.0.0.2")
