"""The machine's initial network namespace, in which one node has to stand where a product can live nowhere else.

It gets an interface there with the node's addresses, which goes with the lab, however that ends. Its proxy listens at
the virtual IP and at loopback, and serves the lab's hosts and this machine only (``own_clients.py``). Nothing else is
changed but ip_nonlocal_bind, which is put back: only a SIGKILL of the bench itself leaves it on.
"""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from ipaddress import IPv6Network
from ipaddress import ip_network

from pyroute2 import IPRoute

from wsa_proxy.bench.peer_lab import LOOPBACK
from wsa_proxy.bench.peer_lab import NONLOCAL_BIND
from wsa_proxy.lab.configuration import PORT_DEFAULT
from wsa_proxy.lab.topology import CLIENT


def refusal() -> str | None:
    """Say why no node can stand here, or None when it can: the lab's addresses and the port of its check must not be
    anybody else's."""
    with IPRoute() as netlink:
        for route in netlink.get_routes():
            destination = route.get_attr("RTA_DST")
            if destination is not None and route["family"] in (socket.AF_INET, socket.AF_INET6):  # not a label of MPLS
                found = ip_network(f"{destination}/{route['dst_len']}", strict=False)
                if any(_overlap(found, own) for own in (CLIENT.ipv4.network, CLIENT.ipv6.network)):
                    return f"this machine has a route to {found}, which the lab uses"
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as mitmproxy does
        try:
            listener.bind((LOOPBACK, PORT_DEFAULT))
        except OSError as error:
            return f"its proxy cannot listen at {LOOPBACK}:{PORT_DEFAULT} of this machine: {error.strerror}"
    return None


class Taken(Exception):
    """Another bench of this machine is about it."""


@contextmanager
def put_back() -> Iterator[None]:
    """After the block ip_nonlocal_bind is what it was before. Raises Taken: what another bench has written there is not
    how it was."""
    with NONLOCAL_BIND.open() as setting:
        try:
            fcntl.flock(setting, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Taken("another bench measures in this machine's network now; try again when it is over") from None
        before = setting.read()
        try:
            yield
        finally:
            NONLOCAL_BIND.write_text(before)


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    return one.version == other.version and one.overlaps(other)
