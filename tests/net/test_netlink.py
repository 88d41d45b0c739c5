from __future__ import annotations

import errno
import socket
import struct
from ipaddress import ip_address
from typing import Any

import pytest
from pyroute2.netlink import NLM_F_DUMP
from pyroute2.netlink.rtnl import RTM_DELADDR
from pyroute2.netlink.rtnl import RTM_GETADDR
from pyroute2.netlink.rtnl import RTM_NEWADDR
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg

from wsa_proxy.net.netlink import FOREVER_S
from wsa_proxy.net.netlink import REQUESTS_PER_SEND_MAX
from wsa_proxy.net.netlink import SEQUENCE_MAX
from wsa_proxy.net.netlink import HostAddress
from wsa_proxy.net.netlink import Message
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import decode_address
from wsa_proxy.net.netlink import encode
from wsa_proxy.net.netlink import encode_acknowledged
from wsa_proxy.net.netlink import read_addresses


def address_message(index: int, text: str, message_type: int = RTM_NEWADDR) -> bytes:
    message = ifaddrmsg()
    message["family"] = socket.AF_INET
    message["prefixlen"] = 32
    message["index"] = index
    message["attrs"] = [("IFA_LOCAL", text), ("IFA_ADDRESS", text)]
    return encode_acknowledged(message, message_type)


def test_each_request_has_its_own_result(lan: Any) -> None:
    """In one batch the good requests are carried out, and each bad one answers its own errno at its place."""
    with RouteSocket() as route:
        results = route.request(
            [
                address_message(lan.index, "10.9.0.1"),
                address_message(999, "10.9.0.2"),
                address_message(lan.index, "10.9.0.1"),
                address_message(lan.index, "10.9.0.9", RTM_DELADDR),
                address_message(lan.index, "10.9.0.3"),
            ]
        )
        assert results == [0, errno.ENODEV, errno.EEXIST, errno.EADDRNOTAVAIL, 0]
        assert route.request([]) == []
    assert lan.address("10.9.0.1") and lan.address("10.9.0.3")


def test_more_than_one_send(lan: Any) -> None:
    """A list that does not fit into one send is still answered completely and in order."""
    count = REQUESTS_PER_SEND_MAX * 2 + 3
    messages = [address_message(lan.index, f"10.9.{number // 256}.{number % 256}") for number in range(count)]
    messages[REQUESTS_PER_SEND_MAX + 1] = address_message(999, "10.9.9.9")
    with RouteSocket() as route:
        results = route.request(messages)
        assert len(read_addresses(route, lan.index)) == count - 1 + 3  # and the cable's own three
    assert [number for number, result in enumerate(results) if result] == [REQUESTS_PER_SEND_MAX + 1]


@pytest.mark.parametrize("before", [1, 2, 3])
def test_the_sequence_numbers_begin_again(lan: Any, before: int) -> None:
    """255 groups use them up in 24 days: no request in that batch may count as lost, or a group leaves for it."""
    with RouteSocket() as route:
        route._sequence = SEQUENCE_MAX - before
        messages = [address_message(lan.index, f"10.9.0.{number}") for number in range(1, 4)]
        assert route.request(messages) == [0, 0, 0]
        assert len(read_addresses(route, wanted=[ip_address("10.9.0.3")])) == 1


def test_read_addresses(lan: Any) -> None:
    """Addresses are read with interface, prefix and lifetimes, of one interface or of all."""
    lan.ip(f"address add 10.9.0.1/25 dev {lan.LEFT} valid_lft 60 preferred_lft 30")
    with RouteSocket() as route:
        here = {entry.address: entry for entry in read_addresses(route, lan.index)}
        everywhere = {entry.address for entry in read_addresses(route)}
    own, leased = here[ip_address("10.0.0.1")], here[ip_address("10.9.0.1")]
    assert (own.prefix_length, own.permanent, own.valid_s, own.index) == (24, True, FOREVER_S, lan.index)
    assert (leased.prefix_length, leased.permanent) == (25, False)
    assert 58 <= leased.valid_s <= 60 and 28 <= leased.preferred_s <= 30
    assert ip_address("127.0.0.1") in everywhere - here.keys()
    assert here.keys() < everywhere


def test_addresses_as_pyroute2_reads_them(lan: Any) -> None:
    """Every field is the one that pyroute2 decodes: families, flags, prefixes, lifetimes, the two ends of a tunnel."""
    lan.ip(f"address add 10.9.0.1/25 dev {lan.LEFT} valid_lft 60 preferred_lft 30")
    lan.ip(f"address add 10.9.1.1 peer 10.9.1.2/32 dev {lan.LEFT}")
    lan.ip(f"address add fd00:77::9/128 dev {lan.LEFT} nodad noprefixroute valid_lft 60 preferred_lft 0")
    lan.ip(f"address add fd00:77::8 peer fd00:77::7/128 dev {lan.LEFT} nodad")
    with RouteSocket() as route:
        answers = route.dump(encode(ifaddrmsg(), RTM_GETADDR, NLM_F_DUMP))
    assert len(answers) >= 4 + 3
    for answer in answers:
        read = ifaddrmsg(answer.data)
        read.decode()
        lifetime = read.get_attr("IFA_CACHEINFO")
        assert decode_address(answer) == HostAddress(
            read["index"],
            ip_address(read.get_attr("IFA_LOCAL") or read.get_attr("IFA_ADDRESS")),
            read["prefixlen"],
            read.get_attr("IFA_FLAGS"),
            lifetime["ifa_valid"],
            lifetime["ifa_preferred"],
        )


def test_messages_cut_short_are_read_without_an_error() -> None:
    """The kernel sends none; but no length in a message leads beyond its end."""
    message = ifaddrmsg()
    message["family"] = socket.AF_INET
    message["attrs"] = [("IFA_LOCAL", "10.9.0.1"), ("IFA_FLAGS", 0), ("IFA_CACHEINFO", {"ifa_valid": 1})]
    whole = encode(message, RTM_NEWADDR, 0)
    for length in range(len(whole)):
        decoded = decode_address(Message(RTM_NEWADDR, 0, 0, whole[:length]))
        assert decoded is None or decoded.address == ip_address("10.9.0.1")


def test_missing_interface(lan: Any) -> None:
    """Reading the addresses of an interface that is not there is ENODEV."""
    with RouteSocket() as route, pytest.raises(OSError) as raised:
        read_addresses(route, 999)
    assert raised.value.errno == errno.ENODEV


def test_other_processes_are_not_believed(lan: Any) -> None:
    """A message that another process sends to our socket is dropped: only the kernel speaks on it."""
    with RouteSocket() as route, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as other:
        port = socket.socket(fileno=socket.dup(route.fileno())).getsockname()[0]
        forged = struct.pack("=IHHIIi", 20, 2, 0, 1, port, -errno.EPERM)
        other.sendto(forged, (port, 0))
        assert lan.readable([route.fileno()], 1.0)
        assert list(route.queued(8)) == []


def test_missing_acknowledgement(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request without an answer is an error, never a success."""
    with RouteSocket() as route:
        monkeypatch.setattr(RouteSocket, "queued", lambda self, datagrams_max: iter(()))
        with pytest.raises(OSError, match="acknowledged 0 of 1"):
            route.request([address_message(lan.index, "10.9.0.1")])
