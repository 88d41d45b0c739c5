"""Tickles: the clients of a node that died are told that their connection is gone.

A client that only waits for data hears nothing of a takeover. So the new master sends it a bare ACK from the virtual
IP, with a sequence number that cannot be right. The client answers with the true one (RFC 9293 3.10.7.4), and this
kernel, which knows no such connection, resets it with exactly that: the client learns of it in one round trip, as with
CTDB's "tickle ACK". A client whose connection lives, here or steered to another node, is answered by that with nothing.

A stateful firewall on the way lets a segment pass only if both numbers are below what it has seen. Of {0, 2^31} one is
always below, whatever the numbers are, since they are compared modulo 2^32; so four segments are sent, of which one has
both. It is answered once: a kernel says such things twice a second at most to one connection.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from wsa_proxy.net.frames import bare_ack
from wsa_proxy.net.ports import Client
from wsa_proxy.net.ports import Version

_SO_SNDBUFFORCE = 32  # from asm-generic/socket.h; Python's socket module does not have it
SEND_BUFFER_BYTES = 4 * 1024 * 1024
"""What waits for the hardware address of a client, three seconds if that is gone as well, fills it: 768 bytes each."""

_NUMBER_BYTES = 4
_CHECKSUM_OFFSET = 16  # in the TCP header, RFC 9293 3.1
_PAIRS = [(sequence, acknowledged) for sequence in (0, 2**31) for acknowledged in (0, 2**31)]


@dataclass(frozen=True, slots=True)
class _Form:
    """How a tickle of one IP version is made from its template."""

    family: int
    address_bytes: int
    packet: bytes
    addresses_offset: int
    tcp_offset: int


class Tickler:
    """Sends them through the kernel's routing, from the network namespace in which it was opened."""

    def __init__(self, index: int) -> None:
        """``index`` of the interface on which clients with link-local addresses are."""
        self._index = index
        self._sockets: dict[bytes, socket.socket] = {}
