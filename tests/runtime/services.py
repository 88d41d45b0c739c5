"""A proxy whose service a node can ask after, as a test wants it to be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Collection

from wsa_proxy.net.ports import Address
from wsa_proxy.runtime.service_watch import Answered
from wsa_proxy.runtime.service_watch import Member

WELL = Answered(True, "answers")
GONE = Answered(False, "Connection refused")


class FakeService:
    """Answers after ``takes_s`` what ``answer`` says then; keeps what it was asked."""

    def __init__(self, answer: Callable[[bool], Answered] = lambda here: WELL, takes_s: float = 0.004) -> None:
        self.answer, self.takes_s = answer, takes_s
        self.asked: list[tuple[float, str, int, bool]] = []
        self.expected: set[Member] = set()

    async def ask(self, address: Address, port: int, *, here: bool) -> Answered:
        self.asked.append((asyncio.get_running_loop().time(), str(address), port, here))
        await asyncio.sleep(self.takes_s)
        return self.answer(here)

    def expect(self, members: Collection[Member]) -> None:
        self.expected = set(members)
