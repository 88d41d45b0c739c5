from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.config.example import HOST
from tests.config.example import changed
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.net.ports import Address

DUAL = "[10.0.0.3/24, fd00:77::3/64]"


def with_peers(peers: str, *, more: str = "", virtual_ip: str = "10.0.0.3/24") -> str:
    return changed("    interface: auto\n", f"    interface: auto\n    peers: {peers}\n{more}").replace(
        "virtual_ip: 10.0.0.3/24", f"virtual_ip: {virtual_ip}"
    )


@pytest.mark.parametrize(
    ("peers", "lines"),
    [
        ("10.0.0.2", ""),
        ("[10.0.0.2, 172.16.0.9, fd00:77::2, fe80::2]", ""),
        ("[10.0.0.2, 10.0.0.2]", "9: groups[0].peers[1]: 10.0.0.2: stands in the list twice"),
        (
            "[10.0.0.2, 10.0.0.3]",
            "9: groups[0].peers[1]: 10.0.0.3: is a virtual IP, which is not always there; name the peer by an address "
            "of its own",
        ),
        (
            "10.0.0.255",
            "9: groups[0].peers: 10.0.0.255: is the broadcast address of eth0's network 10.0.0.0/24; name each peer by "
            "an address of its own",
        ),
        (
            "[10.0.0.1, 10.0.0.2]",
            "warning 9: groups[0].peers[0]: 10.0.0.1: is an address of this host itself; it is left out",
        ),
        (
            "[10.0.0.1, 192.168.7.1]",
            "9: groups[0].peers: names nobody but this host itself; write the other nodes' addresses",
        ),
        ("[10.0.0.2/24, 10.0.0.3]", "9: groups[0].peers[0]: 10.0.0.2/24: is not an address such as 10.0.0.2 or "
         "fd00:77::2; write it without a prefix: 10.0.0.2\n9: groups[0].peers[1]: 10.0.0.3: is a virtual IP, which is "
         "not always there; name the peer by an address of its own"),
    ],
)  # fmt: skip
def test_a_list_of_peers_is_judged_by_this_host(tmp_path: Path, peers: str, lines: str) -> None:
    """What no advertisement should go to is an error; that this host stands in the list is worth a word."""
    assert told(tmp_path, with_peers(peers)) == lines


def test_the_peers_are_the_others(tmp_path: Path) -> None:
    """One list may stand in every node's file."""
    group = loaded(tmp_path, with_peers("[10.0.0.1, 10.0.0.2, fd00:77::2]")).settings.groups[0]
    assert group.peers == (ip_address("10.0.0.2"), ip_address("fd00:77::2"))
    assert group.versions == (4, 6)
    assert loaded(tmp_path, with_peers("10.0.0.2", virtual_ip=DUAL)).settings.groups[0].versions == (4,)
    assert loaded(tmp_path, changed("10.0.0.3/24", DUAL)).settings.groups[0].versions == (4, 6)


def test_beside_a_bsd_the_peers_have_both_ip_versions_where_the_group_has(tmp_path: Path) -> None:
    """FreeBSD has a deadline for each of its own; our own nodes have one for all."""
    carp = "    security: carp\n"
    assert told(tmp_path, with_peers("[10.0.0.2, fd00:77::2]", more=carp, virtual_ip=DUAL)) == ""
    assert told(tmp_path, with_peers("10.0.0.2", virtual_ip=DUAL)) == ""
    lines = told(tmp_path, with_peers("10.0.0.2", more=carp, virtual_ip=DUAL))
    assert lines.startswith("warning 9: groups[0].peers: no peer has an IPv6 address here")


def test_a_peer_behind_another_interface(tmp_path: Path) -> None:
    """Its advertisements would come in where the group does not listen; a peer without a route is told when it is sent
    to, since routes come and go."""
    ways = {"172.16.0.9": "192.168.7.1", "10.0.0.2": "10.0.0.1"}

    def source_towards(address: Address) -> Address | None:
        return ip_address(ways[str(address)]) if str(address) in ways else None

    host = replace(HOST, source_towards=source_towards)
    lines = told(tmp_path, with_peers("[10.0.0.2, 172.16.0.9, 10.77.0.1, fe80::2]"), host=host)
    assert lines == (
        "warning 9: groups[0].peers[1]: 172.16.0.9: is reached through eth1, and the group listens on eth0 only: "
        "correct the route, or name the peer by an address of that network"
    )
