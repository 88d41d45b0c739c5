"""Who gets which PAC file."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from ipaddress import ip_address
from ipaddress import ip_interface

import pytest

from wsa_proxy.proxy.pac import Asked
from wsa_proxy.proxy.pac import PacFiles
from wsa_proxy.proxy.pac import place_of
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import PacSettings

DUAL = (ip_interface("10.0.0.3/24"), ip_interface("fd00::3/64"), ip_interface("10.0.0.4/24"))
GROUP = GroupSettings(1, "", "proxy", DUAL, "eth0", 255, 1, 0, (b"old",), ("sealed",), True, 8080)
SECOND = replace(GROUP, vhid=2, virtual_ips=(ip_interface("10.0.0.7/24"),), port=3128)
THIRD = replace(GROUP, vhid=3, virtual_ips=(ip_interface("fd00::9/64"),))
GROUPS = [GROUP, SECOND, THIRD]
MANY = [replace(GROUP, vhid=vhid, virtual_ips=(ip_interface(f"10.0.1.{vhid}/24"),)) for vhid in (1, 2, 3, 9, 200)]
CLIENT = ip_address("10.0.0.20")
ORDERS = {"10.0.0.20": [200, 3, 9, 1, 2], "2001:db8::1": [1, 2, 3, 9, 200]}


def named(file: bytes) -> list[tuple[str, str]]:
    """The proxies of a file, by name and value."""
    return [(name, value) for name, value in json.loads(file.split(b"var PROXIES = ")[1].partition(b";\n")[0])]


def order(pac: PacSettings, groups: list[GroupSettings], client: IPv4Address | IPv6Address, group: int) -> list[int]:
    file = PacFiles(pac, groups).file(Asked(group, CLIENT, client, None))
    return [int(name) for name, _ in named(file)]


def clients(count: int) -> list[IPv4Address | IPv6Address]:
    """Neighbours in three LANs, as clients are."""
    addresses = [IPv4Address("10.0.0.0") + number for number in range(count // 2)]
    addresses += [IPv4Address("192.168.7.0") + number for number in range(count // 4)]
    return [*addresses, *(IPv6Address("2001:db8::") + number for number in range(count // 4))]


@pytest.mark.parametrize(
    ("asked", "version", "port", "place"),
    [
        ("10.0.0.3", 4, None, "10.0.0.3:8080"),
        ("10.0.0.4", 4, None, "10.0.0.4:8080"),
        ("10.0.0.4", 6, None, "10.0.0.4:8080"),
        ("fd00::3", 4, None, "[fd00::3]:8080"),
        ("10.0.0.7", 4, None, "10.0.0.3:8080"),
        ("10.0.0.7", 6, None, "[fd00::3]:8080"),
        ("10.0.0.3", 4, 3128, "10.0.0.3:3128"),
    ],
)
def test_one_address_of_a_group_is_named(asked: str, version: int, port: int | None, place: str) -> None:
    """The one that was asked; of another group the first that the client can surely reach."""
    assert place_of(GROUP, ip_address(asked), version, port) == place


def test_a_group_that_the_client_cannot_reach_is_named_all_the_same() -> None:
    """It may have that IP version as well; and a group with link-local addresses only has a name."""
    assert place_of(SECOND, CLIENT, 6) == "10.0.0.7:3128"
    local = replace(GROUP, virtual_ips=(ip_interface("fe80::3/64"),))
    assert place_of(local, ip_address("fe80::3"), 6) == "proxy:8080"
    both = replace(GROUP, virtual_ips=(ip_interface("fe80::3/64"), ip_interface("10.0.0.3/24")))
    assert place_of(both, ip_address("fe80::3"), 6) == "10.0.0.3:8080"


def test_the_group_that_was_asked_comes_first() -> None:
    """Then the others as configured; without ``groups`` as they stand in the file."""
    assert order(PacSettings(), GROUPS, CLIENT, 2) == [2, 1, 3]
    assert order(PacSettings(groups=(3, 1)), GROUPS, CLIENT, 1) == [1, 3]
    files = PacFiles(PacSettings(groups=(3, 1)), GROUPS)
    assert files.groups == [THIRD, GROUP]
    asked = Asked(1, ip_address("10.0.0.4"), ip_address("fd00::20"), 3128)
    assert named(files.file(asked)) == [("1", "PROXY 10.0.0.4:3128"), ("3", "PROXY [fd00::9]:3128")]
    over_ipv6 = Asked(2, ip_address("10.0.0.7"), ip_address("fd00::20"), None)
    assert named(PacFiles(PacSettings(), GROUPS).file(over_ipv6))[1] == ("1", "PROXY [fd00::3]:8080")


def test_a_file_is_made_once() -> None:
    """The same for the same order, and it is not forgotten that the settings are what they are."""
    files = PacFiles(PacSettings(), GROUPS)
    first, again = (files.file(Asked(1, CLIENT, ip_address(client), None)) for client in ("10.0.0.8", "10.0.0.9"))
    assert first is again
    assert files.file(Asked(2, CLIENT, CLIENT, None)) != first


def test_clients_are_shared_evenly() -> None:
    """4,000 neighbours over five groups whose ids are alike: the first place and each further one, by the chi-square
    test (18.5 at four degrees of freedom is passed by chance once in a thousand)."""
    orders = [order(PacSettings(share="client"), MANY, client, 1) for client in clients(4000)]
    for place in range(len(MANY)):
        counts, mean = Counter(each[place] for each in orders), len(orders) / len(MANY)
        assert len(counts) == len(MANY)
        assert sum((count - mean) ** 2 / mean for count in counts.values()) < 18.5, counts


def test_a_client_has_one_order_everywhere() -> None:
    """Whichever group is asked, on whichever node, in whatever order the groups stand there."""
    shuffled, chance = list(MANY), random.Random(1)
    for client in clients(200):
        chance.shuffle(shuffled)
        group = chance.choice(MANY).vhid
        there = order(PacSettings(share="client"), shuffled, client, group)
        assert there == order(PacSettings(share="client"), MANY, client, 1)


def test_the_order_of_a_client_is_for_ever() -> None:
    """Nodes of two versions must not send one client to two groups."""
    orders = {text: order(PacSettings(share="client"), MANY, ip_address(text), 1) for text in ORDERS}
    assert orders == ORDERS


def test_groups_that_go_move_only_their_own_clients() -> None:
    """Of those that stay, each client keeps the order."""
    chance = random.Random(2)
    for client in clients(400):
        kept = tuple(group.vhid for group in MANY if chance.random() < 0.6) or (9,)
        full = order(PacSettings(share="client"), MANY, client, 1)
        assert order(PacSettings(share="client", groups=kept), MANY, client, 1) == [
            vhid for vhid in full if vhid in kept
        ]


def test_hosts_are_shared_by_the_script() -> None:
    """So that it is the same for every client: the names of the groups in the file's order."""
    assert {tuple(order(PacSettings(share="host"), MANY, client, 9)) for client in clients(40)} == {(1, 2, 3, 9, 200)}
