"""Makes the page's server for the node that runs in this mitmproxy.

A module of its own, because it imports all that the page needs: ``addon_page.py`` says when.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from wsa_proxy.admin.editing import Editing
from wsa_proxy.admin.editing_api import routes
from wsa_proxy.admin.metrics import exposition
from wsa_proxy.admin.server import AdminServer
from wsa_proxy.admin.static_files import FOLDER
from wsa_proxy.admin.static_files import StaticFile
from wsa_proxy.admin.static_files import read_static_files
from wsa_proxy.config import Loaded
from wsa_proxy.proxy.reload import Reloader
from wsa_proxy.runtime.asker import asker
from wsa_proxy.runtime.node import Node
from wsa_proxy.runtime.verbs import Verb
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


def read_files() -> dict[str, StaticFile]:
    """What the page is made of; for a thread."""
    return read_static_files(FOLDER)


def make_server(node: Node, reloader: Reloader, judge: Judge, files: Mapping[str, StaticFile]) -> AdminServer:
    """Does not listen yet."""
    editing = Editing(lambda: node.settings, lambda text: judge(node.settings, text), reloader.report, asker=asker.get)
    shown = ShownNode(node)
    return AdminServer(node.settings.admin, shown, files=files, routes=routes(editing), exposition=exposition)
