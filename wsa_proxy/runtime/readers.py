"""The descriptors that wake a driver: exactly those that are open now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Iterable


class Readers:
    """Calls ``turn`` whenever one of the descriptors is readable."""

    def __init__(self, turn: Callable[[], None]) -> None:
        self._turn = turn
        self._loop = asyncio.get_running_loop()
        self._watched: set[int] = set()

    def watch(self, descriptors: Iterable[int]) -> None:
        """These, and no other. Called before one is closed: its number may be somebody else's the moment after."""
        wanted = set(descriptors)
        if wanted == self._watched:
            return
        for descriptor in self._watched - wanted:
            self._loop.remove_reader(descriptor)
        for descriptor in wanted - self._watched:
            self._loop.add_reader(descriptor, self._turn)
        self._watched = wanted

    def forget(self, descriptors: Iterable[int]) -> None:
        """All but these."""
        self.watch(self._watched - set(descriptors))
