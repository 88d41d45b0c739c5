"""The history of a node: what has happened to its groups, kept over restarts, and told to whoever listens.

The loop never waits for the file. An event is told at once, and kept in memory until the thread that writes the node's
files has it on the disk. A file that is full, locked, damaged or gone changes nothing else: it is told in the log and
in the status, and tried again.

Numbers are milliseconds since 2020, or one more than the last one if that is greater: they grow whatever becomes of the
file, and none is given twice.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.history_event import NODE
from wsa_proxy.runtime.history_event import STARTED
from wsa_proxy.runtime.history_event import STOPPED
from wsa_proxy.runtime.history_event import Event
from wsa_proxy.runtime.history_store import Document
from wsa_proxy.runtime.history_store import HistoryStore
from wsa_proxy.runtime.history_store import StoreError
from wsa_proxy.runtime.tasks import create_task

logger = logging.getLogger(__name__)

FILE_NAME = "history.db"
PENDING_MAX = 1000
"""Events that wait for the file; of more the oldest are lost, and counted."""
BATCH_MAX = 200
RETRY_S = 10.0
FILE_S_MAX = 2.0
"""So long whoever asks, or a start, waits for the disk."""
LIMIT_MAX = 1000
LIMIT_USUAL = "100"

type Answer = dict[str, Any]
type Submit = Callable[[Callable[[], None]], Future[None]]


class History:
    """Of one node; made and used inside the running loop. ``submit`` is the thread that writes the node's files."""

    def __init__(self, folder: Path, node: str, clocks: Clocks, submit: Submit) -> None:
        self.on_event: list[Callable[[Document], None]] = []
        """Told of each event as it happens, in the middle of a turn: they must neither raise nor lead back into a
        driver. Told again, with the same number, when more is known of a takeover."""
        self.life = secrets.token_hex(8)
        self._node, self._clocks, self._submit = node, clocks, submit
        self._store = HistoryStore(folder / FILE_NAME, lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        self._pending: dict[int, Document] = {}
        self._recent: deque[Document] = deque(maxlen=PENDING_MAX)
        """Of this life, newest last: what is answered while the file is not to be had."""
        self._lost = 0
        self._last_number = 0
        self._trouble: str | None = None
        self._told_moved: str | None = None
        self._is_writing = self._closed = False
        self._retry: asyncio.TimerHandle | None = None

    # -- life ----------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Read how the last life ended, and begin this one. A slow disk is not waited for longer than FILE_S_MAX."""
        last = await self._read(None, 1, None)
        if last:
            self._last_number = max(self._last_number, int(last[0]["number"]))
        before = last[0] if last else None
        self.add(NODE, "", STARTED, "node_started", _end_of(before, self._clocks.boot), at=datetime.now(UTC))

    def close(self) -> None:
        """The last event of this life. The thread that writes ends after what was submitted."""
        if self._closed:
            return
        self._closed = True
        self.add(NODE, "", STOPPED, "orderly_stop", "", at=datetime.now(UTC))
        if self._retry is not None:
            self._retry.cancel()
        documents = list(self._pending.values())
        self._submit(lambda: self._write_last(documents))

    # -- what happens --------------------------------------------------------------------------------------------------

    def add(self, group: int, old: str, new: str, reason: str, evidence: str, who: str = "", *, at: datetime) -> Event:
        """Something has happened; ``at`` is the wall clock's."""
        self._last_number = max(self._last_number + 1, int(self._clocks.wall_ms()))
        event = Event(
            self._last_number, at, self._node, group, old, new, reason, evidence, self._clocks.boot, self.life, who
        )
        self.put(event)
        return event

    def put(self, event: Event) -> None:
        """Keep and tell it; more is known of one that was put before."""
        document = event.document()
        if self._recent and self._recent[-1]["number"] >= event.number:
            kept = [document if each["number"] == event.number else each for each in self._recent]
            self._recent = deque(kept, maxlen=PENDING_MAX)
        else:
            self._recent.append(document)
        self._pending[event.number] = document
        while len(self._pending) > PENDING_MAX:
            del self._pending[next(iter(self._pending))]
            self._lost += 1
        for tell in list(self.on_event):
            tell(document)
        if self._retry is None:
            self._begin_writing()

    # -- the file ------------------------------------------------------------------------------------------------------

    def _begin_writing(self) -> None:
        if not self._is_writing and not self._closed and self._pending:
            self._is_writing = True
            # Not in the middle of a turn: tasks may be eager.
            asyncio.get_running_loop().call_soon(lambda: create_task(self._write_all(), name="failover history"))

    async def _write_all(self) -> None:
        try:
            while self._pending and not self._closed:
                batch = dict(list(self._pending.items())[:BATCH_MAX])
                if not await self._write(batch):
                    break
        finally:
            self._is_writing = False

    async def _write(self, batch: dict[int, Document]) -> bool:
        failures: list[StoreError] = []

        def work() -> None:
            try:
                self._store.write(list(batch.values()))
            except StoreError as error:
                failures.append(error)

        await self._done(self._submit(work))
        if failures:
            self._failed(failures[0])
            return False
        for number, document in batch.items():
            if self._pending.get(number) is document:  # else more is known of it meanwhile
                del self._pending[number]
        self._wrote()
        return True

    def _failed(self, error: StoreError) -> None:
        if self._trouble is None:
            logger.error("carp the history cannot be written, and is kept in memory: %s", error)
        self._trouble = str(error)
        if not self._closed:
            self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._try_again)

    def _wrote(self) -> None:
        if self._trouble is not None:
            lost = f"; {self._lost} events were too many to be kept meanwhile" if self._lost else ""
            logger.warning("carp the history is written again%s", lost)
            self._trouble = None
        if self._store.moved is not None and self._store.moved != self._told_moved:
            self._told_moved = self._store.moved
            logger.error("carp the history: %s", self._store.moved)

    def _try_again(self) -> None:
        self._retry = None
        self._begin_writing()

    def _write_last(self, documents: list[Document]) -> None:
        """In the thread, after everything else."""
        try:
            self._store.write(documents)
        except StoreError as error:
            logger.error("carp the end of the history cannot be written: %s", error)
        self._store.close()

    async def _read(self, group: int | None, limit: int, before: int | None) -> list[Document]:
        """What the file says, newest first; nothing if it is not to be had in time."""
        found: list[Document] = []

        def work() -> None:
            try:
                found.extend(self._store.read(group, limit, before))
            except StoreError as error:
                logger.debug("carp the history cannot be read: %s", error)

        try:
            async with asyncio.timeout(FILE_S_MAX):
                await self._done(self._submit(work))
        except TimeoutError:
            return []
        return found

    @staticmethod
    async def _done(work: Future[None]) -> None:
        if not work.done():
            await asyncio.shield(asyncio.wrap_future(work))

    # -- what others ask -----------------------------------------------------------------------------------------------

    async def read(self, group: str = "", limit: str = LIMIT_USUAL, before: str = "") -> Answer:
        """The events, newest first: of one group by its id, so many at most, of those below a number."""
        for name, text in (("group", group), ("before", before)):
            if text and not (text.isdecimal() and len(text) < 19):
                return {"error": f"{name} must be a whole number"}
        if not limit.isdecimal() or not 0 < int(limit[:9]) <= LIMIT_MAX:
            return {"error": f"limit must be a whole number from 1 to {LIMIT_MAX}"}
        vhid, below = int(group) if group else None, int(before) if before else None
        kept = {each["number"]: each for each in await self._read(vhid, int(limit), below)}
        for each in self._recent:  # the file may be behind, or not there
            if (vhid is None or each["group"] == vhid) and (below is None or each["number"] < below):
                kept[each["number"]] = each
        newest = sorted(kept, reverse=True)[: int(limit)]
        return {"history": [kept[number] for number in newest]}

    def status(self) -> dict[str, Any]:
        """As in the status document."""
        troubles = [self._trouble or self._store.moved, f"{self._lost} events were lost" if self._lost else None]
        trouble = "; ".join(each for each in troubles if each)
        return {"trouble": trouble or None, "events": self._store.count + len(self._pending)}


def _end_of(last: Document | None, boot: str) -> str:
    """How the life before has ended, by its last event."""
    if last is None:
        return "nothing is known of an earlier life"
    if last["group"] == NODE and last["to"] == STOPPED:
        return "its last life was stopped in order"
    if last["boot"] != boot:
        return "its last life ended with its host, without an orderly stop"
    return "its last life ended without an orderly stop: it was killed, or has crashed"
