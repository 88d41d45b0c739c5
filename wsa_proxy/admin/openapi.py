"""The OpenAPI description, made of the table of routes and of the verbs that the node has: it cannot fall behind."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from wsa_proxy import __version__
from wsa_proxy.admin.handler import CHANGING
from wsa_proxy.admin.handler import Handler
from wsa_proxy.admin.route import HTML
from wsa_proxy.admin.route import JSON
from wsa_proxy.admin.route import Operation
from wsa_proxy.admin.route import Route
from wsa_proxy.admin.route import Schema
from wsa_proxy.runtime.verbs import Verb
from wsa_proxy.runtime.verbs import arguments_of

ALL_CAN_MEET = {
    400: "no HTTP that is understood here",
    403: "the Host header is not this server's, or a change came from another page",
    429: "too many wrong passwords from this address",
}
NOT_LET_IN = {401: "neither a session nor the token or password"}
NOT_THERE = {404: "there is nothing of this name"}
ERROR: Schema = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
ACTION = "/api/actions/{verb}"
SEE_OTHER = 303


class Description(Handler):
    """``GET /api/openapi.json``."""

    async def get(self) -> None:
        self.answer(describe(self.application.settings["routes"], self.site.node.verbs))


def describe(routes: Collection[Route], verbs: Mapping[str, Verb]) -> dict[str, Any]:
    """The whole document. An action has a path of its own for each verb, with the arguments that it takes."""
    paths: dict[str, Any] = {}
    for route, path, summary, body in _expanded(routes, verbs):
        paths[path] = {
            method.lower(): _operation(route, path, method, operation, summary, body)
            for method, operation in route.operations.items()
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "wsa-proxy",
            "version": __version__,
            "description": "A node of a failover group. Every change is one of the verbs of its control socket.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "the token of the log, or the password"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "wsa-proxy-NODE",
                    "description": "of POST /login; a change needs X-CSRF-Token as well",
                },
            }
        },
    }


def _expanded(
    routes: Collection[Route], verbs: Mapping[str, Verb]
) -> Iterator[tuple[Route, str, str | None, Schema | None]]:
    for route in routes:
        if route.path != ACTION:
            yield route, route.path, None, None
            continue
        for name, verb in sorted(verbs.items()):
            text = " ".join((verb.__doc__ or "").split())
            yield route, ACTION.replace("{verb}", name), text or None, _arguments(verb)


def _arguments(verb: Verb) -> Schema:
    known = arguments_of(verb)
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in known},
        "required": [name for name, must in known.items() if must],
        "additionalProperties": False,
    }


def _operation(
    route: Route, path: str, method: str, operation: Operation, summary: str | None, body: Schema | None
) -> dict[str, Any]:
    body = body or operation.body
    described: dict[str, Any] = {
        "operationId": f"{method.lower()} {path}",
        "summary": summary or operation.summary,
        "security": [] if route.handler.OPEN else [{"bearer": []}, {"session": []}],
        "parameters": [*_parameters(path, method, operation)],
        "responses": _responses(route, operation),
    }
    if body is not None:
        needed = bool(body.get("required"))
        described["requestBody"] = {"required": needed, "content": {operation.body_kind: {"schema": body}}}
    return described


def _parameters(path: str, method: str, operation: Operation) -> Iterator[dict[str, Any]]:
    text = {"type": "string"}
    for name in re.findall(r"\{([a-z]+)\}", path):
        yield {"name": name, "in": "path", "required": True, "schema": text}
    for name, meaning in operation.query.items():
        yield {"name": name, "in": "query", "required": False, "description": meaning, "schema": text}
    if method in CHANGING:
        meaning = "of GET /api/session; needed with a session"
        yield {"name": "X-CSRF-Token", "in": "header", "required": False, "description": meaning, "schema": text}


def _responses(route: Route, operation: Operation) -> dict[str, Any]:
    refusals = {**ALL_CAN_MEET, **({} if route.handler.OPEN else NOT_LET_IN), **NOT_THERE, **operation.refusals}
    answer = {"schema": operation.answer} if operation.kind == JSON else {}
    refused = {JSON: {"schema": ERROR}, **({operation.kind: {}} if operation.kind == HTML else {})}
    done = {"description": "done", **({} if operation.success == SEE_OTHER else {"content": {operation.kind: answer}})}
    return {str(operation.success): done} | {
        str(status): {"description": text, **({} if status < 400 else {"content": refused})}
        for status, text in sorted(refusals.items())
    }
