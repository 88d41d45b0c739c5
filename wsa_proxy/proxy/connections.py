"""The client connections of a virtual IP: drained before it is given up in order, closed before it goes in any case.

The kernel does not reset a connection whose local address is removed: it stays ESTABLISHED here and hangs at the
client. So its end has to be on the wire *before* the address goes, which asyncio's own closing, a turn of the loop
later, cannot promise. Two ways are used, both at once (synchronously):

- FIN (``shutdown``) for an idle keep-alive connection: the client sees an ordinary close between two requests. Said
  once: the answer can only come when the address has gone, and IPv6 would repeat a FIN from there for minutes.
- RST (``connect`` to AF_UNSPEC, see connect(2)) for everything else: a FIN would wait behind unsent bytes, and would
  make a body that ends with the connection look complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import field
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from ipaddress import ip_address
from weakref import WeakValueDictionary

from mitmproxy import http
from mitmproxy.connection import Client
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.listening_socket import ACCEPT_QUEUE
from wsa_proxy.proxy.listening_socket import waiting

type Address = IPv4Address | IPv6Address

POLL_S = 0.005  # how often a drain looks whether its answers have left
RESTING_S = 1.0
"""An end that crosses a request costs that request; so where there is time, who has just asked is not told it."""
SILENT_S = 5.0
"""Browsers open connections that they may never use. Whoever has said nothing for so long has nothing to say now."""
SIOCOUTQ = termios.TIOCOUTQ  # <linux/sockios.h>: bytes not yet acknowledged by the client
SIOCOUTQNSD = 0x894B  # <linux/sockios.h>: bytes not yet sent

# <linux/tcp.h>, struct tcp_info: ms since the last acknowledgement came, of a silent one that of its handshake;
# segments with data, in and out.
_TCP_INFO = struct.Struct("=56xI92xII")
_TCP_REPAIR = 19  # <linux/tcp.h>: what is done to the socket from now on is not told to the other side
_AF_UNSPEC = struct.pack("=H14x", socket.AF_UNSPEC)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class _Client:
    """What the hooks have told about one client connection."""

    flows: WeakValueDictionary[str, http.HTTPFlow] = field(default_factory=WeakValueDictionary)
    """Requests that are being answered. A flow is alive until its answer has been handed to the transport, and no
    longer held by us then: a connection may live for days."""
    answered: int = 0
    """Finished requests; a fresh connection (0) is never taken for an idle one."""
    answered_at_s: float = 0.0
    """When the last one was, by the loop's clock."""
    tunnel: bool = False
    """It has begun as one, with CONNECT."""

    def begin(self, flow: http.HTTPFlow) -> None:
        """One more request."""
        self._forget_answered()
        self.flows[flow.id] = flow

    def is_idle(self) -> bool:
        """A keep-alive connection between two requests."""
        self._forget_answered()
        return self.answered > 0 and not self.flows

    def is_answering(self) -> bool:
        """A request has come in whose answer is not complete; nobody waits for the end of a WebSocket."""
        self._forget_answered()
        return any(flow.websocket is None for flow in self.flows.values())

    def _forget_answered(self) -> None:
        for key, flow in list(self.flows.items()):
            if not flow.live:
                del self.flows[key]


@dataclass(slots=True)
class _Answering:
    """A connection that was answering a request when the drain began."""

    client_id: str
    transport: asyncio.Transport
    copy: socket.socket
    """A duplicate of the client's socket: it tells what is still on its way after mitmproxy has closed its own."""
    ended: bool = False

    def has_left(self) -> bool:
        """Whether the whole answer has reached the client's kernel."""
        if mitmproxy_internals.is_connected(self.client_id) or self.transport.get_write_buffer_size():
            return False
        try:
            if not self.ended:
                self.copy.shutdown(socket.SHUT_WR)  # mitmproxy's close sends no FIN while this copy is open
                self.ended = True
            return _queued(self.copy, SIOCOUTQ) == 0
        except OSError:
            return True  # the client has gone: nothing is left to wait for


def _close(client_socket: socket.socket) -> None:
    client_socket.shutdown(socket.SHUT_RDWR)


def hang_up(client_socket: socket.socket) -> None:
    """FIN, and never again: the local address is about to go. Raises OSError when the client was faster."""
    _close(client_socket)
    forget(client_socket)


def forget(client_socket: socket.socket) -> None:
    """Repeat nothing that the client has not acknowledged, and tell it nothing more. Raises OSError when it is gone."""
    # It takes CAP_NET_ADMIN; whoever has none has not had the address either.
    with contextlib.suppress(PermissionError):
        client_socket.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
        _reset(client_socket.fileno())


class Connections:
    """Counts the requests being answered per client connection, and ends connections by local address."""

    def __init__(self) -> None:
        self._clients: dict[str, _Client] = {}
        self._draining: frozenset[Address] = frozenset()
        self._leaving: frozenset[Address] | None = frozenset()
        """Where every answer ends its connection; None: everywhere."""
        self.on_request: Callable[[], object] = lambda: None
        """Called when a request has just come in, and nothing of its answer has left."""

    def leave(self, addresses: Collection[Address] | None = None) -> None:
        """From now on every answer ends its connection, on these addresses, or on all: the process is about to end."""
        if self._leaving is not None:
            self._leaving = None if addresses is None else self._leaving | frozenset(addresses)

    def stay(self, addresses: Collection[Address]) -> None:
        """As before ``leave``, on these addresses; not once it was said of all."""
        if self._leaving is not None:
            self._leaving -= frozenset(addresses)

    # --- hooks, called by the addon ---------------------------------------------------------------------------------

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if mitmproxy_internals.is_connected(flow.client_conn.id):  # replayed flows have no connection
            self._clients.setdefault(flow.client_conn.id, _Client()).begin(flow)
            self.on_request()

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Before a streamed answer: the last moment for its headers."""
        self._close_after(flow)

    def response(self, flow: http.HTTPFlow) -> None:
        if client := self._clients.get(flow.client_conn.id):
            client.answered += 1
            client.answered_at_s = asyncio.get_running_loop().time()
        self._close_after(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        if client := self._clients.get(flow.client_conn.id):
            client.flows.pop(flow.id, None)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """From here on it is a tunnel: idle only after a request inside of it, if we can see inside at all."""
        self._clients.pop(flow.client_conn.id, None)
        if mitmproxy_internals.is_connected(flow.client_conn.id):
            self._clients[flow.client_conn.id] = _Client(tunnel=True)

    def client_disconnected(self, client: Client) -> None:
        self._clients.pop(client.id, None)

    def _close_after(self, flow: http.HTTPFlow) -> None:
        """Announce and cause the end of a draining connection. In HTTP/2 this header is a PROTOCOL_ERROR."""
        ending = None if self._leaving is None else self._draining | self._leaving
        if ending == frozenset() or flow.request.is_http2 or flow.request.is_http3 or flow.response is None:
            return
        ends = ending is None or _local_address(flow.client_conn) in ending
        if flow.response.status_code != 101 and ends:
            flow.response.headers["Connection"] = "close"

    # --- ends -------------------------------------------------------------------------------------------------------

    def close(self, addresses: Collection[Address]) -> int:
        """End every client connection on these local addresses; answers how many.

        When this returns the FIN or RST of each one has left, so the address may be removed at once. Clients that the
        kernel has accepted and mitmproxy has not yet are ended as well.
        """
        wanted = frozenset(addresses)
        handlers = self._handlers(wanted)
        for handler in handlers:
            self._end(handler, hang_up)
        return len(handlers) + sum(_reset_not_accepted(sock) for sock in mitmproxy_internals.listening_on(wanted))

    async def drain(self, addresses: Collection[Address] | None, limit_s: float = 0.3) -> None:
        """Let the requests being answered there now (None: anywhere) be answered completely, for ``limit_s`` seconds at
        most. No end of a tunnel or a WebSocket is waited for.

        Idle keep-alive connections on these addresses are closed at once and as they become idle. Fresh connections
        are served, and closed with their answer.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + limit_s
        wanted = None if addresses is None else frozenset(addresses)
        self._draining = wanted or frozenset()
        answering = self._answering(wanted)
        waited = answering
        try:
            while True:
                self.end_idle(wanted)
                waited = [each for each in waited if not each.has_left()]
                if not waited or loop.time() >= deadline:
                    return
                await asyncio.sleep(POLL_S)
        finally:
            self._draining = frozenset()
            for each in answering:
                each.copy.close()

    def end_idle(self, addresses: Collection[Address] | None, close: Callable[[socket.socket], None] = _close) -> None:
        """Close the keep-alive connections there that are between two requests."""
        for handler in self._handlers(addresses):
            if self._is_idle(handler):
                self._end(handler, close)

    def end_resting(self, addresses: Collection[Address]) -> None:
        """Close those there that have been between two requests for RESTING_S: nobody asks in this very moment. And
        those on which nobody has said anything for SILENT_S."""
        before_s = asyncio.get_running_loop().time() - RESTING_S
        for handler in self._handlers(addresses):
            client = self._clients.get(handler.client.id)
            rests = client is not None and client.answered_at_s <= before_s and self._is_idle(handler)
            if rests or (client is None and _is_silent(handler)):
                self._end(handler)

    def unfinished(self, addresses: Collection[Address], *, fresh: bool) -> list[ProxyConnectionHandler]:
        """Those that are being answered, or with ``fresh`` may have asked for something that was not read yet."""
        found = []
        for handler in self._handlers(addresses):
            client = self._clients.get(handler.client.id)
            if client.is_answering() if client is not None else fresh:
                found.append(handler)
        return found

    def _answering(self, addresses: Collection[Address] | None) -> list[_Answering]:
        found = []
        for handler in self._handlers(addresses):
            client = self._clients.get(handler.client.id)
            transport = mitmproxy_internals.client_transport(handler)
            if client is not None and client.is_answering() and transport is not None:
                try:
                    copy = transport.get_extra_info("socket").dup()
                except OSError:
                    continue  # the client was faster: its connection is gone already
                found.append(_Answering(handler.client.id, transport, copy))
        return found

    def _handlers(self, addresses: Collection[Address] | None) -> list[ProxyConnectionHandler]:
        handlers = mitmproxy_internals.tcp_handlers()
        return [each for each in handlers if addresses is None or _local_address(each.client) in addresses]

    def _is_idle(self, handler: ProxyConnectionHandler) -> bool:
        """Between two requests, with every answer on the wire."""
        client = self._clients.get(handler.client.id)
        transport = mitmproxy_internals.client_transport(handler)
        if client is None or transport is None or not client.is_idle() or transport.get_write_buffer_size():
            return False
        try:
            return _queued(transport.get_extra_info("socket"), SIOCOUTQNSD) == 0
        except OSError:
            return False  # the client was faster: it is closed already

    def _end(self, handler: ProxyConnectionHandler, close: Callable[[socket.socket], None] = _close) -> None:
        transport = mitmproxy_internals.client_transport(handler)
        if transport is not None:
            client_socket = transport.get_extra_info("socket")
            try:
                if self._is_idle(handler):
                    close(client_socket)
                else:
                    _reset(client_socket.fileno())
            except OSError:
                pass  # the client was faster: its connection is gone already
        mitmproxy_internals.end_handler(handler)


def _is_silent(handler: ProxyConnectionHandler) -> bool:
    """Whether neither end has said a word for SILENT_S, since the connection began."""
    transport = mitmproxy_internals.client_transport(handler)
    try:
        client_socket = None if transport is None else transport.get_extra_info("socket")
        if client_socket is None or client_socket.fileno() < 0:
            return False
        info = client_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:
        return False  # the client was faster: it is closed already
    rests_ms, said_there, said_here = _TCP_INFO.unpack(info)
    return not said_there and not said_here and rests_ms >= SILENT_S * 1000


def _local_address(client: Client) -> Address:
    """The address that the client has connected to."""
    address = ip_address(client.sockname[0].partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _queued(client_socket: socket.socket, request: int) -> int:
    """Bytes in the kernel's send queue. Raises OSError when the socket is closed."""
    if client_socket.fileno() < 0:  # asyncio has closed it in this turn of the loop; mitmproxy does not know yet
        raise OSError(errno.EBADF, "closed")
    answer = fcntl.ioctl(client_socket.fileno(), request, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])


def _reset(descriptor: int) -> None:
    """Send RST now, unless in TCP_REPAIR; the descriptor stays open and unconnected. Raises OSError."""
    if _libc.connect(descriptor, _AF_UNSPEC, len(_AF_UNSPEC)) != 0:
        raise OSError(ctypes.get_errno(), "disconnect")


def _reset_not_accepted(listening: socket.socket) -> int:
    """Reset the clients in a listening socket's accept queue; answers how many.

    They cannot be accepted for that, since there may be no descriptor left. But the kernel resets who waits behind a
    socket that listens no longer, at once; it keeps its address, and listens again.
    """
    try:
        count = waiting(listening)
        if count:
            listening.shutdown(socket.SHUT_RD)
            if _libc.listen(listening.fileno(), ACCEPT_QUEUE) != 0:
                raise OSError(ctypes.get_errno(), "listen")
    except OSError:
        return 0  # it is closed or deaf, and then the kernel has reset them; liveness.py finds such a socket
    return count
