"""What every request meets: each of these tests goes through the whole table of routes, so none can be forgotten."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.admin.world import FILES
from tests.admin.world import PASSWORD
from tests.admin.world import World
from tests.admin.world import document_of
from wsa_proxy.admin.attempts import AT_ONCE
from wsa_proxy.admin.handler import HEADERS
from wsa_proxy.admin.handler import LOG_IN
from wsa_proxy.admin.handler import LOGGED_CHARACTERS_MAX
from wsa_proxy.admin.handler import NO_CSRF
from wsa_proxy.admin.handler import WRONG_HOST
from wsa_proxy.admin.routes import STATIC
from wsa_proxy.settings import AdminSettings

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OPEN = {"/login", "/static/login.html", "/static/page.css"}
"""What is answered to whoever comes."""
UNKNOWN = ("/nothing", "/api/actions/", "/static/", "/static/../page.css", "/static/%2e%2e%2fpage.css", "/page.css")


def paths_of(world: World) -> Iterator[str]:
    """Each route once, each file, and some that are none."""
    for route in world.server.routes:
        if route is not STATIC:  # its files follow
            yield re.sub(r"\{[a-z]+\}", "restore", route.path)
    yield from (f"/static/{name}" for name in FILES)
    yield from UNKNOWN


async def test_nobody_is_let_in_unknown(world: World) -> None:
    """Without anything, with a wrong password, a cookie that was made up, or the password where it does not belong."""
    for path in paths_of(world):
        if path in OPEN:
            continue
        for headers in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": "Basic Y29ycmVjdCBob3JzZQ=="},
            {"Cookie": "wsa-proxy-a=y"},
            {"Cookie": "wsa-proxy-a=", "X-CSRF-Token": ""},
        ):
            for method in ("GET", "POST") if headers else METHODS:
                answer = await world.client(f"{path}?token=correct+horse", method, headers=headers)
                assert answer.code == 401, (path, method, headers)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                if path != "/":
                    assert document_of(answer) == {"error": LOG_IN}
    assert world.node.called == [] and world.node.made == 0


async def test_a_wrong_password_is_refused_and_then_not_even_looked_at(world: World) -> None:
    """On every path the same count."""
    paths = [path for path in paths_of(world) if path not in OPEN]
    wrong = world.client.with_bearer("wrong")
    codes = [(await wrong(path)).code for path in paths]
    assert codes == [401] * AT_ONCE + [429] * (len(paths) - AT_ONCE)
    answer = await world.client.with_bearer()("/api/status")
    assert answer.code == 429 and 1 <= int(answer.headers["Retry-After"]) <= 5
    assert document_of(answer)["error"].startswith("too many wrong passwords from this address; try again in ")


async def test_a_session_changes_nothing_without_its_csrf_token(world: World) -> None:
    """None, an empty one, that of another session: every method that changes something, on every path."""
    browser, other = await world.client.logged_in(), await world.client.logged_in()
    for path in paths_of(world):
        if path in OPEN:
            continue
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for csrf in (None, "", other.headers["X-CSRF-Token"]) if method == "POST" else (None,):
                headers = {"Cookie": browser.headers["Cookie"]} | ({"X-CSRF-Token": csrf} if csrf is not None else {})
                answer = await world.client(path, method, headers=headers)
                assert (answer.code, document_of(answer)) == (403, {"error": NO_CSRF}), (path, method, csrf)
    assert world.node.called == []
    assert (await browser("/api/actions/restore", "POST")).code == 200


async def test_another_sites_page_changes_nothing(world: World) -> None:
    """Not even with the token, which it cannot have; the page's own origin may, at whatever address it was opened."""
    browser = await world.client.logged_in()
    for path in paths_of(world):
        for origin in ("http://evil.example", "null", f"http://localhost:{world.port}"):
            answer = await browser(path, "POST", headers={"Origin": origin})
            assert answer.code == 403 and b"another site" in answer.body, (path, origin)
    assert world.node.called == []
    mine = {"Origin": f"http://localhost:{world.port}"}
    assert (await browser("/api/actions/restore", "POST", headers=mine, host=f"localhost:{world.port}")).code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_sites_page_draws_nothing_in(world: World, site: str) -> None:
    """No picture, script or frame, which would use up the attempts to log in; a link to here is followed."""
    browser = await world.client.logged_in()
    for path in paths_of(world):
        for destination in ("image", "iframe", "script", "empty"):
            drawn = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": destination}
            answer = await browser(path, headers=drawn)
            assert answer.code == 403 and b"draw this in" in answer.body, (path, destination)
    for _ in range(AT_ONCE):
        drawn = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "image"}
        assert (await world.client("/login?token=wrong", headers=drawn)).code == 403
    followed = {"Sec-Fetch-Site": site, "Sec-Fetch-Dest": "document"}
    assert (await world.client(f"/login?token={quote(PASSWORD)}", headers=followed)).code == 303
    own = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}
    assert (await browser("/api/status", headers=own)).code == 200


async def test_a_name_that_was_pointed_here_is_refused(world: World) -> None:
    """Before anything else, and for everybody: also what needs no login."""
    script = world.client.with_bearer()
    for path in paths_of(world):
        for method in ("GET", "POST"):
            answer = await script(path, method, host=f"evil.example:{world.port}")
            assert (answer.code, document_of(answer)) == (403, {"error": WRONG_HOST}), path
    assert world.node.called == []


async def test_every_answer_has_the_headers(world: World) -> None:
    """Good ones, refusals, what is not there and what is not allowed."""
    script = world.client.with_bearer()
    for path in paths_of(world):
        if path == "/api/events":
            continue
        for client in (world.client, script):
            for method in ("GET", "PUT"):
                answer = await client(path, method)
                cached = {"Cache-Control": "no-cache"} if path in OPEN and answer.code == 200 else {}
                for name, value in {**HEADERS, **cached}.items():
                    assert answer.headers.get_list(name) == [value], (path, method, name)
                assert "Server" not in answer.headers and "Access-Control-Allow-Origin" not in answer.headers


async def test_what_is_not_there_and_what_is_not_allowed_is_told_as_json(world: World) -> None:
    """To those who may know."""
    script = world.client.with_bearer()
    for path in UNKNOWN:
        answer = await script(path)
        assert answer.code == 404 and document_of(answer)["error"], path
    for path, method in (("/api/status", "POST"), ("/api/actions/restore", "GET"), ("/", "DELETE"), ("/", "HEAD")):
        answer = await script(path, method)
        assert answer.code == 405 and (method == "HEAD" or document_of(answer) == {"error": "Method Not Allowed"})


async def test_a_password_may_have_any_letters(world: World) -> None:
    """A header is UTF-8 for whoever sends one."""
    await world.server.change(AdminSettings(port=world.port, password="größer als €"))
    sent = "Bearer größer als €".encode().decode("latin-1")
    assert (await world.client("/api/status", headers={"Authorization": sent})).code == 200


async def test_a_mistake_of_ours_is_logged_and_not_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """With its traceback; whoever asked hears that there was one. A refusal is no mistake."""
    world.node.document = {"groups": object()}
    answer = await world.client.with_bearer()("/api/status")
    assert answer.code == 500 and json.loads(answer.body) == {"error": "Internal Server Error"}
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage() == "page: GET /api/status" and record.exc_info
    await world.client("/api/status")
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


async def test_the_log_has_one_short_line_whatever_was_asked(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """No path and no argument can write another line, or a long one."""
    caplog.set_level(logging.INFO)
    await world.client.with_bearer()("/api/actions/a%0Ab", "POST", {"reason": "x" * 60_000, "more": "\u202e\x1b[2J"})
    (line,) = [record.getMessage() for record in caplog.records if "POST" in record.getMessage()]
    assert line.isprintable() and len(line) < LOGGED_CHARACTERS_MAX + 60
