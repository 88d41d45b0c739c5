"""Clients of a node that dies, on a learning switch: ``a`` had the virtual IPs, ``b`` has taken them over."""

from __future__ import annotations

import json
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


def fall_silent(opened: socket.socket) -> None:
    """From now on nothing is said when it is closed, as when its host has lost its power."""
    opened.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)


def vanish(opened: socket.socket) -> None:
    """Now."""
    fall_silent(opened)
    opened.close()


def client_of(opened: socket.socket) -> Client:
    """Of the client's own socket."""
    here, there = opened.getsockname(), opened.getpeername()
    return key(there[0], there[1], here[0], here[1])


def key(address: object, port: int, other: object, other_port: int) -> Client:
    """Of a virtual IP with its port, and a client with its own."""
    return b"".join(
        ip_address(str(host)).packed + at.to_bytes(2) for host, at in ((address, port), (other, other_port))
    )


def make_connected(ours: Any, theirs: Any, numbers: tuple[int, int] | None = None) -> socket.socket:
    """Our end of a connection whose other end does not exist; ``numbers`` as in that function."""
    opened = socket.socket(socket.AF_INET6 if ":" in ours[0] else socket.AF_INET)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with in_repair(opened):
        opened.bind(ours)
        for queue, number in zip((_SEND_QUEUE, _RECEIVE_QUEUE), numbers or (), strict=False):
            set_number(opened, queue, number)
        opened.connect(theirs)
    return opened


def hold_both(lan: Any, interface: str = "left") -> None:
    """The host where we are has the virtual IPs, as a proxy adds them."""
    lan.ip(f"address add {VIP4}/32 dev {interface}")
    lan.ip(f"address add {VIP6}/128 dev {interface} nodad preferred_lft 0")
    lan.wait_askable(VIP6)


class Takeover:
    """``a`` serves the virtual IPs until its cable is out; then they are those of ``b``."""

    def __init__(self, lan: Any) -> None:
        self._lan = lan
        self.switch = Switch(lan)
        with self.switch.on("a"):
            hold_both(self._lan, "eth0")
            self._listening = {address: listen(address) for address in (VIP4, VIP6)}
        self.served: list[socket.socket] = []

    def connect(self, address: Address, first: int | None = None) -> socket.socket:
        """A client, which begins with this number or any; its other end stays with ``a``."""
        with self.switch.on("client"):
            client = socket.socket(family_of(address))
        if first is not None:
            with in_repair(client):
                set_number(client, _SEND_QUEUE, first)
        client.connect((str(address), PORT))
        self.served.append(self._listening[address].accept()[0])
        return client

    def connect_in(self, address: Address, sends_high: bool, expects_high: bool) -> socket.socket:
        """A client whose numbers are in these halves of their range; the server chooses its own as it likes."""
        for _ in range(TRIES_MAX):
            client = self.connect(address, 0xC0000000 if sends_high else 0x40000000)
            if (numbers(client)[1] >= 2**31) == expects_high:
                return client
            for each in (client, self.served.pop()):
                vanish(each)
        raise AssertionError(f"in {TRIES_MAX} connections the server has never begun in that half")

    def happens(self) -> None:
        """``a`` is gone without a word, ``b`` has the addresses, and the client has heard its announcement."""
        self._lan.ip("link set dev a down")
        with self.switch.on("b"):
            hold_both(self._lan, "eth0")
        with self.switch.on("client"):
            self._lan.ip("neighbour flush dev eth0")

    def firewall(self, name: str, rules: str) -> None:
        """A host gets these rules."""
        with self.switch.on(name):
            run("nft", "-f", "-", text=rules)

    def dropped(self, name: str) -> int:
        """What these rules have counted."""
        with self.switch.on(name):
            found = json.loads(run("nft", "-j", "list", "counters"))["nftables"]
        return sum(each["counter"]["packets"] for each in found if "counter" in each)


def listen(address: Address) -> socket.socket:
    """The proxy's port, at that address of the host where we are."""
    return socket.create_server((str(address), PORT), family=family_of(address), backlog=100)
