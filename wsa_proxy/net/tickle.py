"""Tickles: the clients of a node that has died are told that their connections are gone.

A client that only waits for data hears nothing of a takeover. So the new master sends it a bare ACK from the virtual
IP whose numbers cannot be right. The client answers with the true ones (RFC 9293 3.10.7.4), and this kernel, which
knows no such connection, resets it with exactly these: the client has learnt of it in one round trip (CTDB's "tickle
ACK"). Where the connection lives, its owner takes the answer for a repeated acknowledgement, and nothing comes of it.

A stateful firewall on the way lets a segment pass only if neither number is above what it has seen. Numbers are
compared modulo 2^32, so of 0 and 2^31 one is always below: of the four pairs one passes. Where more of them arrive the
client answers one, since Linux says such a thing to a connection twice a second at most; those behind the reset find no
connection, and what is said about that concerns nobody.
"""

from __future__ import annotations

import socket
from functools import cache
from ipaddress import IPv6Address
from ipaddress import ip_address

from wsa_proxy.net.client_key import parts_of
from wsa_proxy.net.ports import Client
from wsa_proxy.net.ports import Version
from wsa_proxy.net.socket_buffers import grow_send_buffer

CLIENTS_AT_FIRST_MAX = 50
"""So many to one next hop, as long as the kernel does not know its hardware address: of what waits for that it keeps
208 KiB (net.ipv4.neigh.default.unres_qlen_bytes), 277 segments, and drops the oldest beyond."""

SEND_BUFFER_BYTES = 4 * 1024 * 1024
"""Holds what waits for the hardware addresses of clients: three seconds for each that is gone as well. The kernel
doubles it, and counts 768 bytes for each segment."""

_IPV4_BYTES = 4
_IPV4_CLIENT_BYTES = 12
_HALVES = (bytes(4), b"\x80\0\0\0")
_NUMBERS = [sequence + acknowledged for sequence in _HALVES for acknowledged in _HALVES]

# Places in a TCP header, which has 20 bytes (RFC 9293 3.1): ports, the two numbers, length, flags, window, checksum.
_TCP_BYTES = 20
_NUMBERS_END = 12
_CHECKSUM = 16
_CHECKSUM_END = 18


class Tickler:
    """A ``TicklePort`` that sends through the kernel's own routing."""

    def __init__(self, index: int) -> None:
        """``index``: of the interface on which clients with link-local addresses are."""
        self._index = index
        self._sockets: dict[bytes, socket.socket] = {}

    def send(self, client: Client) -> None:
        """The four segments. Raises OSError: BlockingIOError when the buffer is full (later it is not), EADDRNOTAVAIL
        when the virtual IP is not here the first time that it is sent from."""
        address, _, other, _ = parts_of(client)
        opened = self._sockets.get(address) or self._open(address)
        destination = self._destination(other)
        for segment in segments(client):
            opened.sendto(segment, destination)

    def close(self) -> None:
        """Harmless when repeated."""
        for opened in self._sockets.values():
            opened.close()
        self._sockets.clear()

    def _open(self, packed: bytes) -> socket.socket:
        """For all that is sent from one virtual IP: it is bound, so that rules of routing by source hold."""
        address = ip_address(packed)
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        # IPPROTO_RAW: the IP header is ours, and nothing is received.
        opened = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_RAW)
        try:
            grow_send_buffer(opened, SEND_BUFFER_BYTES)
            if not address.is_link_local:  # this would bind it to an interface, and that of a virtual MAC has no routes
                opened.bind((str(address), 0))
        except BaseException:
            opened.close()
            raise
        self._sockets[packed] = opened
        return opened

    def _destination(self, packed: bytes) -> tuple[str, int] | tuple[str, int, int, int]:
        if len(packed) == _IPV4_BYTES:
            return socket.inet_ntop(socket.AF_INET, packed), 0
        return socket.inet_ntop(socket.AF_INET6, packed), 0, 0, self._index if IPv6Address(packed).is_link_local else 0


def segments(client: Client) -> list[bytes]:
    """The four IP packets for one client, with the checksum of TCP; that of an IPv4 header is the kernel's."""
    head, tcp, constant = _template(4 if len(client) == _IPV4_CLIENT_BYTES else 6)
    address, port, other, other_port = parts_of(client)
    start = head + address + other + port + other_port
    # The sum of 16-bit words in ones' complement is the remainder of the whole number (RFC 1071), and a client is,
    # reordered, all that differs of the pseudo header and of the ports.
    known = int.from_bytes(client) + constant
    packets = []
    for numbers in _NUMBERS:
        checksum = -(known + int.from_bytes(numbers)) % 0xFFFF
        packets.append(start + numbers + tcp[_NUMBERS_END:_CHECKSUM] + checksum.to_bytes(2) + tcp[_CHECKSUM_END:])
    return packets


@cache
def _template(version: Version) -> tuple[bytes, bytes, int]:
    """The IP header up to its addresses, which are its end in both versions; the TCP header; the sum of what is the
    same in each pseudo header and segment."""
    # frames.py imports scapy, which takes a fifth of a second. A node does so while it waits for its keys, and has done
    # so by now; at the top of this file all that imports the pump would wait for it.
    from wsa_proxy.net.frames import bare_ack

    packet = bare_ack(version)
    address_bytes = 4 if version == 4 else 16
    head, tcp = packet[: -_TCP_BYTES - 2 * address_bytes], packet[-_TCP_BYTES:]
    return head, tcp, socket.IPPROTO_TCP + _TCP_BYTES + int.from_bytes(tcp)
