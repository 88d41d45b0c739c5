"""Held silently, on the loopback interface: what is on its way can leave, and the LAN hears nothing of the address."""

from __future__ import annotations

import errno
import socket
import time
from ipaddress import ip_address
from typing import Any

import pytest

from tests.net.in_process import InProcess
from tests.net.in_process import make_keeper
from tests.net.test_addresses import BOTH
from tests.net.virtual_node import VHID
from wsa_proxy.net.addresses import AddressLease
from wsa_proxy.net.addresses import LeaseKeeper
from wsa_proxy.net.addresses import remove_leftovers
from wsa_proxy.net.addresses import set_arp
from wsa_proxy.net.virtual_interface import VirtualInterface
from wsa_proxy.net.virtual_lease import VirtualLease

VIP4, VIP6 = BOTH


def open_lease(lan: Any, mac: str, keeper: LeaseKeeper | None = None) -> AddressLease:
    keeper = keeper or make_keeper()
    if mac == "interface":
        set_arp(lan.LEFT, lan.index)
        return AddressLease(keeper, VHID, lan.LEFT, lan.index, BOTH)
    interface = VirtualInterface(lan.LEFT, lan.index, VHID, BOTH)
    interface.create()
    return VirtualLease(keeper, VHID, interface, BOTH)


def _family(address: Any) -> socket.AddressFamily:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def loopback(lan: Any, address: object) -> Any:
    return lan.address(str(address), "lo")


@pytest.mark.parametrize("mac", ["interface", "virtual"])
def test_it_moves_to_the_loopback_interface_as_a_lease_and_goes(lan: Any, mac: str) -> None:
    """With a finite lifetime, so that it is known for ours whatever happens; nothing is left after the release."""
    lease = open_lease(lan, mac)
    lease.acquire()
    lease.hold_silently()
    assert lease.held() == frozenset()
    for address in BOTH:
        entry = loopback(lan, address)
        assert entry["prefixlen"] == address.max_prefixlen and entry["valid_life_time"] == 1
    assert lease._keeper.beat([lease]) == {}, "prolonged like any other"
    assert all(loopback(lan, address) for address in BOTH)
    lease.release()
    assert not any(loopback(lan, address) for address in BOTH)
    lease.acquire()
    assert lease.held() == set(BOTH)


def test_after_a_crash_it_is_a_leftover(lan: Any) -> None:
    """Of an earlier life, like the others; the guardian removes it, and who comes next does."""
    lease = open_lease(lan, "interface")
    lease.acquire()
    lease.hold_silently()
    writer = lease._keeper.writer
    assert isinstance(writer, InProcess)
    writer.guardian.fence("the proxy has ended")
    assert not any(loopback(lan, address) for address in BOTH)
    lan.ip(f"address add {VIP4}/32 dev lo valid_lft 1 preferred_lft 1")
    assert [entry.address for entry in remove_leftovers(BOTH)] == [VIP4]


@pytest.mark.parametrize("mac", ["interface", "virtual"])
@pytest.mark.parametrize("address", BOTH)
def test_a_connection_that_is_there_can_still_be_answered(lan: Any, mac: str, address: Any) -> None:
    """The answer and its end leave, from the address; the network card's own frames carry them."""
    lease = open_lease(lan, mac)
    lease.acquire()
    listening = socket.create_server((str(address), 8080), family=_family(address))
    if address.version == 6:
        lan.wait_askable(address)
    with lan.on_the_right():
        client = socket.create_connection((str(address), 8080), timeout=5)
    ours, _ = listening.accept()
    lease.hold_silently()
    frames = lan.wire(lambda frame: address.packed in frame[14:54])
    ours.sendall(b"the last answer")
    ours.close()
    assert client.recv(100) == b"the last answer" and client.recv(100) == b""
    macs = {frame[6:12].hex(":") for frame in frames.queued()}
    assert "00:00:5e:00:01:2a" not in macs
    client.close()
    listening.close()
    lease.release()


@pytest.mark.parametrize("mac", ["interface", "virtual"])
def test_nobody_is_told_where_it_is(lan: Any, mac: str) -> None:
    """No answer to ARP and neighbour solicitations, and nothing from the virtual MAC: the switch has learnt another
    port for it."""
    lease = open_lease(lan, mac)
    lease.acquire()
    lan.wait_askable(VIP6)
    with lan.on_the_right():
        assert _finds(lan, VIP4) and _finds(lan, VIP6)
    lease.hold_silently()
    with lan.on_the_right():
        assert not _finds(lan, VIP4) and not _finds(lan, VIP6)
    lease.release()


def _finds(lan: Any, address: Any) -> bool:
    """A host that knows nothing yet asks for the address."""
    lan.ip(f"neighbour flush dev {lan.RIGHT}")
    with socket.socket(_family(address), socket.SOCK_DGRAM) as asking:
        asking.sendto(b"hello", (str(address), 9))
    deadline_s = time.monotonic() + 0.3
    while time.monotonic() < deadline_s:
        if "lladdr" in lan.ip(f"neighbour show {address} dev {lan.RIGHT}"):
            return True
        time.sleep(0.01)
    return False


def test_a_link_local_address_ends_at_once(lan: Any) -> None:
    """On the loopback interface it would be another one."""
    address = ip_address("fe80::1:2")
    lease = AddressLease(make_keeper(), 1, lan.LEFT, lan.index, [address])
    lease.acquire()
    lease.hold_silently()
    assert lease.held() == frozenset() and loopback(lan, address) is None
    lease.release()


def test_what_the_kernel_refuses_is_told(lan: Any) -> None:
    """Then nothing of it is held anywhere: the address must not stay where it was."""
    lease = open_lease(lan, "interface")
    lease.acquire()
    lan.ip("link set lo down")
    with open("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "w") as setting:
        setting.write("1")
    with pytest.raises(OSError, match="cannot hold fd00:77::3 on the loopback interface") as raised:
        lease.hold_silently()
    assert raised.value.errno == errno.EACCES
    assert lease.held() == frozenset() and loopback(lan, VIP4) is None
    lease.release()


def test_what_a_beat_is_refused_there_is_told_of_that_address(lan: Any) -> None:
    """Of two addresses one has ended; the other one is that which the kernel does not prolong."""
    keeper = make_keeper()
    lease = AddressLease(keeper, VHID, lan.LEFT, lan.index, [ip_address("fe80::1:2"), VIP6])
    other = AddressLease(keeper, VHID + 1, lan.LEFT, lan.index, [VIP4])
    for each in (lease, other):
        each.acquire()
    lease.hold_silently()
    with open("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "w") as setting:
        setting.write("1")
    failed = keeper.beat([lease, other])
    assert list(failed) == [lease] and "cannot hold fd00:77::3 on the loopback interface" in str(failed[lease])
    lease.release()
    other.release()
