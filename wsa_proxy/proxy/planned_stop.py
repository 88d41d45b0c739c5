"""An orderly stop: the successor is master before this node stops accepting, and what is short is finished.

1. From the signal on every answer ends its connection (HTTP/1; in HTTP/2 its last one), idle ones are closed. The
   requests being answered on the virtual IPs get ``DRAIN_S_MAX``.
2. Bow-out. The addresses stay, and requests are accepted, until a successor is heard, ``SUCCESSOR_S_MAX`` at most.
3. What has come in by then is answered, ``FINISH_S_MAX`` at most, while the addresses are held silently. Then the
   connections that are left end, and the addresses go.

   Those of a group whose successor steers (``runtime/group_carry.py``) need not hurry: they are not drained before the
   bow-out, and go on, tunnels and WebSockets too, until they have ended or ``drain_timeout`` is over.
4. No listener accepts any more. The requests being answered anywhere else (loopback, a mode with a host of its own) may
   take until ``drain_timeout``; of tunnels and WebSockets there no end is waited for.

All of it is bounded by ``drain_timeout``, and a second signal ends each wait at once. A node that is master of nothing
begins with the fourth step. Whatever goes wrong, the bow-out and the release come.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import signal
from collections.abc import Callable
from collections.abc import Collection
from typing import Protocol

from wsa_proxy.proxy.connections import POLL_S
from wsa_proxy.proxy.connections import Address
from wsa_proxy.proxy.connections import Connections
from wsa_proxy.proxy.last_answers import LastAnswers
from wsa_proxy.runtime.tasks import create_task

logger = logging.getLogger(__name__)

DRAIN_S_MAX = 0.3
SUCCESSOR_S_MAX = 0.1
CARRIED_SUCCESSOR_S_MAX = 1.0
"""Where every connection is carried over: nothing hangs on it, and without a successor all of them are cut."""
FINISH_S_MAX = 0.3
FRESH_S = 0.05
"""So long a connection that was accepted last may need until its request has been read."""
REASON = "orderly stop"


class Departure(Protocol):
    """How a node leaves a group, or all of them."""

    @property
    def is_needed(self) -> bool: ...
    @property
    def awaits_successor(self) -> bool: ...
    def begin(self, reason: str) -> None: ...
    @property
    def carried(self) -> frozenset[Address]:
        """The virtual IPs whose connections go on when they are somebody else's."""

    @property
    def drains(self) -> bool:
        """Some of them are, and some connection is left."""

    def fall_silent(self) -> None: ...
    def let_go(self, reason: str) -> None:
        """Of all that is not carried over."""


class NodeDeparture(Departure, Protocol):
    """Of a process that ends; ``runtime/departure.py``."""

    def end(self, reason: str) -> None: ...


class PlannedStop:
    """Of one node, with its proxy. Made when the order has come, inside the running loop."""

    def __init__(
        self, connections: Connections, drain_timeout_s: float, successor_s_max: float = SUCCESSOR_S_MAX
    ) -> None:
        self._connections = connections
        self._successor_s_max = successor_s_max
        self._loop = asyncio.get_running_loop()
        self._deadline_s = self._loop.time() + drain_timeout_s
        self._hurried = False

    def follow_signals(self) -> None:
        """From now on the next SIGTERM or SIGINT ends every wait; mitmproxy's own handlers do nothing any more."""
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(RuntimeError, ValueError):  # whoever runs mitmproxy in a thread gets no signals
                self._loop.add_signal_handler(number, self.hurry)

    def hurry(self) -> None:
        """End every wait now."""
        if not self._hurried and self._loop.time() < self._deadline_s:
            logger.warning("failover: asked to stop once more: nothing is waited for")
        self._hurried = True

    async def leave(self, departure: NodeDeparture, addresses: Collection[Address]) -> None:
        """Steps 1 to 3; ``addresses`` are the node's virtual IPs."""
        try:
            await self.hand_over(departure, addresses, of_all=True)
            await self._until(lambda: not departure.drains, math.inf)
            if departure.drains and not self._hurried:
                logger.warning("failover: drain_timeout is over: the connections that are left are reset")
        finally:
            departure.end(REASON)

    async def hand_over(self, departure: Departure, addresses: Collection[Address], *, of_all: bool = False) -> None:
        """The same for these addresses alone, of a process that goes on, unless it is ``of_all``; what is carried over
        is not waited for."""
        cut = frozenset(addresses) - departure.carried
        answers = LastAnswers(self._connections, cut)
        try:
            self._connections.leave(None if of_all else cut)
            if departure.is_needed and cut:
                await self._drain(cut, DRAIN_S_MAX)
                await self._hand_over(departure, answers)
            elif departure.is_needed:
                await self._carry_over(departure)
        except Exception:  # whatever went wrong with the clients, the others must hear that we leave
            logger.exception("failover: the virtual IPs could not be handed over in order")
        finally:
            try:
                answers.end()
            finally:
                departure.let_go(REASON)

    async def _carry_over(self, departure: Departure) -> None:
        departure.begin(REASON)
        await self._until(lambda: not departure.awaits_successor, CARRIED_SUCCESSOR_S_MAX)
        departure.fall_silent()

    async def _hand_over(self, departure: Departure, answers: LastAnswers) -> None:
        answers.begin()
        departure.begin(REASON)

        def succeeded() -> bool:
            answers.look(fresh=True)
            return not departure.awaits_successor

        await self._until(succeeded, self._successor_s_max)
        departure.fall_silent()
        fresh_until_s = self._loop.time() + FRESH_S
        await self._until(lambda: answers.look(fresh=self._loop.time() < fresh_until_s), FINISH_S_MAX)

    async def finish(self, stop_listening: Callable[[], None]) -> None:
        """Step 4."""
        stop_listening()
        await self._drain(None, self._deadline_s - self._loop.time())

    async def _drain(self, addresses: Collection[Address] | None, limit_s: float) -> None:
        drain = create_task(self._connections.drain(addresses, limit_s), name="failover drain")
        try:
            await self._until(drain.done, limit_s)
        finally:
            drain.cancel()
        await asyncio.wait([drain])

    async def _until(self, reached: Callable[[], bool], limit_s: float) -> None:
        """Look every few milliseconds."""
        deadline_s = min(self._deadline_s, self._loop.time() + limit_s)
        while not reached() and not self._hurried and self._loop.time() < deadline_s:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(POLL_S)
