"""The web server behind the proxies, a process of its own: ``python -m wsa_proxy.lab.origin --certificate FILE``.

    /             200 and 300 bytes
    /slow/S       the same after S seconds
    /bytes/N      N bytes, in pieces
    /paced/N/S    N known bytes (known_bytes.py), evenly over S seconds
    /echo         a WebSocket that sends back what it gets

Every answer names in ``X-Asked-By`` the address from which it was asked: that is the node that served. HTTP on port
80, HTTPS on port 443, what is sent back over plain TCP on port 7 (RFC 862), both families.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_address

from wsa_proxy.lab.echoes import echo_tcp
from wsa_proxy.lab.echoes import echo_websocket
from wsa_proxy.lab.known_bytes import known_bytes

BODY = b"origin " * 43
PIECE_BYTES = 1 << 16
BYTES_MAX = 1 << 30
SLOW_MAX_S = 60.0
PACED_MAX_S = 600.0
PACE_S = 0.05
ECHO_PORT = 7
WEBSOCKET_PATH = "/echo"


async def serve(certificate: str | None) -> None:
    """Serve until cancelled. Prints ``ready`` when listening. ``certificate`` is a PEM file with its key."""
    everywhere = ("0.0.0.0", "::")
    servers = [
        await asyncio.start_server(_connection, everywhere, 80),
        await asyncio.start_server(_echo, everywhere, ECHO_PORT),
    ]
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        servers.append(await asyncio.start_server(_connection, everywhere, 443, ssl=context))
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection, one after the other."""
    try:
        while await _answer(reader, writer):
            pass
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # The proxy went away: that is what the lab is about.
    finally:
        writer.close()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection to the echo port."""
    try:
        await echo_tcp(reader, writer, _peer(writer))
    except OSError:
        pass  # As above.
    finally:
        writer.close()


def _peer(writer: asyncio.StreamWriter) -> str:
    return str(ip_address(writer.get_extra_info("peername")[0]))


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Read one request and answer it; return whether the connection may carry another one."""
    received = await reader.readuntil(b"\r\n\r\n")
    head = received.decode("latin-1")
    path = head.split(" ", 2)[1]
    peer = _peer(writer)
    if path == WEBSOCKET_PATH:
        await echo_websocket(reader, writer, received, peer)
        return False
    try:
        length, pieces = _resource(path)
    except ValueError:
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return True
    start = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nX-Asked-By: {peer}\r\n\r\n"
    writer.write(start.encode())
    async for piece in pieces:
        writer.write(piece)
        await writer.drain()
    return "connection: close" not in head.lower()


def _resource(path: str) -> tuple[int, AsyncIterator[bytes]]:
    """The length and the pieces of what the path names. Raises ValueError for an unknown path."""
    kind, _, number = path.strip("/").partition("/")
    if kind == "paced":
        count, duration_s = int(number.partition("/")[0]), float(number.partition("/")[2])
        if 0 <= count <= BYTES_MAX and 0 <= duration_s <= PACED_MAX_S:
            return count, _paced(count, duration_s)
    if kind == "bytes" and 0 <= int(number) <= BYTES_MAX:
        return int(number), _zeros(int(number))
    if kind == "slow" and 0 <= float(number) <= SLOW_MAX_S:
        return len(BODY), _later(float(number))
    if kind == "":
        return len(BODY), _later(0.0)
    raise ValueError(path)


async def _zeros(count: int) -> AsyncIterator[bytes]:
    for begin in range(0, count, PIECE_BYTES):
        yield bytes(min(PIECE_BYTES, count - begin))


async def _paced(count: int, duration_s: float) -> AsyncIterator[bytes]:
    """By an absolute schedule, so that a slow reader is not waited for twice."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    turns = max(round(duration_s / PACE_S), 1)
    for turn in range(turns):
        begin, end = count * turn // turns, count * (turn + 1) // turns
        await asyncio.sleep(began_s + turn * duration_s / turns - loop.time())
        yield known_bytes(begin, end - begin)


async def _later(delay_s: float) -> AsyncIterator[bytes]:
    if delay_s:
        await asyncio.sleep(delay_s)
    yield BODY


def main() -> None:
    parser = argparse.ArgumentParser(description="The lab's web server.")
    parser.add_argument("--certificate", help="PEM file with certificate and key; without it there is no HTTPS")
    asyncio.run(serve(parser.parse_args().certificate))


if __name__ == "__main__":
    main()
