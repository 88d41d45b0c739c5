"""The client, a process of its own: starts a request every 10 ms through the virtual IP and tells how each one ended.

    python -m wsa_proxy.lab.client --proxy 10.0.0.3:8080 --url http://10.0.0.80/

Requests start by an absolute schedule, whatever became of the earlier ones; each has its own TCP connection and its
own time limit. With ``--kept`` every other one goes over a connection that is kept for the next. One line of JSON for
each finished request goes to stdout, in the order of the fields of Sample:

    [due_s, start_s, end_s, ok, server, error, retried]

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

from wsa_proxy.lab.kept import Pool
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
    kept: bool = False
    """Every other request goes over a connection that is kept for the next one."""
    kept_max: int | None = None
    """So many wait for their next request at most; None: as many as can be under way."""

    @property
    def in_flight_max(self) -> int:
        """The limits of a request and of the schedule bound what can be under way; a little room on top."""
        return int(self.limit_s / self.interval_s * 1.5) + 10


class Asking:
    """How the requests of one plan are made: each on a connection of its own, or every other one on a kept one."""

    def __init__(self, plan: Plan) -> None:
        head = f"GET {plan.url} HTTP/1.1\r\nHost: {urlsplit(plan.url).netloc}\r\n"
        self._only_one, self._one_of_many = f"{head}Connection: close\r\n\r\n".encode(), f"{head}\r\n".encode()
        self._plan = plan
        kept_max = plan.in_flight_max if plan.kept_max is None else plan.kept_max
        self._pool = Pool(plan.proxy_host, plan.proxy_port, kept_max)
        self._number = 0

    async def one(self, due_s: float) -> None:
        """Make the next request and tell how it ended.

        The other end may close a kept connection while a request is on its way to it: then it is asked again, on a new
        one, as browsers do (RFC 9112, 9.3.1).
        """
        self._number += 1
        is_kept = self._plan.kept and bool(self._number % 2)
        head = self._one_of_many if is_kept else self._only_one
        start_s = time.monotonic()
        waits_for, retried, outcome = "connection", False, None
        try:
            async with asyncio.timeout(self._plan.limit_s):
                kept = self._pool.free() if is_kept else None
                if kept is not None:
                    waits_for = "answer"
                    outcome = await self._pool.ask(kept, head)
                    retried = outcome is None
                if outcome is None:
                    waits_for = "connection"
                    new = await self._pool.connect()
                    waits_for = "answer"
                    outcome = await self._pool.ask(new, head)
            server, error = outcome or ("", "connection closed before the answer")
        except TimeoutError:
            server, error = "", f"no {waits_for} in {self._plan.limit_s:g} s"
        except OSError as failed:
            server, error = "", failed.strerror or str(failed)
        tell(Sample(due_s, start_s, time.monotonic(), not error, server, error, retried))


async def run(plan: Plan) -> None:
    """Start requests for ever."""
    asking = Asking(plan)
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
            task = requests.create_task(asking.one(due_s))
            under_way.add(task)
            task.add_done_callback(under_way.discard)


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
    parser.add_argument("--kept", action="store_true", help="keep the connection of every other request for the next")
    parser.add_argument("--kept-max", type=int, metavar="N", help="no more than N wait for their next request")
    parser.add_argument("--limit", type=float, default=1.0, help="seconds for one request")
    parser.add_argument("--once", action="store_true", help="make one request and print the answer")
    parser.add_argument("--ca", help="file with the certificates to trust, for --once")
    arguments = parser.parse_args()
    host, _, port = arguments.proxy.rpartition(":")
    host = host.strip("[]")
    if arguments.once:
        print(json.dumps(fetch_once(host, int(port), arguments.url, arguments.ca, arguments.limit)))
    else:
        how = (arguments.interval, arguments.limit, arguments.kept, arguments.kept_max)
        asyncio.run(run(Plan(host, int(port), arguments.url, *how)))


if __name__ == "__main__":
    main()
