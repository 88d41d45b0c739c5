"""A TLS client at a steady pace: ``python -m tests.bench.paced_tls PROXY NAME CA INTERVAL_S``.

Each of its requests makes a connection to the proxy, a tunnel to NAME by CONNECT and a TLS session in it, as those of
tls_crowd.py do. They begin by the clock, whatever has become of the earlier ones. Prints one line of JSON for each that
has ended, as the lab's client does.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time

from tests.bench.tls_crowd import once
from wsa_proxy.lab.client import tell
from wsa_proxy.lab.outage import Sample

LIMIT_S = 30.0
"""For one request: a SYN that was lost is sent again after 1, 3, 7 and 15 s."""


async def one(proxy: tuple[str, int], name: str, context: ssl.SSLContext, due_s: float) -> None:
    start_s, error = time.monotonic(), ""
    try:
        async with asyncio.timeout(LIMIT_S):
            if not await once(proxy, name, context):
                error = "refused"
    except TimeoutError:
        error = f"no answer in {LIMIT_S:g} s"
    except (OSError, asyncio.IncompleteReadError) as failed:
        error = str(failed) or type(failed).__name__
    tell(Sample(due_s, start_s, time.monotonic(), not error, "", error))


async def pace(proxy: tuple[str, int], name: str, authority: str, interval_s: float) -> None:
    """For ever."""
    context = ssl.create_default_context(cafile=authority)
    due_s = time.monotonic()
    async with asyncio.TaskGroup() as requests:
        while True:
            requests.create_task(one(proxy, name, context, due_s))
            due_s = max(due_s + interval_s, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())


if __name__ == "__main__":
    where, site, trusted, interval = sys.argv[1:]
    host, _, port = where.rpartition(":")
    asyncio.run(pace((host.strip("[]"), int(port)), site, trusted, float(interval)))
