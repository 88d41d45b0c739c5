"""What scripts and the page ask: JSON documents, the metrics, and the same verbs that the control socket has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from wsa_proxy.admin.handler import Handler
from wsa_proxy.admin.handler import Refusal
from wsa_proxy.admin.handler import Site
from wsa_proxy.admin.metrics import CONTENT_TYPE
from wsa_proxy.runtime.asker import asked_by
from wsa_proxy.runtime.verbs import WrongArguments
from wsa_proxy.runtime.verbs import call


class ApiHandler(Handler):
    """Calls the node's verbs."""

    def json_body(self) -> Any:
        """Of the request; an empty one is no arguments. Raises Refusal."""
        if not self.request.body:
            return {}
        if self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "the body must be JSON: Content-Type: application/json")
        try:
            return json.loads(self.request.body)
        except (ValueError, RecursionError):
            raise Refusal(422, "the body is no JSON") from None

    async def ask(self, name: str, arguments: Any) -> dict[str, Any]:
        """What a verb answers, in the name of whoever asks here. Raises Refusal."""
        verb = self.site.node.verbs.get(name)
        if verb is None:
            raise Refusal(404, f"there is no {name}; there are {', '.join(sorted(self.site.node.verbs))}")
        try:
            with self.in_own_name():
                answer = call(name, verb, arguments)
                document = answer if isinstance(answer, dict) else await answer
        except WrongArguments as error:
            raise Refusal(422, str(error)) from None
        except asyncio.CancelledError:  # at the process's end
            raise Refusal(503, "the node has stopped meanwhile") from None
        return document

    def in_own_name(self) -> AbstractContextManager[None]:
        """What is ordered inside is told to have been ordered by whoever asks here."""
        return asked_by(f"operator (page, {self.address})")


class Session(Handler):
    """``GET /api/session``: what a change needs. Empty for those who come without a session and need none."""

    async def get(self) -> None:
        session = self.asker.session if self.asker is not None else None
        self.answer({"csrf": session.csrf if session is not None else "", "node": self.site.node.name})


class Status(Handler):
    """``GET /api/status``."""

    async def get(self) -> None:
        self.answer(self.site.node.status())


class Reading(ApiHandler):
    """``GET /api/NAME``: a verb that changes nothing, with its arguments in the query."""

    def initialize(self, site: Site, verb: str = "") -> None:
        super().initialize(site)
        self.verb = verb

    async def get(self) -> None:
        arguments = {key: self.get_query_argument(key, strip=False) for key in self.request.query_arguments}
        document = await self.ask(self.verb, arguments)
        self.answer(document, 409 if "error" in document else 200)


class Action(ApiHandler):
    """``POST /api/actions/VERB``."""

    async def post(self, verb: str) -> None:
        arguments = self.json_body()
        self.told = told_of(arguments)
        document = await self.ask(verb, arguments)
        if "error" in document:
            self.told += f" {document['error']}"
        self.answer(document, 409 if "error" in document else 200)


class Metrics(Handler):
    """``GET /metrics``, for Prometheus: with ``authorization: {credentials: ...}`` in its scrape configuration."""

    async def get(self) -> None:
        assert self.site.exposition is not None
        # Of many groups the text takes a tenth of a second, in which the loop would stand still.
        text = await asyncio.to_thread(self.site.exposition, self.site.node.status())
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(text)


def told_of(arguments: Any) -> str:
    """For the log. The verbs' arguments are reasons, numbers and names: none of them is a secret."""
    if not isinstance(arguments, Mapping):
        return ""
    return " ".join(f"{key}={json.dumps(value)}" for key, value in arguments.items())
