"""What was taken from under a master (its address, its interface) is there again at once, and the operator is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from wsa_proxy.runtime.ports import Ports

logger = logging.getLogger("wsa_proxy.runtime.driver")

RENEW_EVERY_S = 0.25  # a quarter of the lease, so that three renewals may be missed
LATE_S = 0.5


class PutBack:
    """Of one virtual host. ``turn`` is its driver's, ``ports`` those that it has, ``clock`` monotonic seconds."""

    def __init__(
        self,
        vhid: int,
        turn: Callable[[], None],
        is_master: Callable[[], bool],
        ports: Callable[[], Ports | None],
        clock: Callable[[], float],
    ) -> None:
        self.renewed_at_s = 0.0
        """When the lease was renewed last."""
        self._vhid = vhid
        self._turn = turn
        self._is_master = is_master
        self._ports = ports
        self._clock = clock
        self._removed = set[str]()

    @property
    def needed(self) -> bool:
        """Something was taken away."""
        return bool(self._removed)

    def undone(self, what: str) -> None:
        """Somebody did that to us; unless we are master it is nobody's business."""
        if self._is_master():
            self._removed.add(what)
            asyncio.get_running_loop().call_soon(self._turn)

    def forget(self) -> None:
        """A release: what went away before was our own lease, or does not matter any more."""
        self._removed.clear()

    def look(self, renewed: Callable[[float, OSError | None], None]) -> None:
        """Add again what is to be here; ``renewed`` is told when that was decided, and of the kernel's refusal."""
        removed, self._removed = self._removed, set()
        ports = self._ports()
        if not removed or not self._is_master() or ports is None:
            return
        began_at_s = self._clock()
        late_s = began_at_s - self.renewed_at_s - RENEW_EVERY_S
        by = "somebody" if late_s < LATE_S else f"the kernel (no renewal, the loop was {late_s:.1f} s late)"
        for what in sorted(removed):
            logger.warning("carp vhid=%d %s %s; it is put back", self._vhid, by, what)
        try:
            ports.addresses.renew()
        except OSError as error:
            renewed(began_at_s, error)
        else:
            renewed(began_at_s, None)
