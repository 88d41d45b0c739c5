from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from tests.lab.one_server import connected
from wsa_proxy.lab import download as download_module
from wsa_proxy.lab.download import download
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.known_bytes import known_bytes
from wsa_proxy.lab.talks import Closed
from wsa_proxy.lab.talks import Unexpected
from wsa_proxy.lab.watch import Watch

COUNT = 100_000
HEAD = b"HTTP/1.1 200 OK\r\nX-Asked-By: 10.0.0.2\r\n\r\n"
BODY = known_bytes(0, COUNT)


async def fetch(*pieces: bytes, end: str = "close") -> tuple[bytes, list[Fate]]:
    """Download from a server that sends these pieces, then closes, resets or says nothing; the request and the news."""
    told: list[Fate] = []
    request = b""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal request
        request = await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if end == "reset":
            await asyncio.sleep(0.05)  # Else the client's kernel drops what it has not read yet.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        elif end == "silence":
            await over.wait()

    async with connected(serve) as (reader, writer):
        watch = Watch("download 1", 1, told.append)
        try:
            await download(reader, writer, "http://10.0.0.80/paced/100000/1", COUNT, watch)
            watch.ended(State.DONE)
        finally:
            over.set()
    return request, told


async def test_every_byte_is_compared_however_they_come() -> None:
    """The request is one that a proxy takes; the answer names the node."""
    request, told = await fetch(HEAD + BODY[:7], *[BODY[place : place + 999] for place in range(7, COUNT, 999)])
    assert request.startswith(b"GET http://10.0.0.80/paced/100000/1 HTTP/1.1\r\nHost: 10.0.0.80\r\n")
    assert (told[-1].state, told[-1].count, told[-1].server) == (State.DONE, COUNT, "10.0.0.2")


@pytest.mark.parametrize(
    "body",
    [
        BODY[:500] + b"\0" + BODY[501:],
        BODY[:800] + BODY[808:],
        BODY[:808] + BODY[800:],
        BODY[:1600] + BODY[1608:1616] + BODY[1600:1608] + BODY[1616:],
        BODY + b"more",
    ],
    ids=["changed", "lost", "repeated", "swapped", "too long"],
)
async def test_a_wrong_byte_is_told(body: bytes) -> None:
    """Wherever it is."""
    with pytest.raises(Unexpected, match="not what was sent"):
        await fetch(HEAD + body)


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + BODY[:-1]])
async def test_a_close_before_the_last_byte_is_told(sent: bytes) -> None:
    """Also one before the answer has begun."""
    with pytest.raises(Closed):
        await fetch(sent)


async def test_a_reset_is_told_as_such() -> None:
    """By the kernel's word."""
    with pytest.raises(ConnectionResetError, match="Connection reset by peer"):
        await fetch(HEAD, BODY[:10], end="reset")


async def test_a_silence_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever hangs has to find out by himself, as any client."""
    monkeypatch.setattr(download_module, "SILENT_S", 0.1)
    with pytest.raises(TimeoutError):
        await fetch(HEAD, BODY[:10], end="silence")


@pytest.mark.parametrize("head", [b"HTTP/1.1 502 Bad Gateway\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_only_the_origin_s_answer_counts(head: bytes) -> None:
    """A proxy's own error page is no download."""
    with pytest.raises(Unexpected):
        await fetch(head + BODY)
