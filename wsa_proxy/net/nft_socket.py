"""Transactions of nf_tables, carried out by the kernel before the call returns, and undone as a whole if it refuses."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Sequence

from pyroute2.netlink import NETLINK_NETFILTER
from pyroute2.netlink import NLM_F_ACK
from pyroute2.netlink import NLMSG_ERROR

from wsa_proxy.net.nft_messages import batch
from wsa_proxy.net.socket_buffers import grow_send_buffer

_SOL_NETLINK = 270
# From linux/netlink.h: answers beyond the buffer are dropped in silence, the first error is not among them; and an
# answer does not repeat our message.
_NETLINK_NO_ENOBUFS, _NETLINK_CAP_ACK = 5, 10
_SEND_BUFFER_BYTES = 16 * 1024 * 1024  # a transaction is one datagram; 65,536 IPv6 clients take 4.3 MiB
_ANSWERS_MAX = 4096
_ANSWER_BYTES_MAX = 8192

_FLAGS = struct.Struct("=H")
_FLAGS_OFFSET = 6
_SEQUENCE = struct.Struct("=I")
_SEQUENCE_OFFSET = 8
_SEQUENCE_MAX = 0x7FFFFFFF
_ANSWER = struct.Struct("=IHHIIi")  # struct nlmsghdr, and the errno of struct nlmsgerr, negative


class NftSocket:
    """One NETLINK_NETFILTER socket. Tables with an owner end with it."""

    def __init__(self) -> None:
        """Raises OSError."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_NETFILTER)
        try:
            for option in (_NETLINK_NO_ENOBUFS, _NETLINK_CAP_ACK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            grow_send_buffer(self._socket, _SEND_BUFFER_BYTES)
            self._socket.bind((0, 0))
        except BaseException:
            self._socket.close()
            raise
        self._sequence = 0

    @property
    def port(self) -> int:
        """No other such socket of this network namespace has the same; usually the process's number."""
        port: int = self._socket.getsockname()[0]
        return port

    def transact(self, messages: Sequence[bytes]) -> None:
        """All of them or none. Raises OSError with the kernel's first reason; then none was carried out."""
        if self._sequence > _SEQUENCE_MAX - len(messages):
            self._sequence = 0
        self._errors()  # old ones
        datagram = bytearray()
        for position, message in enumerate(batch(messages)):
            start = len(datagram)
            datagram += message
            self._sequence += 1
            _SEQUENCE.pack_into(datagram, start + _SEQUENCE_OFFSET, self._sequence)
            if position == len(messages):  # the last one before the end, which older kernels do not acknowledge
                flags = _FLAGS.unpack_from(datagram, start + _FLAGS_OFFSET)[0]
                _FLAGS.pack_into(datagram, start + _FLAGS_OFFSET, flags | NLM_F_ACK)
        self._socket.send(datagram)
        errors = self._errors()
        if not errors:
            raise OSError(errno.EPROTO, "the kernel did not acknowledge an nf_tables transaction")
        if refused := next(filter(None, errors), 0):
            raise OSError(refused, os.strerror(refused))

    def close(self) -> None:
        """Its tables are gone afterwards, unless another process has the descriptor too. Harmless when repeated."""
        self._socket.close()

    def _errors(self) -> list[int]:
        """The errno of each answer that is queued, 0 for an acknowledgement."""
        found = []
        for _ in range(_ANSWERS_MAX):
            try:
                answer, sender = self._socket.recvfrom(_ANSWER_BYTES_MAX)
            except BlockingIOError:
                break
            if sender[0] == 0 and len(answer) >= _ANSWER.size:  # only the kernel has port 0
                _, kind, _, _, _, error = _ANSWER.unpack_from(answer)
                if kind == NLMSG_ERROR:
                    found.append(-error)
        return found
