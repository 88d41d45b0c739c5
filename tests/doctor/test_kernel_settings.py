from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.patients import facts
from tests.doctor.patients import group
from tests.doctor.patients import node
from tests.doctor.patients import only
from tests.doctor.patients import whys
from wsa_proxy.doctor.kernel_settings import check
from wsa_proxy.doctor.kernel_settings import read_settings
from wsa_proxy.doctor.kernel_settings import wanted_interfaces

WELL = {
    ("all", "rp_filter"): 0,
    ("eth0", "rp_filter"): 1,
    ("eth0", "arp_announce"): 2,
    ("eth0", "arp_ignore"): 1,
    ("carp1", "rp_filter"): 0,
    ("carp1", "arp_ignore"): 1,
}
VIRTUAL, INTERFACE = group(), group(virtual_mac=False)


@pytest.mark.parametrize("mac", [VIRTUAL, INTERFACE])
def test_what_a_running_node_has_set(mac: Any) -> None:
    """A strict rp_filter on the physical interface does no harm: the way back leads through it."""
    assert list(check(facts(mac, node=node(), settings=WELL))) == []


@pytest.mark.parametrize(
    ("mac", "place", "value", "what"),
    [
        (VIRTUAL, ("all", "rp_filter"), 1, "net.ipv4.conf.all.rp_filter is 1"),
        (VIRTUAL, ("carp1", "rp_filter"), 1, "net.ipv4.conf.carp1.rp_filter is 1"),
        (VIRTUAL, ("all", "arp_ignore"), 2, "net.ipv4.conf.all.arp_ignore is 2"),
        (INTERFACE, ("eth0", "arp_ignore"), 8, "net.ipv4.conf.eth0.arp_ignore is 8"),
        (INTERFACE, ("eth0", "arp_announce"), 0, "net.ipv4.conf.eth0.arp_announce is 0"),
        (VIRTUAL, ("eth0", "arp_ignore"), 0, "net.ipv4.conf.eth0.arp_ignore is 0"),
    ],
)
def test_what_is_in_the_way(mac: Any, place: tuple[str, str], value: int, what: str) -> None:
    """The setting that is guilty, its value, its file, and the command that mends it."""
    finding = only(check, facts(mac, node=node(), settings=WELL | {place: value}))
    assert finding.what.startswith(f"{what}: ")
    assert finding.evidence == f"/proc/sys/net/ipv4/conf/{place[0]}/{place[1]}"
    assert finding.fix.startswith(f"sysctl -w net.ipv4.conf.{place[0]}.{place[1]}=")


@pytest.mark.parametrize(
    ("mac", "changes", "running"),
    [
        (VIRTUAL, {("all", "rp_filter"): 2, ("carp1", "rp_filter"): 1}, True),  # the kernel takes the greater: loose
        (INTERFACE, {("all", "rp_filter"): 1}, True),  # no other interface, no asymmetric way
        (VIRTUAL, {("eth0", "arp_announce"): 0, ("eth0", "arp_ignore"): 0}, False),  # a node sets them when it starts
        (VIRTUAL, {("all", "arp_announce"): 2, ("eth0", "arp_announce"): 0}, True),
    ],
)
def test_what_does_no_harm(mac: Any, changes: dict[tuple[str, str], int], running: bool) -> None:
    assert list(check(facts(mac, node=node() if running else None, settings=WELL | changes))) == []


def test_what_cannot_be_read_is_not_taken_for_wrong() -> None:
    """An interface that has just gone, as another check says."""
    out = WELL | {("eth0", "arp_announce"): 0}
    assert list(check(facts(INTERFACE, node=node(state="init"), settings=out))) == []  # it may not have begun
    settings = {place: value for place, value in WELL.items() if place[0] != "eth0"}
    assert list(check(facts(INTERFACE, node=node(), settings=settings))) == []


def test_a_group_of_ipv6_relies_on_none_of_them() -> None:
    ipv6 = group(addresses=(ip_address("fd00:77::3"),))
    assert list(check(facts(ipv6, node=node(), settings=WELL | {("all", "rp_filter"): 1}))) == []


def test_reading(tmp_path: Path) -> None:
    """Of the groups' interfaces, of the virtual MACs', and of all; what is not there is left out."""
    for interface in ("all", "eth0"):
        (tmp_path / interface).mkdir()
        (tmp_path / interface / "rp_filter").write_text("2\n")
    (tmp_path / "eth0" / "arp_ignore").write_text("no number\n")
    assert wanted_interfaces((VIRTUAL, group(vhid=2, virtual_mac=False))) == ["eth0", "carp1"]
    assert read_settings(["eth0", "carp1"], tmp_path) == {("all", "rp_filter"): 2, ("eth0", "rp_filter"): 2}
    assert whys(check(facts(settings={}))) == ["/proc/sys/net/ipv4/conf cannot be read"]
