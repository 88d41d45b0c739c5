"""Connections that are over here and that the kernel still remembers: forgotten, so that they do not answer for others.

A client may use its port again as soon as it has closed: for a connection to the node that is master by then. If that
one dies, and this node has the address again, the kernel takes what the client says for a part of the connection that
it remembers (TIME_WAIT, for a minute), and resets nobody: the client would never hear that its own has gone.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Collection

from pyroute2.netlink import NLM_F_ACK
from pyroute2.netlink import NLM_F_REQUEST
from pyroute2.netlink import NLMSG_ERROR
from pyroute2.netlink.diag import SS_CLOSING
from pyroute2.netlink.diag import SS_FIN_WAIT1
from pyroute2.netlink.diag import SS_FIN_WAIT2
from pyroute2.netlink.diag import SS_LAST_ACK
from pyroute2.netlink.diag import SS_TIME_WAIT

from wsa_proxy.net.client_key import virtual_ip_of
from wsa_proxy.net.ports import Client
from wsa_proxy.net.ports import Version
from wsa_proxy.net.socket_table import SocketTable

_STATES = 1 << SS_TIME_WAIT | 1 << SS_FIN_WAIT1 | 1 << SS_FIN_WAIT2 | 1 << SS_LAST_ACK | 1 << SS_CLOSING
"""Our side has closed. In others a connection without a process is one that nobody has accepted yet."""
_SOCK_DESTROY = 21  # from linux/sock_diag.h

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence number, port
# struct nlmsghdr: length, type; struct inet_diag_msg: family; struct inet_diag_sockid, which a request repeats with its
# cookie, so that it is never another socket that is meant; inode
_ANSWER = struct.Struct("=IH10xB3x48s16xI")
_SOCKET_ID = struct.Struct("=2s2s16s16s4x8x")
_REQUEST = struct.Struct("=BB2xI48s")  # struct inet_diag_req_v2: family, protocol, states; the socket
_RESULT = struct.Struct("=i")
_TCP = 6
_GONE = (errno.ENOENT, errno.ESTALE)  # it has ended by itself meanwhile
_ADDRESS_BYTES: dict[Version, int] = {4: 4, 6: 16}


class ClosedSockets(SocketTable):
    """A table of its own; asking in another thread takes another one."""

    def forget(self, clients: Collection[Client]) -> int:
        """Of the connections of these clients those that are closed, and no process has. Answers how many. Raises
        OSError: EOPNOTSUPP where the kernel cannot (CONFIG_INET_DIAG_DESTROY)."""
        wanted = frozenset(clients)
        addresses = {virtual_ip_of(each) for each in wanted}
        versions: tuple[Version, ...] = (4, 6)
        found: list[tuple[int, bytes]] = []
        for version in versions:
            if own := [each for each in addresses if len(each) == _ADDRESS_BYTES[version]]:
                self._ask(version, _STATES, own)
                found += self._without_process(_ADDRESS_BYTES[version], wanted)
        for family, socket_id in found:
            self._destroy(family, socket_id)
        return len(found)

    def _without_process(self, size: int, wanted: frozenset[Client]) -> list[tuple[int, bytes]]:
        found = []
        for _, _, family, socket_id, inode in self._answers(_ANSWER):
            port, client_port, address, client = _SOCKET_ID.unpack(socket_id)
            if not inode and address[:size] + port + client[:size] + client_port in wanted:
                found.append((family, socket_id))
        return found

    def _destroy(self, family: int, socket_id: bytes) -> None:
        body = _REQUEST.pack(family, _TCP, _STATES, socket_id)
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), _SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, 0, 0) + body)
        for datagram in self._datagrams():
            kind = _HEADER.unpack_from(datagram)[1]
            result = -_RESULT.unpack_from(datagram, _HEADER.size)[0] if kind == NLMSG_ERROR else 0
            if result and result not in _GONE:
                raise OSError(result, f"cannot forget a closed connection: {os.strerror(result)}")
