"""Many TLS clients at once: ``python -m tests.bench.tls_crowd PROXY NAME CA CLIENTS SECONDS``.

Each makes a connection to the proxy, a tunnel to NAME by CONNECT and a TLS session in it, verifies the certificate that
the proxy has made, sends one request, and begins again. Prints how many were answered and how many failed.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time

LIMIT_S = 60.0
"""For one client's turn: a proxy that serves 60 a second needs 17 s for a thousand."""


async def once(proxy: tuple[str, int], name: str, context: ssl.SSLContext) -> bool:
    """One request; True if it was answered with 200."""
    reader, writer = await asyncio.open_connection(*proxy)
    try:
        writer.write(f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            return False
        await writer.start_tls(context, server_hostname=name)
        writer.write(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        return (await reader.read()).startswith(b"HTTP/1.1 200")
    finally:
        writer.transport.abort()


async def client(proxy: tuple[str, int], name: str, context: ssl.SSLContext, until_s: float) -> tuple[int, int]:
    """One turn after the other."""
    answered = failed = 0
    while time.monotonic() < until_s:
        try:
            async with asyncio.timeout(LIMIT_S):
                served = await once(proxy, name, context)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            served = False
            await asyncio.sleep(0.1)
        answered += served
        failed += not served
    return answered, failed


async def crowd(proxy: str, name: str, authority: str, clients: int, seconds: float) -> None:
    """All of them."""
    host, _, port = proxy.rpartition(":")
    context = ssl.create_default_context(cafile=authority)
    until_s = time.monotonic() + seconds
    each = await asyncio.gather(
        *(client((host.strip("[]"), int(port)), name, context, until_s) for _ in range(clients))
    )
    print(sum(answered for answered, _ in each), sum(failed for _, failed in each))


if __name__ == "__main__":
    where, site, trusted, how_many, how_long = sys.argv[1:]
    asyncio.run(crowd(where, site, trusted, int(how_many), float(how_long)))
