"""Judges a configuration by this host's facts: which interface, whether the virtual IP is free, its prefix.

An interface fits a virtual IP when one of its networks contains it. Addresses from DHCP count as well as permanent
ones; a virtual IP that this node holds right now does not, so that the live master's file is as right as a backup's.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from ipaddress import IPv4Network
from ipaddress import IPv6Interface
from ipaddress import IPv6Network
from ipaddress import ip_interface

from wsa_proxy.config.schema import TopKeys
from wsa_proxy.config.source import Document
from wsa_proxy.config.source import KeyPath
from wsa_proxy.net.host import AddressFacts
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.host import InterfaceFacts
from wsa_proxy.net.netlink import LEASE_VALID_S_MAX
from wsa_proxy.net.virtual_interface import VIRTUAL_MAC_PREFIX
from wsa_proxy.settings import VirtualIP

SAME_SUBNET = "you must choose an interface in the same subnet as the virtual IP address"


def check_host(document: Document, keys: TopKeys, without_prefix: dict[KeyPath, str], host: HostFacts) -> list[str]:
    """The interface of each group, ``""`` where there is none to choose; what is wrong is told in the document."""
    for place, usual in without_prefix.items():
        document.error(place, f"must have a prefix; write {_with_prefix(usual, host)}")
    interfaces = []
    for n, group in enumerate(keys.groups or ()):
        path: KeyPath = ("groups", n)
        virtual_ips = {
            (*path, "virtual_ip", i): virtual_ip for i, virtual_ip in enumerate(group.virtual_ip) if virtual_ip
        }
        at = (*path, "interface")
        if group.interface == "auto":
            chosen = _choose(document, virtual_ips, host)
        else:
            chosen = _named(document, at, group.interface, virtual_ips, host)
        for place, virtual_ip in virtual_ips.items():
            _check_free(document, place, virtual_ip, _where_it_counts(virtual_ip, chosen, host))
        interfaces.append(chosen.name if chosen else "")
        if chosen:
            _check_interface(document, at, chosen, virtual_ips)
    virtual = next((n for n, group in enumerate(keys.groups or ()) if group.mac == "virtual" and interfaces[n]), None)
    if virtual is not None:
        for sentence in host.in_the_way:  # of the host: once, at the first group that is concerned
            document.warning(("groups", virtual), sentence)
    return interfaces


def _with_prefix(usual: str, host: HostFacts) -> str:
    """The address with the prefix of the interface in whose network it is, else with the usual one."""
    virtual_ip = ip_interface(usual)
    networks = [network for interface in usable_interfaces(host) for network in _networks(interface, virtual_ip)]
    return f"{virtual_ip.ip}/{networks[0].prefixlen}" if networks else usual


def usable_interfaces(host: HostFacts) -> list[InterfaceFacts]:
    """The interfaces on which neighbours can be told who has an address: Ethernet ones, but for a running node's."""
    return [
        interface
        for interface in host.interfaces
        if interface.mac and not interface.loopback and not interface.mac.startswith(VIRTUAL_MAC_PREFIX)
    ]


def _is_lease(facts: AddressFacts) -> bool:
    """Whether it can be a virtual IP that a wsa-proxy of this host holds, or held until it was killed."""
    return facts.valid_s is not None and facts.valid_s <= LEASE_VALID_S_MAX


def _where_it_counts(virtual_ip: VirtualIP, chosen: InterfaceFacts | None, host: HostFacts) -> Sequence[InterfaceFacts]:
    """The interfaces on which nobody else may have the address: a link-local one is another one on each of them."""
    if isinstance(virtual_ip, IPv6Interface) and virtual_ip.ip.is_link_local:
        return [chosen] if chosen else []
    return host.interfaces


def _check_free(document: Document, at: KeyPath, virtual_ip: VirtualIP, interfaces: Sequence[InterfaceFacts]) -> None:
    for interface in interfaces:
        for facts in interface.addresses:
            # Ours is always that of a single host: a short lifetime with a LAN's prefix is a DHCP lease about to end.
            alone = facts.address.network.num_addresses == 1
            if facts.address.ip == virtual_ip.ip and not (alone and _is_lease(facts)):
                kind = "a permanent address" if facts.permanent else "an address with a lease (DHCP)"
                document.error(
                    at,
                    f"is already {kind} of {interface.name} on this host; a virtual IP belongs to the group alone:"
                    f" take a free address, or remove it there (ip address del {facts.address} dev {interface.name})",
                )


def _networks(interface: InterfaceFacts, virtual_ip: VirtualIP) -> list[IPv4Network | IPv6Network]:
    """The interface's networks that contain the virtual IP."""
    return [
        facts.network
        for facts in interface.addresses
        if facts.network.version == virtual_ip.version
        and virtual_ip.ip in facts.network
        and not (facts.address.ip == virtual_ip.ip and _is_lease(facts))
    ]


def _choose(document: Document, virtual_ips: dict[KeyPath, VirtualIP], host: HostFacts) -> InterfaceFacts | None:
    """``auto``: the one interface in whose subnet all virtual IPs of the group are."""
    fitting: dict[KeyPath, list[InterfaceFacts]] = {}
    for at, virtual_ip in virtual_ips.items():
        fitting[at] = [interface for interface in usable_interfaces(host) if _networks(interface, virtual_ip)]
        if not fitting[at]:
            document.error(
                at,
                "no interface of this host is in its subnet; correct the virtual IP, or give an interface an address"
                f" in its subnet; there are {_list(host)}",
            )
    if not fitting or not all(fitting.values()):
        return None
    common = [each for each in usable_interfaces(host) if all(each in interfaces for interfaces in fitting.values())]
    group: KeyPath = next(iter(fitting))[:2]
    if not common:
        leads = ", ".join(f"{virtual_ips[at].ip} to {fitting[at][0].name}" for at in fitting)
        document.error(
            (*group, "virtual_ip"), f"all virtual IPs of a group must be on one interface; {leads}", value=""
        )
        return None
    if len(common) > 1:
        names = " and ".join(interface.name for interface in common)
        at = (*group, "interface")
        document.error(at, f"several interfaces are in the subnet of the virtual IP: {names}; name one", value="auto")
        return None
    return common[0]


def _named(
    document: Document, at: KeyPath, name: str, virtual_ips: dict[KeyPath, VirtualIP], host: HostFacts
) -> InterfaceFacts | None:
    chosen = next((interface for interface in host.interfaces if interface.name == name), None)
    if chosen is None:
        # eth0:1 is an address label of former times, and the interface is eth0.
        meant = name.partition(":")[0]
        names = ["auto", *(interface.name for interface in usable_interfaces(host))]
        near = [meant] if meant in names else difflib.get_close_matches(meant.lower(), names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        document.error(at, f"there is no such interface on this host; there are {_list(host)}{hint}")
        return None
    if chosen.loopback or not chosen.mac:
        kind = "the loopback interface" if chosen.loopback else "not an Ethernet interface"
        document.error(at, f"is {kind}, where no neighbour sees a virtual IP; there are {_list(host)}")
        return None
    outside = [virtual_ip for virtual_ip in virtual_ips.values() if not _networks(chosen, virtual_ip)]
    if outside:
        right = [each.name for each in usable_interfaces(host) if all(_networks(each, each_ip) for each_ip in outside)]
        hint = f"; in that subnet is {' and '.join(right)}" if right else ""
        document.error(
            at, f"{SAME_SUBNET}: {', '.join(map(str, outside))} is not in a subnet of {_describe(chosen)}{hint}"
        )
        return None
    return chosen


def _check_interface(
    document: Document, at: KeyPath, interface: InterfaceFacts, virtual_ips: dict[KeyPath, VirtualIP]
) -> None:
    """What is worth a word although the interface is the right one."""
    if not interface.up:
        document.warning(at, f"{interface.name} is down; the group stays in INIT until it is up", value="")
    elif not interface.carrier:
        document.warning(at, f"{interface.name} has no carrier; the group stays in INIT until it has", value="")
    for place, virtual_ip in virtual_ips.items():
        networks = _networks(interface, virtual_ip)
        for network in networks:
            if network.num_addresses > 2 and virtual_ip.ip == network.network_address:
                document.error(place, f"is the address of {interface.name}'s network {network} itself")
            elif network.num_addresses > 2 and network.version == 4 and virtual_ip.ip == network.broadcast_address:
                document.error(place, f"is the broadcast address of {interface.name}'s network {network}")
        prefixes = {network.prefixlen for network in networks}
        host_prefix = virtual_ip.network.num_addresses == 1  # says nothing about the subnet
        if not host_prefix and virtual_ip.network.prefixlen not in prefixes:
            right = f"{virtual_ip.ip}/{min(prefixes)}"
            document.warning(place, f"the prefix differs from that of {interface.name}; there it is {right}")


def _list(host: HostFacts) -> str:
    return ", ".join(_describe(interface) for interface in usable_interfaces(host)) or "none but the loopback interface"


def _describe(interface: InterfaceFacts) -> str:
    return f"{interface.name} ({', '.join(lasting_addresses(interface)) or 'no address'})"


def lasting_addresses(interface: InterfaceFacts) -> list[str]:
    """Its addresses with their prefixes, but for virtual IPs that it holds."""
    return [str(facts.address) for facts in interface.addresses if not _is_lease(facts)]
