"""The clients of a node that is gone are told so, at a pace that leaves the loop to everybody else.

A client that only waits hears nothing of a crash: it has nothing to repeat, so it never asks. A *tickle* makes it ask
(``net/tickle.py``), and the kernel that has the virtual IP now answers that with a reset. What goes out is said again,
since each part of it may be lost: the first one in particular, while switches and neighbours learn the new owner.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice

from wsa_proxy.net.ports import Client
from wsa_proxy.net.ports import TicklePort
from wsa_proxy.net.tickle import CLIENTS_AT_FIRST_MAX

logger = logging.getLogger(__name__)

BATCH = 200
PAUSE_S = 0.01
"""Between two batches: 10,000 clients are through in a second, and no batch keeps the loop for longer than a request
(``tests/bench/connections.py:tickles``)."""
AGAIN_AFTER_S = (0.5, 1.5, 62.0)
"""After each round. A client that was reset meanwhile answers nothing; one that is served is not asked. The last one is
for those whose answers this kernel has taken for a part of an earlier connection, which it remembers for a minute
(TIME_WAIT), where it cannot forget (``net/closed_sockets.py``)."""


@dataclass(slots=True)
class _Round:
    vhid: int
    node: str
    clients: list[Client]
    is_lost: Callable[[Client], bool]
    port: TicklePort
    began_s: float
    again_after_s: tuple[float, ...] = AGAIN_AFTER_S
    next: int = 0
    failed: int = 0
    error: str = ""


class Tickling:
    """Of one node; made inside the running loop.

    ``open_port`` answers a port for the interface with this index; ``forget`` has the kernel forget connections of
    these clients that are over here, or it would take what they answer for a part of those.
    """

    def __init__(
        self, open_port: Callable[[int], TicklePort], forget: Callable[[Collection[Client]], Future[int]]
    ) -> None:
        self._open_port, self._forget = open_port, forget
        self._ports: dict[int, TicklePort] = {}
        self._loop = asyncio.get_running_loop()
        self._rounds: deque[_Round] = deque()
        self._timers: set[asyncio.TimerHandle] = set()
        self._is_running = self._closed = False

    def tell(
        self, vhid: int, index: int, node: str, clients: Collection[Client], is_lost: Callable[[Client], bool]
    ) -> None:
        """These clients of ``node``, which are on this interface. Each is asked about again, before it is told: whoever
        is served has lost nothing, and a node that has the virtual IP no more has nobody to tell."""
        if index not in self._ports:
            self._ports[index] = self._open_port(index)
        turn = _Round(vhid, node, list(clients), is_lost, self._ports[index], self._loop.time())
        forgotten = self._forget(turn.clients)
        if forgotten.done():
            self._begin(turn, forgotten)
        else:
            asyncio.wrap_future(forgotten).add_done_callback(lambda _: self._begin(turn, forgotten))

    def _begin(self, turn: _Round, forgotten: Future[int]) -> None:
        if forgotten.cancelled() or self._closed:
            return
        if (error := forgotten.exception()) is not None:
            logger.info("carp vhid=%d %s; its clients hear of their end a minute later", turn.vhid, error)
        self._rounds.append(turn)
        self._run()

    def close(self) -> None:
        """Nobody is told any more."""
        self._closed = True
        self._rounds.clear()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for port in self._ports.values():
            port.close()

    def _run(self) -> None:
        if self._rounds and not self._is_running:
            self._is_running = True
            self._later(0.0, self._turn)

    def _later(self, after_s: float, work: Callable[[], None]) -> None:
        def fired() -> None:
            self._timers.discard(timer)
            work()

        timer = self._loop.call_later(after_s, fired)
        self._timers.add(timer)

    def _turn(self) -> None:
        if not self._rounds:
            self._is_running = False
            return
        turn = self._rounds[0]
        try:
            self._batch(turn)
        except Exception:
            logger.exception("carp vhid=%d failed to tell lost clients", turn.vhid)
            self._rounds.remove(turn)
        self._later(PAUSE_S, self._turn)

    def _batch(self, turn: _Round) -> None:
        # Of the first ones the kernel may have to ask for the next hop, and keeps few until that has answered.
        size = BATCH if turn.next else CLIENTS_AT_FIRST_MAX
        for client in islice(turn.clients, turn.next, turn.next + size):
            if turn.is_lost(client) and not self._send(turn, client):
                return  # and from this one on in the next turn
            turn.next += 1
        if turn.next >= len(turn.clients):
            self._rounds.popleft()
            self._end(turn)

    def _send(self, turn: _Round, client: Client) -> bool:
        """False: the kernel can take no more now."""
        try:
            turn.port.send(client)
        except BlockingIOError:
            return False
        except OSError as error:  # no way to this one now; there may be one the next time
            turn.failed += 1
            turn.error = str(error)
        return True

    def _end(self, turn: _Round) -> None:
        if turn.again_after_s == AGAIN_AFTER_S:
            within_ms = (self._loop.time() - turn.began_s) * 1000
            line = "carp vhid=%d %d clients of node %s are told within %.0f ms that their connections are gone"
            logger.warning(line, turn.vhid, len(turn.clients), turn.node, within_ms)
        if turn.failed:
            logger.warning("carp vhid=%d %d of them could not be told: %s", turn.vhid, turn.failed, turn.error)
        if turn.again_after_s:
            after_s, *rest = turn.again_after_s
            again = _Round(turn.vhid, turn.node, turn.clients, turn.is_lost, turn.port, turn.began_s, tuple(rest))
            self._later(after_s, lambda: self._again(again))

    def _again(self, turn: _Round) -> None:
        self._rounds.append(turn)
        self._run()
