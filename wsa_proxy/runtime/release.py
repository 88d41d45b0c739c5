"""How one virtual host lets go of its addresses, whatever the kernel and the proxy make of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from collections.abc import Collection

from wsa_proxy.net.ports import Address
from wsa_proxy.runtime.ports import Ports

logger = logging.getLogger(__name__)

AGAIN_S = 0.1
TRIES = 20  # until the lease has ended by itself
SETTLE_APART_S = 0.05
"""Times the id: to set an interface down takes the kernel 6 to 16 ms, in which nothing else of the process goes on. If
many groups that end together did so at once, the leases of those that go on would not be renewed."""


class Release:
    """Of one virtual host. ``kept``: the addresses are to stay; ``answers``: this node answers for them; ``ports``:
    those that it has, if any."""

    def __init__(
        self,
        vhid: int,
        addresses: Collection[Address],
        kept: Callable[[], bool],
        answers: Callable[[], bool],
        ports: Callable[[], Ports | None],
        close_connections: Callable[[Collection[Address]], int],
    ) -> None:
        """Made inside the running loop."""
        self._vhid = vhid
        self._addresses = frozenset(addresses)
        self._kept, self._answers = kept, answers
        self._ports = ports
        self._close_connections = close_connections
        self._loop = asyncio.get_running_loop()
        self._settling: asyncio.TimerHandle | None = None

    def release(self) -> None:
        """The clients' connections end first, so that their last packets can leave, then the addresses go."""
        try:
            self._close_connections(self._addresses)
        except Exception:
            # Whatever happens to the proxy's clients, the address has to go.
            logger.exception("carp vhid=%d the connections could not be ended in order", self._vhid)
        self._release(TRIES)
        self.settle_soon()

    def settle_soon(self) -> None:
        """``settle``, when it is this group's turn."""
        if self._settling is not None:
            self._settling.cancel()
        self._settling = self._loop.call_later(self._vhid * SETTLE_APART_S, self._settle_in_turn)

    def _release(self, tries: int) -> None:
        """And again a moment later if the kernel refuses; the lease ends in any case."""
        if (ports := self._ports()) is None:
            return
        try:
            ports.addresses.release()
        except OSError as error:
            logger.error("carp vhid=%d the virtual IP could not be released: %s", self._vhid, error)
            if tries > 1:
                self._loop.call_later(AGAIN_S, self._release_again, tries - 1)

    def _release_again(self, tries: int) -> None:
        if not self._kept():
            self._release(tries)

    def _settle_in_turn(self) -> None:
        self._settling = None
        self.settle()

    def is_up(self) -> None:
        """What carries the addresses is up, says the kernel. If it is still to be set down in its turn, that is what is
        told: when a cable is back, of all groups at once."""
        if self._settling is None:
            self.settle()

    def settle(self) -> None:
        """Set what carries the addresses down, unless this node answers for them; harmless when repeated."""
        if (ports := self._ports()) is None or self._answers():
            return
        try:
            ports.addresses.settle()
        except OSError as error:
            logger.error("carp vhid=%d %s", self._vhid, error)
