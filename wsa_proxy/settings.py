"""The frozen settings that a checked configuration file becomes.

``config`` makes them and is the only place that knows both the outside words (priority, advertisement interval)
and CARP's (advskew, advbase); everybody else reads CARP's here.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from ipaddress import IPv4Address
from ipaddress import IPv4Interface
from ipaddress import IPv4Network
from ipaddress import IPv6Address
from ipaddress import IPv6Interface
from ipaddress import IPv6Network
from pathlib import Path
from typing import Literal

STATE_DIR_USUAL = "/var/lib/wsa-proxy"
SOCKET_NAME = "control.sock"

type VirtualIP = IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class MembersSettings:
    """What the nodes of a group tell each other beside CARP."""

    port: int = 8112
    """UDP, on the group's interface."""
    nodes: tuple[str, ...] = ()
    """The names of those that there should be, this one among them or not; empty: whoever is heard."""
    allow_ca_mismatch: bool = False
    """A node whose mitmproxy has another certificate authority is as good as any."""


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """One failover group, in CARP's words, with the outside ones that people want to read again."""

    vhid: int
    """Failover Group ID, 1..255."""
    description: str
    hostname: str
    virtual_ips: tuple[VirtualIP, ...]
    """As configured, with prefix, in the file's order; at least one."""
    interface: str
    """Name; ``auto`` has been resolved."""
    priority: int
    """1..255, the outside word; advskew is what the protocol uses."""
    advbase: int
    """Whole seconds, 0..255. 0 only for intervals below one second."""
    advskew: int
    """1/256 seconds, 0..254: 255 - priority (plus interval * 256 when advbase is 0)."""
    pass_phrases: tuple[bytes, ...]
    """The first signs, all are accepted; at most 19 bytes each. Empty: the group is not authenticated."""
    security: tuple[str, ...]
    """``sealed``, ``carp``: the first signs, all are accepted. Sealed needs a pass phrase."""
    virtual_mac: bool
    """The addresses are answered for with 00:00:5e:00:01:ID, else with the interface's own hardware address."""
    port: int
    """Where the failover listener is bound on every virtual IP."""
    peers: tuple[IPv4Address | IPv6Address, ...] = ()
    """The other nodes' own addresses, to each of which advertisements go; empty: they go to the multicast group."""
    preempt_delay_s: float = 0.0
    """So long the node has been backup before it takes over from a healthy master of a lower rank."""
    members: MembersSettings = MembersSettings()
    preempt_delay_max_s: float = 60.0
    """That wait doubles with each change of role in quick succession, up to this."""

    @property
    def advertisement_interval_s(self) -> float:
        """As the operator wrote it: below one second without the share of advskew that is the priority's."""
        return self.advbase or (self.advskew - (255 - self.priority)) / 256

    @property
    def addresses(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """The virtual IPs without their prefixes."""
        return tuple(virtual_ip.ip for virtual_ip in self.virtual_ips)

    @property
    def versions(self) -> tuple[Literal[4, 6], ...]:
        """The IP versions in which it advertises: the peers', else those of its virtual IPs."""
        return tuple(sorted({address.version for address in self.peers or self.virtual_ips}))


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one test of the proxy."""

    limit: float
    """Seconds that an answer may take; for ``descriptors`` the number that must be left."""
    rise: int
    """So many passes in a row end a failure."""
    fall: int
    """So many failures in a row make one."""


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """How the proxy is tested."""

    upstream: str | None = None
    """A URL that is fetched through the proxy, from its real server; None: no server is asked."""
    get: Limits = Limits(2.0, 2, 2)
    connect: Limits = Limits(2.0, 2, 2)
    upstream_limits: Limits = Limits(5.0, 2, 3)
    descriptors: Limits = Limits(16, 10, 5)
    addons: Limits = Limits(2.0, 2, 5)
    """``fall`` requests in a row have met an addon's error, for so long: one client that asks twice for what an addon
    cannot bear is no failure of the proxy."""
    held: Limits = Limits(2.0, 2, 3)
    """So many connections, and so long."""


@dataclass(frozen=True, slots=True)
class PacSettings:
    """The PAC file that the proxy answers with on its virtual IPs."""

    groups: tuple[int, ...] = ()
    """The ids of those that have the file and are named in it, in this order; empty: all, in the file's order."""
    share: Literal["none", "client", "host"] = "none"
    """Which group comes first: the one that was asked, or one chosen by the client's address or by the host's name."""
    direct: bool = False
    """A browser that reaches no group goes without a proxy."""
    bypass_names: tuple[str, ...] = ()
    """Asked without a proxy; in lower case. ``intranet`` is that name, ``.example.com`` that domain with everything
    below, ``*.example.com`` only what is below, ``<local>`` every name without a dot."""
    bypass_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Likewise, where the host is asked for by its address."""


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """The node's page for its operator."""

    host: str = "127.0.0.1"
    """An address, or a name that is resolved when the page begins to listen."""
    port: int = 8112
    """TCP."""
    password: str | None = field(default=None, repr=False)
    """Plain, or an argon2 hash (``$argon2...``); None: a random token at each start."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One node's whole configuration."""

    source: Path
    """The file it came from."""
    node: str
    preempt: bool
    """Failover Handling: Preemptive."""
    state_dir: Path
    groups: tuple[GroupSettings, ...]
    clock_tolerance_s: float = 3600.0
    """How far behind the wall clock a first contact in a sealed group may be."""

    stall_limit_s: float | None = None
    """So long the proxy's loop may stand still before its guardian gives the virtual IPs up; None: by the intervals."""

    drain_timeout_s: float = 60.0
    """So long at most connections go on when somebody else has the virtual IPs, and those of a proxy that stops; then
    what is left is reset."""

    health: HealthSettings = HealthSettings()

    pac: PacSettings | None = None
    """None: the proxy answers with no PAC file."""
    admin: AdminSettings | None = AdminSettings()
    """None: there is no page."""
    notify: tuple[str, ...] = ()
    """The command that is told of each change, with its arguments; empty: none is."""

    @property
    def socket_path(self) -> Path:
        """The Unix socket on which the running node answers ``wsa-proxy status``."""
        return self.state_dir / SOCKET_NAME


def place_text(host: object, port: int) -> str:
    """An address or a name, and a port, as in a URL: ``10.0.0.3:8080``, ``[2001:db8::3]:8080``."""
    text = str(host)
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"
