"""The client, a process of its own: starts a request every 10 ms through the virtual IP and tells how each one ended.

    python -m wsa_proxy.lab.client --proxy 10.0.0.3:8080 --url http://10.0.0.80/

Requests start by an absolute schedule, whatever became of the earlier ones; each has its own TCP connection and its
own time limit. One line of JSON for each finished request goes to stdout, in the order of the fields of Sample:

    [due_s, start_s, end_s, ok, server, error]

With ``--once`` one request is made with the standard library (HTTPS through CONNECT, trusting ``--ca``), and its
status, headers and length are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import ssl
import time
from dataclasses import astuple
from dataclasses import dataclass
from urllib.parse import urlsplit

from wsa_proxy.lab.outage import Sample

LATE_MAX_S = 1.0
"""A schedule further behind than this is given up up to now, so that a stopped machine is not followed by a burst."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the client does."""

    proxy_host: str
    proxy_port: int
    url: str
    interval_s: float = 0.01
    limit_s: float = 1.0
    """Time limit of one request, from connect to the last byte."""

    @property
    def in_flight_max(self) -> int:
        """The limits of a request and of the schedule bound what can be under way; a little room on top."""
        return int(self.limit_s / self.interval_s * 1.5) + 10


class Request(asyncio.Protocol):
    """One GET on one connection. ``finished`` gets (server, error); exactly one of them is empty."""

    def __init__(self, head: bytes, finished: asyncio.Future[tuple[str, str]]) -> None:
        self._head = head
        self._finished = finished
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        self._received += data
        outcome = read_answer(bytes(self._received))
        if outcome is not None:
            self._finish(*outcome)

    def connection_lost(self, error: Exception | None) -> None:
        self._finish("", f"connection lost: {error}" if error else "connection closed before the answer was complete")

    def _finish(self, server: str, error: str) -> None:
        if not self._finished.done():
            self._finished.set_result((server, error))
        if self._transport is not None:
            self._transport.close()


def read_answer(received: bytes) -> tuple[str, str] | None:
    """Return (server, error) when the answer with a Content-Length is complete, None while it is not."""
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if status.split(" ")[1:2] != ["200"]:
        return "", f"answer {status}"
    if len(body) < int(fields.get("content-length", "0")):
        return None
    server = fields.get("x-asked-by", "")
    return (server, "") if server else ("", "the answer does not come from the origin")


async def run(plan: Plan) -> None:
    """Start requests for ever."""
    loop = asyncio.get_running_loop()
    head = f"GET {plan.url} HTTP/1.1\r\nHost: {urlsplit(plan.url).netloc}\r\nConnection: close\r\n\r\n".encode()
    under_way: set[asyncio.Task[None]] = set()
    due_s = time.monotonic()
    async with asyncio.TaskGroup() as requests:
        while True:
            due_s = max(due_s + plan.interval_s, time.monotonic() - LATE_MAX_S)
            if (pause_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(pause_s)
            if len(under_way) >= plan.in_flight_max:
                now = time.monotonic()
                tell(Sample(due_s, now, now, False, "", f"not started: {len(under_way)} requests are under way"))
                continue
            task = requests.create_task(_request(loop, plan, head, due_s))
            under_way.add(task)
            task.add_done_callback(under_way.discard)


async def _request(loop: asyncio.AbstractEventLoop, plan: Plan, head: bytes, due_s: float) -> None:
    """Make one request and tell how it ended."""
    start_s = time.monotonic()
    finished: asyncio.Future[tuple[str, str]] = loop.create_future()
    transport: asyncio.BaseTransport | None = None
    try:
        async with asyncio.timeout(plan.limit_s):
            transport, _ = await loop.create_connection(
                lambda: Request(head, finished), plan.proxy_host, plan.proxy_port
            )
            server, error = await finished
    except TimeoutError:
        server, error = "", f"no {'answer' if transport else 'connection'} in {plan.limit_s:g} s"
    except OSError as failed:
        server, error = "", failed.strerror or str(failed)
    finally:
        if isinstance(transport, asyncio.Transport):
            transport.abort()
    tell(Sample(due_s, start_s, time.monotonic(), not error, server, error))


def tell(sample: Sample) -> None:
    """Print one sample. The lab reads a pipe, which holds minutes of them; when the lab is gone, end."""
    try:
        print(json.dumps(astuple(sample)), flush=True)
    except BrokenPipeError:
        os._exit(0)  # An orderly exit would try to write once more, and complain on the user's terminal.


def fetch_once(proxy_host: str, proxy_port: int, url: str, authority: str | None, limit_s: float) -> dict[str, object]:
    """One request with the standard library. Raises OSError, ssl.SSLError, http.client.HTTPException."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=authority)
        connection = http.client.HTTPSConnection(proxy_host, proxy_port, timeout=limit_s, context=context)
        connection.set_tunnel(parts.hostname or "", parts.port or 443)
        connection.request("GET", parts.path or "/")
    else:
        connection = http.client.HTTPConnection(proxy_host, proxy_port, timeout=limit_s)
        connection.request("GET", url)
    answer = connection.getresponse()
    fields = {name.lower(): value for name, value in answer.getheaders()}
    return {"status": answer.status, "headers": fields, "length": len(answer.read())}


def main() -> None:
    parser = argparse.ArgumentParser(description="The lab's client.")
    parser.add_argument("--proxy", required=True, help="address:port; an IPv6 address in brackets")
    parser.add_argument("--url", required=True)
    parser.add_argument("--interval", type=float, default=0.01, help="seconds between starts")
    parser.add_argument("--limit", type=float, default=1.0, help="seconds for one request")
    parser.add_argument("--once", action="store_true", help="make one request and print the answer")
    parser.add_argument("--ca", help="file with the certificates to trust, for --once")
    arguments = parser.parse_args()
    host, _, port = arguments.proxy.rpartition(":")
    host = host.strip("[]")
    if arguments.once:
        print(json.dumps(fetch_once(host, int(port), arguments.url, arguments.ca, arguments.limit)))
    else:
        asyncio.run(run(Plan(host, int(port), arguments.url, arguments.interval, arguments.limit)))


if __name__ == "__main__":
    main()
