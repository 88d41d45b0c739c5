"""A page's server on a free port of loopback, with a node of a few words behind it and a client that can be anybody."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import AsyncIterator
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient
from tornado.httpclient import HTTPResponse

from tests.proxy.processes import free_port
from wsa_proxy.admin.route import Route
from wsa_proxy.admin.server import AdminServer
from wsa_proxy.admin.static_files import read_static_files
from wsa_proxy.runtime.asker import asker
from wsa_proxy.runtime.verbs import Answer
from wsa_proxy.runtime.verbs import Verb
from wsa_proxy.settings import AdminSettings

PASSWORD = "correct horse battery staple"
FILES = {
    "index.html": "<title>page</title>",
    "login.html": "<title>login</title><!-- message -->",
    "page.css": "body { color: black }",
    "page.js": "go()",
}
EVENT = {"number": 2, "group": 1, "from": "backup", "to": "master"}


@dataclass
class FakeNode:
    """Says what it was asked; a ``NodeView``."""

    name: str = "a"
    document: dict[str, Any] = field(default_factory=lambda: {"schema": 1, "node": "a", "groups": []})
    called: list[tuple[Any, ...]] = field(default_factory=list)
    """Of each verb that changes something: its name, arguments, and who has asked."""
    made: int = 0
    """How often the status was."""

    def status(self) -> dict[str, Any]:
        self.made += 1
        return self.document

    @property
    def verbs(self) -> Mapping[str, Verb]:
        return {
            "status": self.status,
            "history": self.history,
            "why": lambda group="": {"why": []},
            "demote": self.demote,
            "switch": self.switch,
            "restore": lambda: self._done("restore"),
        }

    def history(self, group: str = "", limit: str = "100", before: str = "") -> Answer:
        if not limit.isdecimal():
            return {"error": "limit is no number"}
        return {"history": [EVENT | {"asked": [group, limit, before]}]}

    def demote(self, reason: str) -> Answer:
        """Let another node take over."""
        return self._done("demote", reason) if reason else {"error": "a reason is needed"}

    async def switch(self, group: str, to: str = "") -> Answer:
        return self._done("switch", group, to) if group == "1" else {"error": f"there is no group {group}"}

    def _done(self, *call: str) -> Answer:
        self.called.append((*call, asker.get()))
        return {"changes": [" ".join(call)]}


@dataclass
class Client:
    """Somebody who asks over HTTP. ``headers`` go with every request of his."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    async def __call__(
        self,
        path: str,
        method: str = "GET",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        host: str | None = None,
    ) -> HTTPResponse:
        """``body``: text, or what becomes JSON."""
        sent = {**self.headers, **(headers or {})}
        if body is not None and not isinstance(body, str):
            body, sent = json.dumps(body), {"Content-Type": "application/json", **sent}
        if host is not None:
            sent["Host"] = host
        return await AsyncHTTPClient().fetch(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            body=body if body is not None or method in ("GET", "HEAD", "DELETE", "OPTIONS") else "",
            headers=sent,
            raise_error=False,
            follow_redirects=False,
            allow_nonstandard_methods=True,
            request_timeout=20,
        )

    def with_bearer(self, secret: str = PASSWORD) -> Client:
        return Client(self.port, {"Authorization": f"Bearer {secret}"})

    async def logged_in(self, password: str = PASSWORD) -> Client:
        """A browser's session, with the CSRF token in every request."""
        answer = await self(
            "/login", "POST", f"password={password}", {"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert answer.code == 303, answer.body
        cookie = cookie_of(answer)
        session = document_of(await Client(self.port, {"Cookie": cookie})("/api/session"))
        return Client(self.port, {"Cookie": cookie, "X-CSRF-Token": session["csrf"]})


@dataclass
class World:
    server: AdminServer
    node: FakeNode
    client: Client
    """Nobody that is known."""
    settings: AdminSettings

    @property
    def port(self) -> int:
        return self.settings.port


def exposition(document: dict[str, Any]) -> bytes:
    """Tells who makes it: the loop itself, which stands still meanwhile, or another thread."""
    by_the_loop = threading.current_thread() is threading.main_thread()
    return f"node {document['node']}, made by {'the loop' if by_the_loop else 'a thread'}\n".encode()


@asynccontextmanager
async def serving(
    folder: Path, *, password: str | None = PASSWORD, routes: tuple[Route, ...] = (), node: FakeNode | None = None
) -> AsyncIterator[World]:
    """A server with the files of FILES and metrics, closed at the end. Its clock stands still: what is forgiven after a
    time is not forgiven on a busy machine."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    settings = AdminSettings(port=free_port(), password=password)
    node = node or FakeNode()
    server = AdminServer(
        settings,
        node,
        files=read_static_files(folder),
        routes=routes,
        exposition=exposition,
        clock=lambda: 1000.0,
    )
    await server.start()
    yield World(server, node, Client(settings.port), settings)
    await server.close()


def document_of(answer: HTTPResponse) -> dict[str, Any]:
    return dict(json.loads(answer.body))


def cookie_of(answer: HTTPResponse) -> str:
    found = re.match(r"[^;]+", answer.headers["Set-Cookie"])
    assert found is not None
    return found[0]
