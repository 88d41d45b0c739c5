"""The table of all that can be asked."""

from __future__ import annotations

from pathlib import Path

from tests.admin.world import World
from tests.admin.world import serving
from wsa_proxy.admin.api import Status
from wsa_proxy.admin.route import Operation
from wsa_proxy.admin.route import Route
from wsa_proxy.admin.routes import METRICS
from wsa_proxy.admin.server import AdminServer
from wsa_proxy.settings import AdminSettings


async def test_every_row_says_what_its_handler_does(world: World) -> None:
    """A method without a description, or a description without a method, is noticed here; no path stands twice."""
    for route in world.server.routes:
        assert set(route.operations) == set(route.handler.methods()), route.path
        assert all(operation.summary for operation in route.operations.values())
    paths = [route.path for route in world.server.routes]
    assert len(paths) == len(set(paths))


async def test_what_changes_something_is_no_get(world: World) -> None:
    """A link, a picture or a prefetching browser must not order anything."""
    assert {route.path for route in world.server.routes if "GET" not in route.operations} == {
        "/logout",
        "/api/actions/{verb}",
    }


async def test_other_parts_of_the_page_hand_in_rows(tmp_path: Path) -> None:
    """They are answered as the others are."""
    row = Route("/more.css", Status, {"GET": Operation("more")})
    async with serving(tmp_path, routes=(row,)) as world:
        assert row in world.server.routes
        assert (await world.client("/more.css")).code == 401
        assert (await world.client.with_bearer()("/more.css")).code == 200


async def test_there_are_no_metrics_where_nobody_makes_them(world: World) -> None:
    """Rather than an error at each scrape."""
    assert METRICS in world.server.routes
    assert METRICS not in AdminServer(AdminSettings(), world.node, files={}).routes
