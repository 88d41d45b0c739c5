"""The questions of ``wsa-proxy init``, in the order of the WSA's form, and what is proposed for each."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from ipaddress import IPv6Network
from ipaddress import ip_address

from wsa_proxy.net.host import HostFacts

SECRET_RANDOM_BYTES = 14
"""19 characters of base64, all that CARP uses; 112 bits."""

type Answers = Mapping[str, str]
type Network = IPv4Network | IPv6Network
type Propose = Callable[[Answers, HostFacts], str | None]


@dataclass(frozen=True, slots=True)
class Question:
    """One value of the file."""

    key: str
    """As in the file."""
    place: str
    """As a problem names it: ``groups[0].id``."""
    asks: str
    explains: str
    propose: Propose
    """What is taken for an empty answer, from the answers before it; None: one must be given."""


def _nothing(_: Answers, __: HostFacts) -> str | None:
    return None


def _always(value: str) -> Propose:
    return lambda _, __: value


def _host_name(_: Answers, __: HostFacts) -> str | None:
    return socket.gethostname().partition(".")[0] or None


def _address_as_name(answers: Answers, _: HostFacts) -> str | None:
    """An IPv4 address is a name that needs no name server."""
    first = answers.get("virtual_ip", "").split(",")[0].partition("/")[0].strip()
    try:
        return first if ip_address(first).version == 4 else None
    except ValueError:
        return None


def _generated(_: Answers, __: HostFacts) -> str | None:
    return secrets.token_urlsafe(SECRET_RANDOM_BYTES)


QUESTIONS = (
    Question("node", "node", "Name of this host", "Under it logs, status and the other nodes know it.", _host_name),
    Question(
        "virtual_ip",
        "groups[0].virtual_ip",
        "Virtual IP Address and Netmask",
        "The address that browsers use: a free one of the LAN, which no host has and no DHCP server gives away.",
        _nothing,
    ),
    Question(
        "interface",
        "groups[0].interface",
        "Interface",
        "Where the virtual IP is held; auto = Select Interface Automatically, by the virtual IP's subnet.",
        _always("auto"),
    ),
    Question(
        "hostname",
        "groups[0].hostname",
        "Hostname",
        "The name under which browsers know the proxy; it should resolve to the virtual IP.",
        _address_as_name,
    ),
    Question(
        "id",
        "groups[0].id",
        "Failover Group ID",
        "1 to 255: the same on all hosts of the group, and used by no other CARP or VRRP on this LAN.",
        _always("1"),
    ),
    Question(
        "priority",
        "groups[0].priority",
        "Priority",
        "255 on the usual master, 1 to 254 on backups, such as 200; the highest healthy host serves.",
        _always("255"),
    ),
    Question(
        "shared_secret",
        "groups[0].shared_secret",
        "Shared Secret (not shown; empty: a new one is made)",
        "12 to 19 bytes, the same on all hosts of the group: without it nobody can take the address over.",
        _generated,
    ),
    Question("port", "groups[0].port", "Port", "Where the proxy listens on the virtual IP.", _always("8080")),
)


def networks_text(host: HostFacts) -> str:
    """``networks here: eth0 10.0.0.0/24; for instance 10.0.0.250/24, if it is free``; empty when there is none."""
    networks = _networks(host)
    if not networks:
        return ""
    named = ", ".join(f"{name} {network}" for name, network in networks)
    example = next((_example(network, host) for _, network in networks if isinstance(network, IPv4Network)), None)
    return f"networks here: {named}" + (f"; for instance {example}, if it is free" if example else "")


def _networks(host: HostFacts) -> list[tuple[str, Network]]:
    """Of Ethernet interfaces, each with its name. A virtual IP that is held here is no network: it is one address."""
    return [
        (each.name, facts.network)
        for each in host.interfaces
        if each.mac and not each.loopback
        for facts in each.addresses
        if facts.network.num_addresses > 1 and not facts.network.is_link_local
    ]


def _example(network: IPv4Network, host: HostFacts) -> str | None:
    """A high address of the network that is not this host's; the highest is often a router's, as is the lowest."""
    ours = {facts.address.ip for each in host.interfaces for facts in each.addresses}
    for number in range(network.num_addresses - 6, 1, -1):
        if network[number] not in ours:
            return f"{network[number]}/{network.prefixlen}"
    return None


def with_prefix(answer: str, host: HostFacts) -> str:
    """An address without a prefix gets that of the network of this host in which it is; other text stays."""
    try:
        address = ip_address(answer)
    except ValueError:
        return answer
    lengths = [network.prefixlen for _, network in _networks(host) if address in network]
    return f"{address}/{lengths[0]}" if lengths else answer
