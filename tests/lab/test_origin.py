from __future__ import annotations

import asyncio

from wsa_proxy.lab import origin
from wsa_proxy.lab.known_bytes import known_bytes

PACED_WRONG = ("/paced/9", "/paced/9/601", "/paced/-1/1", "/paced/9/nan", f"/paced/{origin.BYTES_MAX + 1}/1")


async def ask(*requests: bytes) -> bytes:
    """Send the requests over one connection and return everything that came back."""
    server = await asyncio.start_server(origin._connection, "127.0.0.1", 0)
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"".join(requests))
        writer.write_eof()
        received = await reader.read()
        writer.close()
    server.close()
    return received


async def test_an_answer_names_the_address_that_asked() -> None:
    """That address is the node's: so the client learns who served."""
    head, _, body = (await ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"X-Asked-By: 127.0.0.1" in head
    assert 200 <= len(body) <= 400


async def test_a_connection_carries_one_request_after_the_other_until_it_is_to_be_closed() -> None:
    """HTTP/1.1 keeps connections."""
    received = await ask(
        b"GET / HTTP/1.1\r\n\r\n", b"GET /bytes/3 HTTP/1.1\r\nconnection: Close\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"
    )
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.endswith(b"\r\n\r\n\0\0\0")


async def test_as_many_bytes_come_as_were_asked_for() -> None:
    """More than one piece, and none."""
    for count in (0, origin.PIECE_BYTES + 1):
        received = await ask(f"GET /bytes/{count} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        assert len(received.partition(b"\r\n\r\n")[2]) == count


async def test_what_it_does_not_have_is_not_found() -> None:
    """Unknown paths, and numbers out of bounds."""
    for path in (
        "/nothing",
        "/bytes/-1",
        "/bytes/x",
        f"/bytes/{origin.BYTES_MAX + 1}",
        "/slow/61",
        "/slow/nan",
        *PACED_WRONG,
    ):
        received = await ask(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        assert received.startswith(b"HTTP/1.1 404"), path


async def test_a_slow_answer_comes_after_its_time() -> None:
    """And is the same as the quick one."""
    began_s = asyncio.get_running_loop().time()
    received = await ask(b"GET /slow/0.2 HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert asyncio.get_running_loop().time() - began_s >= 0.2
    assert received.endswith(origin.BODY)


async def test_a_paced_download_takes_its_time_and_every_byte_is_known() -> None:
    """Evenly: the last piece leaves one turn before the end."""
    began_s = asyncio.get_running_loop().time()
    received = await ask(b"GET /paced/1001/0.5 HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert asyncio.get_running_loop().time() - began_s >= 0.5 - origin.PACE_S
    assert received.partition(b"\r\n\r\n")[2] == known_bytes(0, 1001)


async def test_an_upgrade_is_answered_as_such() -> None:
    """The rest of the connection is a WebSocket's."""
    received = await ask(
        b"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert received.startswith(b"HTTP/1.1 101 ") and b"x-asked-by: 127.0.0.1" in received.lower()


async def test_the_echo_port_greets() -> None:
    """With the address that asked, as everything here does."""
    server = await asyncio.start_server(origin._echo, "127.0.0.1", 0)
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.readline() == b"asked by 127.0.0.1\n"
        writer.close()
    server.close()
