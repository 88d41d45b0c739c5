"""What a guardian is to say for one virtual host when this process is gone: a bow-out, signed before its time.

It is handed over before each advertisement that claims the addresses, and again whenever another's has been believed:
sealed, it is above everything that was said until then, so everybody believes it, and below what a process that lives
says next, so nobody can send it then (design: a will sorts between two advertisements).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Collection

from wsa_proxy.net.ports import Version
from wsa_proxy.runtime.identity import Identity
from wsa_proxy.runtime.ports import Ports

logger = logging.getLogger(__name__)

FRESH_S = 5.0
"""A sealed bow-out that is ten seconds old is refused as stale; advertisements may be minutes apart."""


class LastWill:
    """Of one virtual host. ``ports`` answers those that it has, if any, ``demotion`` what it advertises."""

    def __init__(
        self,
        versions: Collection[Version],
        identity: Identity,
        ports: Callable[[], Ports | None],
        demotion: Callable[[], int],
    ) -> None:
        self._versions = tuple(versions)
        self._identity = identity
        self._ports = ports
        self._demotion = demotion
        self._left_at_s: float | None = None
        """None: since the last ``renew``."""

    def withdraw(self) -> None:
        """Nobody was told that the addresses are here, so nobody is to be told that they are gone."""
        if (ports := self._ports()) is not None:
            ports.addresses.leave_will((), b"", again=False)

    def leave(self) -> None:
        """As of now; the one before is forgotten. Where it cannot be had, a death is noticed by its silence."""
        self._left_at_s = None
        ports = self._ports()
        if ports is None:
            return
        payload = self._identity.will(self._demotion())
        envelopes: tuple[bytes, ...] = ()
        for version in self._versions:
            try:
                envelopes += ports.advertisements.envelopes(version, len(payload))
            except OSError as error:
                logger.debug("no last will in IPv%d: %s", version, error)
        again = self._identity.credentials.seals  # a plain one's copy would be taken for another one
        ports.addresses.leave_will(envelopes, payload, again=again)

    def renew(self, now: float) -> None:
        """On every beat of a master: a new one when that before gets old."""
        if self._left_at_s is not None and now >= self._left_at_s + FRESH_S:
            self.leave()
        if self._left_at_s is None:
            self._left_at_s = now
