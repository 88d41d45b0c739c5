"""Messages to nf_tables: the kernel makes of them what the program ``nft`` makes of a text."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_ETHERADDR
from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_INET_SERVICE
from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_IP6ADDR
from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_IPADDR

from tests.net.steered import nft
from wsa_proxy.net.nft_expressions import accept
from wsa_proxy.net.nft_messages import SetDescription
from wsa_proxy.net.nft_messages import delete_chain
from wsa_proxy.net.nft_messages import delete_elements
from wsa_proxy.net.nft_messages import delete_set
from wsa_proxy.net.nft_messages import delete_table
from wsa_proxy.net.nft_messages import new_chain
from wsa_proxy.net.nft_messages import new_elements
from wsa_proxy.net.nft_messages import new_hook
from wsa_proxy.net.nft_messages import new_rule
from wsa_proxy.net.nft_messages import new_set
from wsa_proxy.net.nft_messages import new_table
from wsa_proxy.net.nft_socket import NftSocket

TEXT = """
    map clients {
        type ipv4_addr . inet_service . ipv4_addr . inet_service : ether_addr
        elements = { 10.0.0.100 . 8080 . 10.0.0.3 . 40000 : 02:00:00:00:00:02,
                     10.0.0.100 . 8080 . 10.0.0.3 . 40001 : 02:00:00:00:00:03 }
    }
    set members { type ipv6_addr . ether_addr; elements = { fd00:77::100 . 02:00:00:00:00:02 } }
    set begun { type ipv4_addr . inet_service; size 65536; flags dynamic,timeout; timeout 10s; }
    chain other { accept; }
    chain in { type filter hook ingress device "lo" priority 100; policy accept; accept; }
"""
CLIENTS = SetDescription(
    "clients", (DATA_TYPE_IPADDR, DATA_TYPE_INET_SERVICE, DATA_TYPE_IPADDR, DATA_TYPE_INET_SERVICE), 16, is_map=True
)
MEMBERS = SetDescription("members", (DATA_TYPE_IP6ADDR, DATA_TYPE_ETHERADDR), 24)
BEGUN = SetDescription("begun", (DATA_TYPE_IPADDR, DATA_TYPE_INET_SERVICE), 8, timeout_ms=10_000, size=65_536)

# As nft 1.0.6 sends the elements of TEXT to the kernel (``nft --debug=mnl``), without the name of the table.
ELEMENTS_OF_NFT = bytes.fromhex(
    "5c0003802c00018018000180140001000a0000641f9000000a0000039c400000100002800a00010002000000000200002c000280"
    "18000180140001000a0000641f9000000a0000039c410000100002800a0001000200000000030000"
)
"""The second element's attribute has number 2 there; the kernel takes them by their order."""
KEYS = [bytes.fromhex(f"0a0000641f9000000a0000039c4{last}0000") for last in "01"]
MACS = [bytes.fromhex("020000000002"), bytes.fromhex("020000000003")]


def made() -> list[bytes]:
    """All of TEXT."""
    messages = [new_table("ours", flags=0), *(new_set("ours", each) for each in (CLIENTS, MEMBERS, BEGUN))]
    messages += new_elements("ours", "clients", zip(KEYS, MACS, strict=True))
    member = bytes.fromhex("fd000077000000000000000000000100") + MACS[0] + bytes(2)
    messages += new_elements("ours", "members", [(member, None)])
    messages += [new_chain("ours", "other"), new_rule("ours", "other", accept())]
    return [*messages, new_hook("ours", "in", "lo"), new_rule("ours", "in", accept())]


def test_all_of_it_as_nft_lists_it(lan: Any) -> None:
    """The same text comes back, but for the name."""
    nft(f"table netdev theirs {{ {TEXT} }}")
    NftSocket().transact(made())
    assert nft("list", "table", "netdev", "ours").replace("ours", "theirs") == nft("list", "table", "netdev", "theirs")
    assert "priority 100" in nft("list", "table", "netdev", "ours")


def test_elements_as_nft_writes_them() -> None:
    """Byte for byte, but for a number that the kernel does not read."""
    [message] = new_elements("ours", "clients", zip(KEYS, MACS, strict=True))
    assert message.endswith(ELEMENTS_OF_NFT.replace(b"\x2c\x00\x02\x80", b"\x2c\x00\x01\x80"))


def test_everything_can_be_taken_away_again(lan: Any) -> None:
    """Piece by piece, and the table with all that is left."""
    ours = NftSocket()
    ours.transact(made())
    ours.transact(delete_elements("ours", "clients", KEYS[:1]))
    listing = nft("list", "table", "netdev", "ours")
    assert "40001" in listing and "40000" not in listing
    ours.transact([*delete_chain("ours", "in"), *delete_chain("ours", "other"), delete_set("ours", "members")])
    listing = nft("list", "table", "netdev", "ours")
    assert "chain" not in listing and "members" not in listing and "clients" in listing
    ours.transact([delete_table("ours")])
    assert nft("list", "ruleset") == ""


def test_an_element_that_is_not_there_cannot_go(lan: Any) -> None:
    """Who takes it away believes something that is wrong; one that is there already may come again."""
    ours = NftSocket()
    ours.transact(made())
    ours.transact(new_elements("ours", "clients", zip(KEYS, MACS, strict=True)))
    ours.transact(delete_elements("ours", "clients", KEYS))
    with pytest.raises(FileNotFoundError):
        ours.transact(delete_elements("ours", "clients", KEYS))


def test_an_element_may_get_another_value(lan: Any) -> None:
    """In one transaction it goes and comes."""
    ours = NftSocket()
    ours.transact(made())
    ours.transact(
        [
            *delete_elements("ours", "clients", KEYS),
            *new_elements("ours", "clients", zip(KEYS, MACS[::-1], strict=True)),
        ]
    )
    assert "40000 : 02:00:00:00:00:03" in nft("list", "table", "netdev", "ours")


def test_a_table_with_an_owner(lan: Any) -> None:
    """It must be new, it is closed to others, and goes with the socket."""
    ours, other = NftSocket(), NftSocket()
    ours.transact([new_table("ours")])
    with pytest.raises(FileExistsError):
        ours.transact([new_table("ours")])
    for refused in (new_chain("ours", "theirs"), delete_table("ours")):
        with pytest.raises(PermissionError):
            other.transact([refused])
    assert subprocess.run(["nft", "add", "chain", "netdev", "ours", "x"], capture_output=True, check=False).returncode
    ours.close()
    assert nft("list", "ruleset") == ""


def test_many_elements_are_several_messages(lan: Any) -> None:
    """None is lost where one ends and the next begins."""
    keys = [bytes.fromhex("0a0000641f9000000a000003") + port.to_bytes(2) + bytes(2) for port in range(10_000, 20_000)]
    messages = new_elements("ours", "clients", ((key, MACS[0]) for key in keys))
    assert len(messages) == 8 and max(map(len, messages)) < 65_536
    ours = NftSocket()
    ours.transact([new_table("ours"), new_set("ours", CLIENTS), *messages])
    assert nft("list", "table", "netdev", "ours").count("02:00:00:00:00:02") == 10_000
    assert new_elements("ours", "clients", []) == []
