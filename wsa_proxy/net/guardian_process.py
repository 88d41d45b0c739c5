"""The guardian as a process: its sockets, its loop, and what it does to the host; see ``guardian.py``."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence

from wsa_proxy.net import orders
from wsa_proxy.net.guardian import Guardian
from wsa_proxy.net.orders import Message

_NETLINK_BYTES_MAX = 64 * 1024
_REQUESTS_PER_SEND_MAX = 128  # their acknowledgements fit into the smallest receive buffer that a kernel gives
_NLMSG = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence number, port
_SEQUENCE_OFFSET = 8
_NLMSG_ERROR = 2
_PROTOCOL_CARP = 112
_HOP_LIMIT = 255
_TRAFFIC_CLASS = 0xE0
# From linux/in.h and linux/in6.h; Python's socket module does not have them all.
_IP_PKTINFO = 8
_IP_MTU_DISCOVER = 10
_IP_PMTUDISC_DO = 2
_IPV6_AUTOFLOWLABEL = 70
_PRIORITY_INTERACTIVE = 6


class GuardianKernel:
    """A netlink socket, and sockets that only send; opened at once, while there are descriptors.

    Not ``netlink.RouteSocket``: what that imports makes a process 4 MB larger (14.5 for 10.5), and twice as slow to
    start.
    """

    def __init__(self) -> None:
        """Raises OSError without CAP_NET_RAW."""
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self._netlink.bind((0, 0))
        self._frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)  # 0: hears nothing
        self._raw = {4: _raw_socket(socket.AF_INET)}
        with contextlib.suppress(OSError):  # a kernel without IPv6 has no such peers either
            self._raw[6] = _raw_socket(socket.AF_INET6)
        self._sequence = 0

    def request(self, messages: list[bytes]) -> list[int]:
        """The kernel carries them out inside ``send``. Raises OSError when an acknowledgement is missing."""
        results: list[int] = []
        for start in range(0, len(messages), _REQUESTS_PER_SEND_MAX):
            results += self._request(messages[start : start + _REQUESTS_PER_SEND_MAX])
        return results

    def _request(self, messages: list[bytes]) -> list[int]:
        self._answers()  # of an earlier batch that failed
        first = self._sequence + 1
        batch = bytearray()
        for message in messages:
            self._sequence = (self._sequence + 1) & 0x7FFFFFFF
            start = len(batch)
            batch += message
            struct.pack_into("=I", batch, start + _SEQUENCE_OFFSET, self._sequence)
        self._netlink.send(batch)
        answers = self._answers()
        found = [answers.get((first + number) & 0x7FFFFFFF) for number in range(len(messages))]
        known = [result for result in found if result is not None]
        if len(known) < len(found):
            raise OSError(errno.EPROTO, f"the kernel acknowledged {len(known)} of {len(found)} netlink requests")
        return known

    def _answers(self) -> dict[int, int]:
        """The errno of each sequence number that is acknowledged in the queue."""
        found: dict[int, int] = {}
        while True:
            try:
                answers, sender = self._netlink.recvfrom(_NETLINK_BYTES_MAX)
            except BlockingIOError:
                return found
            offset = 0
            while sender[0] == 0 and offset + _NLMSG.size + 4 <= len(answers):  # port 0 is the kernel
                length, kind, _, sequence, _ = _NLMSG.unpack_from(answers, offset)
                if kind == _NLMSG_ERROR:
                    found[sequence] = -struct.unpack_from("=i", answers, offset + _NLMSG.size)[0]
                offset += max((length + 3) & ~3, _NLMSG.size)

    def send(self, part: bytes) -> None:
        """A frame, or a datagram from the address that it names. Raises OSError."""
        found = orders.decode_frame(part)
        if found is not None:
            index, content = found
            self._frames.sendto(content, (socket.if_indextoname(index), 0))
            return
        version, scope, source, destination, payload = orders.decode_datagram(part)
        sender = self._raw.get(version)
        if sender is None:
            raise OSError(errno.EAFNOSUPPORT, "no IPv6 socket")
        if version == 4:
            info = (socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("=i4s4x", 0, source))
            sender.sendmsg([payload], [info], 0, (socket.inet_ntop(socket.AF_INET, destination), 0))
        else:
            info = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("=16si", source, scope))
            to = (socket.inet_ntop(socket.AF_INET6, destination), 0, 0, scope)
            sender.sendmsg([payload], [info], 0, to)


def _raw_socket(family: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _PROTOCOL_CARP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)  # it only sends; what it hears is dropped
    # As what the proxy itself sends, see ``unicast_socket.py``.
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_INTERACTIVE)
    if family == socket.AF_INET:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, _HOP_LIMIT)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _TRAFFIC_CLASS)
        opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
    else:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, _HOP_LIMIT)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _TRAFFIC_CLASS)
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_AUTOFLOWLABEL, 0)
    return opened


def boottime_s() -> float:
    """The proxy's clock too: seconds that go on during suspend."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def guard(proxy: socket.socket, wills: socket.socket, ends: Sequence[int], guardian: Guardian) -> None:
    """Serve until the proxy is gone, as one of ``ends`` says by being readable, and everything is given up.

    Wills come by a socket of their own that wakes nobody: a process that is woken for each, 255 times a second, takes
    as long as everything else of the guardian. They are read before anything that was said after them, and before it
    is judged whether the proxy is gone.
    """
    poll = select.poll()
    poll.register(proxy, select.POLLIN)
    for end in ends:
        poll.register(end, select.POLLIN)
    claims: dict[bytes, int] = {}  # descriptors that only have to be open as long as we live, see claims.py
    gone = False
    while not (gone and guardian.idle):
        deadline_s = guardian.next_deadline()
        wait_ms = None if deadline_s is None else max(0.0, deadline_s - boottime_s()) * 1000 + 1
        events = dict(poll.poll(wait_ms))
        # A dead proxy has said all that it will ever say, and that is read first: its last will may be the last of it.
        gone = gone or not events.keys().isdisjoint(ends)
        gone = not _serve(proxy, wills, guardian, claims) or gone
        if gone and events:
            for descriptor in events:
                poll.unregister(descriptor)  # they stay readable for ever
        _read_wills(proxy, wills, guardian)
        _tell(proxy, guardian.look(gone=gone))


def _serve(proxy: socket.socket, wills: socket.socket, guardian: Guardian, claims: dict[bytes, int]) -> bool:
    """Handle all that waits; False once the proxy has closed its end."""
    while True:
        try:
            datagram, descriptors, _, _ = socket.recv_fds(proxy, orders.MESSAGE_BYTES_MAX, 1)
        except BlockingIOError:
            return True
        except OSError:  # it was reset: the proxy is gone with answers unread
            return False
        if not datagram:
            return False
        message = orders.decode(datagram)
        _read_wills(proxy, wills, guardian)
        if message.kind == orders.CLAIM:
            for descriptor in descriptors:  # none, if this process has as many as it may
                claims[message.parts[0]] = descriptor
        elif message.kind == orders.UNCLAIM:
            if message.parts[0] in claims:
                os.close(claims.pop(message.parts[0]))
        else:
            _tell(proxy, guardian.handle(message))


def _read_wills(proxy: socket.socket, wills: socket.socket, guardian: Guardian) -> None:
    with contextlib.suppress(OSError):  # until there is none
        while datagram := wills.recv(orders.MESSAGE_BYTES_MAX):
            _tell(proxy, guardian.handle(orders.decode(datagram)))


def _tell(proxy: socket.socket, said: list[Message]) -> None:
    for message in said:
        with contextlib.suppress(OSError):  # nobody is there, or he does not read
            proxy.send(message.encode())


def main() -> None:
    """``guardian SOCKET WILLS PIDFD [DEATH_NOTICE] STALL_LIMIT_S``: the descriptors are the proxy's gifts."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)  # they are meant for the proxy, whose end we outlive for a moment
    descriptor, for_wills, pidfd, *notices = map(int, sys.argv[1:-1])
    stall_limit_s = float(sys.argv[-1])
    os.chdir("/")
    with socket.socket(fileno=descriptor) as proxy, socket.socket(fileno=for_wills) as wills:
        proxy.setblocking(False)
        wills.setblocking(False)
        try:
            guardian = Guardian(GuardianKernel(), boottime_s, stall_limit_s)
        except OSError as error:
            _tell(proxy, [Message(orders.DONE, 0, 0, 0, boottime_s(), [orders.numbers([error.errno or errno.EIO])])])
            return
        _tell(proxy, [Message(orders.DONE, 0, guardian.epoch, 0, boottime_s(), [])])
        from wsa_proxy.net import death_notice  # only now: the proxy's loop waits for that answer

        ends = [pidfd]
        with contextlib.suppress(OSError, RuntimeError):  # no descriptor or thread is to be had: the pidfd is later
            ends += map(death_notice.watch, notices)
        guard(proxy, wills, ends, guardian)
