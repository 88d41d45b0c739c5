"""Groups do not touch each other (I8): load sharing, and a wrong secret in one of them; in virtual time."""

from __future__ import annotations

import asyncio
from ipaddress import ip_interface
from typing import Any

import pytest

from tests.runtime.world import Host
from tests.runtime.world import MakeHost
from wsa_proxy.carp.wire import Reject

SECOND = {"vhid": 2, "virtual_ips": (ip_interface("10.0.0.7/24"), ip_interface("fd00:77::7/64"))}
D_OF_THE_WORSE_S = 3 + 55 / 256
WAYS = [("carp",), ("sealed",)]


async def two(make_host: MakeHost, security: tuple[str, ...], **second_of_b: Any) -> tuple[Host, Host]:
    """Node a is the better one in group 1, b in group 2."""
    a = make_host("a", 1, security=security, more_groups=[SECOND | {"advskew": 55}])
    b = make_host("b", 2, security=security, advskew=55, more_groups=[SECOND | {"advskew": 0} | second_of_b])
    await a.start()
    await b.start()
    await asyncio.sleep(8)
    return a, b


def story(host: Host, number: int) -> list[str]:
    """The states that this group of the node has been in."""
    return [each.report.new.name for each in host.node._groups[number - 1][1].record.transitions]


def rejects(host: Host, number: int) -> dict[Reject, int]:
    """What was not believed; of a sealed advertisement in two IP versions the second copy is a duplicate."""
    counted = host.node._groups[number - 1][1].record.rejects
    return {reject: count for reject, count in counted.items() if count and reject is not Reject.DUPLICATE}


@pytest.mark.parametrize("security", WAYS, ids="-".join)
async def test_two_nodes_share_the_load_and_each_takes_over_the_others(
    make_host: MakeHost, security: tuple[str, ...]
) -> None:
    """The dead node's group moves within the usual time; the living node's own group does not notice."""
    a, b = await two(make_host, security)
    assert [host.holds_group(number) for number in (1, 2) for host in (a, b)] == [True, False, False, True]
    b.running = False  # nobody hears it any more, nor it them: it will think that it is alone
    await asyncio.sleep(D_OF_THE_WORSE_S + 0.01)
    assert a.holds_group(1) and a.holds_group(2)
    assert story(a, 1) == ["BACKUP", "MASTER"] and story(a, 2)[-1] == "MASTER"
    b.running = True
    await asyncio.sleep(2.5)
    assert [host.holds_group(number) for number in (1, 2) for host in (a, b)] == [True, False, False, True]
    assert story(a, 1) == ["BACKUP", "MASTER"] and story(b, 1) == ["BACKUP", "MASTER", "BACKUP"]


@pytest.mark.parametrize("security", WAYS, ids="-".join)
async def test_a_wrong_secret_in_one_group_is_nothing_to_the_other(
    make_host: MakeHost, security: tuple[str, ...]
) -> None:
    """Group 2 has two masters, as it must; group 1 has one, and has counted nothing."""
    a, b = await two(make_host, security, pass_phrases=(b"not the same one",))
    await asyncio.sleep(10)
    assert a.holds_group(2) and b.holds_group(2)
    assert rejects(a, 2).keys() == rejects(b, 2).keys() == {Reject.BAD_SECRET}
    assert a.holds_group(1) and not b.holds_group(1)
    assert (story(a, 1), story(b, 1)) == (["BACKUP", "MASTER"], ["BACKUP"])
    assert rejects(a, 1) == rejects(b, 1) == {}


@pytest.mark.parametrize("security", WAYS, ids="-".join)
async def test_addresses_of_both_ip_versions_share_one_election(make_host: MakeHost, security: tuple[str, ...]) -> None:
    """One state and one lease for all, an advertisement in each version, and one transition when the master is gone."""
    addresses = ("10.0.0.3/24", "fd00:77::3/64", "10.0.0.4/24", "fd00:77::4/64")
    a = make_host("a", 1, security=security, virtual_ips=addresses)
    b = make_host("b", 2, security=security, virtual_ips=addresses, advskew=55)
    await a.start()
    await b.start()
    await asyncio.sleep(8)
    assert a.ports is not None and b.ports is not None
    assert len(a.ports.addresses.held()) == 4 and not b.ports.addresses.held()
    spoken = [line for line in a.journal if line.startswith("advertise")]
    assert spoken.count("advertise v4 1/0") == spoken.count("advertise v6 1/0") > 3
    a.running = False
    await asyncio.sleep(D_OF_THE_WORSE_S + 0.01)
    assert len(b.ports.addresses.held()) == 4 and story(b, 1) == ["BACKUP", "MASTER"]
