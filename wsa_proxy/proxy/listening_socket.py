"""One TCP socket that listens on an address which need not be local yet.

IP_FREEBIND and IPV6_FREEBIND need no privilege and no sysctl, so a takeover never waits for a bind.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from ipaddress import ip_address
from typing import Any

from wsa_proxy.proxy.accept_pace import AcceptPace
from wsa_proxy.runtime.patient_socket import PatientSocket

type Address = IPv4Address | IPv6Address

IP_FREEBIND = 15  # <linux/in.h>; Python's socket module does not have it
IPV6_FREEBIND = 78  # <linux/in6.h>, Linux 4.15

ACCEPTS_PER_TURN = 4  # asyncio's "backlog" is also its accepts per turn; 100 of them stall the loop for seconds
ACCEPT_QUEUE = 4096  # the kernel's queue, which takes the burst of reconnects after a failover
GONE_PER_ACCEPT_MAX = 64  # passed over in one go, a few microseconds each; then the loop turns

_TCP_INFO = struct.Struct(
    "=B23xI"
)  # <linux/tcp.h>: state; unacked, of a listening socket the length of its accept queue
_TCP_LISTEN = 10  # <net/tcp_states.h>
_TCP_GONE = (7, 8)  # <net/tcp_states.h>: CLOSE, after a reset, and CLOSE_WAIT, after a FIN; the first byte of TCP_INFO


def waiting(listening: socket.socket) -> int:
    """How many clients are connected and not accepted. Raises OSError."""
    return listens(listening)[1]


def listens(listening: socket.socket) -> tuple[bool, int]:
    """Whether it does, and how many clients are connected and not accepted; one system call. Raises OSError."""
    state, count = _TCP_INFO.unpack(listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size))
    return state == _TCP_LISTEN, count


def has_gone(client: socket.socket) -> bool:
    """Whether this client has sent its FIN or a reset. Raises OSError."""
    return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _TCP_GONE


class ListeningSocket(PatientSocket):
    """A listening socket that leaves the loop by itself when it was shut down behind our back.

    epoll reports such a socket for ever, and asyncio logs a traceback each time; the next look at it tells the rest.
    """

    asked = 0
    """So often somebody has asked the kernel for a client, also in vain."""
    pace: AcceptPace | None = None
    """When the loop gets the next client; None: whenever it asks."""
    wants_answers = False
    """Who has sent a FIN wants no answer any more, as in HTTP; elsewhere he may just have said all that he had to."""
    _turn_s: float | None = None
    """When it has asked first in this turn; None until it does."""
    _last_turn_s: float | None = None
    """The same of the turn before; or when the rest was to end that comes before this turn."""

    def accept(self) -> tuple[socket.socket, Any]:
        self.asked += 1
        if self.pace is None:
            return self._take()
        crowded = waiting(self) >= self.pace.crowd
        if crowded and not self._is_time(self.pace):
            raise BlockingIOError(errno.EAGAIN, "not yet")
        accepted = self._take_living() if crowded and self.wants_answers else self._take()
        self.pace.taken()
        return accepted

    def _take_living(self) -> tuple[socket.socket, Any]:
        """The first who has not gone. A crowd that has waited for longer than its patience must not be served in the
        place of those who wait now: then these would lose theirs as well, and nobody would ever be answered."""
        for _ in range(GONE_PER_ACCEPT_MAX):
            accepted = self._take()
            if not has_gone(accepted[0]):
                return accepted
            accepted[0].close()
        raise BlockingIOError(errno.EAGAIN, "all of them had gone")

    def _take(self) -> tuple[socket.socket, Any]:
        try:
            return super().accept()
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            asyncio.get_running_loop().remove_reader(self.fileno())
            raise BlockingIOError(errno.EAGAIN, "it does not listen any more") from None

    def _is_time(self, pace: AcceptPace) -> bool:
        loop = asyncio.get_running_loop()
        if self._turn_s is None:
            self._turn_s = loop.time()
            pace.begin_turn(self._turn_s, None if self._last_turn_s is None else self._turn_s - self._last_turn_s)
            loop.call_soon(self._next_turn, loop)
        if not pace.allows:
            self._rest(loop, pace.wait_s)
        return pace.allows

    def _next_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called at the beginning of the turn after one in which the loop has asked; it has not waited in between."""
        self._last_turn_s, self._turn_s = self._turn_s, None
        loop.call_soon(self._forget_turn, self._last_turn_s)

    def _forget_turn(self, began_s: float | None) -> None:
        """Called at the beginning of the turn after that; before ``_next_turn``, if the loop has asked again."""
        if self._last_turn_s == began_s:
            self._last_turn_s = None

    def _rest(self, loop: asyncio.AbstractEventLoop, wait_s: float) -> None:
        """Nobody looks at this socket for so long: while somebody waits there, a loop that looks would never sleep."""
        reader = loop._selector.get_map()[self.fileno()].data[0]  # type: ignore[attr-defined]
        ask = partial(reader._callback, *reader._args)  # asyncio's own; its add_reader is the public way back
        loop.remove_reader(self.fileno())
        loop.call_later(wait_s, self._go_on, loop, ask, loop.time() + wait_s)

    def _go_on(self, loop: asyncio.AbstractEventLoop, ask: Callable[[], object], due_s: float) -> None:
        if self.fileno() >= 0:
            self._last_turn_s = due_s
            loop.add_reader(self.fileno(), ask)


def open_listening_socket(address: Address, port: int) -> ListeningSocket:
    """A TCP socket that listens on an address that need not be local yet. Raises OSError."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    # asyncio sets TCP_NODELAY only on sockets that name TCP; accepted ones take that over from the listening one.
    bound = ListeningSocket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.version == 4:
            bound.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        else:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        bound.bind(_socket_address(address, port))
        bound.listen(ACCEPT_QUEUE)  # with SO_REUSEADDR a port in use may be told only here
    except OSError:
        bound.close()
        raise
    return bound


def on_interface(address: Address, interface: str) -> Address:
    """A link-local address, which means nothing without its interface, with it; any other one as it is."""
    if isinstance(address, IPv6Address) and address.is_link_local:
        return IPv6Address(f"{address}%{interface}")
    return address


def bound_to(listening: socket.socket) -> tuple[Address | None, int]:
    """Address, a link-local one with its interface, and port; no address for a socket that is not of TCP over IP.

    Raises OSError when the socket is closed.
    """
    name = listening.getsockname()
    if len(name) < 2:
        return None, 0
    address = ip_address(name[0].partition("%")[0])
    if len(name) == 4 and name[3]:
        try:
            interface = socket.if_indextoname(name[3])
        except OSError:
            interface = str(name[3])  # it is gone, and its index is no interface's name
        address = IPv6Address(f"{address}%{interface}")
    return address, name[1]


def is_bound_to(listening: socket.socket, address: Address, port: int) -> bool:
    """Whether it is still the socket of this address. Raises OSError when it is closed.

    The kernel binds a link-local address to an interface's index, and a re-created interface has another one: then the
    socket is made to follow. While there is none nobody can connect, and the group of the interface says why; the
    groups on other interfaces must not suffer from it.
    """
    found = bound_to(listening)
    if found == (address, port):
        return True
    scope = getattr(address, "scope_id", None)
    if scope is None or (_plain(found[0]), found[1]) != (_plain(address), port):
        return False
    try:
        interfaces = [name for _, name in socket.if_nameindex()]
    except OSError:
        return True  # out of descriptors nobody tells, and the socket can do nothing about it
    if scope in interfaces:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, scope.encode())
    return True


def _plain(address: Address | None) -> str:
    """Without its interface."""
    return str(address).partition("%")[0]


def _socket_address(address: Address, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """Raises OSError when the interface of a link-local address is not there."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        # Of a name such as fe80::3%eth0 alone Python's bind would not take the interface.
        return str(address), port, 0, socket.if_nametoindex(address.scope_id)
    return str(address), port


def what_helps(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Something else listens there or on every address; `ss -ltnp sport = :{port}` names it."
    if error.errno == errno.EACCES:
        return f"Port {port} needs the capability CAP_NET_BIND_SERVICE, or take a port above 1023."
    if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
        return "Is this IP version enabled in the kernel?"
    return ""
