"""The interfaces of this host that a failover group may name, for who offers them to choose from."""

from __future__ import annotations

from dataclasses import dataclass

from wsa_proxy.config.host_check import lasting_addresses
from wsa_proxy.config.host_check import usable_interfaces
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import read_host


@dataclass(frozen=True, slots=True)
class InterfaceChoice:
    """One that the key ``interface`` may name."""

    name: str
    addresses: tuple[str, ...]
    """With their prefixes, in the kernel's order, without the virtual IPs that it holds."""


def interface_choices(host: HostFacts | None = None) -> tuple[InterfaceChoice, ...]:
    """Ethernet interfaces, without the loopback one and a running node's virtual ones, by index.

    ``host`` is read from the kernel when None. Raises OSError when the kernel refuses.
    """
    return tuple(
        InterfaceChoice(interface.name, tuple(lasting_addresses(interface)))
        for interface in usable_interfaces(host or read_host())
    )
