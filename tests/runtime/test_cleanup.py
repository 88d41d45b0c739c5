"""Leftovers of a killed node on the real kernel: what is ours goes, what is somebody's stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.runtime.test_kernel import settings
from wsa_proxy.net.claims import Claims
from wsa_proxy.net.claims import Served
from wsa_proxy.net.rights import RightsMissing
from wsa_proxy.runtime.claimed import claimed_by
from wsa_proxy.runtime.cleanup import clean_up

VIP = "10.0.0.3"


def leave(lan: Any, mac: str = "00:00:5e:00:01:01") -> None:
    """As after a kill of everything, a moment before the lease ends."""
    lan.ip(f"link add carp1 link {lan.LEFT} address {mac} type macvlan mode bridge")
    lan.ip(f"address add {VIP}/32 dev {lan.LEFT} valid_lft 50 preferred_lft 50")


def test_what_was_left_behind_is_removed_and_told(lan: Any) -> None:
    """Once; afterwards there is nothing to say."""
    leave(lan)
    assert clean_up(settings(virtual_mac=True)) == [f"removed the virtual IP {VIP}", "removed the interface carp1"]
    assert lan.address(VIP) is None and "carp1" not in lan.ip("link")
    assert clean_up(settings(virtual_mac=True)) == []
    group = settings().groups[0]
    Claims().take([(group.interface, group.vhid)])  # whoever starts now may


def test_what_is_somebodys_stays(lan: Any) -> None:
    """A permanent address, and an interface of that name with another hardware address."""
    leave(lan, mac="02:00:00:00:00:77")
    lan.ip(f"address del {VIP}/32 dev {lan.LEFT}")
    lan.ip(f"address add {VIP}/32 dev {lan.LEFT}")
    assert clean_up(settings(virtual_mac=True)) == []
    assert lan.address(VIP) is not None and "carp1" in lan.ip("link")


@pytest.mark.parametrize("virtual_mac", [True, False])
def test_the_interface_of_a_node_that_serves_the_same_id_elsewhere_is_left_alone(lan: Any, virtual_mac: bool) -> None:
    """The virtual MAC's interface has one name for all; this file may have asked for it, or an earlier one of its."""
    leave(lan)
    running = Claims()
    running.take(claimed_by(settings(interface="elsewhere", virtual_mac=True).groups))
    with pytest.raises(Served, match="failover group 1 on carp1 is served by another wsa-proxy"):
        clean_up(settings(virtual_mac=virtual_mac))
    assert lan.address(VIP) is not None and "carp1" in lan.ip("link")
    running.close()


def test_who_may_remove_nothing_is_told_so_first(lan: Any) -> None:
    """Also when nothing is there: else it would say that all is clean."""
    lan.lose_privileges()
    with pytest.raises(RightsMissing, match="lacks CAP_NET_ADMIN") as raised:
        clean_up(settings())
    assert "CAP_NET_RAW (" not in str(raised.value)


def test_a_running_node_is_left_alone(lan: Any, tmp_path: Path) -> None:
    leave(lan)
    group = settings().groups[0]
    running = Claims()
    running.take([(group.interface, group.vhid)])
    with pytest.raises(Served, match="is served by another wsa-proxy"):
        clean_up(settings(virtual_mac=True))
    assert lan.address(VIP) is not None and "carp1" in lan.ip("link")
