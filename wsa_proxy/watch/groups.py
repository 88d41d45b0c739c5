"""The failover groups of a node's configuration file, as far as they decide whom that node believes.

The file may be looked at on another host than the node's: there neither its interface nor its state folder exists, so
only the keys and the secrets are read, not the host's facts. Secrets become keys here and are kept nowhere else; no
repr shows them.
"""

from __future__ import annotations

import secrets
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
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.credentials import make_credentials
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import sealed_key
from wsa_proxy.config.files import read_secrets
from wsa_proxy.config.host_check import check_host
from wsa_proxy.config.schema import GroupKeys
from wsa_proxy.config.schema import read_keys
from wsa_proxy.config.source import read_document
from wsa_proxy.config.timers import misfit_text
from wsa_proxy.config.timers import timers
from wsa_proxy.net.host import HostFacts

ADDRESSES_EXPLAINED_MAX = 8
"""Of groups with more virtual IPs no other lists are tried to explain a digest that does not fit."""


@dataclass(frozen=True, slots=True)
class OtherList:
    """What a sender with the usual mistake would sign with: words and key."""

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
    security: tuple[Security, ...]
    """The first signs, all are accepted."""
    clock_tolerance_s: float
    peers: tuple[Address, ...]
    """To whom it advertises instead of the multicast group; then no TTL is asked for."""
    pass_phrases: tuple[bytes, ...] = field(repr=False)
    other_lists: tuple[OtherList, ...] = field(repr=False)

    @property
    def interval_s(self) -> float:
        """Of this node's own advertisements."""
        return election.interval_s(self.advbase, self.advskew)

    @property
    def master_down_s(self) -> float:
        """The silence after which this node takes over."""
        return election.master_down_s(self.advbase, self.advskew)

    def credentials(self, clock_ms: float) -> Credentials:
        """Those of a node that starts now and has not heard anything yet."""
        tolerance_ms = self.clock_tolerance_s * 1000
        return make_credentials(
            self.security,
            self.pass_phrases,
            self.vhid,
            self.addresses,
            # Nothing is signed with it, and nobody says a number of 64 bits by chance: so nothing is taken for an echo.
            secrets.randbits(64),
            lambda name: GroupTime("", None, clock_ms, tolerance_ms),
            peers=self.peers,
        )


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
    phrases = [read_secrets(document, ("groups", n), group) for n, group in enumerate(groups)]
    for n, group in enumerate(groups):
        if group.priority is not None and timers(group.advertisement_interval, group.priority) is None:
            text = misfit_text(group.advertisement_interval, group.priority)
            document.error(("groups", n, "advertisement_interval"), text)
        if "sealed" in (group.security or ()) and not phrases[n]:
            document.error(("groups", n, "security"), "sealed needs a shared_secret; write one, or security: carp")
    if document.errors:
        raise document.refuse()
    tolerance_s = keys.clock_tolerance
    return tuple(_group(*each, tolerance_s) for each in zip(groups, interfaces, phrases, strict=True))


def _group(group: GroupKeys, interface: str, phrases: tuple[bytes, ...], clock_tolerance_s: float) -> WatchedGroup:
    assert group.id is not None
    assert group.priority is not None
    fields = timers(group.advertisement_interval, group.priority)
    assert fields is not None
    addresses = tuple(ip_interface(each).ip for each in group.virtual_ip if each is not None)
    ways = group.security or ("sealed" if phrases else "carp",)
    return WatchedGroup(
        vhid=group.id,
        hostname=group.hostname or "",
        interface=interface,
        addresses=addresses,
        advbase=fields.advbase,
        advskew=fields.advskew,
        security=tuple(Security(way) for way in ways),
        clock_tolerance_s=clock_tolerance_s,
        peers=tuple(each for each in group.peers if each is not None),
        pass_phrases=phrases,
        other_lists=tuple(_other_lists(phrases, group.id, addresses)),
    )


def _other_lists(phrases: tuple[bytes, ...], vhid: int, addresses: tuple[Address, ...]) -> Iterator[OtherList]:
    """The usual mistakes: no secret there, or a list of virtual IPs that lacks some of ours."""
    if phrases:
        yield OtherList("it fits without any secret", Signature(key_from_pass_phrase(b""), vhid, addresses))
    if not 1 < len(addresses) <= ADDRESSES_EXPLAINED_MAX:
        return
    for part in _parts(addresses):
        text = f"it fits with {', '.join(map(str, part))} as the only virtual IP{'s' if len(part) > 1 else ''}"
        for key in _keys(phrases):
            yield OtherList(text, Signature(key, vhid, part))


def _parts(addresses: tuple[Address, ...]) -> Iterable[tuple[Address, ...]]:
    """Those of one IP version, all but one, each alone."""
    parts = [tuple(each for each in addresses if each.version == version) for version in (4, 6)]
    parts += [tuple(each for each in addresses if each != left_out) for left_out in addresses]
    parts += [(each,) for each in addresses]
    return dict.fromkeys(part for part in parts if 0 < len(part) < len(addresses))


def _keys(phrases: tuple[bytes, ...]) -> Iterator[bytes]:
    """Every key that a group may be signed with."""
    yield from map(key_from_pass_phrase, phrases or (b"",))
    yield from map(sealed_key, phrases)
