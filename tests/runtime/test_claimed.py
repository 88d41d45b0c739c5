"""What no two processes of a host may serve at a time."""

from __future__ import annotations

from tests.runtime.test_kernel import settings
from wsa_proxy.runtime.claimed import claimed_by


def test_a_virtual_mac_has_one_interface_on_a_host() -> None:
    """The same id on two interfaces is two groups, but for that."""
    here, there = (settings(interface=name, virtual_mac=True).groups for name in ("eth0", "eth1"))
    assert claimed_by(here) == [("eth0", 1), ("carp1", 1)]
    assert set(claimed_by(here)) & set(claimed_by(there)) == {("carp1", 1)}
    without = [settings(interface=name, virtual_mac=False).groups for name in ("eth0", "eth1")]
    assert [claimed_by(groups) for groups in without] == [[("eth0", 1)], [("eth1", 1)]]
