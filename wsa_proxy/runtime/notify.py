"""Runs the operator's command for each event, as ``notify`` names it: in order, one at a time, never in the loop's way.

The command is run without a shell, in a process group of its own, with no descriptor of this process but its standard
input, from which it may read the event as JSON; some of it is in its environment, too. One that needs longer than
``LIMIT_S`` is told to end, then killed, with all that it has started. What fails is in the log and in the status.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections import deque
from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from typing import Any
from typing import Self

from wsa_proxy.runtime.history_event import bounded
from wsa_proxy.runtime.tasks import create_task

logger = logging.getLogger(__name__)

LIMIT_S = 10.0
TERMINATED_S = 1.0
"""Between the request to end and the kill."""
QUEUE_MAX = 600
"""255 groups change together, twice."""
LINE_EVERY_S = 60.0
SAID_BYTES_MAX = 1000
PIPE_BYTES = 65_536
INHERITED = ("PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME")
"""Of this process's environment; there may be secrets in the rest, and what the service manager means for it alone."""


class Notify:
    """Of one node; made inside the running loop. An empty command: nobody wants to know."""

    def __init__(self, command: tuple[str, ...], *, limit_s: float = LIMIT_S) -> None:
        self._command, self._limit_s = command, limit_s
        self._queue: deque[dict[str, Any]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._failed = 0
        self._last_failure: str | None = None
        self._next_line_s = 0.0
        self._untold = 0

    def take(self, command: tuple[str, ...]) -> None:
        """Another command from now on; what waits is told to it."""
        self._command = command

    def transition(self, event: Mapping[str, Any]) -> None:
        """A group has changed its state; ``event`` is the history's document."""
        self._tell({"event": "transition", **event})

    def redundancy(self, node: str, group: int, healthy_standbys: int, text: str) -> None:
        """The last healthy standby is lost, or there is one again."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        told = {"at": at, "node": node, "group": group, "healthy_standbys": healthy_standbys, "text": bounded(text)}
        self._tell({"event": "redundancy", **told})

    def status(self) -> dict[str, Any]:
        """As in the status document, since the start."""
        return {"failed": self._failed, "last_failure": self._last_failure}

    async def finish(self, limit_s: float) -> None:
        """Wait for what is under way and what waits, so long at most; what is left then is ended, and told."""
        self._begin()
        left = 0
        if self._running is not None:
            left = len((await asyncio.wait([self._running], timeout=limit_s))[1])
            self._running.cancel()
            await asyncio.wait([self._running])
        left += len(self._queue)
        if left:
            self._fail(f"the node has stopped: {left} events were not told, or not to the end")

    # -- the queue -----------------------------------------------------------------------------------------------------

    def _tell(self, document: dict[str, Any]) -> None:
        """Called in the middle of a turn."""
        if not self._command:
            return
        if len(self._queue) >= QUEUE_MAX:
            self._fail(f"{QUEUE_MAX} events wait: that group {document['group']} has changed is not told")
            return
        self._queue.append(document)
        asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        if self._queue and (self._running is None or self._running.done()):
            self._running = create_task(self._run_all(), name="failover notify")

    async def _run_all(self) -> None:
        while self._queue:
            document, command = self._queue.popleft(), self._command
            if not command:
                continue
            try:
                failure = await self._run(command, document)
            except (OSError, ValueError) as error:
                failure = str(error)
            if failure is not None:
                self._fail(f"{command[0]}: {failure}")

    def _fail(self, text: str) -> None:
        self._failed += 1
        self._last_failure = bounded(text)
        now_s = asyncio.get_running_loop().time()
        if now_s < self._next_line_s:
            self._untold += 1
            return
        more = f" ({self._untold} more failures since the last line)" if self._untold else ""
        logger.error("failover notify: %s%s", self._last_failure, more)
        self._next_line_s, self._untold = now_s + LINE_EVERY_S, 0

    # -- one command ---------------------------------------------------------------------------------------------------

    async def _run(self, command: tuple[str, ...], document: dict[str, Any]) -> str | None:
        """Answers what went wrong. Raises OSError when it cannot be started."""
        with _Said() as said:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=said.writes,
                env=environment(document),
                start_new_session=True,
            )
            said.follow()
            assert process.stdin is not None
            process.stdin.write(json.dumps(document).encode() + b"\n")
            process.stdin.close()  # one that does not read it is fine
            try:
                async with asyncio.timeout(self._limit_s):
                    status = await process.wait()
            except TimeoutError:
                await _end(process)
                return f"not done within {self._limit_s:g} s, and ended"
            except asyncio.CancelledError:
                _signal(process, signal.SIGKILL)
                raise
            words = said.words()
        return None if status == 0 else f"ended with status {status}{f': {words}' if words else ''}"


class _Said:
    """What a command writes to its standard error: the beginning is kept, all of it is read, so that it never waits.
    What it has left behind may have the other end for ever."""

    def __init__(self) -> None:
        self._reads, self.writes = os.pipe()
        os.set_blocking(self._reads, False)
        self._said = bytearray()

    def __enter__(self) -> Self:
        return self

    def follow(self) -> None:
        """The command has its end; this process needs it no more."""
        os.close(self.writes)
        self.writes = -1
        asyncio.get_running_loop().add_reader(self._reads, self._read)

    def words(self) -> str:
        """In one line."""
        self._read()
        return bounded(self._said.decode(errors="replace"))

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            piece = os.read(self._reads, PIPE_BYTES)
            self._said += piece[: max(0, SAID_BYTES_MAX - len(self._said))]
            if not piece:
                asyncio.get_running_loop().remove_reader(self._reads)

    def __exit__(self, *_: object) -> None:
        if self.writes >= 0:
            os.close(self.writes)
        asyncio.get_running_loop().remove_reader(self._reads)
        os.close(self._reads)


def environment(document: Mapping[str, Any]) -> dict[str, str]:
    """Of the command: what everybody needs, and the event in words."""
    told = {
        "EVENT": document["event"],
        "NODE": document["node"],
        "GROUP": document["group"],
        "STATE": document.get("to", ""),
        "OLD_STATE": document.get("from", ""),
        "REASON": document.get("reason", ""),
        "EVIDENCE": document.get("evidence", ""),
        "TEXT": document.get("sentence", document.get("text", "")),
    }
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | {f"WSA_PROXY_{name}": _clean(str(value)) for name, value in told.items()}


def _clean(text: str) -> str:
    """As an environment can have it."""
    return text.replace("\0", "").encode(errors="replace").decode()


async def _end(process: asyncio.subprocess.Process) -> None:
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TERMINATED_S):
            await process.wait()
    _signal(process, signal.SIGKILL)  # what it has started may be there still
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
