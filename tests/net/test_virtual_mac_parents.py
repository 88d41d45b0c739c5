"""The virtual MAC on parents that are not a network card: what stands between must carry it, too."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.learning_switch import Switch
from tests.learning_switch import Tap
from tests.learning_switch import reaches
from tests.learning_switch import vmac_frames
from tests.net.virtual_node import BOTH
from tests.net.virtual_node import MAC
from tests.net.virtual_node import MLD_REPORTS_S
from tests.net.virtual_node import NAME
from tests.net.virtual_node import VIP4
from tests.net.virtual_node import Node
from tests.net.virtual_node import watch
from wsa_proxy.net.ports import Address
from wsa_proxy.net.virtual_interface import VirtualInterface

# How a host gets the parent in front of its eth0; with a VLAN all hosts are in it.
MAKE = {
    "bridge": ["link add name parent type bridge forward_delay 0", "link set dev eth0 master parent"],
    "macvlan": ["link add name parent link eth0 type macvlan mode bridge"],
    "vlan": ["link add name parent link eth0 type vlan id 5"],
    "bond": ["link add name parent type bond mode active-backup", "link set eth0 down", "link set eth0 master parent"],
}


def kernel_has(kind: str) -> bool:
    """Whether this kernel can make such an interface: it is asked, not looked up."""
    options = {"vlan": "link left type vlan id 5", "macvlan": "link left type macvlan"}.get(kind, f"type {kind}")
    done = subprocess.run(["ip", "link", "add", "name", "asked", *options.split()], capture_output=True, text=True)
    assert done.returncode == 0 or "Unknown device type" in done.stderr, done.stderr
    subprocess.run(["ip", "link", "delete", "asked"], capture_output=True, check=done.returncode == 0)
    return done.returncode == 0


def move_to_parent(lan: Any, switch: Switch, name: str, kind: str) -> None:
    """The host's addresses are on the parent from now on."""
    number = switch.HOSTS.index(name) + 1
    with switch.on(name):
        lan.ip("address flush dev eth0")
        for line in MAKE[kind]:
            lan.ip(line)
        lan.ip("link set eth0 up")
        lan.ip("link set parent addrgenmode none up")
        lan.ip(f"address add 10.0.0.{number}/24 dev parent")
        lan.ip(f"address add fd00:77::{number}/64 dev parent nodad")
        lan.ip(f"address add fe80::{number}/64 dev parent nodad")
        lan.wait_up("parent")


@pytest.mark.parametrize("wanted", MAKE)
def test_failover_on_another_parent(lan: Any, wanted: str) -> None:
    """Silent as a backup, reached as master, and one advertisement moves the client.

    A kernel without VLANs or bonds says so, and then a bridge takes their place: what is below is another one's port.
    """
    kind = wanted if kernel_has(wanted) else "bridge"
    switch = Switch(lan)
    for name in switch.HOSTS if kind == "vlan" else ("a", "b"):
        move_to_parent(lan, switch, name, kind)
    silent = [Tap("a"), Tap("b")]
    a, b = Node(switch, "a", "parent"), Node(switch, "b", "parent")
    assert a.warnings == b.warnings == []

    def reached(node: Node) -> list[bool]:
        """By the client; a busy machine takes longer for it than the lease lasts, and for one question in three."""
        return [any(reached_once(node, address) for _ in range(3)) for address in BOTH]

    questions: list[Address] = []

    def reached_once(node: Node, address: Address) -> bool:
        node.lease.renew()
        questions.append(address)
        with switch.on("client"):
            return reaches(address)

    a.promote()
    assert reached(a) == [True, True]
    assert switch.port_of(MAC) == "a"
    assert 2 <= len(vmac_frames(silent[0].queued(), MAC)) - 3 <= len(questions), "said as master, and the answers"
    a.demote()
    b.promote()
    assert switch.port_of(MAC) == "b"
    asked = Tap("client")
    assert reached(b) == [True, True]
    with switch.on("client"):
        assert reaches(VIP4)
    assert not any(frame[0] & 1 and frame[12:14] == b"\x08\x06" for frame in asked.queued())
    assert watch(silent[0], MLD_REPORTS_S) == []
    with switch.on("a"):
        a.interface.remove()
        names = [entry["ifname"] for entry in json.loads(lan.ip("-json link show"))]
        assert NAME not in names and "parent" in names


def test_a_leftover_above_a_macvlan_is_adopted(lan: Any) -> None:
    """The kernel puts it on what the parent itself is on, and it is still ours."""
    lan.ip("link add name other link left type macvlan mode bridge")
    index = int(lan.ip("-oneline link show dev other").split(":")[0])
    earlier = VirtualInterface("other", index, 42)
    earlier.create()
    later = VirtualInterface("other", index, 42)
    later.create()
    assert later.index == earlier.index
