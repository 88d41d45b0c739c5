from __future__ import annotations

import asyncio
import errno
import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.net.in_process import make_keeper
from wsa_proxy.net.addresses import AddressLease
from wsa_proxy.net.virtual_interface import VirtualInterface
from wsa_proxy.net.virtual_interface import virtual_mac

VIP4 = ip_address("10.0.0.100")
VIP6 = ip_address("fd00:77::100")
BOTH = (VIP4, VIP6)
MAC = "00:00:5e:00:01:2a"
VHID = 42
NAME = "carp42"


def open_interface(lan: Any) -> VirtualInterface:
    return VirtualInterface(lan.LEFT, lan.index, VHID, BOTH)


def link(lan: Any, name: str = NAME) -> dict[str, Any]:
    """iproute2's view of the interface, empty when there is none."""
    names = [entry["ifname"] for entry in json.loads(lan.ip("-json link show"))]
    found: dict[str, Any] = json.loads(lan.ip(f"-json -details link show dev {name}"))[0] if name in names else {}
    return found


def is_up(lan: Any) -> bool:
    return "UP" in link(lan).get("flags", ())


def value(interface: str, setting: str, family: int = 4) -> str:
    return Path(f"/proc/sys/net/ipv{family}/conf/{interface}/{setting}").read_text().strip()


def test_virtual_mac() -> None:
    """The hardware address ends with the Failover Group ID, as the BSDs and VRRP have it."""
    assert [virtual_mac(vhid) for vhid in (1, 42, 255)] == ["00:00:5e:00:01:01", MAC, "00:00:5e:00:01:ff"]


def test_made_as_the_kernel_shows_it(lan: Any) -> None:
    """create makes a macvlan in bridge mode with the virtual MAC: down, without any address, and with its settings."""
    for setting, family in (("rp_filter", 4), ("accept_ra", 6)):
        Path(f"/proc/sys/net/ipv{family}/conf/default/{setting}").write_text("1")
    interface = open_interface(lan)
    assert not is_up(lan)
    assert interface.create() == []
    seen = link(lan)
    assert (seen["address"], seen["link"], seen["linkinfo"]["info_kind"]) == (MAC, lan.LEFT, "macvlan")
    assert seen["linkinfo"]["info_data"]["mode"] == "bridge"
    assert seen["inet6_addr_gen_mode"] == "none"
    assert (seen["ifindex"], interface.name, interface.mac) == (interface.index, NAME, MAC)
    assert not is_up(lan)
    assert lan.addresses(NAME) == []
    assert [value(NAME, each) for each in ("arp_ignore", "arp_announce", "rp_filter")] == ["1", "2", "0"]
    assert value(NAME, "accept_ra", 6) == "0"
    assert [value(lan.LEFT, each) for each in ("arp_ignore", "arp_announce")] == ["1", "2"]


def test_up_down_remove(lan: Any) -> None:
    """It comes up, goes down and is removed, and down and remove do no harm when there is nothing left to do."""
    interface = open_interface(lan)
    interface.down()
    interface.remove()
    interface.create()
    interface.up()
    assert is_up(lan)
    interface.up()
    interface.down()
    interface.down()
    assert not is_up(lan)
    interface.up()
    interface.remove()
    assert link(lan) == {} and not is_up(lan) and interface.index == 0
    interface.remove()
    interface.create()
    lan.ip(f"link delete {NAME}")
    interface.down()
    interface.remove()
    interface.close()
    interface.close()


def test_a_leftover_is_adopted(lan: Any) -> None:
    """What an earlier life left keeps its index, and is down and without addresses before anything else happens."""
    earlier = open_interface(lan)
    earlier.create()
    AddressLease(make_keeper(), VHID, NAME, earlier.index, BOTH).acquire()
    earlier.up()
    lan.ip(f"address add 10.9.9.9/32 dev {NAME}")
    earlier.close()
    interface = open_interface(lan)
    assert interface.create() == []
    assert interface.index == earlier.index
    assert not is_up(lan) and lan.addresses(NAME) == []


@pytest.mark.parametrize(("parent", "mode"), [("other", "bridge"), ("left", "vepa")])
def test_ours_but_not_as_we_want_it(lan: Any, parent: str, mode: str) -> None:
    """One of ours on another parent or in another mode is replaced."""
    lan.ip("link add name other type bridge")
    lan.ip(f"link add name {NAME} link {parent} address {MAC} type macvlan mode {mode}")
    before = link(lan)["ifindex"]
    interface = open_interface(lan)
    interface.create()
    seen = link(lan)
    assert seen["ifindex"] == interface.index != before
    assert (seen["link"], seen["linkinfo"]["info_data"]["mode"]) == (lan.LEFT, "bridge")


@pytest.mark.parametrize(
    ("options", "kind"),
    [(f"address {MAC} type bridge", "bridge"), ("link left address 02:00:00:00:00:01 type macvlan", "macvlan")],
)
def test_a_strangers_name_is_refused(lan: Any, options: str, kind: str) -> None:
    """Anything else of that name stays, and the error says what it is and what to do."""
    lan.ip(f"link add name {NAME} {options}")
    with pytest.raises(OSError, match=rf"{NAME} is a {kind} interface .*ip link delete {NAME}") as raised:
        open_interface(lan).create()
    assert raised.value.errno == errno.EEXIST
    assert link(lan)["linkinfo"]["info_kind"] == kind


def test_a_twin_is_refused(lan: Any) -> None:
    """A second macvlan with the same hardware address on the parent makes up() an error that names who it may be."""
    lan.ip(f"link add name vrrp.42 link {lan.LEFT} address {MAC} type macvlan mode bridge")
    lan.ip("link set vrrp.42 up")
    interface = open_interface(lan)
    interface.create()
    with pytest.raises(OSError, match=rf"{NAME} on left.*{MAC}: another wsa-proxy or keepalived") as raised:
        interface.up()
    assert raised.value.errno == errno.EADDRINUSE
    assert not is_up(lan)


def test_a_parent_that_cannot_have_one(lan: Any) -> None:
    """A port of a bridge cannot be a parent, and the error asks whether it is one; nothing is left behind."""
    lan.ip("link add name other type bridge")
    lan.ip(f"link set {lan.LEFT} master other")
    with pytest.raises(OSError, match="is left a port of a bridge or bond") as raised:
        open_interface(lan).create()
    assert raised.value.errno == errno.EBUSY
    assert link(lan) == {}


def test_parent_gone(lan: Any) -> None:
    """With its parent the macvlan is gone: it is not up, going down is no error, and coming up is one."""
    interface = open_interface(lan)
    interface.create()
    interface.up()
    lan.ip(f"link delete {lan.LEFT}")
    assert not is_up(lan)
    interface.down()
    with pytest.raises(OSError, match=rf"{NAME} on {lan.LEFT}: .*ENODEV"):
        interface.up()
    interface.remove()


def test_without_privilege(lan: Any) -> None:
    """Without CAP_NET_ADMIN the error says so and names the interface."""
    lan.lose_privileges()
    with pytest.raises(PermissionError, match=rf"cannot make {NAME} on {lan.LEFT}: .*EPERM.*CAP_NET_ADMIN"):
        open_interface(lan).create()


def test_a_host_without_ipv6(lan: Any) -> None:
    """Where IPv6 is off, a group of IPv4 addresses works and nothing is complained about."""
    for name in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    interface = VirtualInterface(lan.LEFT, lan.index, VHID, [VIP4])
    assert interface.create() == []
    interface.up()
    assert is_up(lan)


def test_in_a_running_loop(lan: Any) -> None:
    """All of it works inside a running event loop, which pyroute2's own synchronous class refuses."""

    async def body() -> None:
        interface = open_interface(lan)
        interface.create()
        interface.up()
        assert is_up(lan)
        interface.remove()

    asyncio.run(body())
    assert link(lan) == {}
