"""What the guardian has done by itself, told to the drivers before anything else is said or done.

A process that stood still believes that it is master. Whatever wakes it first (a timer, a packet, a self-test, an order
to stop), it learns here that it is not, or it would speak as one.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from wsa_proxy.net.ports import LeasePort
from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.readers import Readers


class Fences:
    """Of a node whose drivers ``drivers`` answers. ``on_fence`` is told why, once they know; ``turn`` is called when
    there is something to read."""

    def __init__(
        self, drivers: Callable[[], Sequence[Driver]], on_fence: Callable[[str], None], turn: Callable[[], None]
    ) -> None:
        self._drivers = drivers
        self._on_fence = on_fence
        self._readers = Readers(turn)
        self._leases: LeasePort | None = None

    def follow(self, leases: LeasePort) -> None:
        """Whose guardian it is."""
        self._leases = leases
        self._readers.watch(leases.fileno_list())

    def drain(self) -> None:
        """Have the drivers leave what has been taken from this process; each listens anew, once the proxy is well."""
        if self._leases is None:
            return
        for fence in self._leases.drain():
            for driver in self._drivers():
                with apart(driver.record.vhid, "leave as the guardian has decided"):
                    driver.fenced(fence)
            self._on_fence(fence.reason)
            for driver in self._drivers():
                with apart(driver.record.vhid, "listen again"):
                    driver.set_obstacle("guardian", None)

    def close(self) -> None:
        """Look no more."""
        self._readers.watch(())
        self._leases = None
