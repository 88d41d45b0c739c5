"""A row of the table becomes a rule of tornado's."""

from __future__ import annotations

import re

import pytest

from wsa_proxy.admin.handler import NotFound
from wsa_proxy.admin.route import Route


@pytest.mark.parametrize(
    ("path", "asked", "arguments"),
    [
        ("/", "/", ()),
        ("/api/openapi.json", "/api/openapi.json", ()),
        ("/api/openapi.json", "/api/openapiXjson", None),
        ("/api/actions/{verb}", "/api/actions/switch", ("switch",)),
        ("/api/actions/{verb}", "/api/actions/a%2Fb", ("a%2Fb",)),
        ("/api/actions/{verb}", "/api/actions/", None),
        ("/api/actions/{verb}", "/api/actions/a/b", None),
        ("/static/{file}", "/static/page.css", ("page.css",)),
        ("/static/{file}", "/static/", None),
    ],
)
def test_a_path_is_matched_whole(path: str, asked: str, arguments: tuple[str, ...] | None) -> None:
    """A part in braces is one part of what is asked for, and not empty."""
    found = re.fullmatch(Route(path, NotFound, {}).pattern(), asked)
    assert (found.groups() if found else None) == arguments
