"""A host with two interfaces, for the questions."""

from __future__ import annotations

from ipaddress import ip_interface

from wsa_proxy.net.host import AddressFacts
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import InterfaceFacts


def interface(name: str, index: int, *addresses: str, mac: str = "02:00:00:00:00:01") -> InterfaceFacts:
    facts = tuple(AddressFacts(ip_interface(each), ip_interface(each).network) for each in addresses)
    return InterfaceFacts(name, index, mac, True, True, name == "lo", facts)


LO = interface("lo", 1, "127.0.0.1/8", mac="")
ETH0 = interface("eth0", 2, "10.0.0.1/24", "fd00:77::1/64")
HOST = HostFacts((LO, ETH0))
TWO_WAYS = HostFacts((LO, ETH0, interface("eth1", 3, "10.0.0.7/24")))
