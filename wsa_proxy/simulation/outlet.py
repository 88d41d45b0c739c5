"""Where a node's advertisements leave its host, or do not: the port behind the product's ``Sending``."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from wsa_proxy.carp.wire import Version
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Lan

CHANCE_PORT = 32
"""A source of chance of its own: what a host refuses changes nothing else."""


@dataclass(slots=True)
class Tally:
    """What ``Sending`` wants to have counted. (The judges count themselves.)"""

    sent: int = 0
    failed: int = 0

    def send_failed(self, errors: str) -> None:
        """An advertisement did not leave."""
        self.failed += 1


class Outlet:
    """That of one host; ``tell`` hears what the frame alone does not say. ``virtual``: the group has a virtual MAC."""

    def __init__(self, number: int, lan: Lan, virtual: bool, tell: Callable[[str, object], None]) -> None:
        self.refused: dict[Version, float] = {}
        """By IP version: the share of its copies that the host does not let out."""
        self._number = number
        self._lan = lan
        self._virtual = virtual
        self._tell = tell

    def send(self, version: Version, payload: bytes, *, from_own_mac: bool = False) -> None:
        """One copy. Raises OSError when the host refuses it."""
        share = self.refused.get(version, 0.0)
        if share and self._lan.chance(self._number, CHANCE_PORT).random() < share:
            self._tell("the host refused to send", version)
            self._lan.lose(self._number)
            raise OSError(errno.EPERM, "operation not permitted")
        if virtual := self._virtual and not from_own_mac:
            self._tell("from the virtual MAC", version)
        self._lan.send(self._number, Advertised(version, payload, from_virtual_mac=virtual))
