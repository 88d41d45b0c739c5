"""The settings that must be equal on all nodes of a group: what a report says of them, and what differs, in words."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface
from ipaddress import IPv6Interface
from types import MappingProxyType

from wsa_proxy.members.text import one_line

SETTINGS_BYTES_MAX = 640
"""Of all names and values in a report: half of it, so that there is always room for what else it has to say."""
VALUE_CHARACTERS_MAX = 60
ADDRESSES_CHARACTERS_MAX = 180
"""Of the virtual IPs: nine of IPv4."""
DIGEST_CHARACTERS = 8

VIRTUAL_IP, NETMASK, SECURITY, ADVERTISING, CA = "virtual_ip", "netmask", "security", "advertising", "ca"
MORE = "more"
"""Stands for the settings that did not fit into a report."""
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
    MORE: "fingerprint of the options that a report has no room for",
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
    return f"{value[: characters_max - DIGEST_CHARACTERS - 4]}... {_digest(value)}"


def fitting(settings: Mapping[str, str]) -> Mapping[str, str]:
    """The settings as a report carries them, in at most SETTINGS_BYTES_MAX bytes: those of ``WORDS`` first, then the
    options by name, each ``short``; and of all from the first one on that has no room, one fingerprint. Depends on
    nothing but the settings, so that equal ones stay equal. What fits already stays as it is.
    Equal ones become the same object."""
    return _fitting(tuple(settings.items()))


@functools.lru_cache(maxsize=1024)  # each report of each group has them, and they hardly ever change
def _fitting(items: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    settings = dict(items)
    order = [name for name in WORDS if name in settings] + sorted(name for name in settings if name not in WORDS)
    carried = {one_line(name): short(_printable(settings[name]), _characters_max(name)) for name in order}
    if sum(_bytes(name, value) for name, value in carried.items()) <= SETTINGS_BYTES_MAX:
        return _one(tuple(carried.items()))
    room = SETTINGS_BYTES_MAX - _bytes(MORE, "-" * DIGEST_CHARACTERS)
    kept: dict[str, str] = {}
    for name, value in carried.items():
        room -= _bytes(name, value)
        if room < 0:
            break
        kept[name] = value
    rest = repr([(name, value) for name, value in carried.items() if name not in kept])
    return _one((*kept.items(), (MORE, _digest(rest))))


@functools.lru_cache(maxsize=1024)
def _one(items: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Of equal ones the same object."""
    return MappingProxyType(dict(items))


def compare(ours: Mapping[str, str], theirs: Mapping[str, str], optional: Iterable[str] = ()) -> list[Mismatch]:
    """What differs, the gravest first. A setting that only one of the two versions knows is passed over, but for the
    ``optional`` ones, which are left out where they are as usual; unless whoever leaves it out had no room for all."""
    ours, theirs, may_miss = fitting(ours), fitting(theirs), set(optional) - {MORE}
    names = [name for name in ours if name in theirs and name != MORE]
    names += sorted(name for name in may_miss & (ours.keys() ^ theirs.keys()) if MORE not in _lacks(name, ours, theirs))
    names += [MORE] if MORE in ours or MORE in theirs else []
    found = [Mismatch(name, theirs.get(name, ""), ours.get(name, "")) for name in names]
    order = list(WORDS)
    differing = [_named(each) for each in found if each.theirs != each.ours]
    return sorted(differing, key=lambda each: order.index(each.name) if each.name in order else len(order))


def _named(mismatch: Mismatch) -> Mismatch:
    """Of the same virtual IPs it is the netmask that differs."""
    if mismatch.name != VIRTUAL_IP or addresses_of(mismatch.theirs) != addresses_of(mismatch.ours):
        return mismatch
    return Mismatch(NETMASK, mismatch.theirs, mismatch.ours)


def _lacks(name: str, ours: Mapping[str, str], theirs: Mapping[str, str]) -> Mapping[str, str]:
    return theirs if name in ours else ours


def _characters_max(name: str) -> int:
    return ADDRESSES_CHARACTERS_MAX if name == VIRTUAL_IP else VALUE_CHARACTERS_MAX


def _bytes(name: str, value: str) -> int:
    """In msgpack: a head of at most three bytes before each text."""
    return len(name.encode()) + len(value.encode()) + 6


def _printable(text: str) -> str:
    return one_line(text, len(text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]


@functools.lru_cache(maxsize=1024)  # asked of each report of each group, and hardly ever another one
def addresses_of(text: str) -> frozenset[str]:
    """The virtual IPs of ``addresses_text``, without their prefixes."""
    return frozenset(each.partition("/")[0] for each in text.split(", ") if each)


def addresses_text(virtual_ips: Iterable[IPv4Interface | IPv6Interface]) -> str:
    """Virtual IPs with prefix, in an order that does not depend on the file's."""
    return ", ".join(str(each) for each in sorted(virtual_ips, key=lambda each: (each.version, each.ip.packed)))
