"""The addresses on the virtual MAC's interface: silent without one of the two, and gone with the node."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from tests.learning_switch import Switch
from tests.learning_switch import Tap
from tests.net.in_process import make_keeper
from tests.net.virtual_node import BOTH
from tests.net.virtual_node import MLD_REPORTS_S
from tests.net.virtual_node import NAME
from tests.net.virtual_node import VHID
from tests.net.virtual_node import VIP4
from tests.net.virtual_node import watch
from wsa_proxy.net.virtual_interface import VirtualInterface
from wsa_proxy.net.virtual_lease import VirtualLease


def open_lease(lan: Any) -> VirtualLease:
    interface = VirtualInterface(lan.LEFT, lan.index, VHID, BOTH)
    interface.create()
    return VirtualLease(make_keeper(), VHID, interface, BOTH)


def is_up(lan: Any) -> bool:
    return ",UP" in lan.ip(f"link show dev {NAME}")


def test_up_with_the_addresses_and_down_a_moment_after(lan: Any) -> None:
    """Acquire: both. Release: no address. Settle: down."""
    lease = open_lease(lan)
    assert not is_up(lan)
    lease.acquire()
    assert is_up(lan) and lease.held() == set(BOTH)
    lease.release()
    assert not lease.held()
    lease.settle()
    assert not is_up(lan)
    lease.acquire()
    assert is_up(lan) and lease.held() == set(BOTH)


def test_the_beat_renews_it(lan: Any) -> None:
    """By the keeper of all groups, as any other lease."""
    interface = VirtualInterface(lan.LEFT, lan.index, VHID, BOTH)
    interface.create()
    keeper = make_keeper()
    lease = VirtualLease(keeper, VHID, interface, BOTH)
    lease.acquire()
    lan.ip(f"address del {VIP4}/32 dev {NAME}")
    assert keeper.beat([lease]) == {} and lease.held() == set(BOTH)
    lan.ip(f"link del {NAME}")
    assert keeper.beat([lease])[lease].errno == errno.ENODEV


def test_a_renewal_puts_back_what_somebody_set_down(lan: Any) -> None:
    """With the IPv6 addresses, which the kernel removes from an interface that goes down."""
    lease = open_lease(lan)
    lease.acquire()
    lan.ip(f"link set {NAME} down")
    assert lease.held() != set(BOTH)
    lease.renew()
    assert is_up(lan) and lease.held() == set(BOTH)


def test_an_interface_that_cannot_be_up_holds_nothing(lan: Any) -> None:
    """Another macvlan has the hardware address: no address stays, and no beat brings it back."""
    lease = open_lease(lan)
    lan.ip(f"link add other link {lan.LEFT} address 00:00:5e:00:01:2a type macvlan mode bridge")
    lan.ip("link set other up")
    with pytest.raises(OSError, match="another macvlan"):
        lease.acquire()
    assert not lease.held()
    assert lease._keeper.beat([lease]) == {} and not lease.held()


def test_the_end(lan: Any) -> None:
    """The interface is removed; once more, or when it is gone already, is harmless."""
    lease = open_lease(lan)
    lease.acquire()
    lease.close()
    lease.close()
    assert NAME not in lan.ip("link")
    lease = open_lease(lan)
    lan.ip(f"link del {NAME}")
    lease.close()


def test_silent_between_release_and_settle(lan: Any) -> None:
    """An interface that is up and has no address answers nothing and says nothing with the virtual MAC."""
    switch = Switch(lan)
    tap = Tap("a")
    with switch.on("a"):
        interface = VirtualInterface("eth0", int(lan.ip("-o link show dev eth0").split(":")[0]), VHID, BOTH)
        interface.create()
        lease = VirtualLease(make_keeper(), VHID, interface, BOTH)
        lease.acquire()
        tap.queued()
        lease.release()
    with switch.on("client"):
        lan.ip("neighbour flush dev eth0")
    assert watch(tap, MLD_REPORTS_S) == []
    with switch.on("a"):
        lease.settle()
    assert watch(tap, MLD_REPORTS_S) == []
