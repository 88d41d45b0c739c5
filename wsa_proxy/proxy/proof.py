"""This node's proof, for a planned switch, that its own proxy serves: requests that begin now.

The self-tests of each second show the same a moment later, and judge it more kindly: one that failed may be forgiven,
or excused because others are answered. Here somebody is about to send all clients over, so each has to pass.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Protocol

from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.questions import ASKED
from wsa_proxy.proxy.questions import TUNNELLING

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
