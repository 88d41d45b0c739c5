"""How a peer is reached: the source, and what the kernel is told for one datagram."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.net.netlink import FOREVER_S
from wsa_proxy.net.netlink import HostAddress
from wsa_proxy.net.ways import choose_source
from wsa_proxy.net.ways import way_to

PREFIXES = {4: [8, 24, 32], 6: [10, 64, 128]}
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.5.0.1", "169.254.0.9", "fe80::1", "fd00::1", "fd00:5::1"])


def test_ipv4_by_hand() -> None:
    """struct in_pktinfo of ip(7): no interface, the source as local address, nothing."""
    way = way_to(ip_address("10.0.0.2"), ip_address("10.0.0.1"), 7, 8112)
    assert way.destination == ("10.0.0.2", 8112) and way.source == ip_address("10.0.0.1") and way.scope == 0
    assert way.ancillary == (socket.IPPROTO_IP, 8, bytes([0, 0, 0, 0, 10, 0, 0, 1, 0, 0, 0, 0]))


@pytest.mark.parametrize(("peer", "scope"), [("fe80::2", 7), ("ff02::12", 7), ("fd00::2", 0)])
def test_ipv6_by_hand(peer: str, scope: int) -> None:
    """struct in6_pktinfo of ipv6(7): source, and the interface where the peer's address alone names none."""
    way = way_to(ip_address(peer), ip_address("fe80::1"), 7)
    assert way.destination == (peer, 0, 0, scope) and way.scope == scope
    packed = bytes.fromhex("fe800000000000000000000000000001") + struct.pack("=i", scope)
    assert way.ancillary == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed)


@pytest.mark.parametrize(("peer", "source"), [("127.0.0.1", "127.0.0.2"), ("::1", "::1")])
def test_the_kernel_understands_it(peer: str, source: str) -> None:
    """Over loopback: the datagram comes from the source that was chosen, not from the one that is usual."""
    family = socket.AF_INET if ":" not in peer else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as receiver, socket.socket(family, socket.SOCK_DGRAM) as sender:
        receiver.bind((peer, 0))
        receiver.settimeout(5)
        way = way_to(ip_address(peer), ip_address(source), 1, receiver.getsockname()[1])
        sender.sendmsg([b"here"], [way.ancillary], 0, way.destination)
        assert receiver.recvfrom(10)[1][0] == source


def test_the_scope_comes_first() -> None:
    """A link-local address is no answer across a router, though it be the first."""
    own = [HostAddress(2, ip_address(text), 64, 0, FOREVER_S, FOREVER_S) for text in ("fe80::1", "fd00::1")]
    assert choose_source(own, ip_address("fd00:5::1")) == ip_address("fd00::1")
    assert choose_source(own[::-1], ip_address("fe80::2")) == ip_address("fe80::1")


@given(st.lists(st.tuples(ADDRESSES, st.integers(0, 2), st.sampled_from([600, FOREVER_S])), min_size=1), ADDRESSES)
def test_one_of_the_hosts_own_always(given_own: list[tuple[Any, int, int]], peer_text: str) -> None:
    """Whatever it has; of the peer's network if there is one that is as good otherwise; of equals the first."""
    peer = ip_address(peer_text)
    own = []
    for text, number, valid_s in given_own:
        address = ip_address(text)
        if address.version == peer.version:
            own.append(HostAddress(2, address, PREFIXES[address.version][number], 0, valid_s, valid_s))
    if not own:
        return
    chosen = choose_source(own, peer)
    assert chosen in [each.address for each in own]
    if any(each.address.is_link_local is peer.is_link_local for each in own):
        assert chosen.is_link_local is peer.is_link_local, "its scope comes first"
    assert choose_source([each for each in own for _ in range(2)], peer) == chosen
