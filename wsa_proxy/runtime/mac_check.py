"""Asks the network once, for each interface with a virtual MAC, whether it carries frames of such an address."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from wsa_proxy.net.ports import ForeignMacPort
from wsa_proxy.net.ports import MacVerdict
from wsa_proxy.runtime.tasks import create_task

logger = logging.getLogger(__name__)

ROUNDS = 5
ROUND_S = 0.2
"""One second in all, while the node listens before its first turn as master."""


class MacCheck:
    """``open_test`` makes the test of one interface, by name and index; it may raise OSError."""

    def __init__(self, open_test: Callable[[str, int], ForeignMacPort]) -> None:
        self._open_test = open_test
        self._tasks: dict[str, tuple[int, asyncio.Task[None]]] = {}
        """The one of each name, with its index: who makes an interface anew for ever must not fill the memory."""
        self._verdicts: dict[str, MacVerdict] = {}

    def begin(self, interface: str, index: int) -> None:
        """Once for each interface; a re-created one is another."""
        before, task = self._tasks.get(interface, (0, None))
        if before != index:
            if task is not None:
                task.cancel()  # of one that is gone it would say what the other is
            self._verdicts[interface] = MacVerdict.UNKNOWN
            asking = create_task(self._ask(interface, index), name=f"virtual MAC on {interface}")
            self._tasks[interface] = index, asking

    def verdict(self, interface: str) -> MacVerdict:
        """What is known by now."""
        return self._verdicts.get(interface, MacVerdict.UNKNOWN)

    def close(self) -> None:
        """Ask no more; harmless when repeated."""
        for _, task in self._tasks.values():
            task.cancel()

    async def _ask(self, interface: str, index: int) -> None:
        try:
            test = self._open_test(interface, index)
            try:
                for _ in range(ROUNDS):
                    test.send()
                    await asyncio.sleep(ROUND_S)
                    self._verdicts[interface] = test.receive()
                    if self._verdicts[interface] is MacVerdict.CARRIED:
                        return
                if (sentence := test.sentence()) is not None:
                    logger.warning("carp %s", sentence)
            finally:
                test.close()
        except OSError as error:
            # The interface may be going away; whether the network carries the address stays unknown.
            logger.warning("carp %s could not be asked whether it carries a virtual MAC: %s", interface, error)
