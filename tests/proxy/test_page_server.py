"""The server of the page is made of the node as it is; what it answers is tested where it comes from."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from wsa_proxy.proxy import page_server
from wsa_proxy.settings import AdminSettings


async def test_the_server_is_that_of_the_node(tmp_path: Path) -> None:
    """Its settings, its files, and the routes of the editor beside the page's own; nothing listens yet."""
    verbs: dict[str, Any] = {"status": lambda: {}}
    settings = SimpleNamespace(admin=AdminSettings(), node="a", source=tmp_path / "node.yaml")
    node: Any = SimpleNamespace(settings=settings, verbs=verbs, status=lambda: {"node": "a"})
    reloader: Any = SimpleNamespace(report=dict)
    files = page_server.read_files()
    judge: Any = None  # nobody asks it here
    server = page_server.make_server(node, reloader, judge, files)
    assert "index.html" in files
    assert any("configuration" in route.path for route in server.routes)
    shown = page_server.ShownNode(node)
    assert (shown.name, shown.verbs, shown.status()) == ("a", verbs, {"node": "a"})
