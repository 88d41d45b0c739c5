"""Clients of a node that dies, on a learning switch: ``a`` had the virtual IPs, ``b`` has taken them over."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from tests.learning_switch import Switch
from tests.learning_switch import family_of
from tests.learning_switch import run
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Client

VIP4 = ip_address("10.0.0.100")
VIP6 = ip_address("fd00:77::100")
PORT = 8080
TRIES_MAX = 64

# linux/tcp.h: the numbers of a socket are read, and before it connects set, in "repair".
_TCP_REPAIR = 19
_TCP_REPAIR_QUEUE = 20
_TCP_QUEUE_SEQ = 21
_OFF_WITHOUT_PROBE = -1
_RECEIVE_QUEUE = 1
_SEND_QUEUE = 2


@contextmanager
def in_repair(opened: socket.socket) -> Iterator[None]:
    opened.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
    yield
    opened.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _OFF_WITHOUT_PROBE)


def set_number(opened: socket.socket, queue: int, number: int) -> None:
    opened.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_QUEUE, queue)
    signed = number - 2**32 if number >= 2**31 else number
    opened.setsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ, signed)


def numbers(opened: socket.socket) -> tuple[int, int]:
    """What this socket will send next, and what it expects."""
    found = []
    with in_repair(opened):
        for queue in (_SEND_QUEUE, _RECEIVE_QUEUE):
            opened.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_QUEUE, queue)
            found.append(opened.getsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ) & 0xFFFFFFFF)
    return found[0], found[1]


def vanish(opened: socket.socket) -> None:
    """As with the power: nothing is said."""
    opened.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
    opened.close()


def client_of(opened: socket.socket) -> Client:
    """Of a client's own socket."""
    here, there = opened.getsockname(), opened.getpeername()
    return b"".join(ip_address(host).packed + port.to_bytes(2) for host, port in (there[:2], here[:2]))


class Takeover:
    """``a`` serves the virtual IPs until its cable is out; then they are those of ``b``."""

    def __init__(self, lan: Any) -> None:
        self._lan = lan
        self.switch = Switch(lan)
        self._hold("a")
        with self.switch.on("a"):
            self._listening = {address: self._listen(address) for address in (VIP4, VIP6)}

    def connect(self, address: Address, first: int | None = None) -> tuple[socket.socket, socket.socket]:
        """The two ends, the client's first; it begins with that number."""
        with self.switch.on("client"):
            client = socket.socket(family_of(address))
        client.settimeout(5)
        if first is not None:
            with in_repair(client):
                set_number(client, _SEND_QUEUE, first)
        client.connect((str(address), PORT))
        return client, self._listening[address].accept()[0]

    def connect_in(self, address: Address, sends_high: bool, expects_high: bool) -> socket.socket:
        """A client, both of whose numbers are in these halves of their range; the second one is the server's choice."""
        for _ in range(TRIES_MAX):
            client, server = self.connect(address, 0xC0000000 if sends_high else 0x40000000)
            if (numbers(client)[1] >= 2**31) == expects_high:
                return client
            for each in (client, server):
                vanish(each)
        raise AssertionError(f"the server has never begun in that half in {TRIES_MAX} connections")

    def happens(self) -> None:
        self._lan.ip("link set dev a down")
        self._hold("b")
        with self.switch.on("client"):
            # What an announcement does to it.
            self._lan.ip("neighbour flush dev eth0")

    def _hold(self, name: str) -> None:
        with self.switch.on(name):
            self._lan.ip(f"address add {VIP4}/32 dev eth0")
            self._lan.ip(f"address add {VIP6}/128 dev eth0 nodad")
            self._lan.wait_askable(VIP6)

    @staticmethod
    def _listen(address: Address) -> socket.socket:
        return socket.create_server((str(address), PORT), family=family_of(address), backlog=100)

    def firewall(self, name: str, rules: str) -> None:
        with self.switch.on(name):
            run("nft", "-f", "-", text=rules)
