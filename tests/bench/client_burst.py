"""Many clients that come once, all at the same moment: ``python -m tests.bench.client_burst PROXY NAME CLIENTS [CA]``.

Prints ``ready`` and waits for SIGUSR1. Then each makes a connection to the proxy, sends one request for NAME and is
done; one that fails begins again until it is served. With CA it makes a tunnel to NAME by CONNECT and a TLS session in
it, and verifies the certificate that the proxy has made, before it asks. Prints, as JSON, the moments at which they
were served (CLOCK_MONOTONIC, seconds) and how many attempts have failed.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import ssl
import sys
import time

from tests.bench.tls_crowd import LIMIT_S
from wsa_proxy.lab.answer import read_answer

AGAIN_S = 0.05
"""After a failure. A browser waits for longer, and then not all of them at the same moment."""
HEAD_BYTES_MAX = 4096


class Burst:
    """All clients of one burst. A connection is a plain socket until its tunnel is open: the first answer must not wait
    until a thousand streams are made here."""

    def __init__(self, proxy: str, name: str, authority: str | None = None) -> None:
        """``authority``: a file with the certificates to trust; without one nothing is encrypted."""
        host, _, port = proxy.rpartition(":")
        self._proxy = host.strip("[]"), int(port)
        self._name = name
        self._context = ssl.create_default_context(cafile=authority) if authority else None
        self.served_s: list[float] = []
        self.failed = 0

    async def come(self, clients: int) -> None:
        """Return when all are served, or the limit is over."""
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)
        print("ready", flush=True)
        await told.wait()
        await asyncio.gather(*(self._client() for _ in range(clients)))

    async def _client(self) -> None:
        try:
            async with asyncio.timeout(LIMIT_S):
                while not await self._served():
                    self.failed += 1
                    await asyncio.sleep(AGAIN_S)
        except TimeoutError:
            self.failed += 1
            return
        self.served_s.append(time.monotonic())

    async def _served(self) -> bool:
        with socket.socket(socket.AF_INET6 if ":" in self._proxy[0] else socket.AF_INET) as client:
            client.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(client, self._proxy)
                if self._context is None:
                    return await self._ask(client)
                return await self._open_tunnel(client) and await self._ask_inside(client, self._context)
            except OSError:
                return False

    async def _open_tunnel(self, client: socket.socket) -> bool:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, f"CONNECT {self._name}:443 HTTP/1.1\r\nHost: {self._name}:443\r\n\r\n".encode())
        return (await loop.sock_recv(client, HEAD_BYTES_MAX)).startswith(b"HTTP/1.1 200")

    async def _ask(self, client: socket.socket) -> bool:
        loop = asyncio.get_running_loop()
        head = f"GET http://{self._name}/ HTTP/1.1\r\nHost: {self._name}\r\nConnection: close\r\n\r\n"
        await loop.sock_sendall(client, head.encode())
        answer = b""
        while more := await loop.sock_recv(client, HEAD_BYTES_MAX):
            answer += more
        return read_answer(answer) is not None and answer.startswith(b"HTTP/1.1 200")

    async def _ask_inside(self, client: socket.socket, context: ssl.SSLContext) -> bool:
        reader, writer = await asyncio.open_connection(sock=client, ssl=context, server_hostname=self._name)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {self._name}\r\nConnection: close\r\n\r\n".encode())
            return (await reader.read()).startswith(b"HTTP/1.1 200")
        finally:
            writer.transport.abort()


if __name__ == "__main__":
    where, site, how_many, *trusted = sys.argv[1:]
    burst = Burst(where, site, *trusted)
    asyncio.run(burst.come(int(how_many)))
    print(json.dumps({"served_s": burst.served_s, "failed": burst.failed}))
