"""Real mitmdump processes with a small addon that does what the product's addon does with the proxy side.

Every "virtual IP" of these tests is an address of 127.0.0.0/8, which is local on every Linux host, or one of a
documentation network, which is nowhere: binding it needs IP_FREEBIND, and nothing is ever sent there.
"""

from __future__ import annotations

import ast
import asyncio
import http.server
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 20.0  # a deadline, not a pause: a mitmdump starts within 1 s on an idle machine

ADDON = """
import asyncio, json, logging, os
from ipaddress import ip_address
from mitmproxy import ctx
from wsa_proxy.proxy import self_connect
from wsa_proxy.proxy.connections import Connections
from wsa_proxy.proxy.hook_calls import HookCalls
from wsa_proxy.proxy.listener import FailoverListener, VirtualAddress
from wsa_proxy.proxy.liveness import Liveness
from wsa_proxy.proxy.questions import Questions
from wsa_proxy.proxy.self_tests import SelfTests

VIRTUAL = [VirtualAddress(ip_address(host), port) for host, port in json.loads(os.environ["TEST_VIRTUAL"])]

class Failover:
    def __init__(self):
        self.listener = FailoverListener(VIRTUAL)
        self.connections = Connections()
        self.guard = self_connect.LoopGuard()
        self.self_tests = SelfTests()
        self.hooks = HookCalls(self.self_tests)
        self.installed = False
        self.told = None
    def configure(self, updated):
        if not self.installed:
            self.installed = True
            self.listener.install()
    async def running(self):
        await self.listener.open()
        self.hooks.install()
        self.liveness = Liveness(self.listener, Questions(self.self_tests), self.on_health)
        self.task = asyncio.get_running_loop().create_task(self.liveness.run())
        endpoints = [(each.mode, each.spec, each.host, each.port) for each in self.listener.loopback_endpoints()]
        logging.info("TEST endpoints " + json.dumps(endpoints))
        logging.info("TEST listening " + json.dumps(self.listener.listening_addresses()))
    def on_health(self, health):
        told = (health.hard, health.soft)
        if told != self.told:
            self.told = told
            logging.info("TEST health " + json.dumps([*told, [(t.name, t.passed, t.evidence) for t in health.tests]]))
    def client_connected(self, client):
        self.guard.client_connected(client)
    def client_disconnected(self, client):
        self.guard.client_disconnected(client)
        self.connections.client_disconnected(client)
    async def server_connect(self, data):
        await self_connect.refuse(data, self.listener.listening_addresses())
    def server_connected(self, data):
        self.guard.server_connected(data)
    def server_disconnected(self, data):
        self.guard.server_disconnected(data)
    def http_connect(self, flow):
        self.connections.http_connect(flow)
    def requestheaders(self, flow):
        self.connections.requestheaders(flow)
    def responseheaders(self, flow):
        self.connections.responseheaders(flow)
    def response(self, flow):
        self.liveness.answered()
        self.connections.response(flow)
    def error(self, flow):
        self.connections.error(flow)

addons = [Failover()]
"""

# Loaded by every Python process whose path names its folder: writes down where the whole process binds and connects,
# and which names it asks for.
RECORD_SOCKETS = """
import os, sys
def record(event, arguments):
    if event in ("socket.bind", "socket.connect", "socket.getaddrinfo"):
        with open(os.environ["TEST_SOCKETS"], "a") as events:
            print((event, arguments[0] if event == "socket.getaddrinfo" else arguments[1]), file=events)
sys.addaudithook(record)
"""

# An addon that writes down every hook of a connection that it sees. {mark} tells where it stands.
RECORD_HOOKS = """
import logging
from mitmproxy.hooks import all_hooks
from mitmproxy.proxy import server_hooks, layers
LIFE = ("load", "configure", "running", "done", "add_log")
class Recorder:
    name = "recorder {mark}"
def record(hook):
    setattr(Recorder, hook, lambda self, *_: logging.info('TEST hook "{mark} ' + hook + '"'))
for hook in all_hooks:
    if hook not in LIFE:
        record(hook)
del hook
addons = [Recorder()]
"""


def wait_for(condition: Callable[[], Any], what: str, limit_s: float = WAIT_S) -> Any:
    """The first true answer of ``condition``; fails with ``what`` after the limit."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"waited {limit_s} s for {what}")


async def until(condition: Callable[[], Any]) -> None:
    """Turn the loop until ``condition`` is true; TimeoutError after the limit."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - the conditions are mitmproxy's and the kernel's, which set no event
            await asyncio.sleep(0.002)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Proxy:
    """One running mitmdump or mitmweb."""

    process: subprocess.Popen[bytes]
    log_file: Path
    sockets_file: Path
    port: int
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def said(self, mark: str) -> list[Any]:
        """What the test addon has logged behind ``TEST <mark>``, oldest first."""
        lines = [line.split(f"TEST {mark} ", 1)[1] for line in self.log.splitlines() if f"TEST {mark} " in line]
        return [json.loads(line) for line in lines]

    def wait_until(self, text: str, limit_s: float = WAIT_S) -> None:
        wait_for(lambda: text in self.log or self.process.poll() is not None, f"{text!r} in:\n{self.log}", limit_s)
        assert text in self.log, self.log

    def wait_healthy(self) -> None:
        def is_over() -> bool:
            return [None, None] in [said[:2] for said in self.said("health")] or self.process.poll() is not None

        wait_for(is_over, "health")
        assert self.process.poll() is None, self.log

    def binds(self) -> list[tuple[Any, ...]]:
        return self.events("socket.bind")

    def events(self, kind: str) -> list[Any]:
        """What RECORD_SOCKETS has written: the name of each bind or connect, each host that was asked for."""
        lines = [ast.literal_eval(line) for line in self.sockets_file.read_text().splitlines()]
        return [what for event, what in lines if event == kind]

    def listening(self) -> set[tuple[str, int]]:
        """IPv4 listeners of this process in the kernel's own table."""
        inodes = set()
        for name in os.listdir(f"/proc/{self.process.pid}/fd"):
            try:
                inodes.add(os.readlink(f"/proc/{self.process.pid}/fd/{name}"))
            except FileNotFoundError:
                continue
        found = set()
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            host, port = fields[1].split(":")
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                found.add((socket.inet_ntoa(bytes.fromhex(host)[::-1]), int(port, 16)))
        return found


class Origin(http.server.ThreadingHTTPServer):
    """An HTTP server on loopback; ``/slow`` answers when ``let_go`` is set, in two halves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _OriginHandler)
        self.asked = 0
        self.let_go = threading.Event()
        self.slow_asked = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _OriginHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.path == "/slow":
            self.server.slow_asked.set()
            assert self.server.let_go.wait(WAIT_S)
        body = b"x" * 1_000_000 if self.path == "/slow" else b"hello"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None: ...


@contextmanager
def connected(host: str, port: int) -> Iterator[socket.socket]:
    with socket.create_connection((host, port), timeout=WAIT_S) as client:
        yield client


def exchange(client: socket.socket, target: str, headers: str = "") -> bytes:
    """One GET over a proxy connection; answers head and body, read by Content-Length."""
    host = target.split("/")[2]
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
    return read_answer(client)


def read_answer(client: socket.socket) -> bytes:
    answer = b""
    while b"\r\n\r\n" not in answer:
        received = client.recv(65536)
        if not received:
            return answer
        answer += received
    head = answer.partition(b"\r\n\r\n")[0].lower()
    length = 0
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(answer) < len(head) + 4 + length:
        received = client.recv(65536)
        if not received:
            break
        answer += received
    return answer
