"""The kernel's table of connections, asked in a thread: many thousands take longer than a loop may stand still."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor

from wsa_proxy.net.closed_sockets import ClosedSockets
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Client


class SocketTableThread:
    """With a table of its own, opened when it is first asked."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="failover connections")
        self._table: ClosedSockets | None = None

    def ask(self, addresses: Collection[Address], *, half_open: bool = True) -> Future[frozenset[Client]]:
        """As ``SocketTable.clients``; one question follows the other."""
        return self._threads.submit(self._ask, addresses, half_open)

    def forget(self, clients: Collection[Client]) -> Future[int]:
        """As ``ClosedSockets.forget``, in its turn."""
        return self._threads.submit(lambda: self._opened().forget(clients))

    def close(self) -> None:
        """What is being asked still comes to its end, and nobody waits for it."""
        self._threads.submit(self._close)
        self._threads.shutdown(wait=False)

    def _ask(self, addresses: Collection[Address], half_open: bool) -> frozenset[Client]:
        return self._opened().clients(addresses, half_open=half_open)

    def _opened(self) -> ClosedSockets:
        if self._table is None:
            self._table = ClosedSockets()
        return self._table

    def _close(self) -> None:
        if self._table is not None:
            self._table.close()
