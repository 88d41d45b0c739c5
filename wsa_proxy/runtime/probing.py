"""Is the virtual IP served, probed every 10 ms for as long as a switch of a drill takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from collections.abc import Callable
from dataclasses import dataclass

from wsa_proxy.net.ports import Address
from wsa_proxy.runtime.tasks import create_task

EVERY_S = 0.01
OPEN_MAX = 150
"""Probes under way: more than begin before the first is given up."""
PROBING_S_MAX = 30.0
"""Whoever wanted it may be gone."""

type Probe = Callable[[Address, int], Awaitable[bool]]
"""Connects to a proxy there, and answers whether it has answered, within a limit of its own."""


async def answered(address: Address, port: int) -> bool:
    """A ``Probe`` where there is no proxy."""
    return True


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it."""

    outage_ms: int
    """The longest time between two successes, as a client that begins a request every 10 ms sees it."""
    failed: int
    probes: int


class Probing:
    """Begun when it is made, inside the running loop; ``clock`` is monotonic seconds."""

    def __init__(self, probe: Probe, address: Address, port: int, clock: Callable[[], float]) -> None:
        self._probe, self._address, self._port, self._clock = probe, address, port, clock
        self._open: set[asyncio.Task[None]] = set()
        self._answered_at_s = self._began_at_s = clock()
        self._outage_s = 0.0
        self._failed = self._probes = 0
        self._beginning = create_task(self._begin(), name="failover drill")

    @property
    def is_over(self) -> bool:
        """It has gone on for as long as it may."""
        return self._clock() >= self._began_at_s + PROBING_S_MAX

    async def stop(self) -> Measured:
        """No more of them; those under way come to their end."""
        self._beginning.cancel()
        if self._open:
            await asyncio.wait(self._open)
        self._gap()
        return Measured(round(self._outage_s * 1000), self._failed, self._probes)

    def close(self) -> None:
        """Nobody wants to know any more."""
        self._beginning.cancel()

    async def _begin(self) -> None:
        due_s = self._began_at_s
        while not self.is_over:
            if len(self._open) < OPEN_MAX:
                task = create_task(self._one(), name="failover probe")
                self._open.add(task)
                task.add_done_callback(self._open.discard)
            due_s = max(due_s + EVERY_S, self._clock() - EVERY_S)
            await asyncio.sleep(max(0.0, due_s - self._clock()))

    async def _one(self) -> None:
        self._probes += 1
        if await self._probe(self._address, self._port):
            self._gap()
        else:
            self._failed += 1

    def _gap(self) -> None:
        now_s = self._clock()
        self._outage_s = max(self._outage_s, now_s - self._answered_at_s)
        self._answered_at_s = now_s
