"""The proxy's side of its own self-tests: they are known among all clients, answered, and seen by nobody else.

A self-test is a client connection that this process makes to itself. It is known by its own address and port before it
connects; nobody else can have these for as long as it is known. None of its hooks reaches an addon, whatever the
addon's place in the chain: what is needed of mitmproxy's own addons is done here. So it passes under proxyauth,
block_global and ignore_hosts, and leaves no log line, no flow, no DNS query and no connection to a server.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import socket
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import http
from mitmproxy.connection import Client
from mitmproxy.hooks import Hook
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.mitmproxy_internals import HiddenClients
from wsa_proxy.proxy.mitmproxy_internals import SocketName

KNOWN_S = 30.0  # after its end: a busy mitmproxy may take the connection from the kernel later than that


OWN_ADDONS = {
    "tls_clienthello": "tlsconfig",
    "tls_start_client": "tlsconfig",
    "tls_start_server": "tlsconfig",
    "http_connect_upstream": "upstreamauth",
    "requestheaders": "upstreamauth",
}
"""What of mitmproxy itself is needed to make a certificate and to get through to a server, by hook."""


@dataclass(frozen=True, slots=True)
class _SelfTest:
    """One of them."""

    token: str
    to_server: bool
    """It fetches something from a real server; all others are answered here."""


class SelfTests:
    """All self-tests of this process; made once."""

    def __init__(self) -> None:
        self._hidden = HiddenClients()
        self._expected: dict[SocketName, _SelfTest] = {}
        """By their own address and port, until mitmproxy has seen the connection."""
        self._clients: WeakKeyDictionary[Client, _SelfTest] = WeakKeyDictionary()
        """Those that it has seen, for as long as it holds them: hooks may come after the connection's end."""
        self._seen: dict[str, bool] = {}
        """Of those under way, by their token: whether mitmproxy has taken the connection."""
        self._answers: dict[str, Callable[[Any], None]] = {
            "client_connected": self._connected,
            "client_disconnected": self._disconnected,
            "next_layer": self._choose_layer,
        }
        self._serverless: dict[str, Callable[[Any], None]] = {
            "http_connect": self._open_tunnel,
            "requestheaders": self._answer,
            "server_connect": self._refuse_server,
        }

    def install(self) -> None:
        """Hide mitmproxy's log lines about them from now on."""
        self._hidden.install()

    def uninstall(self) -> None:
        """Hide nothing any more."""
        self._hidden.uninstall()

    # --- for whoever asks -------------------------------------------------------------------------------------------

    def expect_members(self, names: Collection[SocketName]) -> None:
        """Connections from there are other nodes' probes from now on, whatever connects: they reach no server."""
        self._hidden.members = frozenset(names)

    @contextmanager
    def own_socket(self, host: str, *, to_server: bool = False) -> Iterator[tuple[socket.socket, str]]:
        """A socket bound to ``host`` that is known as a self-test before it connects, and its token."""
        token = secrets.token_hex(16)
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as client:
            client.setblocking(False)
            client.bind((host, 0))
            name: SocketName = client.getsockname()[:2]
            self._expected[name] = _SelfTest(token, to_server)
            self._hidden.hidden[name] = token
            self._seen[token] = False
            try:
                yield client, token
            finally:
                if self._seen.pop(token) or _is_connected(client):
                    asyncio.get_running_loop().call_later(KNOWN_S, self._forget, name, token)
                else:
                    # It never comes, and its port is free at once: another program of this host could be taken for it.
                    self._forget(name, token)

    def was_seen(self, token: str) -> bool:
        """Whether mitmproxy has taken this self-test's connection; asked while the self-test is under way."""
        return self._seen[token]

    def _forget(self, name: SocketName, token: str) -> None:
        if name in self._expected and self._expected[name].token == token:
            del self._expected[name]
        if self._hidden.hidden.get(name) == token:
            del self._hidden.hidden[name]

    # --- for the hooks ----------------------------------------------------------------------------------------------

    def is_self_test(self, client: Client, *, first: bool = False) -> bool:
        """Whether nobody else should see this client's hooks. ``first``: this is the first hook of its connection."""
        if first:
            self_test = self._expected.pop(client.peername[:2], None)
            if self_test is None and client.peername[:2] in self._hidden.members:
                self_test = _SelfTest(secrets.token_hex(16), to_server=False)  # which nobody knows: no request is right
            if self_test is not None:
                self._clients[client] = self_test
        return client in self._clients

    async def handle(self, hook: Hook, client: Client) -> None:
        """Do what a self-test needs at this hook, instead of all addons."""
        answer = self._answers.get(hook.name)
        if answer is None and not self._clients[client].to_server:
            answer = self._serverless.get(hook.name)
        if answer is not None:
            answer(*hook.args())
        elif hook.name in OWN_ADDONS:
            await mitmproxy_internals.call_addon(OWN_ADDONS[hook.name], hook)

    def _connected(self, client: Client) -> None:
        if self._clients[client].token in self._seen:
            self._seen[self._clients[client].token] = True

    def _disconnected(self, client: Client) -> None:
        self._forget(client.peername[:2], self._clients[client].token)

    def _choose_layer(self, asked: NextLayer) -> None:
        mitmproxy_internals.choose_layer(asked, to_server=self._clients[asked.context.client].to_server)

    @staticmethod
    def _open_tunnel(flow: http.HTTPFlow) -> None:
        flow.response = http.Response.make(200)  # with an answer given, mitmproxy connects to nobody

    def _answer(self, flow: http.HTTPFlow) -> None:
        token = self._clients[flow.client_conn].token
        if hmac.compare_digest(flow.request.path.encode(errors="replace"), f"/{token}".encode()):
            flow.response = http.Response.make(200, token, {"Connection": "close"})

    @staticmethod
    def _refuse_server(data: ServerConnectionHookData) -> None:
        data.server.error = "a self-test goes no further"


def _is_connected(client: socket.socket) -> bool:
    """Whether mitmproxy may still find it in the kernel's queue; then the kernel keeps its port from others."""
    try:
        client.getpeername()
    except OSError:
        return False
    return True
