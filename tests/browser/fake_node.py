"""A node's web server with documents that a test controls: for what cannot be provoked with a real one, such as ages,
silence and hostile texts. Loopback only, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from typing import Self

import tornado.httpserver
import tornado.netutil
import tornado.web

import wsa_proxy
from tests.browser import documents
from tests.browser.documents import Document
from wsa_proxy.status_warnings import status_warnings

STATIC = Path(wsa_proxy.__file__).parent / "admin" / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
EVERY_S = 0.3
"""How often the status is told; a real node tells it once a second."""


class FakeNode:
    """``with FakeNode() as node``; ``node.url`` is its page. What is changed by ``tell`` is sent to all who listen."""

    def __init__(self, status: Document | None = None) -> None:
        self.status = status or documents.status(documents.group())
        self.configuration = documents.configuration(documents.form())
        self.history: list[Document] = []
        self.answers: dict[str, tuple[int, Document]] = {}
        """What "METHOD /path" is answered in place of what is usual: status and document."""
        self.asked: list[tuple[str, Any]] = []
        """Every request that changes something: "METHOD /path?query" and what came with it."""
        self.csrf = "the-token-of-this-session"
        self.is_logged_in = True
        self.is_silent = False
        self.listeners: set[Events] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake node", daemon=True)
        self._ready = threading.Event()
        self._server: tornado.httpserver.HTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the fake node did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _for_listeners(self, work: Callable[[Events], None]) -> None:
        """In the server's own thread; returns when it is done."""
        done = threading.Event()

        def carry_out() -> None:
            for each in list(self.listeners):
                work(each)
            done.set()

        self._loop.call_soon_threadsafe(carry_out)
        assert done.wait(10)

    def tell(self, status: Document | None = None) -> None:
        """The status, to everybody who listens, now."""
        if status is not None:
            self.status = status
        self._for_listeners(lambda each: each.tell("status", self.status_with_warnings()))

    def status_with_warnings(self) -> Document:
        """As a node tells it: what is wrong is made from the rest of the document."""
        return self.status | {"warnings": status_warnings(self.status)}

    def happen(self, event: Document) -> None:
        self._for_listeners(lambda each: each.tell("history", event))

    def hang_up(self) -> None:
        """End every stream of events."""
        self._for_listeners(lambda each: each.hang_up())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._begin)
        self._loop.run_forever()
        if self._server is not None:
            self._server.stop()
        self._loop.close()

    def _begin(self) -> None:
        more = {"node": self}
        application = tornado.web.Application(
            [
                (r"/", Page, more),
                (r"/static/(.*)", Static, {"path": str(STATIC)}),
                (r"/api/events", Events, more),
                (r"/.*", Anything, more),
            ],
            log_function=lambda handler: None,
        )
        (socket,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
        self.port = socket.getsockname()[1]
        self._server = tornado.httpserver.HTTPServer(application)
        self._server.add_socket(socket)
        self._ready.set()


class Static(tornado.web.StaticFileHandler):
    def set_extra_headers(self, path: str) -> None:
        self.set_header("Content-Security-Policy", POLICY)


class OfNode(tornado.web.RequestHandler):
    def initialize(self, node: FakeNode) -> None:
        self.node = node

    def answer(self, document: Document, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(document))


class Page(OfNode):
    def get(self) -> None:
        self.set_header("Content-Security-Policy", POLICY)
        self.finish((STATIC / ("index.html" if self.node.is_logged_in else "login.html")).read_bytes())


class Events(OfNode):
    """The status, at once and again and again, and what is told from then on; while the node is silent, nothing."""

    async def get(self) -> None:
        if not self.node.is_logged_in:
            self.answer({"error": "log in"}, 401)
            return
        self.set_header("Content-Type", "text/event-stream")
        await self.flush()
        self.node.listeners.add(self)
        while self in self.node.listeners:
            if not self.node.is_silent:
                self.tell("status", self.node.status_with_warnings())
            await asyncio.sleep(EVERY_S)

    def tell(self, name: str, document: Document) -> None:
        self.write(f"event: {name}\ndata: {json.dumps(document)}\n\n")
        self.flush()

    def hang_up(self) -> None:
        self.node.listeners.discard(self)
        self.finish()

    def on_connection_close(self) -> None:
        self.node.listeners.discard(self)


class Anything(OfNode):
    """The rest of the interface."""

    def get(self) -> None:
        usual: dict[str, Document] = {
            "/api/session": {"csrf": self.node.csrf, "node": self.node.status["node"]},
            "/api/configuration": self.node.configuration,
            "/api/history": {"history": self._history()},
            "/api/why": {"why": [{"group": 1, "state": "master", "sentences": ["One.", "Two.", "Three."]}]},
        }
        if not self.node.is_logged_in:
            self.answer({"error": "log in"}, 401)
        elif self.request.path in usual:
            self._answer_or({"status": 200, "document": usual[self.request.path]})
        else:
            self.answer({"error": "no such page"}, 404)

    def _history(self) -> list[Document]:
        limit, before = int(self.get_query_argument("limit", "100")), self.get_query_argument("before", "")
        return [each for each in self.node.history if not before or each["number"] < int(before)][:limit]

    def post(self) -> None:
        self._change()

    def put(self) -> None:
        self._change()

    def delete(self) -> None:
        self._change()

    def _change(self) -> None:
        if self.request.headers.get("X-CSRF-Token") != self.node.csrf:
            self.answer({"error": "the X-CSRF-Token is missing"}, 403)
            return
        body = json.loads(self.request.body) if self.request.body else None
        self.node.asked.append((f"{self.request.method} {self.request.uri}", body))
        is_edit = self.request.path.startswith("/api/configuration/") and not self.request.path.endswith("/commit")
        self._answer_or({"status": 200, "document": self.node.configuration if is_edit else {"changes": ["done"]}})

    def _answer_or(self, usual: Document) -> None:
        key = f"{self.request.method} {self.request.path}"
        status, document = self.node.answers.get(key, (usual["status"], usual["document"]))
        self.answer(document, status)
