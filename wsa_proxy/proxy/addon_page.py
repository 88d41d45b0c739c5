"""Joins the page (``wsa_proxy/admin``) to the node that runs in this mitmproxy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from wsa_proxy.admin.editing import Editing
from wsa_proxy.admin.editing_api import routes
from wsa_proxy.admin.metrics import exposition
from wsa_proxy.admin.server import AdminServer
from wsa_proxy.admin.static_files import FOLDER
from wsa_proxy.admin.static_files import read_static_files
from wsa_proxy.config import Loaded
from wsa_proxy.proxy.mitmproxy_internals import SocketName
from wsa_proxy.proxy.reload import Reloader
from wsa_proxy.runtime.asker import asker
from wsa_proxy.runtime.node import Node
from wsa_proxy.runtime.record import Transition
from wsa_proxy.runtime.tasks import create_task
from wsa_proxy.runtime.verbs import Verb
from wsa_proxy.settings import AdminSettings
from wsa_proxy.settings import Settings

type Judge = Callable[[Settings, str], Loaded]
"""What a reload would make of this text, in a node with these settings. Raises ConfigError."""


class ShownNode:
    """A ``NodeView``."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def name(self) -> str:
        return self._node.settings.node

    @property
    def verbs(self) -> Mapping[str, Verb]:
        return self._node.verbs

    def status(self) -> dict[str, Any]:
        return self._node.status()


class AddonPage:
    """There from the start; the server is made with the node."""

    def __init__(self) -> None:
        self._server: AdminServer | None = None

    async def start(self, node: Node, reloader: Reloader, judge: Judge) -> None:
        """Listen if the settings say so; the node runs without the page as well."""
        files = await asyncio.to_thread(read_static_files, FOLDER)
        editing = Editing(
            lambda: node.settings, lambda text: judge(node.settings, text), reloader.report, asker=asker.get
        )
        self._server = AdminServer(
            node.settings.admin, ShownNode(node), files=files, routes=routes(editing), exposition=exposition
        )
        node.chronicle.history.on_event.append(self._server.tell)
        await self._server.start()

    def change(self, settings: AdminSettings | None) -> None:
        """The configuration was read again."""
        if self._server is not None:
            create_task(self._server.change(settings), name="page settings")

    async def close(self) -> None:
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
