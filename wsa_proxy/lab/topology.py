"""The lab's LAN: a bridge named ``lan``, and each host a network namespace whose ``eth0`` is attached to it.

The bridge's end of a host's cable carries the host's name, so a cable is pulled with ``cable("a", up=False)``: the
host then loses its carrier, exactly as with a real cable.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from ipaddress import IPv6Interface
from pathlib import Path

from pyroute2 import IPRoute

from wsa_proxy.lab.namespace import create_network
from wsa_proxy.lab.namespace import inside

BRIDGE = "lan"
IFA_F_NODAD = 0x02
NODE_NAMES = "abcdefgh"
"""At most eight nodes: their priorities are 255, 200, 150, 100, 50, 40, 30 and 20."""
NODE_NUMBERS = (1, 2, 4, 5, 6, 7, 8, 9)
"""The last part of a node's addresses; 3 is the virtual IP."""


@dataclass(frozen=True, slots=True)
class Host:
    """One host of the LAN: a name of at most 15 characters and its permanent addresses."""

    name: str
    ipv4: IPv4Interface
    ipv6: IPv6Interface


def host(name: str, number: int) -> Host:
    """A host of the example network: 10.0.0.NUMBER/24 and fd00:77::NUMBER/64 with the same digits."""
    return Host(name, IPv4Interface(f"10.0.0.{number}/24"), IPv6Interface(f"fd00:77::{number}/64"))


CLIENT = host("client", 50)
ORIGIN = host("origin", 80)


def node_hosts(count: int) -> list[Host]:
    """The hosts of the nodes a, b, ..."""
    return [host(name, number) for name, number in zip(NODE_NAMES[:count], NODE_NUMBERS[:count], strict=True)]


class Topology:
    """The bridge and the hosts. Built in the calling process's network namespace, which must be the lab's own."""

    def __init__(self, hosts: Sequence[Host], elsewhere: Mapping[str, Path] | None = None) -> None:
        """``elsewhere``: hosts whose network namespace exists already and is used by others as well: there the lab only
        adds an interface, by the name of ``interface``, which goes with the lab."""
        self.hosts = {each.name: each for each in hosts}
        self.networks: dict[str, Path] = dict(elsewhere or {})
        self._elsewhere = frozenset(self.networks)
        self._plugged = {each.name: True for each in hosts}

    def build(self) -> None:
        """Make everything. Raises pyroute2's NetlinkError when the kernel refuses a part of it."""
        with IPRoute() as here:
            _loopback_up(here)
            # Without snooping every multicast reaches every host, as on a plain switch.
            here.link("add", ifname=BRIDGE, kind="bridge", br_mcast_snooping=0, br_forward_delay=0)
            here.link("set", index=_index(here, BRIDGE), state="up")
            for each in self.hosts.values():
                if each.name not in self._elsewhere:
                    self.networks[each.name] = create_network(each.name)
                self._attach(here, each)

    def interface(self, name: str) -> str:
        """Of the host's own end of its cable."""
        return f"wsa-lab-{name}" if name in self._elsewhere else "eth0"

    def _attach(self, here: IPRoute, each: Host) -> None:
        network, interface = self.networks[each.name], self.interface(each.name)
        here.link("add", ifname=each.name, kind="veth", peer={"ifname": interface, "net_ns_fd": str(network)})
        port = _index(here, each.name)
        here.link("set", index=port, master=_index(here, BRIDGE), state="up")
        with inside(network), IPRoute() as there:
            if each.name not in self._elsewhere:
                _allow_ipv6()
                _loopback_up(there)
            eth0 = _index(there, interface)
            there.link("set", index=eth0, state="up")
            for address in (each.ipv4, each.ipv6):
                # Without duplicate address detection the IPv6 address works at once.
                flags = {} if address.version == 4 else {"flags": IFA_F_NODAD}
                there.addr("add", index=eth0, address=str(address.ip), prefixlen=address.network.prefixlen, **flags)

    def plugged(self, name: str) -> bool:
        """Tell whether the host's cable is in."""
        return self._plugged[name]

    def cable(self, name: str, *, up: bool) -> None:
        """Pull (``up=False``) or plug the host's cable, at the bridge's end."""
        with IPRoute() as here:
            here.link("set", index=_index(here, name), state="up" if up else "down")
        self._plugged[name] = up


def _index(netlink: IPRoute, name: str) -> int:
    found = netlink.link_lookup(ifname=name)
    if not found:
        raise LookupError(f"the lab has no interface {name}")
    return int(found[0])


def _loopback_up(netlink: IPRoute) -> None:
    netlink.link("set", index=_index(netlink, "lo"), state="up")


def _allow_ipv6() -> None:
    """Turn IPv6 on in this network namespace where the machine has it off by default."""
    for scope in ("all", "default", "eth0"):
        setting = Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6")
        try:
            if setting.read_text().strip() != "0":
                setting.write_text("0")
        except OSError:
            return  # A kernel without IPv6, or /proc/sys read-only: adding the IPv6 address will tell.
