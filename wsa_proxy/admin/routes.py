"""The table of all that can be asked, from which the server is made and its description is written.

Another part of the page hands in a table of its own, of the same rows.
"""

from __future__ import annotations

from collections.abc import Collection

from wsa_proxy.admin.api import Action
from wsa_proxy.admin.api import Metrics
from wsa_proxy.admin.api import Reading
from wsa_proxy.admin.api import Session
from wsa_proxy.admin.api import Status
from wsa_proxy.admin.event_stream import EventStream
from wsa_proxy.admin.handler import Site
from wsa_proxy.admin.openapi import Description
from wsa_proxy.admin.pages import Login
from wsa_proxy.admin.pages import Logout
from wsa_proxy.admin.pages import Page
from wsa_proxy.admin.pages import Static
from wsa_proxy.admin.route import HTML
from wsa_proxy.admin.route import Operation
from wsa_proxy.admin.route import Route
from wsa_proxy.admin.route import Schema

GROUP = "a Failover Group ID; left out: all groups"
REFUSED = {409: "the node refuses, and says why", 422: "an argument is missing, unknown, or no text"}


def _texts(*names: str) -> Schema:
    """An object with these and no other texts."""
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": [*names],
        "additionalProperties": False,
    }


LOGIN = {
    "GET": Operation(
        "Log in with the token that the log tells",
        kind=HTML,
        query={"token": "the token; left out: the form is shown"},
        refusals={303: "logged in", 403: "a wrong token"},
    ),
    "POST": Operation(
        "Log in with the token or the password",
        kind=HTML,
        success=303,
        body=_texts("password"),
        body_kind="application/x-www-form-urlencoded",
        refusals={403: "a wrong password"},
    ),
}
EVENTS = Operation(
    "Server-sent events: `status` with the status document, `history` with what was added to the history",
    kind="text/event-stream",
    refusals={503: "too many listen"},
)
HISTORY = Operation(
    "What has happened, newest first",
    query={"group": GROUP, "limit": "how many at most", "before": "only those with a smaller number"},
    refusals=REFUSED,
)
WHY = Operation("Why each group is in its state, in three sentences", query={"group": GROUP}, refusals=REFUSED)
ACTION = Operation(
    "What an operator orders",
    body={"type": "object", "additionalProperties": {"type": "string"}},
    refusals={**REFUSED, 415: "the body is not called JSON"},
)
ROUTES = (
    Route("/", Page, {"GET": Operation("The page; without a session the form to log in", kind=HTML)}),
    Route("/login", Login, LOGIN),
    Route("/logout", Logout, {"POST": Operation("End the session")}),
    Route(
        "/api/session",
        Session,
        {"GET": Operation("The node's name, and the CSRF token of the session", _texts("csrf", "node"))},
    ),
    Route("/api/status", Status, {"GET": Operation("The status document, see docs/status.md")}),
    Route("/api/events", EventStream, {"GET": EVENTS}),
    Route("/api/history", Reading, {"GET": HISTORY}, {"verb": "history"}),
    Route("/api/why", Reading, {"GET": WHY}, {"verb": "why"}),
    Route("/api/actions/{verb}", Action, {"POST": ACTION}),
    Route("/api/openapi.json", Description, {"GET": Operation("This description")}),
)
METRICS = Route("/metrics", Metrics, {"GET": Operation("The node's metrics, for Prometheus", kind="text/plain")})
STATIC = Route(
    "/static/{file}", Static, {"GET": Operation("A part of the page", kind="*/*", refusals={304: "unchanged"})}
)


def table(site: Site, more: Collection[Route] = ()) -> tuple[Route, ...]:
    """All routes of a site."""
    metrics = (METRICS,) if site.exposition is not None else ()
    return (*ROUTES, STATIC, *more, *metrics)
