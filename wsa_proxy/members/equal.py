"""The settings that must be equal on all nodes of a group: what a report says of them, and what differs, in words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface
from ipaddress import IPv6Interface

VALUE_CHARACTERS_MAX = 60
ADDRESSES_CHARACTERS_MAX = 180
"""Of the virtual IPs: nine of IPv4."""
DIGEST_CHARACTERS = 8

VIRTUAL_IP, NETMASK, SECURITY, ADVERTISING, CA = "virtual_ip", "netmask", "security", "advertising", "ca"
WORDS = {
    "id": "Failover Group ID",
    VIRTUAL_IP: "VIP",
    NETMASK: "netmask",
    "hostname": "hostname",
    "secrets": "list of Shared Secrets",
    "failover_handling": "Failover Handling",
    "advertisement_interval": "advertisement interval",
    SECURITY: "security",
    ADVERTISING: "advertisements",
    "mac": "mac",
    "port": "port",
    CA: "certificate authority of mitmproxy",
}
"""By the name in a report; a name that is not here is an option of mitmproxy."""
GRAVE = ("id", VIRTUAL_IP, SECURITY, ADVERTISING)
"""What may make two masters (``sides.py``)."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One setting of another node that is not ours."""

    name: str
    theirs: str
    ours: str

    @property
    def text(self) -> str:
        """``VIP 10.0.0.4/24, here 10.0.0.3/24``."""
        return f"{WORDS.get(self.name, f'option {self.name}')} {self.theirs or 'none'}, here {self.ours or 'none'}"


def short(value: str, characters_max: int = VALUE_CHARACTERS_MAX) -> str:
    """The value as a report carries it: one that is long by its beginning and a digest of the whole."""
    if len(value) <= characters_max:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()[:DIGEST_CHARACTERS]
    return f"{value[: characters_max - DIGEST_CHARACTERS - 4]}... {digest}"


def compare(ours: Mapping[str, str], theirs: Mapping[str, str], optional: Iterable[str] = ()) -> list[Mismatch]:
    """What differs, the gravest first. A setting that only one of the two versions knows is passed over, but for the
    ``optional`` ones, which are left out where they are as usual."""
    common = [name for name in ours if name in theirs and name not in optional]
    extra = sorted(name for name in optional if name in ours or name in theirs)
    found = [Mismatch(name, theirs.get(name, ""), ours.get(name, "")) for name in [*common, *extra]]
    order = list(WORDS)
    differing = [_named(each) for each in found if each.theirs != each.ours]
    return sorted(differing, key=lambda each: order.index(each.name) if each.name in order else len(order))


def _named(mismatch: Mismatch) -> Mismatch:
    """Of the same virtual IPs it is the netmask that differs."""
    addresses = [[each.partition("/")[0] for each in text.split(", ")] for text in (mismatch.theirs, mismatch.ours)]
    if mismatch.name != VIRTUAL_IP or addresses[0] != addresses[1]:
        return mismatch
    return Mismatch(NETMASK, mismatch.theirs, mismatch.ours)


def addresses_text(virtual_ips: Iterable[IPv4Interface | IPv6Interface]) -> str:
    """Virtual IPs with prefix, in an order that does not depend on the file's."""
    return ", ".join(str(each) for each in sorted(virtual_ips, key=lambda each: (each.version, each.ip.packed)))
