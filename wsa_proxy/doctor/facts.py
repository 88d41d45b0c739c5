"""Everything that the checks are made from, gathered before the first of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from wsa_proxy.config.source import Problem
from wsa_proxy.doctor.ruleset import Chain
from wsa_proxy.net.host import HostFacts
from wsa_proxy.net.ports import MacVerdict
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.judge import Opinion

type Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Group:
    """One failover group, as far as the checks ask for it."""

    vhid: int
    interface: str
    """Empty when there is none to choose: then ``Facts.host_problems`` says why."""
    addresses: tuple[Address, ...]
    """The virtual IPs."""
    virtual_mac: bool
    peers: tuple[Address, ...]
    interval_s: float
    report_port: int | None
    """UDP port of the members' reports; None without a Shared Secret: then there are none."""
    expected: tuple[str, ...] = ()
    """The nodes that ``members.nodes`` names, but for this one."""


@dataclass(frozen=True, slots=True)
class Node:
    """The running node."""

    status: Mapping[str, Any]
    """Its document, ``runtime/status.py``."""
    missing_rights: tuple[str, ...] | None = ()
    """CAP_NET_ADMIN, CAP_NET_RAW; None when /proc does not tell."""
    oom_score_adj: int | None = None
    guardian_oom_score_adj: int | None = None
    user: int | None = None
    """The effective user id of its process."""
    memberships: frozenset[tuple[str, str]] | None = None
    """Interface and multicast address of all groups that this host has joined; None when /proc does not tell."""

    def group(self, vhid: int) -> Mapping[str, Any]:
        """Its part of the document; empty when the node does not have this group (the file was changed since)."""
        groups: list[Mapping[str, Any]] = self.status.get("groups", [])
        return next((each for each in groups if each.get("id") == vhid), {})


@dataclass(frozen=True, slots=True)
class Sound:
    """What one interface has told in some seconds."""

    seconds: float
    mac: str
    """The interface's own hardware address."""
    heard: tuple[tuple[Heard, Opinion], ...] = ()
    """Every packet of protocol 112, in its order, and what a node with the file believes of it."""
    masters: tuple[str, ...] = ()
    """Sentences about two believed masters side by side, at the end of the time."""
    answers: Mapping[Address, frozenset[str]] = field(default_factory=dict)
    """Who has answered for a virtual IP, by hardware address."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Hardware addresses in this host's neighbour table, and their IP addresses."""
    probes_sent: int = 0
    probes_back: int = 0
    """Own probes that came in again."""
    came_in: Mapping[int, int] = field(default_factory=dict)
    """Packets of protocol 112 without a VLAN tag that reached the interface, by IP version."""
    got_through: Mapping[int, int] = field(default_factory=dict)
    """The same behind the ingress hooks of the packet filter, where a node hears."""
    mac_verdict: MacVerdict | None = None
    """Of the test with another hardware address; None when it was not made."""
    mac_sentence: str = ""
    """What that test says when it was refused; else why it could not be made."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file or folder that others should not use."""

    path: Path
    holds: str
    """What is in it, for the sentence: ``the Shared Secret``."""
    mode: int | None
    """Permission bits; None when it could not be looked at, for the reason ``error``."""
    forbidden: int = 0o077
    """The bits that nobody else should have."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class AuthorityFacts:
    """mitmproxy's certificate authority in its confdir."""

    path: Path
    """mitmproxy-ca.pem: the key and the certificate."""
    begins: datetime | None = None
    ends: datetime | None = None
    missing: bool = False
    unreadable: str = ""
    """Why it cannot be read by whoever runs the proxy, or by us."""
    unusable: str = ""
    """What is wrong with its content."""


@dataclass(frozen=True, slots=True)
class FirewallFacts:
    """The packet filter's rules."""

    chains: tuple[Chain, ...] = ()
    unread: tuple[str, ...] = ()
    """Why some or all rules could not be read, with the way out."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it. What could not be gathered is None, with a reason beside it."""

    groups: tuple[Group, ...]
    host: HostFacts = field(default_factory=lambda: HostFacts(()))
    file: Path | None = None
    problems: tuple[Problem, ...] = ()
    """Of the file."""
    host_problems: tuple[Problem, ...] = ()
    """Of the file on this host: interface, subnet, prefix, address in use."""
    with_keys: bool = False
    """The file's secrets could be read, so that ``Opinion`` is a node's."""
    clock_tolerance_s: float = 3600.0
    node: Node | None = None
    no_node: str = "no node runs here"
    node_trouble: str = ""
    """A node's socket is there, and no answer came, for this reason."""
    missing_rights: tuple[str, ...] = ()
    """Of this process: CAP_NET_ADMIN, CAP_NET_RAW."""
    sounds: Mapping[str, Sound] = field(default_factory=dict)
    """By interface."""
    deaf: Mapping[str, str] = field(default_factory=dict)
    """Why an interface could not be listened to."""
    settings: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """net.ipv4.conf of (interface or ``all``, name)."""
    firewall: FirewallFacts = FirewallFacts()
    cannot_steer: str | None = None
    """What this host lacks to pass on the frames of open connections, as it was tried; None: nothing."""
    authority: AuthorityFacts | None = None
    no_authority: str = ""
    files: tuple[FileFacts, ...] = ()
    now: datetime | None = None
