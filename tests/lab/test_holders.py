from __future__ import annotations

import time
from typing import Any

import pytest
from pyroute2 import IPRoute

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.lab.holders import LOOPBACK
from wsa_proxy.lab.holders import AddressEvent
from wsa_proxy.lab.holders import HolderLog
from wsa_proxy.lab.holders import Holding
from wsa_proxy.lab.holders import holdings
from wsa_proxy.lab.holders import overlap_s
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.topology import CLIENT
from wsa_proxy.lab.topology import ORIGIN
from wsa_proxy.lab.topology import Topology

VIP = "10.0.0.3"


def event(at_s: float, node: str, *, held: bool, address: str = VIP) -> AddressEvent:
    return AddressEvent(at_s, node, address, 2, held)


def test_a_renewal_does_not_begin_a_new_holding() -> None:
    """A lease is renewed twice a second; that is one holding."""
    log = [event(1, "a", held=True), event(1.5, "a", held=True), event(2, "a", held=False)]
    assert holdings(log, 9) == [Holding("a", VIP, 2, 1, 2, open=False)]


def test_what_is_still_held_at_the_end_is_open() -> None:
    """A removal of what was never held is nothing."""
    log = [event(0, "b", held=False), event(1, "a", held=True)]
    assert holdings(log, 9) == [Holding("a", VIP, 2, 1, 9, open=True)]


def test_overlap_is_the_time_in_which_two_nodes_hold_one_address() -> None:
    """Three holders count once, different addresses not at all, and only the window counts."""
    log = [
        event(1, "a", held=True),
        event(2, "b", held=True),
        event(3, "a", held=False),
        event(2.5, "c", held=True),
        event(2.75, "c", held=False),
        event(0, "c", held=True, address="fd00:77::3"),
    ]
    held = holdings(log, 9)
    assert overlap_s(held, 0, 9) == pytest.approx(1.0)
    assert overlap_s(held, 2.4, 2.6) == pytest.approx(0.2)
    assert overlap_s(held, 3, 9) == 0


def test_one_node_with_the_address_on_two_interfaces_is_no_overlap() -> None:
    """Two holders are two nodes."""
    log = [event(1, "a", held=True), AddressEvent(2, "a", VIP, 3, True)]
    assert overlap_s(holdings(log, 9), 0, 9) == 0


def test_what_is_on_the_loopback_interface_is_silent_and_no_overlap() -> None:
    """A node that leaves in order keeps it there for its last answers, when another one answers for it already."""
    log = [event(1, "a", held=True), AddressEvent(2, "b", VIP, LOOPBACK, True)]
    assert overlap_s(holdings(log, 9), 0, 9) == 0


@needs_namespaces
def test_the_log_hears_kernels_add_remove_and_expire_the_virtual_ip() -> None:
    """What was there before, what is removed and what expires: all of it is in the log, and nothing else is."""
    answer = run_inside(three_addresses)
    assert answer["later"] == [["10.0.0.9", True]], "what is watched later is heard from then on"
    assert [(each["node"], each["address"], each["held"]) for each in answer["events"]] == [
        ("client", VIP, True),
        ("origin", "fd00:77::3", True),
        ("client", VIP, False),
        ("origin", "fd00:77::3", False),
    ]
    began, _, removed, expired = (each["at_s"] for each in answer["events"])
    assert removed >= answer["removal_s"] > began
    assert expired - answer["lease_s"] == pytest.approx(1.0, abs=0.9)
    assert not answer["lost"]


def three_addresses() -> dict[str, Any]:
    topology = Topology([CLIENT, ORIGIN])
    topology.build()
    with inside(topology.networks["client"]), IPRoute() as netlink:
        eth0 = netlink.link_lookup(ifname="eth0")[0]
        netlink.addr("add", index=eth0, address=VIP, prefixlen=32)
        log = HolderLog(topology.networks, [VIP, "fd00:77::3"])
        _until(lambda: len(log.events) == 1)
        with inside(topology.networks["origin"]), IPRoute() as other:
            lease_s = time.monotonic()
            index = other.link_lookup(ifname="eth0")[0]
            for _ in range(2):  # The second one renews.
                other.addr(
                    "replace", index=index, address="fd00:77::3", prefixlen=128, flags=2, valid_lft=1, preferred_lft=0
                )
        _until(lambda: len(log.events) == 2)
        removal_s = time.monotonic()
        netlink.addr("delete", index=eth0, address=VIP, prefixlen=32)
        _until(lambda: log.holders() == {"origin"})
        _until(lambda: not log.holders())
        before = log.events
        netlink.addr("add", index=eth0, address="10.0.0.8", prefixlen=32)  # nobody's
        log.watch(["10.0.0.9"])
        netlink.addr("add", index=eth0, address="10.0.0.9", prefixlen=32)
        _until(lambda: log.holders() == {"client"} and not log.silent_holders())
        later = [(e.address, e.held) for e in log.events[len(before) :]]
        netlink.addr("delete", index=eth0, address="10.0.0.9", prefixlen=32)
        netlink.addr("add", index=LOOPBACK, address="10.0.0.9", prefixlen=32)
        _until(lambda: log.silent_holders() == {"client"} and not log.holders())
    events = [{"at_s": e.at_s, "node": e.node, "address": e.address, "held": e.held} for e in before]
    return {"later": later, "events": events, "removal_s": removal_s, "lease_s": lease_s, "lost": log.lost_messages}


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "5 s were not enough"
        time.sleep(0.005)
