"""A row of the table of all that can be asked: path, handler, and what its description says."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from tornado.routing import URLSpec

from wsa_proxy.admin.handler import Handler
from wsa_proxy.admin.handler import Site

type Schema = dict[str, Any]
"""JSON Schema."""

JSON = "application/json"
HTML = "text/html"


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method does at one path."""

    summary: str
    answer: Schema = field(default_factory=lambda: {"type": "object"})
    """Of a JSON answer."""
    kind: str = JSON
    """The media type of the answer."""
    success: int = 200
    query: Mapping[str, str] = field(default_factory=dict)
    """What may stand behind the path, each with what it means. All of it is text."""
    body: Schema | None = None
    body_kind: str = JSON
    refusals: Mapping[int, str] = field(default_factory=dict)
    """Beside those that every request can meet."""


@dataclass(frozen=True, slots=True)
class Route:
    """One path. ``{name}`` in it is one part with any text, and an argument of the handler's methods."""

    path: str
    handler: type[Handler]
    operations: Mapping[str, Operation]
    """By method: ``GET``."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Of the handler's ``initialize``, beside the site."""

    def pattern(self) -> str:
        """For tornado. A part that is an argument is not empty and has no slash in it."""
        parts = re.split(r"(\{[a-z]+\})", self.path)
        return "".join("([^/]+)" if part.startswith("{") else re.escape(part) for part in parts)


def rules(routes: Collection[Route], site: Site) -> list[URLSpec]:
    """For tornado's application, in the order in which they are looked through."""
    return [URLSpec(route.pattern(), route.handler, {"site": site, **route.arguments}) for route in routes]
