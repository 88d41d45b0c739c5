"""Many clients at once: ``python -m tests.lab.crowd HOST:PORT COUNT`` prints how many were served, and the slowest."""

from __future__ import annotations

import asyncio
import sys
import time

LIMIT_S = 60.0


async def one(host: str, port: int) -> bool:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET http://10.0.0.80/ HTTP/1.1\r\nHost: 10.0.0.80\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.startswith(b"HTTP/1.1 200 ")


async def crowd(host: str, port: int, count: int) -> None:
    began_s = time.monotonic()
    async with asyncio.timeout(LIMIT_S):
        served = await asyncio.gather(*(one(host, port) for _ in range(count)), return_exceptions=True)
    print(sum(each is True for each in served), f"{time.monotonic() - began_s:.2f}")


if __name__ == "__main__":
    proxy_host, _, proxy_port = sys.argv[1].rpartition(":")
    asyncio.run(crowd(proxy_host.strip("[]"), int(proxy_port), int(sys.argv[2])))
