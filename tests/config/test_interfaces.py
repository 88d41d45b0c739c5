"""What is offered to choose from is what the check would take."""

from __future__ import annotations

from tests.config.example import HOST
from tests.config.example import address
from tests.config.example import interface
from wsa_proxy.config.interfaces import InterfaceChoice
from wsa_proxy.config.interfaces import interface_choices
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import read_host


def test_ethernet_interfaces_with_their_lasting_addresses() -> None:
    """No loopback, no tunnel, no interface of a virtual MAC; no virtual IP that the node holds just now."""
    virtual = interface("carp1", address("10.0.0.3/32"), mac="00:00:5e:00:01:01")
    host = HostFacts((*HOST.interfaces, virtual, interface("eth2")))
    assert interface_choices(host) == (
        InterfaceChoice("eth0", ("10.0.0.1/24", "fd00:77::1/64")),
        InterfaceChoice("eth1", ("192.168.7.1/24",)),
        InterfaceChoice("eth2", ()),
    )


def test_the_kernel_is_asked_when_nobody_else_says() -> None:
    """In this namespace, at this moment."""
    assert interface_choices() == interface_choices(read_host())
