"""Keeps the proxy from connecting to itself, which would loop until its descriptors are gone.

mitmproxy refuses a destination that is *literally* one of its listening addresses. A name that resolves to one, an
IPv4-mapped IPv6 address or 0.0.0.0 get through: one request for the virtual IP's host name made a mitmproxy open
thousands of connections to itself. Three guards:

- ``refuse``, before a connection is made: the destination is resolved, and refused when it means this process. Only a
  port that we listen on is worth a query, so nearly no request pays for it.
- ``has_reached``, after one was made and before a byte is sent: a name may resolve to something else the second time,
  when mitmproxy asks (rebinding), or too late for the first guard. It keeps clients from the page.
- ``LoopGuard``, likewise, keeps them from the proxy: a client whose address is that of one of our own upstream
  connections is ended, so a loop is never deeper than one.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from ipaddress import ip_address

from mitmproxy.connection import Client
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.mitmproxy_internals import SocketName

type Address = IPv4Address | IPv6Address

RESOLVE_LIMIT_S = 2.0  # a name that takes longer is left to mitmproxy; the other guards still stand behind

NOT_LOCAL = ("192.0.2.1", "2001:db8::1")  # RFC 5737, RFC 3849: documentation, never an address of a host


async def refuse(data: ServerConnectionHookData, listening: Collection[SocketName]) -> None:
    """Set ``data.server.error`` when the destination is this process; the client then gets 502.

    ``listening``: address and port of every listener, the virtual IPs even while they are not local. A wildcard among
    them means every address of this host.
    """
    if data.server.error or data.server.transport_protocol != "tcp":
        return
    # A destination behind an upstream proxy is connected to by that proxy, so only the proxy's address is ours to ask.
    destination = mitmproxy_internals.upstream_proxy(data.server) or data.server.address
    if destination is None:
        return
    host, port = destination[:2]
    hosts = _hosts(listening, port)
    if not hosts:
        return
    for address in await _resolve(host, port):
        if _is_self(address, hosts):
            meaning = "" if str(address) == host else f" ({address})"
            data.server.error = (
                f"The proxy refuses to connect to itself: {host}{meaning} port {port} is where it listens. "
                "A client that asks for this uses the proxy as a web server."
            )
            return


def has_reached(data: ServerConnectionHookData, listening: Collection[SocketName]) -> bool:
    """Whether a connection that has been made ends at one of these listeners of this process, as in ``refuse``."""
    if data.server.peername is None or data.server.transport_protocol != "tcp":
        return False
    host, port = data.server.peername[:2]
    hosts = _hosts(listening, port)
    return bool(hosts) and _is_self(_plain(_address(host)), hosts)


def _hosts(listening: Collection[SocketName], port: int) -> list[Address]:
    return [_address(name) for name, listener_port in listening if listener_port == port]


def _address(host: str) -> Address:
    """A link-local one is compared without its interface: on any of them it is refused, rather than looped."""
    return ip_address(host.partition("%")[0])


async def _resolve(host: str, port: int) -> list[Address]:
    """What the system makes of a host, numeric forms included; empty when it knows nothing in time."""
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(
            loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM), RESOLVE_LIMIT_S
        )
    except (OSError, UnicodeError, TimeoutError):
        return []  # mitmproxy will fail on it as well, and tell the client
    return [_plain(_address(str(name[0]))) for _, _, _, _, name in found]


def _plain(address: Address) -> Address:
    """An IPv4-mapped IPv6 address reaches the IPv4 address inside."""
    return getattr(address, "ipv4_mapped", None) or address


def _is_self(address: Address, hosts: Collection[Address]) -> bool:
    """Whether a connection to ``address`` ends at one of the listeners on ``hosts`` (all on the port in question)."""
    if address.is_unspecified:
        return True  # Linux connects to this host itself
    if address in {_plain(host) for host in hosts}:
        return True
    return any(host.is_unspecified for host in hosts) and _is_local(address)


def _is_local(address: Address) -> bool:
    """Whether the kernel would deliver to this host: then, and only then, the address can be bound."""
    if address.is_loopback:
        return True
    if not _can_be_bound(address):
        return False
    # With the sysctl ip_nonlocal_bind everything can be bound; the source that the kernel picks tells it then.
    return not _can_be_bound(ip_address(NOT_LOCAL[address.version == 6])) or _is_own_source(address)


def _can_be_bound(address: Address) -> bool:
    with _datagram_socket(address) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
        return True


def _is_own_source(address: Address) -> bool:
    with _datagram_socket(address) as probe:
        try:
            probe.connect((str(address), 9))  # no packet leaves
        except OSError:
            return False
        return ip_address(probe.getsockname()[0]) == address


def _datagram_socket(address: Address) -> socket.socket:
    return socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)


class LoopGuard:
    """Ends a client connection that is the other end of one of our own upstream connections.

    The two ends are told in either order, so each side looks for the other.
    """

    def __init__(self) -> None:
        self._upstream: set[SocketName] = set()
        self._clients: dict[SocketName, Client] = {}

    def client_connected(self, client: Client) -> None:
        name = client.peername[:2]
        if name in self._upstream:
            client.error = "the proxy has connected to itself"
            return
        self._clients[name] = client

    def client_disconnected(self, client: Client) -> None:
        if self._clients.get(client.peername[:2]) is client:
            del self._clients[client.peername[:2]]

    def server_connected(self, data: ServerConnectionHookData) -> None:
        if data.server.sockname is None:
            return
        name = data.server.sockname[:2]
        self._upstream.add(name)
        if client := self._clients.get(name):
            mitmproxy_internals.end_client(client)

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        if data.server.sockname is not None:
            self._upstream.discard(data.server.sockname[:2])
