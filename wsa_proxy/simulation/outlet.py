"""Where a node's advertisements leave its host, or do not: the port behind the product's ``Sending``."""

from __future__ import annotations

import errno
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wsa_proxy.carp.wire import Version
from wsa_proxy.net.failures import failure_of
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Lan

CHANCE_PORT = 32
"""A source of chance of its own: what a host refuses changes nothing else."""


class Copy(NamedTuple):
    """One of an advertisement."""

    version: Version
    peer: int | None
    """None: a multicast."""


@dataclass(slots=True)
class Tally:
    """What ``Sending`` wants to have counted. (The judges count themselves.)"""

    sent: int = 0
    failed: int = 0

    def send_failed(self, errors: str) -> None:
        """An advertisement did not leave."""
        self.failed += 1


class Outlet:
    """That of one host; ``tell`` hears what the frame alone does not say. ``virtual``: the group has a virtual MAC.

    ``peers``: who gets a copy of its own instead of a multicast, by number, and in which IP version.
    """

    def __init__(
        self,
        number: int,
        lan: Lan,
        virtual: bool,
        peers: Mapping[int, Version],
        tell: Callable[[str, object], None],
    ) -> None:
        self.refused: dict[Version, float] = {}
        """By IP version: the share of its copies that the host does not let out."""
        self.no_way: frozenset[int] = frozenset()
        """Peers to which the host has no route, or whose network says that they cannot be reached."""
        self.failed = 0
        """Copies that have not left."""
        self._number = number
        self._lan = lan
        self._virtual = virtual
        self._peers = peers
        self._tell = tell

    def ways_to(self, peer: int) -> Sequence[Version]:
        """The IP versions in which a peer gets a copy; none where nobody is named."""
        return (self._peers[peer],) if peer in self._peers else ()

    def copies(self, versions: Sequence[Version]) -> Sequence[Copy]:
        """Of one advertisement in these IP versions."""
        if self._peers:
            return [Copy(version, peer) for peer, version in self._peers.items()]
        return [Copy(version, None) for version in versions]

    def say_will(self, copy: Copy, payload: bytes) -> None:
        """What a guardian sends leaves by the same way, from the host's own MAC; nobody is told when it does not."""
        if self._refuses(copy.version) or copy.peer in self.no_way:
            return
        frame = Advertised(copy.version, payload, willed=True)
        if copy.peer is None:
            self._lan.send(self._number, frame)
        else:
            self._lan.send_to(self._number, copy.peer, frame)

    def send(self, version: Version, payload: bytes, *, from_own_mac: bool = False) -> None:
        """One multicast, or a copy to each peer of this IP version. Raises OSError as the product's ports do."""
        if self._peers:
            self._send_to_each(version, payload)
            return
        if self._counts(version):
            self._lan.lose(self._number)
            raise OSError(errno.EPERM, "operation not permitted")
        if virtual := self._virtual and not from_own_mac:
            self._tell("from the virtual MAC", version)
        self._lan.send(self._number, Advertised(version, payload, from_virtual_mac=virtual))

    def _send_to_each(self, version: Version, payload: bytes) -> None:
        """What the kernel sends for us comes from the host's own MAC, also where the group has another one."""
        copies = [peer for peer, way in self._peers.items() if way == version]
        errors = []
        for peer in copies:
            if peer in self.no_way:
                self.failed += 1
                self._tell("no way to a peer", version)
                errors.append(errno.EHOSTUNREACH)
            elif self._counts(version):
                errors.append(errno.EPERM)
            else:
                self._lan.send_to(self._number, peer, Advertised(version, payload))
                continue
            self._lan.lost[self._number, peer] += 1
        if errors:
            raise failure_of(errors, len(copies), f"{len(errors)} of {len(copies)} peers")

    def _refuses(self, version: Version) -> bool:
        share = self.refused.get(version, 0.0)
        return share > 0 and self._lan.chance(self._number, CHANCE_PORT).random() < share

    def _counts(self, version: Version) -> bool:
        if refuses := self._refuses(version):
            self.failed += 1
            self._tell("the host refused to send", version)
        return refuses
