"""One conversation with an echo through the proxy: a message goes there and back, again and again; or its client waits.

Who waits sends nothing, as a client that is blocked in recv(2): it learns of an end only if it is told.
"""

from __future__ import annotations

import asyncio
import math
import time

from wsa_proxy.lab.download import OPENING_S_MAX
from wsa_proxy.lab.download import PIECE_BYTES
from wsa_proxy.lab.download import SILENT_S
from wsa_proxy.lab.talks import Closed
from wsa_proxy.lab.talks import Talk
from wsa_proxy.lab.talks import Unexpected
from wsa_proxy.lab.watch import Watch

MESSAGE_EVERY_S = 0.2
LOOKS_EVERY_S = 1.0
"""Who only waits looks so often whether a last message is wanted of it."""


class Conversation:
    """One talk on one connection."""

    def __init__(
        self, talk: Talk, watch: Watch, finishing: asyncio.Event, *, speaks: bool, lasts_s: float = math.inf
    ) -> None:
        self._talk, self._watch, self._finishing, self._speaks = talk, watch, finishing, speaks
        self._ends_s = time.monotonic() + lasts_s
        self._due = ""
        """The message that has to come back."""
        self._is_last = False

    async def hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until its time is over or ``finishing`` is set, and a message that was sent after that is back. Raises
        Unexpected, Closed, TimeoutError when what was due did not come, or OSError."""
        writer.write(self._talk.begin())
        while not self._talk.server:
            async with asyncio.timeout(OPENING_S_MAX):
                self._hear(await reader.read(PIECE_BYTES))
        self._watch.runs(self._talk.server)
        while not self._is_last or self._due:
            received = await self._read(reader)
            if received is not None:
                self._hear(received)
            elif self._due:
                raise TimeoutError(f"nothing came in {SILENT_S:g} s")
            elif self._speaks or self._is_over:
                self._say(writer)

    @property
    def _is_over(self) -> bool:
        return self._finishing.is_set() or time.monotonic() >= self._ends_s

    async def _read(self, reader: asyncio.StreamReader) -> bytes | None:
        """What comes, or None when nothing does for as long as this may take."""
        limit_s = SILENT_S if self._due else MESSAGE_EVERY_S if self._speaks else LOOKS_EVERY_S
        try:
            async with asyncio.timeout(limit_s):
                return await reader.read(PIECE_BYTES)
        except TimeoutError:
            return None

    def _say(self, writer: asyncio.StreamWriter) -> None:
        self._is_last = self._is_over
        self._due = f"message {self._watch.count + 1}"
        self._watch.waits()
        writer.write(self._talk.say(self._due))

    def _hear(self, received: bytes) -> None:
        if not received:
            raise Closed(f"closed after {self._watch.count} messages")
        for message in self._talk.hear(received):
            if message != self._due:
                raise Unexpected(f"{message!r} where {self._due!r} was due")
            self._due = ""
            self._watch.came(self._watch.count + 1)
