"""The kernel's table of TCP connections (sock_diag(7)): who is connected to our virtual addresses, and where we listen.

A dump is carried out inside ``send`` and ``recv``, in our thread, so it never waits. What has another address of this
host is left out by a program that runs in the kernel, and is not even copied. The rest is taken apart with ``struct``:
pyroute2 would take 0.1 ms for each connection. None of root's rights is needed.

A table is for one thread at a time; another thread opens a table of its own.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from pyroute2.netlink import NETLINK_SOCK_DIAG
from pyroute2.netlink import NLM_F_DUMP
from pyroute2.netlink import NLM_F_REQUEST
from pyroute2.netlink import NLMSG_DONE
from pyroute2.netlink import NLMSG_ERROR
from pyroute2.netlink.diag import SOCK_DIAG_BY_FAMILY
from pyroute2.netlink.diag import SS_ALL
from pyroute2.netlink.diag import SS_CLOSE
from pyroute2.netlink.diag import SS_CLOSING
from pyroute2.netlink.diag import SS_FIN_WAIT1
from pyroute2.netlink.diag import SS_FIN_WAIT2
from pyroute2.netlink.diag import SS_LAST_ACK
from pyroute2.netlink.diag import SS_LISTEN
from pyroute2.netlink.diag import SS_SYN_RECV
from pyroute2.netlink.diag import SS_TIME_WAIT

from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Client
from wsa_proxy.net.ports import Version

ADDRESSES_PER_PROGRAM_MAX = 64
"""The program compares a connection with one address after another; with more of them that takes longer than to copy
what is not wanted."""

ENDS_MAX = 5
"""Repetitions of an end: six seconds, each twice as far from the one before as that from its own. A host that is not
there would be waited for until its kernel gives up, after more than a minute and a half."""

_ENDING = SS_FIN_WAIT1, SS_LAST_ACK, SS_CLOSING
_CONNECTED = SS_ALL & ~(1 << SS_LISTEN | 1 << SS_TIME_WAIT | 1 << SS_CLOSE)
_HALF_OPEN = 1 << SS_SYN_RECV
_DATAGRAM_BYTES_MAX = 64 * 1024  # the kernel fills at most 32 KiB
_DATAGRAMS_PER_DUMP_MAX = 4096  # a million connections

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence number, port
_REQUEST = struct.Struct("=BBBxI48x")  # struct inet_diag_req_v2: family, protocol, attributes, states; any socket
_RESULT = struct.Struct("=i")  # behind the header of one of these
_RESULTS = (NLMSG_DONE, NLMSG_ERROR)
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length with this header, type
# struct nlmsghdr: length, type; struct inet_diag_msg: state, repetitions, own port, the other's, own address, the
# other's, bytes that are not acknowledged, inode
_ANSWER: dict[Version, struct.Struct] = {
    4: struct.Struct("=IH11xBxB2s2s4s12x4s12x20xI4xI"),
    6: struct.Struct("=IH11xBxB2s2s16s16s20xI4xI"),
}
_FAMILY: dict[Version, int] = {4: socket.AF_INET, 6: socket.AF_INET6}

# From linux/inet_diag.h.
_ATTRIBUTE_PROGRAM = 1
_INSTRUCTION = struct.Struct("=BBH")  # struct inet_diag_bc_op: code, bytes to go on if true, bytes to go on if false
_JUMP = 1
_HAS_OWN_ADDRESS = 7
_CONDITION = struct.Struct("=BBxxi")  # struct inet_diag_hostcond: family, prefix length, port; the address follows
_ANY_PORT = -1

type Found = tuple[Any, ...]
"""Length and type; then, of the table, state, repetitions, own port, the other's port, own address, the other's
address, bytes that are not acknowledged, inode."""


class SocketTable:
    """Asks the kernel, of the network namespace in which it was opened."""

    def __init__(self) -> None:
        """Raises OSError."""
        family = socket.AF_NETLINK
        self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_SOCK_DIAG)

    def clients(self, addresses: Collection[Address], *, half_open: bool = True) -> frozenset[Client]:
        """Every TCP connection that others have with one of these addresses now, also those that nobody has accepted
        yet and those that are being closed; ``half_open``: also those of which nobody knows yet whether there is such a
        client, as its handshake is not complete. Raises OSError.

        TIME_WAIT is over, and so is FIN_WAIT2 without a process: everything has arrived, our end is acknowledged, and
        what may come is answered alike by any kernel. Nor is a client there to whom a connection without a process has
        nothing to say but its end, and has said it ENDS_MAX times. Between these addresses themselves nothing leaves
        this host.
        """
        own = {address.packed for address in addresses}
        states = _CONNECTED if half_open else _CONNECTED & ~_HALF_OPEN
        return frozenset(
            address + port + client + client_port
            for _, _, state, again, port, client_port, address, client, left, inode in self._dump(addresses, states)
            if address in own and client not in own and (inode or not _is_over(state, again, left))
        )

    def listening(self, addresses: Collection[Address]) -> frozenset[tuple[Address, int]]:
        """Where a TCP socket listens that is bound to exactly one of these addresses. Raises OSError."""
        own = {address.packed: address for address in addresses}
        return frozenset(
            (own[address], int.from_bytes(port))
            for _, _, _, _, port, _, address, _, _, _ in self._dump(addresses, 1 << SS_LISTEN)
            if address in own
        )

    def close(self) -> None:
        """Harmless when repeated."""
        self._socket.close()

    def _dump(self, addresses: Collection[Address], states: int) -> Iterator[Found]:
        """The sockets in these states (a mask) that have one of these addresses, and perhaps others."""
        versions: tuple[Version, ...] = (4, 6)
        for version in versions:
            wanted = [address.packed for address in addresses if address.version == version]
            if wanted:
                self._ask(version, states, wanted)
                yield from self._answers(_ANSWER[version])

    def _ask(self, version: Version, states: int, wanted: Sequence[bytes]) -> None:
        for _ in self._datagrams():  # what is left of an earlier dump is no answer, and the kernel does one at a time
            pass
        body = _REQUEST.pack(_FAMILY[version], socket.IPPROTO_TCP, 0, states)
        if len(wanted) <= ADDRESSES_PER_PROGRAM_MAX:
            program = program_for(_FAMILY[version], wanted)
            body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(program), _ATTRIBUTE_PROGRAM) + program
        length, flags = _HEADER.size + len(body), NLM_F_REQUEST | NLM_F_DUMP
        self._socket.send(_HEADER.pack(length, SOCK_DIAG_BY_FAMILY, flags, 0, 0) + body)

    def _answers(self, answer: struct.Struct) -> Iterator[Found]:
        """Each as this says, whose first values are length and type. Raises OSError."""
        for datagram in self._datagrams():
            offset = 0
            while offset + answer.size <= len(datagram):
                found = answer.unpack_from(datagram, offset)
                if found[1] != SOCK_DIAG_BY_FAMILY:
                    break
                yield found
                offset += found[0] + 3 & ~3
            if offset < len(datagram):
                return _check_result(datagram, offset)
        raise OSError(errno.EPROTO, "the kernel did not finish its list of connections")

    def _datagrams(self) -> Iterator[bytes]:
        for _ in range(_DATAGRAMS_PER_DUMP_MAX):
            try:
                datagram, sender = self._socket.recvfrom(_DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                return
            if sender[0] == 0:  # netlink also carries messages between processes; only the kernel has port 0
                yield datagram


def program_for(family: int, addresses: Sequence[bytes]) -> bytes:
    """Lets those pass that have one of these packed addresses as their own; of one IP version, one at least.

    A program accepts by coming to its end, and rejects by going beyond. After each test, "false" leads over a jump to
    the next test, and from the last one, which needs no jump, beyond the end.
    """
    test_bytes = _INSTRUCTION.size + _CONDITION.size + len(addresses[0])
    step = test_bytes + _INSTRUCTION.size
    end = len(addresses) * step - _INSTRUCTION.size
    program = b""
    for number, address in enumerate(addresses, 1):
        program += _INSTRUCTION.pack(_HAS_OWN_ADDRESS, test_bytes, step)
        program += _CONDITION.pack(family, 8 * len(address), _ANY_PORT) + address
        program += _INSTRUCTION.pack(_JUMP, _INSTRUCTION.size, _INSTRUCTION.size + end - number * step)
    return program[:end]


def _is_over(state: int, again: int, left: int) -> bool:
    """Of a connection without a process, with so many repetitions of its ``left`` bytes; its end counts as one."""
    return state == SS_FIN_WAIT2 or (state in _ENDING and left <= 1 and again >= ENDS_MAX)


def _check_result(datagram: bytes, offset: int) -> None:
    """Raises OSError, unless the kernel says that this was all."""
    kind = _HEADER.unpack_from(datagram, offset)[1]
    result = _RESULT.unpack_from(datagram, offset + _HEADER.size)[0] if kind in _RESULTS else -errno.EPROTO
    if result < 0:
        raise OSError(-result, f"cannot ask the kernel for its connections: {os.strerror(-result)}")
