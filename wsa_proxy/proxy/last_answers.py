"""The last answers from a virtual IP that another node is about to take, or has taken.

What the client sends from then on reaches the other node, whose kernel knows nothing of the connection and answers with
RST. So an answer has to be with the client before its first acknowledgement can be: the parts in which mitmproxy writes
a short one are kept together in the kernel (TCP_CORK) and leave with the FIN. No acknowledgement comes back either, and
nothing is repeated once the address has gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Collection

from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.connections import Address
from wsa_proxy.proxy.connections import Connections
from wsa_proxy.proxy.connections import forget
from wsa_proxy.proxy.connections import hang_up


class _Last:
    """One connection with its last answer. The copy of its socket holds mitmproxy's FIN back until we send it."""

    def __init__(self, client_id: str, transport: asyncio.Transport, *, keep_together: bool) -> None:
        """Raises OSError when the client has gone."""
        self._client_id = client_id
        self._transport = transport
        self._copy: socket.socket = transport.get_extra_info("socket").dup()
        self._said = False
        if keep_together:
            self._copy.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)

    def is_said(self) -> bool:
        """All of it is with the kernel, with the FIN."""
        if not self._said and not self._is_open():
            self._said = True
            with contextlib.suppress(OSError):  # the client has gone
                self._copy.shutdown(socket.SHUT_WR)
        return self._said

    def _is_open(self) -> bool:
        return mitmproxy_internals.is_connected(self._client_id) or self._transport.get_write_buffer_size() > 0

    def end(self) -> None:
        """What is not said yet is ended by whoever ends the connections of the address."""
        with self._copy, contextlib.suppress(OSError):
            if self.is_said():
                forget(self._copy)


class LastAnswers:
    """Of all connections to these virtual IPs; the answers of HTTP/1 end theirs (``Connections.leave``)."""

    def __init__(self, connections: Connections, addresses: Collection[Address]) -> None:
        self._connections = connections
        self._addresses = frozenset(addresses)
        self._last: dict[str, _Last] = {}

    def begin(self) -> None:
        """From now on every answer is a last one, also that of a request which comes in between two looks."""
        self._connections.on_request = lambda: self.look(fresh=True)
        self.look(fresh=True)

    def look(self, *, fresh: bool) -> bool:
        """To be called every few milliseconds; True when nothing is left to be said. ``fresh``: a connection that has
        not asked for anything yet may have done so, and counts."""
        self._connections.end_idle(self._addresses, hang_up)
        unfinished = self._connections.unfinished(self._addresses, fresh=fresh)
        for handler in unfinished:
            transport = mitmproxy_internals.client_transport(handler)
            if handler.client.id in self._last or transport is None:
                continue
            with contextlib.suppress(OSError):  # the client has gone, or descriptors have
                # In HTTP/2 an answer does not end its connection: what is kept together would wait for the next one.
                last = _Last(handler.client.id, transport, keep_together=handler.client.alpn != b"h2")
                self._last[handler.client.id] = last
        said = [last.is_said() for last in self._last.values()]
        return all(said) and not unfinished

    def end(self) -> None:
        """The addresses are about to go."""
        self._connections.on_request = lambda: None
        for last in self._last.values():
            last.end()
        self._last.clear()
