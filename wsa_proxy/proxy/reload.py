"""Reads the configuration again when it is asked to, and has the running node take what has changed, and only that.

All or nothing: a file with errors, an address where the proxy cannot listen, a kernel that does not answer, and the old
settings stay in force. In order: the new virtual IPs are listened on, the requests on those that go are answered, the
node takes the settings (``runtime/reload.py``, ``runtime/node.py``), the listeners of those that are gone are closed.

One reload after the other. Whoever asks while one waits for its turn gets that one: the file that it will read is newer
than his wish.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol

from wsa_proxy.config import ConfigError
from wsa_proxy.config import Loaded
from wsa_proxy.proxy.listener import VirtualAddress
from wsa_proxy.proxy.listening_socket import Address
from wsa_proxy.proxy.listening_socket import on_interface
from wsa_proxy.proxy.modes import ListenerError
from wsa_proxy.runtime.identity import derive_keys
from wsa_proxy.runtime.reload import Fate
from wsa_proxy.runtime.reload import Plan
from wsa_proxy.runtime.reload import addresses_of
from wsa_proxy.runtime.reload import make_plan
from wsa_proxy.runtime.tasks import create_task
from wsa_proxy.settings import Settings

logger = logging.getLogger(__name__)

STOPPING = "the node is being stopped"


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a reload."""

    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    refused: bool = False
    """Because of these errors nothing has changed; without that nobody knows."""

    def document(self) -> dict[str, Any]:
        """For the control socket."""
        return {
            "changes": [*self.changes],
            "warnings": [*self.warnings],
            "errors": [*self.errors],
            "refused": self.refused,
        }


class Listener(Protocol):
    """What a reload needs of the failover listener."""

    async def add(self, addresses: Sequence[VirtualAddress]) -> None: ...
    def keep(self, addresses: Sequence[VirtualAddress]) -> None: ...


class Node(Protocol):
    """What a reload needs of the node."""

    settings: Settings

    def apply(self, plan: Plan) -> None: ...


class Reloader:
    """Of one node. ``read`` loads the file for a node with the settings in force; it may take its time. ``take``:
    the rest of the proxy is told the settings that the node has by then."""

    def __init__(
        self,
        node: Node,
        listener: Listener,
        read: Callable[[Settings], Loaded],
        drain: Callable[[Collection[Address]], Awaitable[None]],
        take: Callable[[Settings], None],
    ) -> None:
        self._node = node
        self._listener = listener
        self._read = read
        self._drain = drain
        self._take = take
        self._turn = asyncio.Lock()
        self._waiting: asyncio.Task[Report] | None = None
        self._running: asyncio.Task[Report] | None = None
        self._closed = False

    def request(self) -> asyncio.Task[Report]:
        """A reload that begins now, or as soon as the one before has ended."""
        if self._waiting is None:
            self._waiting = create_task(self._take_turn(), name="failover reload")
        return self._waiting

    async def report(self) -> dict[str, Any]:
        """The verb of the control socket: asks for a reload and waits for what came of it."""
        reload = self.request()
        await asyncio.wait([reload])  # whoever hangs up does not call it off
        if reload.cancelled():
            return Report(errors=(STOPPING,)).document()
        return reload.result().document()

    async def close(self) -> None:
        """No more reloads; one that is under way ends where it is, with the node as it was or as it will be."""
        self._closed = True
        tasks = [task for task in (self._running, self._waiting) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _take_turn(self) -> Report:
        await asyncio.sleep(0)  # mitmproxy's tasks are eager: else this would run before ``request`` knows the task
        async with self._turn:
            self._running, self._waiting = self._waiting, None
            if self._closed:  # asked for while the node takes its leave
                raise asyncio.CancelledError
            try:
                report = await self._reload()
            except Exception as error:  # the operator must hear of it where he has asked
                logger.exception("failover: the reload has failed")
                return Report(errors=(f"the reload has failed, see the log: {error!r}",))
            _log(report)
            return report

    async def _reload(self) -> Report:
        present = self._node.settings
        try:
            loaded = await asyncio.to_thread(self._load, present)
        except ConfigError as error:
            return Report(warnings=_texts(error.warnings), errors=_texts(error.problems), refused=True)
        plan = make_plan(present, loaded.settings)
        try:
            await self._listener.add(virtual_addresses(plan.settings))
            leaving = plan.ids(Fate.ENDED, Fate.RESTARTED)
            await self._drain(addresses_of([group for group in present.groups if group.vhid in leaving]))
            self._node.apply(plan)
            self._take(plan.settings)
        except (ListenerError, OSError) as error:
            return Report(warnings=_texts(loaded.warnings), errors=(str(error),), refused=True)
        finally:
            self._listener.keep(virtual_addresses(self._node.settings))
        return Report(plan.lines, _texts(loaded.warnings))

    def _load(self, present: Settings) -> Loaded:
        loaded = self._read(present)
        derive_keys(loaded.settings.groups)
        return loaded


def virtual_addresses(settings: Settings) -> list[VirtualAddress]:
    """Where the proxy listens for these settings."""
    return [
        VirtualAddress(on_interface(virtual_ip.ip, group.interface), group.port)
        for group in settings.groups
        for virtual_ip in group.virtual_ips
    ]


def _texts(problems: Collection[object]) -> tuple[str, ...]:
    return tuple(map(str, problems))


def _log(report: Report) -> None:
    for warning in report.warnings:
        logger.warning("%s", warning)
    for error in report.errors:
        logger.error("%s", error)
    if report.refused:
        logger.error("failover: the configuration was read again and refused: the settings stay as they were")
    for change in report.changes:
        logger.info("failover: the configuration was read again: %s", change)
