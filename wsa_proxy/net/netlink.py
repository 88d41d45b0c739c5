"""Requests to the kernel's rtnetlink that are answered before the call returns.

The kernel carries a request out inside ``send``, in our thread, and has queued the acknowledgement when ``send``
returns: so reading it never waits, and there is no moment in which the state of the program and of the kernel differ.
pyroute2's general calls cost 0.7 ms each and its synchronous class refuses to work inside a running event loop; here
its message classes write the messages, and the socket is our own. What is read by the hundred (addresses, links) is
taken apart with ``struct``: pyroute2 decodes every attribute there is, which took most of a core with 255 groups.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from typing import Any

from pyroute2.netlink import NLM_F_ACK
from pyroute2.netlink import NLM_F_DUMP
from pyroute2.netlink import NLM_F_DUMP_INTR
from pyroute2.netlink import NLM_F_REQUEST
from pyroute2.netlink import NLMSG_DONE
from pyroute2.netlink import NLMSG_ERROR
from pyroute2.netlink.rtnl import RTM_GETADDR
from pyroute2.netlink.rtnl import RTM_NEWADDR
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_DEPRECATED
from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_TENTATIVE
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

from wsa_proxy.net.ports import Address
from wsa_proxy.net.raw_socket import Instruction
from wsa_proxy.net.raw_socket import attach_filter
from wsa_proxy.net.socket_buffers import grow_receive_buffer

FOREVER_S = 0xFFFFFFFF
"""The lifetime that the kernel gives to permanent addresses."""

LEASE_VALID_S_MAX = 60
"""Ours live for a second or two; what DHCP or router advertisements give lasts minutes, and is the host's own."""

SEQUENCE_MAX = 0x7FFFFFFF
REQUESTS_PER_SEND_MAX = 128  # their acknowledgements fit into the smallest receive buffer a kernel gives
DUMP_TRIES_MAX = 5  # the kernel says when the table changed under a dump; then it is read again
_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
_DATAGRAM_BYTES_MAX = 64 * 1024  # the kernel fills at most 32 KiB
_DATAGRAMS_PER_DUMP_MAX = 4096

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence number, port
HEADER_BYTES = _HEADER.size
_SEQUENCE_OFFSET = 8
_ERROR = struct.Struct("=i")
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length with this header, type
_ATTRIBUTE_TYPE_MASK = 0x3FFF  # the two highest bits say how the payload is written
_ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg: family, prefix length, flags, scope, interface
ADDRESS_BYTES = _ADDRESS.size
_LIFETIMES = struct.Struct("=II")  # the head of struct ifa_cacheinfo: preferred, valid
_FLAGS = struct.Struct("=I")

# From linux/if_addr.h.
IFA_ADDRESS = 1
IFA_LOCAL = 2
IFA_CACHEINFO = 6
IFA_FLAGS = 8

# From linux/netlink.h; Python's socket module does not have them.
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10  # an acknowledgement does not repeat our message
_NETLINK_GET_STRICT_CHK = 12  # a dump honours the interface index that we ask for


@dataclass(frozen=True, slots=True)
class Message:
    """One netlink message as it came from the kernel."""

    type: int
    flags: int
    sequence: int
    data: bytes
    """The whole message with its header, as pyroute2's classes want it."""


@dataclass(frozen=True, slots=True)
class HostAddress:
    """One address of this host, as the kernel describes it."""

    index: int
    """Of the interface."""
    address: Address
    prefix_length: int
    flags: int
    """IFA_F_... bits."""
    valid_s: int
    """Remaining lifetime; FOREVER_S when permanent."""
    preferred_s: int

    @property
    def permanent(self) -> bool:
        """No finite lifetime: not a lease, hence not ours."""
        return self.valid_s == FOREVER_S

    @property
    def may_be_ours(self) -> bool:
        """Held by us, or left over from an earlier life of ours: a host prefix and a short life."""
        return self.valid_s <= LEASE_VALID_S_MAX and self.prefix_length == self.address.max_prefixlen

    @property
    def usable_as_source(self) -> bool:
        """Neither waiting for duplicate address detection nor on its way out."""
        return not self.flags & (IFA_F_TENTATIVE | IFA_F_DEPRECATED)


class RouteSocket:
    """One non-blocking NETLINK_ROUTE socket, optionally a member of multicast groups."""

    def __init__(self, groups: int = 0, program: Sequence[Instruction] = ()) -> None:
        """``groups`` is a mask of RTMGRP_... bits, ``program`` a filter for what arrives. Raises OSError."""
        family = socket.AF_NETLINK
        self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        try:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
            grow_receive_buffer(self._socket, _RECEIVE_BUFFER_BYTES)
            if program:
                attach_filter(self._socket, program)
            self._socket.bind((0, groups))
        except BaseException:
            self._socket.close()
            raise
        self._sequence = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        """Harmless when repeated."""
        self._socket.close()

    def __enter__(self) -> RouteSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, messages: Sequence[bytes]) -> list[int]:
        """Have every message carried out, in one batch; answers one errno per message, 0 where it worked.

        Raises OSError when the batch could not be handed over, or when an acknowledgement is missing: then nobody
        knows what the kernel did, and the caller must treat it as failed.
        """
        results: list[int] = []
        for start in range(0, len(messages), REQUESTS_PER_SEND_MAX):
            results += self._request(messages[start : start + REQUESTS_PER_SEND_MAX])
        return results

    def dump(self, message: bytes) -> list[Message]:
        """All messages that answer one dump request. Raises OSError with the kernel's errno."""
        for _ in range(DUMP_TRIES_MAX):
            self._send([message])
            found = self._read_dump()
            if not any(answer.flags & NLM_F_DUMP_INTR for answer in found):
                break
        return found  # after so many tries an interrupted dump is the best that can be had

    def queued(self, datagrams_max: int) -> Iterator[Message]:
        """The messages that wait in the socket. Raises OSError(ENOBUFS) when the kernel had to drop some."""
        for _ in range(datagrams_max):
            try:
                datagram, sender = self._socket.recvfrom(_DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                return
            if sender[0] == 0:  # netlink also carries messages between processes; only the kernel has port 0
                yield from _split(datagram)

    def _request(self, messages: Sequence[bytes]) -> list[int]:
        first = self._send(messages)
        results: list[int | None] = [None] * len(messages)
        for answer in self.queued(len(messages)):
            position = answer.sequence - first
            if answer.type == NLMSG_ERROR and 0 <= position < len(results):
                results[position] = -_ERROR.unpack_from(answer.data, _HEADER.size)[0]
        known = [result for result in results if result is not None]
        if len(known) != len(results):
            raise OSError(errno.EPROTO, f"the kernel acknowledged {len(known)} of {len(results)} netlink requests")
        return known

    def _read_dump(self) -> list[Message]:
        found: list[Message] = []
        for answer in self.queued(_DATAGRAMS_PER_DUMP_MAX):
            if answer.sequence != self._sequence:
                continue
            if answer.type in (NLMSG_DONE, NLMSG_ERROR):
                result = _ERROR.unpack_from(answer.data, _HEADER.size)[0]
                if result < 0:
                    raise OSError(-result, os.strerror(-result))
                return found
            found.append(answer)
        raise OSError(errno.EPROTO, "the kernel did not finish a netlink dump")

    def _send(self, messages: Sequence[bytes]) -> int:
        """Send the batch and answer the sequence number of its first message; what is queued before is old."""
        for _ in self.queued(_DATAGRAMS_PER_DUMP_MAX):
            pass
        if self._sequence > SEQUENCE_MAX - len(messages):
            self._sequence = 0  # within one batch they only rise
        first = self._sequence + 1
        batch = bytearray()
        for message in messages:
            self._sequence += 1
            start = len(batch)
            batch += message
            struct.pack_into("=I", batch, start + _SEQUENCE_OFFSET, self._sequence)
        self._socket.send(batch)
        return first


@contextmanager
def reading(route: RouteSocket | None) -> Iterator[RouteSocket]:
    """This socket, which stays open, or one for the moment. Raises OSError."""
    if route is not None:
        yield route
        return
    with RouteSocket() as opened:
        yield opened


def encode(message: Any, message_type: int, flags: int) -> bytes:
    """The bytes of one of pyroute2's messages; the sequence number is filled in when it is sent."""
    message["header"] = {"type": message_type, "flags": NLM_F_REQUEST | flags, "sequence_number": 0, "pid": 0}
    message.encode()
    return bytes(message.data)


def encode_acknowledged(message: Any, message_type: int, flags: int = 0) -> bytes:
    """The same, for ``RouteSocket.request``."""
    return encode(message, message_type, flags | NLM_F_ACK)


def attributes(data: bytes, offset: int) -> dict[int, bytes]:
    """The attributes behind the fixed part of a message, which ends at ``offset``: type and payload."""
    found: dict[int, bytes] = {}
    end = len(data)
    while offset + _ATTRIBUTE.size <= end:
        length, attribute_type = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > end:
            break
        found[attribute_type & _ATTRIBUTE_TYPE_MASK] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


def decode_address(message: Message) -> HostAddress | None:
    """What an RTM_NEWADDR or RTM_DELADDR says; None for families other than IP."""
    if len(message.data) < HEADER_BYTES + ADDRESS_BYTES:
        return None
    family, prefix_length, flags, _, index = _ADDRESS.unpack_from(message.data, HEADER_BYTES)
    if family not in (socket.AF_INET, socket.AF_INET6):
        return None
    found = attributes(message.data, HEADER_BYTES + ADDRESS_BYTES)
    # On a point-to-point link IFA_ADDRESS is the other end, and IFA_LOCAL is ours.
    packed = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS)
    if packed is None:
        return None
    lifetimes, wide_flags = found.get(IFA_CACHEINFO), found.get(IFA_FLAGS)
    preferred_s, valid_s = _LIFETIMES.unpack_from(lifetimes) if lifetimes else (FOREVER_S, FOREVER_S)
    return HostAddress(
        index=index,
        address=IPv4Address(packed) if family == socket.AF_INET else IPv6Address(packed),
        prefix_length=prefix_length,
        flags=_FLAGS.unpack(wide_flags)[0] if wide_flags else flags,
        valid_s=valid_s,
        preferred_s=preferred_s,
    )


def read_addresses(route: RouteSocket, index: int = 0, wanted: Collection[Address] | None = None) -> list[HostAddress]:
    """The addresses of one interface in the kernel's order, or of all (index 0); or those ``wanted`` among them.

    With 255 groups each looks for its own among all the others', so the rest is not even decoded. Raises OSError.
    """
    request = ifaddrmsg()
    request["index"] = index
    answers = [answer for answer in route.dump(encode(request, RTM_GETADDR, NLM_F_DUMP)) if answer.type == RTM_NEWADDR]
    if wanted is not None:
        packed = [address.packed for address in wanted]
        answers = [answer for answer in answers if any(each in answer.data for each in packed)]
    found = [entry for answer in answers if (entry := decode_address(answer)) is not None]
    return [entry for entry in found if index in (0, entry.index) and (wanted is None or entry.address in wanted)]


def _split(datagram: bytes) -> Iterator[Message]:
    offset = 0
    while offset + _HEADER.size <= len(datagram):
        length, message_type, flags, sequence, _ = _HEADER.unpack_from(datagram, offset)
        if length < _HEADER.size or offset + length > len(datagram):
            return
        yield Message(message_type, flags, sequence, datagram[offset : offset + length])
        offset += (length + 3) & ~3
