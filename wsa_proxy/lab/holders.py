"""Whose kernel holds the virtual IP: a log of every address event of every node, never a sample of the state.

Each node's network namespace has a netlink socket that hears its address events. A thread notes the time at which an
event is read (CLOCK_MONOTONIC), microseconds after the kernel's change.
"""

from __future__ import annotations

import errno
import itertools
import selectors
import socket
import threading
import time
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyroute2.netlink.rtnl import RTM_GETADDR
from pyroute2.netlink.rtnl import RTMGRP_IPV4_IFADDR
from pyroute2.netlink.rtnl import RTMGRP_IPV6_IFADDR
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from wsa_proxy.lab.namespace import inside

NLM_F_REQUEST_DUMP = 0x301
RECEIVE_BUFFER_BYTES = 1 << 20  # The kernel gives what net.core.rmem_max allows: some hundred events at least.
MESSAGE_BYTES_MAX = 1 << 16
LOOPBACK = 1  # the interface's index in every network namespace


@dataclass(frozen=True, slots=True)
class AddressEvent:
    """A node's kernel got (``held``) or lost an address on an interface, or renewed it."""

    at_s: float
    node: str
    address: str
    interface: int
    held: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """One node held one virtual IP on one interface for this time. ``open`` when it still did at the end."""

    node: str
    address: str
    interface: int
    begin_s: float
    end_s: float
    open: bool


def holdings(events: Iterable[AddressEvent], until_s: float) -> list[Holding]:
    """Turn the log into intervals, in the order of their begin. A renewal changes nothing."""
    since: dict[tuple[str, str, int], float] = {}
    found: list[Holding] = []
    for event in sorted(events, key=lambda each: each.at_s):
        key = (event.node, event.address, event.interface)
        if event.held:
            since.setdefault(key, event.at_s)
        elif key in since:
            found.append(Holding(*key, begin_s=since.pop(key), end_s=event.at_s, open=False))
    found += [Holding(*key, begin_s=begin, end_s=until_s, open=True) for key, begin in since.items()]
    return sorted(found, key=lambda each: (each.begin_s, each.node))


def overlap_s(held: Sequence[Holding], begin_s: float, end_s: float) -> float:
    """Seconds within the window in which two nodes or more answered for a virtual IP. One that leaves in order may have
    it for a moment longer on its loopback interface, silently, for the answers that are still on their way."""
    edges = sorted({begin_s, end_s, *(edge for each in held for edge in (each.begin_s, each.end_s))})
    total = 0.0
    for earlier, later in itertools.pairwise(edges):
        if earlier < begin_s or later > end_s:
            continue
        owners: dict[str, set[str]] = {}
        for each in held:
            if each.begin_s <= earlier and each.end_s >= later and each.interface != LOOPBACK:
                owners.setdefault(each.address, set()).add(each.node)
        if any(len(nodes) > 1 for nodes in owners.values()):
            total += later - earlier
    return total


class HolderLog:
    """Hears the address events of all nodes until the lab ends; remembers those of the virtual IPs."""

    def __init__(self, networks: Mapping[str, Path], virtual_ips: Collection[str]) -> None:
        self._virtual_ips = set(virtual_ips)
        self._events: list[AddressEvent] = []
        self._held: set[tuple[str, str, int]] = set()
        self._marshal = MarshalRtnl()
        self._selector = selectors.DefaultSelector()
        self.lost_messages = False
        """True when a socket's buffer overflowed: then the log has a hole and proves nothing."""
        for node, network in networks.items():
            with inside(network):
                self._selector.register(_address_socket(), selectors.EVENT_READ, node)
        threading.Thread(target=self._listen, name="holder log", daemon=True).start()

    def watch(self, virtual_ips: Iterable[str]) -> None:
        """Remember what happens to these from now on as well."""
        self._virtual_ips.update(virtual_ips)

    @property
    def events(self) -> list[AddressEvent]:
        """A copy of the log so far."""
        return self._events.copy()

    def holders(self) -> set[str]:
        """The nodes that hold a virtual IP now, where they answer for it."""
        return {node for node, _, interface in self._held.copy() if interface != LOOPBACK}

    def silent_holders(self) -> set[str]:
        """The nodes that have one on their loopback interface now, for connections that go on there."""
        return {node for node, _, interface in self._held.copy() if interface == LOOPBACK}

    def _listen(self) -> None:
        while True:
            for key, _ in self._selector.select():
                received = key.fileobj
                assert isinstance(received, socket.socket)
                try:
                    data = received.recv(MESSAGE_BYTES_MAX)
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    self.lost_messages = True
                    continue
                self._note(key.data, data, time.monotonic())

    def _note(self, node: str, data: bytes, at_s: float) -> None:
        for message in self._marshal.parse(data):
            name = message.get("event")
            if name not in ("RTM_NEWADDR", "RTM_DELADDR"):
                continue
            address = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            if address in self._virtual_ips:
                key = (node, address, int(message["index"]))
                held = name == "RTM_NEWADDR"
                if held != (key in self._held):  # Else a renewal: twice a second from every holder.
                    self._held.symmetric_difference_update({key})
                    self._events.append(AddressEvent(at_s, *key, held))


def _address_socket() -> socket.socket:
    """A netlink socket of this thread's network namespace that hears address events, the addresses there now first."""
    heard = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    heard.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
    request = ifaddrmsg()
    request["header"]["type"] = RTM_GETADDR
    request["header"]["flags"] = NLM_F_REQUEST_DUMP
    request.encode()
    heard.send(request.data)
    return heard
