"""What a service manager is told (sd_notify(3)): that we are ready, that the loop turns, that we stop.

The loop itself feeds the watchdog, so a proxy that hangs is killed and started anew, long after its guardian has given
the addresses up. Nothing is sent unless the manager asks for it (NOTIFY_SOCKET, WATCHDOG_USEC).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping

logger = logging.getLogger(__name__)

FEEDS_PER_LIMIT = 4


class ServiceManager:
    """The one that has started this process, if any."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = os.environ if environment is None else environment
        self._address = found.get("NOTIFY_SOCKET", "")
        limit_us = found.get("WATCHDOG_USEC", "")
        meant = found.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.feed_every_s = int(limit_us) / 1e6 / FEEDS_PER_LIMIT if limit_us.isdecimal() and meant else None
        """None: nobody waits for a sign of life."""

    def ready(self) -> None:
        """The node takes part from now on."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """An orderly stop has begun."""
        self._tell("STOPPING=1")

    async def feed(self) -> None:
        """Feed the watchdog until cancelled; returns at once when there is none."""
        while self.feed_every_s:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self.feed_every_s)

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
                manager.sendto(state.encode(), address)
        except OSError as error:  # it will do what it does with those who are silent
            logger.warning("failover: the service manager could not be told %s: %s", state, error)
