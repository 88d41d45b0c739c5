from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.lab.namespace import create_network
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.topology import CLIENT
from wsa_proxy.lab.topology import ORIGIN
from wsa_proxy.lab.topology import Topology
from wsa_proxy.lab.topology import node_hosts

pytestmark = needs_namespaces


def test_two_hosts_talk_over_both_families_and_a_pulled_cable_takes_the_carrier() -> None:
    """Hosts reach each other over IPv4 and IPv6; pulling a cable is seen as a lost carrier, plugging brings it back."""
    answer = run_inside(talk)
    assert answer["10.0.0.80"] == "hello 10.0.0.50"
    assert answer["fd00:77::80"] == "hello fd00:77::50"
    assert answer["carrier"] == ["1", "0", "1"]


def test_the_nodes_leave_the_virtual_ip_free() -> None:
    """No node has the number of the virtual IP, 3."""
    assert [str(each.ipv4.ip) for each in node_hosts(8)] == [f"10.0.0.{number}" for number in (1, 2, 4, 5, 6, 7, 8, 9)]


def test_a_host_may_stand_in_a_network_that_there_is_already() -> None:
    """Only an interface is added there, with a name of its own; the others are as ever."""
    answer = run_inside(borrow)
    assert answer == {"before": ["lo"], "after": ["lo", "wsa-lab-client"], "loopback": False, "hello": "10.0.0.50"}


def borrow() -> dict[str, Any]:
    """The client in a network whose loopback interface somebody else has left down."""
    theirs = create_network("theirs")
    with inside(theirs):
        before = [name for _, name in socket.if_nameindex()]
    topology = Topology([CLIENT, ORIGIN], {"client": theirs})
    topology.build()
    with inside(topology.networks["origin"]):
        server = socket.create_server(("10.0.0.80", 80))
    with inside(theirs):
        after = [name for _, name in socket.if_nameindex()]
        with IPRoute() as netlink:
            loopback = netlink.get_links(ifname="lo")[0].get_attr("IFLA_OPERSTATE") != "DOWN"
        client = socket.create_connection(("10.0.0.80", 80), timeout=5)
    peer = server.accept()[1]
    client.close()
    return {"before": before, "after": after, "loopback": loopback, "hello": peer[0]}


def talk() -> dict[str, Any]:
    topology = Topology([CLIENT, ORIGIN])
    topology.build()
    answer: dict[str, Any] = {}
    for address, family in (("10.0.0.80", socket.AF_INET), ("fd00:77::80", socket.AF_INET6)):
        with inside(topology.networks["origin"]):
            server = socket.create_server((address, 80), family=family)
        with inside(topology.networks["client"]):
            client = socket.create_connection((address, 80), timeout=5)
        accepted, peer = server.accept()
        accepted.sendall(f"hello {peer[0]}".encode())
        answer[address] = client.recv(100).decode()
    answer["carrier"] = [_carrier(topology, "1")]
    topology.cable("client", up=False)
    answer["carrier"].append(_carrier(topology, "0"))
    topology.cable("client", up=True)
    answer["carrier"].append(_carrier(topology, "1"))
    return answer


def _carrier(topology: Topology, expected: str) -> str:
    """Wait at most 3 s for the expected carrier of the client; return what it is."""
    deadline = time.monotonic() + 3
    while True:
        with inside(topology.networks["client"]):
            flags = Path("/proc/thread-self/net/dev_mcast").exists() and _running()
        if str(int(flags)) == expected or time.monotonic() > deadline:
            return str(int(flags))
        time.sleep(0.01)


def _running() -> bool:
    with IPRoute() as netlink:
        return bool(netlink.link("get", index=netlink.link_lookup(ifname="eth0")[0])[0].get_attr("IFLA_CARRIER"))
