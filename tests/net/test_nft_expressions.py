"""Every step of a rule against what the program ``nft`` makes of a text: the kernel has the same of both."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_INET_SERVICE
from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_IPADDR
from pyroute2.netlink.nfnetlink.nftsocket import Meta

from tests.net.steered import nft
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
from wsa_proxy.net.nft_messages import new_chain
from wsa_proxy.net.nft_messages import new_rule
from wsa_proxy.net.nft_messages import new_set
from wsa_proxy.net.nft_messages import new_table
from wsa_proxy.net.nft_socket import NftSocket

ETHERNET = meta(Meta.NFT_META_IIFTYPE), equals(b"\x01\x00")
IPV4 = meta(Meta.NFT_META_PROTOCOL), equals(b"\x08\x00")
IPV6 = meta(Meta.NFT_META_PROTOCOL), equals(b"\x86\xdd")
TCP = meta(Meta.NFT_META_L4PROTO), equals(b"\x06")
END = payload(Base.NETWORK, 16, 4), payload(Base.TRANSPORT, 2, 2, FIRST + 1)
MAC = bytes.fromhex("0200deadbeef")
ETHERNET_TEXT, IPV4_TEXT, TCP_TEXT = "meta iiftype ether", "meta protocol ip", "meta l4proto tcp"
SETS = """
    set ends { type ipv4_addr . inet_service; }
    map macs { type ipv4_addr . inet_service : ether_addr; }
    set filled { type ipv4_addr . inet_service; size 9; flags dynamic,timeout; timeout 5s; }
    chain other { }
"""

RULES: dict[str, tuple[Expression, ...]] = {
    "meta pkttype host accept": (meta(Meta.NFT_META_PKTTYPE), equals(b"\0"), accept()),
    f"{TCP_TEXT} jump other": (*TCP, jump("other")),
    f"{IPV4_TEXT} ip saddr 10.0.0.2 accept": (*IPV4, payload(Base.NETWORK, 12, 4), equals(b"\x0a\0\0\2"), accept()),
    f"{TCP_TEXT} tcp dport != 80 accept": (*TCP, payload(Base.TRANSPORT, 2, 2), differs(b"\0\x50"), accept()),
    f"{ETHERNET_TEXT} ether saddr 02:00:de:ad:be:ef accept": (
        *ETHERNET,
        payload(Base.LINK, 6, 6),
        equals(MAC),
        accept(),
    ),
    "ether type 8021q vlan id != 0 accept": (
        *ETHERNET,
        payload(Base.LINK, 12, 2),
        equals(b"\x81\0"),
        payload(Base.LINK, 14, 2),
        masked(b"\x0f\xff"),
        differs(bytes(2)),
        accept(),
    ),
    f"{IPV4_TEXT} ip frag-off & 0x3fff != 0 accept": (
        *IPV4,
        payload(Base.NETWORK, 6, 2),
        masked(b"\x3f\xff"),
        differs(bytes(2)),
        accept(),
    ),
    "meta protocol ip6 exthdr frag exists accept": (*IPV6, extension_header(44), equals(b"\1"), accept()),
    f"{IPV4_TEXT} {TCP_TEXT} ip daddr . tcp dport @ends accept": (*IPV4, *TCP, *END, in_set("ends"), accept()),
    f"{IPV4_TEXT} {TCP_TEXT} ip daddr . tcp dport != @ends accept": (*IPV4, *TCP, *END, not_in_set("ends"), accept()),
    f"{IPV4_TEXT} {TCP_TEXT} add @filled {{ ip daddr . tcp dport }}": (*IPV4, *TCP, *END, add_to("filled")),
    f"{ETHERNET_TEXT} {IPV4_TEXT} {TCP_TEXT} ether daddr set ip daddr . tcp dport map @macs": (
        *ETHERNET,
        *IPV4,
        *TCP,
        *END,
        mapped("macs"),
        write(Base.LINK, 0, 6),
    ),
    f"{ETHERNET_TEXT} ether saddr set 02:00:de:ad:be:ef": (*ETHERNET, load(MAC), write(Base.LINK, 6, 6)),
    "counter fwd to lo": (count(), forward(socket.if_nametoindex("lo"))),
}


def steps(table: str) -> list[str]:
    """What the kernel has of the table's rules, as nft writes the steps."""
    listing = nft("--debug=netlink", "list", "chain", "netdev", table, "rules")
    return [line.strip() for line in listing.splitlines() if line.startswith("  [")]


@pytest.mark.parametrize("text", RULES)
def test_the_kernel_has_the_same_as_of_nft(lan: Any, text: str) -> None:
    """Step by step, register by register."""
    nft(f"table netdev theirs {{ {SETS} chain rules {{ {text}; }}\n }}")
    ours = NftSocket()
    ends = (DATA_TYPE_IPADDR, DATA_TYPE_INET_SERVICE)
    sets = [
        SetDescription("ends", ends, 8),
        SetDescription("macs", ends, 8, is_map=True),
        SetDescription("filled", ends, 8, timeout_ms=5000, size=9),
    ]
    messages = [new_table("ours"), *(new_set("ours", each) for each in sets)]
    messages += [new_chain("ours", "other"), new_chain("ours", "rules"), new_rule("ours", "rules", *RULES[text])]
    ours.transact(messages)
    assert steps("ours") == steps("theirs") != []
