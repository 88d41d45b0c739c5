"""The failover groups of a node's configuration file, as far as they decide whom that node believes.

The file may be looked at on another host than the node's: there neither its interface nor its state folder exists, so
only the keys and the secrets are read, not the host's facts. Secrets become keys here and are kept nowhere else; no
repr shows them.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from ipaddress import ip_interface
from pathlib import Path

from wsa_proxy.carp import election
from wsa_proxy.carp.auth import Address
from wsa_proxy.carp.auth import Signature
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.config.files import read_secrets
from wsa_proxy.config.host_check import check_host
from wsa_proxy.config.schema import GroupKeys
from wsa_proxy.config.schema import read_keys
from wsa_proxy.config.source import read_document
from wsa_proxy.config.timers import misfit_text
from wsa_proxy.config.timers import timers
from wsa_proxy.net.host import HostFacts

CARP, SEALED = "carp", "sealed"
ADDRESSES_EXPLAINED_MAX = 8
"""Of groups with more virtual IPs no other lists are tried to explain a digest that does not fit."""


@dataclass(frozen=True, slots=True)
class WatchedKey:
    """One key with which a digest may fit."""

    security: str
    number: int
    """Which secret of the group it comes from, counted from 1."""
    signature: Signature = field(repr=False)


@dataclass(frozen=True, slots=True)
class OtherList:
    """What a sender with the right secret and other virtual IPs would sign with: words and key."""

    text: str
    signature: Signature = field(repr=False)


@dataclass(frozen=True, slots=True)
class WatchedGroup:
    """One failover group of the file."""

    vhid: int
    hostname: str
    interface: str
    """Empty when it was not looked for: then the group is expected wherever somebody listens."""
    addresses: tuple[Address, ...]
    advbase: int
    advskew: int
    security: tuple[str, ...]
    """What the file accepts: carp, sealed or both."""
    keys: tuple[WatchedKey, ...]
    other_lists: tuple[OtherList, ...]

    @property
    def interval_s(self) -> float:
        """Of this node's own advertisements."""
        return election.interval_s(self.advbase, self.advskew)

    @property
    def master_down_s(self) -> float:
        """The silence after which this node takes over."""
        return election.master_down_s(self.advbase, self.advskew)


def read_groups(path: Path, host: HostFacts | None) -> tuple[WatchedGroup, ...]:
    """The groups of a file. With the host's facts their interfaces are found, too, and what is wrong with them told.

    Raises ConfigError with everything that is wrong.
    """
    document = read_document(path)
    keys, without_prefix = read_keys(document)
    groups = keys.groups or []
    interfaces = [""] * len(groups)
    if host is not None:
        interfaces = check_host(document, keys, without_prefix, host)
    else:
        for place, usual in without_prefix.items():
            document.error(place, f"must have a prefix; write {usual}")
    secrets = [read_secrets(document, ("groups", n), group) for n, group in enumerate(groups)]
    for n, group in enumerate(groups):
        if group.priority is not None and timers(group.advertisement_interval, group.priority) is None:
            text = misfit_text(group.advertisement_interval, group.priority)
            document.error(("groups", n, "advertisement_interval"), text)
    if document.errors:
        raise document.refuse()
    return tuple(map(_group, groups, interfaces, secrets))


def _group(group: GroupKeys, interface: str, secrets: tuple[bytes, ...]) -> WatchedGroup:
    assert group.id is not None
    assert group.priority is not None
    fields = timers(group.advertisement_interval, group.priority)
    assert fields is not None
    addresses = tuple(ip_interface(each).ip for each in group.virtual_ip if each is not None)
    return WatchedGroup(
        vhid=group.id,
        hostname=group.hostname or "",
        interface=interface,
        addresses=addresses,
        advbase=fields.advbase,
        advskew=fields.advskew,
        security=(group.security,) if isinstance(group.security, str) else tuple(group.security),
        keys=tuple(keys_of(secrets, group.id, addresses)),
        other_lists=tuple(other_lists(secrets, group.id, addresses)),
    )


def keys_of(secrets: Iterable[bytes], vhid: int, addresses: tuple[Address, ...]) -> Iterator[WatchedKey]:
    """Every key of a group, in the order in which they are tried; without a secret 20 zero bytes, as every CARP."""
    for number, secret in enumerate(tuple(secrets) or (b"",), start=1):
        yield WatchedKey(CARP, number, Signature(key_from_pass_phrase(secret), vhid, addresses))
        if secret:
            yield WatchedKey(SEALED, number, Signature(wire_key(secret), vhid, addresses))


@functools.lru_cache(maxsize=64)
def wire_key(secret: bytes) -> bytes:
    """The key of the sealed counter: never that of plain CARP, or any plain counter would pass as a seal."""
    return hashlib.scrypt(secret, salt=b"wsa-proxy sealed 1", n=2**14, r=8, p=1, dklen=20)


def other_lists(secrets: Iterable[bytes], vhid: int, addresses: tuple[Address, ...]) -> Iterator[OtherList]:
    """The usual mistakes: no secret there, or a list of virtual IPs that lacks some of ours."""
    if tuple(secrets):
        yield OtherList("it fits without any secret", Signature(key_from_pass_phrase(b""), vhid, addresses))
    if not 1 < len(addresses) <= ADDRESSES_EXPLAINED_MAX:
        return
    parts = [tuple(each for each in addresses if each.version == version) for version in (4, 6)]
    parts += [tuple(each for each in addresses if each != left_out) for left_out in addresses]
    parts += [(each,) for each in addresses]
    for part in dict.fromkeys(part for part in parts if part and len(part) < len(addresses)):
        text = f"it fits with {', '.join(map(str, part))} as the only virtual IP{'s' if len(part) > 1 else ''}"
        for key in keys_of(secrets, vhid, part):
            yield OtherList(text, key.signature)
