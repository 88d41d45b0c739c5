"""The rules that steer, for one LAN: what is done with a frame that comes in for a virtual address.

Each device where such frames come in has a hook, which sends TCP that is addressed to this host's hardware address to
the LAN's rules; those of a macvlan are those of its physical device. One list of rules serves all groups of a LAN, or
every frame would have to pass 255 of them; the groups are told apart in the sets. As ``nft list ruleset`` has it, for
IPv4 (IPv6 alike), and with CLIENT for ``ip daddr . tcp dport . ip saddr . tcp sport``::

    vlan id != 0 accept
    ether type 8021ad vlan id != 0 accept
    ip frag-off & 16383 != 0 accept
    ip daddr . ether saddr @members4-eth0 accept
    ether daddr set CLIENT map @clients4-eth0 ether saddr set OWN counter fwd to "eth0"
    ip daddr . tcp dport != @opening4-eth0 accept
    tcp flags syn / syn,ack add @begun4-eth0 { CLIENT }
    tcp flags syn / syn,ack accept
    CLIENT @begun4-eth0 accept
    CLIENT @own4-eth0 accept
    ether daddr set ip daddr . tcp dport map @unknown4-eth0 ether saddr set OWN counter fwd to "eth0"

The kernel takes a frame's first VLAN tag off, and shows the frame to the hooks of the device that has it in its cable
before the VLAN's own device: what is tagged belongs to another LAN, and may have the same addresses there. Number 0
only gives a frame a priority.

Of a fragmented frame only the first has ports, so none is steered. What a member sends is not steered: it may have been
steered to us, and nothing would ever end the way of a frame between two nodes. Nothing on the way of a frame writes
``clients``: who could fill it would decide who is served. A listed client is steered whatever its flags are, SYN too;
the node that has the connection judges a SYN that somebody has made up. That a SYN is taken here does not depend on
there being room for it in ``begun``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_ETHERADDR
from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_INET_SERVICE
from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_IP6ADDR
from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_IPADDR
from pyroute2.netlink.nfnetlink.nftsocket import Meta

from wsa_proxy.net.nft_expressions import FIRST
from wsa_proxy.net.nft_expressions import Base
from wsa_proxy.net.nft_expressions import accept
from wsa_proxy.net.nft_expressions import add_to
from wsa_proxy.net.nft_expressions import count
from wsa_proxy.net.nft_expressions import differs
from wsa_proxy.net.nft_expressions import equals
from wsa_proxy.net.nft_expressions import extension_header
from wsa_proxy.net.nft_expressions import forward
from wsa_proxy.net.nft_expressions import in_set
from wsa_proxy.net.nft_expressions import jump
from wsa_proxy.net.nft_expressions import load
from wsa_proxy.net.nft_expressions import mapped
from wsa_proxy.net.nft_expressions import masked
from wsa_proxy.net.nft_expressions import meta
from wsa_proxy.net.nft_expressions import not_in_set
from wsa_proxy.net.nft_expressions import payload
from wsa_proxy.net.nft_expressions import write
from wsa_proxy.net.nft_messages import Expression
from wsa_proxy.net.nft_messages import SetDescription
from wsa_proxy.net.nft_messages import delete_chain
from wsa_proxy.net.nft_messages import delete_set
from wsa_proxy.net.nft_messages import new_chain
from wsa_proxy.net.nft_messages import new_hook
from wsa_proxy.net.nft_messages import new_rule
from wsa_proxy.net.nft_messages import new_set

BEGUN_MAX = 65_536
"""Connections that have begun here while ``unknown`` is in force. Beyond, a new one is answered by the node that gets
the unknown: a flood of SYNs costs new connections in that second, never one that was there."""
BEGUN_MS = 10_000
"""``unknown`` is in force for a second or two."""

_PACKET_HOST = 0  # from linux/if_packet.h: to this host, and not a copy that a switch or a capture lets us see
_ARPHRD_ETHER = 1  # from linux/if_arp.h; macvlans are Ethernet, too
_ETHERTYPES_VLAN = (b"\x81\x00", b"\x88\xa8")  # IEEE 802.1Q, 802.1ad
_VLAN_MASK = b"\x0f\xff"  # the rest of a tag is a priority
_TCP = 6
_SYN, _ACK = 2, 16
_IPV6_FRAGMENT = 44
_MAC_BYTES = 6
_FRAGMENT_MASK = b"\x3f\xff"  # more fragments, and the offset

type SetKind = Literal["clients", "members", "opening", "unknown", "begun", "own"]


@dataclass(frozen=True, slots=True)
class Lan:
    """Where steered frames leave."""

    device: str
    index: int
    own_mac: bytes


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the IP versions differ."""

    version: Literal[4, 6]
    ethertype: bytes
    type: int
    address_bytes: int
    source_offset: int
    destination_offset: int


_LAYOUTS = (
    _Layout(4, b"\x08\x00", DATA_TYPE_IPADDR, 4, 12, 16),
    _Layout(6, b"\x86\xdd", DATA_TYPE_IP6ADDR, 16, 8, 24),
)


def set_name(kind: SetKind, version: Literal[4, 6], device: str) -> str:
    """The name of a set of a LAN."""
    return f"{kind}{version}-{device}"


def new_lan(table: str, lan: Lan) -> list[bytes]:
    """Its sets, empty, and its rules."""
    messages = [new_set(table, each) for layout in _LAYOUTS for each in _sets(layout, lan.device)]
    for layout in _LAYOUTS:
        chain = _chain(layout, lan.device)
        messages.append(new_chain(table, chain))
        messages += [new_rule(table, chain, *rule) for rule in (*_of_vlans(), *_rules(layout, lan))]
    return messages


def delete_lan(table: str, device: str) -> list[bytes]:
    """No hook sends frames there any more."""
    messages = [each for layout in _LAYOUTS for each in delete_chain(table, _chain(layout, device))]
    return messages + [delete_set(table, each.name) for layout in _LAYOUTS for each in _sets(layout, device)]


def new_way_in(table: str, device: str, lan: str) -> list[bytes]:
    """What comes in by this device is for the rules of that LAN."""
    chain = _hook_chain(device)
    to_us = meta(Meta.NFT_META_PKTTYPE), equals(bytes([_PACKET_HOST]))
    rules = [(*to_us, *_is_tcp(layout), jump(_chain(layout, lan))) for layout in _LAYOUTS]
    return [new_hook(table, chain, device), *(new_rule(table, chain, *rule) for rule in rules)]


def delete_way_in(table: str, device: str) -> list[bytes]:
    """It is looked at no more."""
    return delete_chain(table, _hook_chain(device))


def _chain(layout: _Layout, device: str) -> str:
    return f"steer{layout.version}-{device}"


def _hook_chain(device: str) -> str:
    return f"in-{device}"


def _sets(layout: _Layout, device: str) -> list[SetDescription]:
    def described(kind: SetKind, *types: int, key_bytes: int, is_map: bool = False) -> SetDescription:
        begun = kind == "begun"
        timeout_ms, size = (BEGUN_MS, BEGUN_MAX) if begun else (0, 0)
        return SetDescription(set_name(kind, layout.version, device), types, key_bytes, is_map, timeout_ms, size)

    address, end_bytes = layout.type, layout.address_bytes + 4
    client = address, DATA_TYPE_INET_SERVICE, address, DATA_TYPE_INET_SERVICE
    return [
        described("clients", *client, key_bytes=2 * end_bytes, is_map=True),
        described("members", address, DATA_TYPE_ETHERADDR, key_bytes=end_bytes + 4),
        described("opening", address, DATA_TYPE_INET_SERVICE, key_bytes=end_bytes),
        described("unknown", address, DATA_TYPE_INET_SERVICE, key_bytes=end_bytes, is_map=True),
        described("begun", *client, key_bytes=2 * end_bytes),
        described("own", *client, key_bytes=2 * end_bytes),
    ]


@cache
def _of_vlans() -> tuple[tuple[Expression, ...], ...]:
    """What has a tag is left alone."""
    number = payload(Base.LINK, 14, 2), masked(_VLAN_MASK), differs(bytes(len(_VLAN_MASK)))
    tagged = [(payload(Base.LINK, 12, 2), equals(each)) for each in _ETHERTYPES_VLAN]
    return tuple((*_is_ethernet(), *tag, *number, accept()) for tag in tagged)


def _rules(layout: _Layout, lan: Lan) -> list[tuple[Expression, ...]]:
    """In the order of the listing above."""

    def named(kind: SetKind) -> str:
        return set_name(kind, layout.version, lan.device)

    after_address = FIRST + layout.address_bytes // 4
    address = payload(Base.NETWORK, layout.destination_offset, layout.address_bytes)
    port = payload(Base.TRANSPORT, 2, 2, after_address)
    member = address, payload(Base.LINK, _MAC_BYTES, _MAC_BYTES, after_address)
    client = (
        address,
        port,
        payload(Base.NETWORK, layout.source_offset, layout.address_bytes, after_address + 1),
        payload(Base.TRANSPORT, 0, 2, 2 * after_address + 1 - FIRST),
    )
    begins = payload(Base.TRANSPORT, 13, 1), masked(bytes([_SYN | _ACK])), equals(bytes([_SYN]))
    steer = _steer(lan)
    rules = [
        (*_is_fragment(layout), accept()),
        (*member, in_set(named("members")), accept()),
        (*client, mapped(named("clients")), *steer),
        (address, port, not_in_set(named("opening")), accept()),
        (*begins, *client, add_to(named("begun"))),
        (*begins, accept()),
        (*client, in_set(named("begun")), accept()),
        (*client, in_set(named("own")), accept()),
        (address, port, mapped(named("unknown")), *steer),
    ]
    return [(*_is_tcp(layout), *rule) for rule in rules]


def _steer(lan: Lan) -> tuple[Expression, ...]:
    """To the hardware address in the first register."""
    to = write(Base.LINK, 0, _MAC_BYTES)
    source = load(lan.own_mac), write(Base.LINK, _MAC_BYTES, _MAC_BYTES)
    return (to, *source, count(), forward(lan.index))


@cache
def _is_fragment(layout: _Layout) -> tuple[Expression, ...]:
    if layout.version == 6:
        return extension_header(_IPV6_FRAGMENT), equals(b"\x01")
    return payload(Base.NETWORK, 6, 2), masked(_FRAGMENT_MASK), differs(bytes(len(_FRAGMENT_MASK)))


@cache
def _is_tcp(layout: _Layout) -> tuple[Expression, ...]:
    """In every rule, for it tells ``nft`` what the bytes are that the rule looks at."""
    ip = meta(Meta.NFT_META_PROTOCOL), equals(layout.ethertype)
    return *_is_ethernet(), *ip, meta(Meta.NFT_META_L4PROTO), equals(bytes([_TCP]))


def _is_ethernet() -> tuple[Expression, ...]:
    """Likewise."""
    return meta(Meta.NFT_META_IIFTYPE), equals(struct.pack("=H", _ARPHRD_ETHER))
