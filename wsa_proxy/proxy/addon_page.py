"""Joins the page (``wsa_proxy/admin``) to the node that runs in this mitmproxy."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from typing import TYPE_CHECKING
from typing import Any

from wsa_proxy.proxy.mitmproxy_internals import SocketName
from wsa_proxy.proxy.reload import Reloader
from wsa_proxy.runtime.node import Node
from wsa_proxy.runtime.record import Transition
from wsa_proxy.runtime.tasks import create_task
from wsa_proxy.settings import AdminSettings

if TYPE_CHECKING:
    from wsa_proxy.admin.server import AdminServer
    from wsa_proxy.proxy.page_server import Judge

PROVEN_S_MAX = 1.0
"""A proxy that does not work needs its page as well, and sooner than anybody who is told so comes to look."""


class AddonPage:
    """There from the start; the server is made once the node has proven that it works.

    To import what the server needs (tornado, prometheus-client, the editor) takes more than a tenth of a second of
    processor: it is done in a thread, while the node listens before its first turn as master.
    """

    def __init__(self) -> None:
        self._server: AdminServer | None = None
        self._starting: asyncio.Task[None] | None = None

    def begin(self, node: Node, reloader: Reloader, judge: Judge, proven: asyncio.Event) -> None:
        """Listen soon, if the settings say so; the node runs without the page as well."""
        self._starting = create_task(self._start(node, reloader, judge, proven), name="page starting")

    async def _start(self, node: Node, reloader: Reloader, judge: Judge, proven: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(proven.wait(), PROVEN_S_MAX)
        await asyncio.to_thread(importlib.import_module, "wsa_proxy.proxy.page_server")
        from wsa_proxy.proxy.page_server import make_server
        from wsa_proxy.proxy.page_server import read_files

        files = await asyncio.to_thread(read_files)
        self._server = make_server(node, reloader, judge, files)
        node.chronicle.history.on_event.append(self._server.tell)
        await self._server.start()

    def change(self, settings: AdminSettings | None) -> None:
        """The configuration was read again."""
        if self._server is not None:
            create_task(self._server.change(settings), name="page settings")

    async def close(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])  # what it died of has been told, and keeps nobody from leaving
        if self._server is not None:
            await self._server.close()

    def status(self) -> dict[str, Any]:
        """What the status document has of the page."""
        return {"admin": self._server.status() if self._server is not None else None}

    def transition(self, vhid: int, transition: Transition) -> None:
        """An ``OnTransition``."""
        if self._server is not None:
            self._server.state_changed()

    def listening_addresses(self) -> list[SocketName]:
        """Where no client of the proxy may come through the proxy: on loopback he would pass for this host."""
        return [*self._server.listening_addresses()] if self._server is not None else []
