from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import AsyncIterator
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.connection import Client
from mitmproxy.test import taddons
from mitmproxy.test import tflow

from tests.proxy.processes import ROOT
from tests.proxy.processes import WAIT_S
from tests.proxy.processes import Origin
from tests.proxy.processes import until
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.connections import POLL_S
from wsa_proxy.proxy.connections import Connections
from wsa_proxy.proxy.connections import hang_up
from wsa_proxy.proxy.listener import FailoverListener
from wsa_proxy.proxy.listener import VirtualAddress

VIRTUAL = ip_address("127.0.0.77")


class Hooks:
    """The part of the product's addon that these tests need."""

    def __init__(self) -> None:
        self.connections = Connections()
        self.later: asyncio.Event | None = None
        """Set it to hold every answer back in the last addon's response hook."""
        self.seen: list[weakref.ref[http.HTTPFlow]] = []

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.seen.append(weakref.ref(flow))
        self.connections.requestheaders(flow)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        self.connections.responseheaders(flow)

    async def response(self, flow: http.HTTPFlow) -> None:
        self.connections.response(flow)
        if self.later is not None:
            await self.later.wait()

    def error(self, flow: http.HTTPFlow) -> None:
        self.connections.error(flow)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        self.connections.http_connect(flow)

    def client_disconnected(self, client: Client) -> None:
        self.connections.client_disconnected(client)


@pytest.fixture
async def hooks(inside: taddons.context) -> AsyncIterator[Hooks]:
    """A proxy on 127.0.0.77 and 127.0.0.1, and its hooks."""
    hooks = Hooks()
    inside.master.addons.add(hooks)
    listener = FailoverListener([VirtualAddress(VIRTUAL, inside.options.listen_port)])
    listener.install()
    await listener.open()
    yield hooks
    listener.uninstall()


class Browser:
    """A client connection that can be read with and without a turn of the proxy's loop."""

    def __init__(self, port: int, host: str = "127.0.0.77") -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setblocking(False)

    async def ask(self, url: str) -> None:
        host = url.split("/")[2]
        await asyncio.get_running_loop().sock_sendall(
            self.socket, f"GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        )

    async def answer(self) -> bytes:
        """Head and body, by Content-Length."""
        loop = asyncio.get_running_loop()
        read = b""
        async with asyncio.timeout(WAIT_S):
            while b"\r\n\r\n" not in read or len(read) < len(read.partition(b"\r\n\r\n")[0]) + 4 + _length(read):
                received = await loop.sock_recv(self.socket, 65536)
                if not received:
                    break
                read += received
        return read

    async def get(self, url: str) -> bytes:
        await self.ask(url)
        return await self.answer()

    async def is_closed(self) -> bool:
        async with asyncio.timeout(WAIT_S):
            return await asyncio.get_running_loop().sock_recv(self.socket, 1) == b""


def _length(head: bytes) -> int:
    lines = head.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)


@pytest.fixture
def browser(inside: taddons.context) -> Callable[..., Browser]:
    return lambda host="127.0.0.77": Browser(inside.options.listen_port, host)


def handlers() -> int:
    return len(mitmproxy_internals.tcp_handlers())


# --- close ----------------------------------------------------------------------------------------------------------


async def test_close_ends_everything_before_it_returns(
    hooks: Hooks, browser: Callable[..., Browser], origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    """Not one turn of the loop lies between close() and the client's end: FIN when idle, RST for all others."""
    idle, busy, fresh, elsewhere = browser(), browser(), browser(), browser("127.0.0.1")
    await idle.get(f"http://127.0.0.1:{origin.port}/")
    await elsewhere.get(f"http://127.0.0.1:{origin.port}/")
    await busy.ask(f"http://127.0.0.1:{origin.port}/slow")
    await until(origin.slow_asked.is_set)
    await until(lambda: handlers() == 4)
    waiting = browser()  # accepted by the kernel; no turn of the loop, so mitmproxy does not know it yet
    caplog.clear()

    assert hooks.connections.close([VIRTUAL]) == 4
    assert idle.socket.recv(1) == b""
    for reset in (busy, fresh, waiting):
        with pytest.raises(ConnectionResetError):
            reset.socket.recv(1)
    with pytest.raises(BlockingIOError):
        elsewhere.socket.recv(1)

    await until(lambda: handlers() == 1)
    assert (await elsewhere.get(f"http://127.0.0.1:{origin.port}/")).endswith(b"hello")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_what_was_answered_is_held_no_longer(
    hooks: Hooks, browser: Callable[..., Browser], origin: Origin
) -> None:
    """Bodies and all, on a connection that a client keeps for days, they would fill the memory of the node."""
    busy = browser()
    for _ in range(20):
        await busy.get(f"http://127.0.0.1:{origin.port}/")
    gc.collect()
    assert len(hooks.seen) == 20 and sum(flow() is not None for flow in hooks.seen) <= 1
    assert [len(client.flows) <= 1 for client in hooks.connections._clients.values()] == [True]


async def test_close_resets_what_is_not_read_yet(hooks: Hooks, browser: Callable[..., Browser], origin: Origin) -> None:
    """An answer that waits behind a full client buffer is cut by RST, never ended by a FIN that looks like its end."""
    slow = browser()
    slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)
    origin.let_go.set()
    await slow.ask(f"http://127.0.0.1:{origin.port}/slow")
    await until(lambda: any(client.answered for client in hooks.connections._clients.values()))
    await asyncio.sleep(0)
    hooks.connections.close([VIRTUAL])
    with pytest.raises(ConnectionResetError):
        while slow.socket.recv(65536):
            pass


async def test_a_raw_tunnel_is_never_idle(
    inside: taddons.context, hooks: Hooks, browser: Callable[..., Browser], origin: Origin
) -> None:
    """A request before CONNECT does not make the tunnel an idle keep-alive connection: it is reset."""
    tunnel = browser()
    await tunnel.get(f"http://127.0.0.1:{origin.port}/")
    await asyncio.get_running_loop().sock_sendall(
        tunnel.socket, f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\n\r\n".encode()
    )
    assert b" 200 " in await tunnel.answer()
    hooks.connections.close([VIRTUAL])
    with pytest.raises(ConnectionResetError):
        tunnel.socket.recv(1)


# --- drain ----------------------------------------------------------------------------------------------------------


async def test_drain_closes_the_idle_and_waits_for_the_answered(
    hooks: Hooks, browser: Callable[..., Browser], origin: Origin
) -> None:
    """Idle connections end at once, a request in flight is answered to its last byte, a fresh one is served once."""
    idle, busy, fresh = browser(), browser(), browser()
    await idle.get(f"http://127.0.0.1:{origin.port}/")
    await busy.ask(f"http://127.0.0.1:{origin.port}/slow")
    await until(origin.slow_asked.is_set)
    await until(lambda: handlers() == 3)
    drained = asyncio.get_running_loop().create_task(hooks.connections.drain([VIRTUAL], WAIT_S))

    assert await idle.is_closed()
    answer = await fresh.get(f"http://127.0.0.1:{origin.port}/")
    assert answer.endswith(b"hello")
    assert b"Connection: close" in answer
    assert await fresh.is_closed()
    assert not drained.done()
    origin.let_go.set()
    answer = await busy.answer()
    assert len(answer.partition(b"\r\n\r\n")[2]) == 1_000_000
    assert await busy.is_closed()
    await drained


async def test_drain_waits_for_the_last_byte(hooks: Hooks, browser: Callable[..., Browser], origin: Origin) -> None:
    """While a slow reader's kernel has not taken the whole answer, the drain is not over."""
    slow = browser()
    slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)
    await slow.ask(f"http://127.0.0.1:{origin.port}/slow")
    await until(origin.slow_asked.is_set)
    drained = asyncio.get_running_loop().create_task(hooks.connections.drain([VIRTUAL], WAIT_S))
    origin.let_go.set()
    await until(lambda: handlers() == 0)  # mitmproxy has let go of it, the kernel has not
    for _ in range(5):
        await asyncio.sleep(POLL_S)  # the drain looks again
    assert not drained.done()
    assert len((await slow.answer()).partition(b"\r\n\r\n")[2]) == 1_000_000
    assert await slow.is_closed()
    await drained


async def test_drain_does_not_cut_an_answer_that_another_addon_holds(
    hooks: Hooks, browser: Callable[..., Browser], origin: Origin
) -> None:
    """Between the response hook and the bytes a connection is not idle."""
    held = browser()
    await held.get(f"http://127.0.0.1:{origin.port}/")
    hooks.later = asyncio.Event()
    await held.ask(f"http://127.0.0.1:{origin.port}/")
    await until(lambda: any(client.answered == 2 for client in hooks.connections._clients.values()))
    drained = asyncio.get_running_loop().create_task(hooks.connections.drain([VIRTUAL], WAIT_S))
    for _ in range(5):
        await asyncio.sleep(0.01)
    assert not drained.done()
    hooks.later.set()
    assert (await held.answer()).endswith(b"hello")
    await drained


async def test_drain_ends_at_its_limit(hooks: Hooks, browser: Callable[..., Browser], origin: Origin) -> None:
    """A request that is never answered holds the stop up for the limit and no longer."""
    busy = browser()
    await busy.ask(f"http://127.0.0.1:{origin.port}/slow")
    await until(origin.slow_asked.is_set)
    loop = asyncio.get_running_loop()
    began_at_s = loop.time()
    await hooks.connections.drain([VIRTUAL], 0.1)
    assert 0.1 <= loop.time() - began_at_s < WAIT_S
    hooks.connections.close([VIRTUAL])
    with pytest.raises(ConnectionResetError):
        busy.socket.recv(1)


async def test_drain_with_nothing_to_do_returns_at_once(hooks: Hooks) -> None:
    """A backup that is stopped has no client and loses no time."""
    began_at_s = asyncio.get_running_loop().time()
    await hooks.connections.drain([VIRTUAL], WAIT_S)
    assert asyncio.get_running_loop().time() - began_at_s < 1.0


@pytest.mark.parametrize(
    ("version", "status", "closed"),
    [
        ("HTTP/1.1", 200, True),
        ("HTTP/1.1", 101, False),
        ("HTTP/2.0", 200, False),
    ],
)
async def test_connection_close_only_where_it_is_legal(hooks: Hooks, version: str, status: int, closed: bool) -> None:
    """The header ends a stream with PROTOCOL_ERROR in HTTP/2 and would break a WebSocket's upgrade."""
    flow = tflow.tflow(resp=True)
    flow.client_conn.sockname = ("127.0.0.77", 8080)
    flow.request.http_version = version
    assert flow.response is not None
    flow.response.status_code = status
    hooks.connections._draining = frozenset([VIRTUAL])
    hooks.connections.response(flow)
    assert (flow.response.headers.get("Connection") == "close") is closed


# --- with a real address that goes -----------------------------------------------------------------------------------

# Two network namespaces and a cable. The proxy's side closes its clients and removes the virtual IP in one go.
SCRIPT = """
import os, subprocess, sys
from ipaddress import ip_address
from typing import Any
import asyncio
from mitmproxy.addons.next_layer import NextLayer
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons
from tests.proxy.processes import until
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.connections import Connections
from wsa_proxy.proxy.connections import hang_up
from wsa_proxy.proxy.listener import FailoverListener, VirtualAddress

def run(*command):
    subprocess.run(command, check=True)

CLIENT = "import socket; s = socket.create_connection(('10.0.0.3', 8080)); print('up', flush=True)\\n" \\
    "try: print('end', s.recv(1))\\nexcept OSError as error: print('end', error.strerror)"

async def main():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    with taddons.context(Proxyserver(), NextLayer()) as context:
        context.options.update(listen_port=8080)
        listener = FailoverListener([VirtualAddress(ip_address("10.0.0.3"), 8080)])
        listener.install()
        await listener.open()
        far = subprocess.Popen(["unshare", "-n", "sleep", "60"])
        while os.readlink(f"/proc/{far.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            await asyncio.sleep(0.01)
        run(*"ip link add near type veth peer name far netns".split(), str(far.pid))
        enter = ["nsenter", "-n", "-t", str(far.pid)]
        run("ip", "link", "set", "near", "up")
        run("ip", "addr", "add", "10.0.0.1/24", "dev", "near")
        run("ip", "addr", "add", "10.0.0.3/32", "dev", "near")
        run(*enter, "ip", "link", "set", "far", "up")
        run(*enter, "ip", "addr", "add", "10.0.0.50/24", "dev", "far")
        client = subprocess.Popen([*enter, sys.executable, "-c", CLIENT], stdout=subprocess.PIPE, text=True)
        await until(mitmproxy_internals.tcp_handlers)
        client.stdout.readline()
        if sys.argv[1] == "close":
            Connections().close([ip_address("10.0.0.3")])
        run("ip", "addr", "del", "10.0.0.3/32", "dev", "near")
        try:
            print(client.communicate(timeout=3)[0])
        except subprocess.TimeoutExpired:
            print("end never")
        for process in (client, far):
            process.kill()
            process.wait()

asyncio.run(main())
"""


@pytest.mark.parametrize(("what", "end"), [("close", "end Connection reset by peer"), ("nothing", "end never")])
def test_the_end_leaves_before_the_address_goes(what: str, end: str) -> None:
    """A client behind a cable learns of the end although the address is removed at once; without close() it hangs."""
    enter = ["unshare", "-Urnm", "--fork", "--kill-child"]
    if subprocess.run([*enter, "true"], capture_output=True).returncode != 0:
        pytest.skip("needs user and network namespaces: sysctl -w kernel.unprivileged_userns_clone=1")
    command = [*enter, sys.executable, "-c", SCRIPT, what]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert end in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(("local", "remote"), [("10.0.0.3", "10.0.0.2"), ("fd00:77::3", "fd00:77::2")])
def test_a_fin_is_not_repeated_from_an_address_that_has_gone(lan: Any, local: str, remote: str) -> None:
    """I6: a backup is silent. The client's answer to a FIN comes when the address is another node's; IPv6 does not ask
    whether it still has the address that it repeats the FIN from."""
    address = ip_address(local)
    family, header_bytes = (socket.AF_INET, 20) if address.version == 4 else (socket.AF_INET6, 40)
    vip = f"{local}/{address.max_prefixlen} dev {lan.LEFT} {'nodad' if address.version == 6 else ''}"
    lan.ip(f"address add {vip}")
    listening = socket.create_server((local, 8080), family=family)
    with lan.on_the_right():
        client = socket.create_connection((local, 8080), source_address=(remote, 0))
    ours, _ = listening.accept()
    with lan.on_the_right():
        lan.ip(f"-{address.version} route add blackhole {local}/{address.max_prefixlen}")  # no answer comes in time
    fins = lan.wire(lambda frame: address.packed in frame[:54] and bool(frame[14 + header_bytes + 13] & 1))
    hang_up(ours)
    lan.ip(f"address del {vip}")
    assert client.recv(1) == b""
    time.sleep(0.7)  # repeated after 0.2 s and 0.6 s, if at all
    assert len(fins.queued()) == 1
