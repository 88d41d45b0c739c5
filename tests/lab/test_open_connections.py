from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import math
import signal
import socket
import struct
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.lab.inside import ROOT
from wsa_proxy.lab import conversation
from wsa_proxy.lab import open_connections
from wsa_proxy.lab.echoes import echo_tcp
from wsa_proxy.lab.echoes import echo_websocket
from wsa_proxy.lab.echoes import greeting
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.known_bytes import known_bytes
from wsa_proxy.lab.open_connections import DEMONSTRATION_COUNT
from wsa_proxy.lab.open_connections import Client
from wsa_proxy.lab.open_connections import Plan
from wsa_proxy.lab.open_connections import demonstration
from wsa_proxy.lab.open_connections import read_plan
from wsa_proxy.lab.talks import Closed
from wsa_proxy.lab.talks import Unexpected
from wsa_proxy.lab.watch import Watch

HEAD_END = b"\r\n\r\n"
COUNT = 5000
NODE = "10.0.0.2"


class Proxy:
    """Answers as mitmproxy and the lab's origin do together, or ends each connection when it has just begun."""

    def __init__(self, ending: str = "") -> None:
        self.asked: list[str] = []
        self._ending = ending

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await self._serve(await reader.readuntil(HEAD_END), reader, writer)
        writer.close()

    async def _serve(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(head.decode().split("\r\n")[0])
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 Connection established" + HEAD_END)
        if self._ending:
            await self._end(head, writer)
        elif head.startswith(b"CONNECT"):
            await echo_tcp(reader, writer, NODE)
        elif b"Upgrade" in head:
            await echo_websocket(reader, writer, head, NODE)
        else:
            writer.write(answer(COUNT))

    async def _end(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting(NODE) if head.startswith(b"CONNECT") else answer(COUNT // 2))
        await asyncio.sleep(0.1)
        if self._ending == "reset":
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def answer(count: int) -> bytes:
    return f"HTTP/1.1 200 OK\r\nX-Asked-By: {NODE}\r\n\r\n".encode() + known_bytes(0, count)


async def keep_open(proxy: Proxy, plan: Plan, finish_after_s: float | None = None) -> list[Fate]:
    """Carry out the plan against this proxy; the news."""
    told: list[Fate] = []
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    client = Client(replace(plan, proxy_port=server.sockets[0].getsockname()[1]), told.append)
    if finish_after_s is not None:
        asyncio.get_running_loop().call_later(finish_after_s, client.finishing.set)
    async with asyncio.timeout(10):
        await client.run()
    server.close()
    return told


NOTHING = Plan("127.0.0.1", 0, "10.0.0.80", 0, COUNT, 1.0, 0, 0, 0, math.inf, again=False, apart_s=0.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for a second."""
    for module, name, limit_s in ((conversation, "MESSAGE_EVERY_S", 0.02), (conversation, "LOOKS_EVERY_S", 0.05)):
        monkeypatch.setattr(module, name, limit_s)
    monkeypatch.setattr(open_connections, "AGAIN_S", 0.05)


async def test_all_that_is_asked_for_is_kept_open_and_ends_as_it_should() -> None:
    """Each place by its kind and number; at the end each conversation proves that it lives, also those that waited."""
    proxy = Proxy()
    told = await keep_open(proxy, replace(NOTHING, downloads=2, tunnels=1, websockets=1, waiting=3), 0.5)
    ended = {fate.place: fate for fate in told if fate.state.over}
    assert {fate.state for fate in ended.values()} == {State.DONE}, ended
    assert {fate.server for fate in ended.values()} == {NODE}
    counts = {place: fate.count for place, fate in ended.items()}
    assert counts.pop("tunnel 1") > 5 and counts.pop("websocket 1") > 5
    assert counts == {"download 1": COUNT, "download 2": COUNT, "waiting 1": 1, "waiting 2": 1, "waiting 3": 1}
    assert sorted(set(proxy.asked)) == [
        "CONNECT 10.0.0.80:7 HTTP/1.1",
        "GET http://10.0.0.80/echo HTTP/1.1",
        "GET http://10.0.0.80/paced/5000/1 HTTP/1.1",
    ]


@pytest.mark.parametrize(("ending", "state"), [("reset", State.RESET), ("close", State.CUT)])
async def test_how_the_other_end_has_ended_it_is_told(ending: str, state: State) -> None:
    """Of a download and of tunnels, whether the client speaks or waits."""
    told = await keep_open(Proxy(ending), replace(NOTHING, downloads=1, tunnels=1, waiting=1))
    assert {fate.place: fate.state for fate in told if fate.state.over} == dict.fromkeys(
        ("download 1", "tunnel 1", "waiting 1"), state
    )


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ConnectionResetError(errno.ECONNRESET, "reset"), State.RESET),
        (BrokenPipeError(errno.EPIPE, "closed"), State.CUT),
        (Closed("closed"), State.CUT),
        (Unexpected("a byte"), State.WRONG),
        (TimeoutError(), State.SILENT),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), State.SILENT),
        (OSError(errno.EHOSTUNREACH, "no route"), State.SILENT),
    ],
)
async def test_who_has_told_is_known_from_the_error(error: Exception, state: State) -> None:
    """What a router says, or nobody, is not the other end's word."""
    told: list[Fate] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: Watch) -> None:
        watch.runs(NODE)
        raise error

    server = await asyncio.start_server(Proxy().serve, "127.0.0.1", 0)
    plan = replace(NOTHING, proxy_port=server.sockets[0].getsockname()[1])
    await Client(plan, told.append)._one(Watch("tunnel 1", 1, told.append), hold)
    server.close()
    assert told[-1].state is state and told[-1].error


async def test_where_nobody_listens_it_was_refused() -> None:
    """It was never open, so nobody has lost it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        told: list[Fate] = []
        await Client(replace(NOTHING, downloads=1, proxy_port=taken.getsockname()[1]), told.append).run()
    assert [fate.state for fate in told] == [State.OPENING, State.REFUSED]


async def test_a_place_is_filled_again_until_the_end_is_asked_for() -> None:
    """The next connection has the next number."""
    told = await keep_open(Proxy(), replace(NOTHING, downloads=1, tunnels=1, talk_s=0.05, again=True), 0.5)
    for place in ("download 1", "tunnel 1"):
        numbers = [fate.number for fate in told if fate.state is State.DONE and fate.place == place]
        assert len(numbers) >= 3 and numbers == list(range(1, len(numbers) + 1))


async def test_they_begin_apart_and_after_the_end_was_asked_for_not_at_all() -> None:
    """So that they do not all end in the same moment."""
    told = await keep_open(Proxy(), replace(NOTHING, waiting=9, apart_s=0.1), 0.35)
    begun = [fate for fate in told if fate.state is State.OPENING]
    assert [fate.place for fate in begun] == [f"waiting {number}" for number in range(1, 5)]
    assert begun[3].at_s - begun[0].at_s > 0.2


def test_what_is_demonstrated_can_be_asked_for() -> None:
    """As many as are waited for, and each lasts as long as the others."""
    plan = read_plan(["--proxy", "[fd00:77::3]:8080", "--origin", "10.0.0.80", *demonstration(6.0)])
    assert (plan.proxy_host, plan.proxy_port, plan.origin) == ("fd00:77::3", 8080, "10.0.0.80")
    assert plan.downloads + plan.tunnels + plan.websockets + plan.waiting == DEMONSTRATION_COUNT
    assert (plan.download_s, plan.talk_s, plan.download_bytes) == (6.0, 6.0, 600_000) and plan.again


def test_the_process_tells_line_by_line_and_ends_at_sigterm() -> None:
    """What the lab reads; here there is no proxy, so each connection is refused, again and again."""
    command = [sys.executable, "-m", "wsa_proxy.lab.open_connections", "--proxy", "[::1]:9", "--origin", "10.0.0.80"]
    client = subprocess.Popen([*command, "--waiting", "1", "--again"], cwd=ROOT, stdout=subprocess.PIPE)
    assert client.stdout is not None
    lines = [client.stdout.readline() for _ in range(4)]
    client.send_signal(signal.SIGTERM)
    assert client.wait(10) == 0
    told = [json.loads(line) for line in lines]
    assert [each[1:4] for each in told] == [["waiting 1", n, s] for n in (1, 2) for s in ("opening", "refused")]
