"""This node's proof, for a planned switch, that its own proxy serves: requests that begin now.

The self-tests of each second show the same a moment later, and judge it more kindly: one that failed may be forgiven,
or excused because others are answered. Here somebody is about to send all clients over, so each has to pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Sequence
from typing import Protocol

from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.questions import ASKED
from wsa_proxy.proxy.questions import TUNNELLING
from wsa_proxy.runtime.tasks import create_task

LIMIT_S = 1.2
"""Of each of the two questions; together less than is waited for."""


class Asks(Protocol):
    """Each raises TimeoutError when nothing came in time, OSError with the reason when it failed otherwise."""

    async def get(self, endpoint: LoopbackEndpoint, limit_s: float) -> None: ...
    async def connect(self, endpoint: LoopbackEndpoint, limit_s: float) -> None: ...


async def prove(asks: Asks, endpoints: Callable[[], Sequence[LoopbackEndpoint]]) -> str:
    """Ask every mode in its own language, and the first that takes a CONNECT for one. Answers why the proxy cannot
    serve; empty: it can."""
    served = list(endpoints())
    if not served:
        return "nothing is served on the virtual IPs"
    question = ""
    try:
        for endpoint in served:
            question = ASKED[endpoint.mode]
            await asks.get(endpoint, LIMIT_S)
        tunnel = next((endpoint for endpoint in served if endpoint.mode in TUNNELLING), None)
        if tunnel is not None:
            question = "CONNECT"
            await asks.connect(tunnel, LIMIT_S)
    except TimeoutError:
        return f"no answer to {question} within {LIMIT_S:g} s"
    except OSError as error:
        return f"{question} failed: {error.strerror or error}"
    return ""


class SharedProof:
    """One proof for all groups that ask while it has not begun: they ask together when a node hands all of them over,
    and hundreds of requests at once would be the reason why it cannot serve."""

    def __init__(self, proof: Callable[[], Awaitable[str]]) -> None:
        self._proof = proof
        self._turn = asyncio.Lock()
        self._waiting: asyncio.Task[str] | None = None

    async def __call__(self) -> str:
        """As ``prove``; begins after the call."""
        if self._waiting is None:
            self._waiting = create_task(self._take_turn(), name="failover proof")
        return await asyncio.shield(self._waiting)  # whoever is cancelled calls nothing off

    async def _take_turn(self) -> str:
        await asyncio.sleep(0)  # mitmproxy's tasks are eager: else this would run before the task is known
        async with self._turn:
            self._waiting = None
            return await self._proof()
