"""The page's files, the way in, and the way out."""

from __future__ import annotations

import logging
import re

import pytest

from tests.admin.world import FILES
from tests.admin.world import PASSWORD
from tests.admin.world import Client
from tests.admin.world import World
from tests.admin.world import cookie_of
from wsa_proxy.admin.attempts import AT_ONCE
from wsa_proxy.admin.pages import MESSAGE
from wsa_proxy.admin.pages import WRONG
from wsa_proxy.admin.static_files import FOLDER
from wsa_proxy.settings import AdminSettings

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_the_page_is_for_those_who_are_known(world: World) -> None:
    """The others get the form to log in, without a message."""
    answer = await world.client("/")
    assert (answer.code, answer.body.decode()) == (401, FILES["login.html"])
    browser = await world.client.logged_in()
    answer = await browser("/")
    assert (answer.code, answer.body.decode()) == (200, FILES["index.html"])
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_a_browser_logs_in_and_out(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The cookie is out of reach of scripts and of other sites; afterwards it opens nothing. The log names the session,
    as it does for whatever the session changes."""
    caplog.set_level(logging.INFO)
    answer = await world.client("/login", "POST", f"password={PASSWORD}", FORM)
    assert (answer.code, answer.headers["Location"]) == (303, "/")
    name, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert name.startswith("wsa-proxy-a=") and set(attributes) == {"HttpOnly", "Path=/", "SameSite=Strict"}
    browser = await world.client.logged_in()
    assert (await browser("/api/status")).code == 200
    assert (await browser("/logout", "POST")).code == 200
    begun, ended = [re.search(r"session \w{6}", line) for line in caplog.messages if "session" in line][-2:]
    assert begun is not None and ended is not None and begun[0] == ended[0]
    assert any(line.endswith(f"({begun[0]}) has logged in") for line in caplog.messages)
    assert (await browser("/api/status")).code == 401
    assert (await Client(world.port, {"Cookie": name})("/api/status")).code == 200


async def test_the_address_of_the_log_logs_in(world: World) -> None:
    """A token that was made for this life; the password itself works there as well, though nobody is told so."""
    await world.server.change(AdminSettings(port=world.port))
    token = world.server.token
    assert token is not None
    for wrong in (PASSWORD, token + "x"):
        answer = await world.client(f"/login?token={wrong.replace(' ', '+')}")
        assert answer.code == 403 and "Set-Cookie" not in answer.headers
    answer = await world.client(f"/login?token={token}")
    assert (answer.code, answer.headers["Location"]) == (303, "/")
    assert (await Client(world.port, {"Cookie": cookie_of(answer)})("/")).body.decode() == FILES["index.html"]


async def test_who_is_wrong_is_told_so_on_the_form(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """And in the log, without what he has typed; who is wrong too often is told when to come again."""
    for n in range(AT_ONCE):
        answer = await world.client("/login", "POST", f"password=wrong-{n}", FORM)
        assert answer.code == 403 and f'role="alert">{WRONG}</p>' in answer.body.decode()
    answer = await world.client("/login", "POST", f"password={PASSWORD}", FORM)
    assert answer.code == 429 and re.search(rb"try again in [1-5] s</p>", answer.body)
    assert 1 <= int(answer.headers["Retry-After"]) <= 5
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == ["page: 127.0.0.1: a wrong token or password"] * AT_ONCE


def test_the_form_has_one_place_for_what_is_wrong() -> None:
    """In two of them it would be said twice, and read out twice."""
    assert (FOLDER / "login.html").read_bytes().count(MESSAGE) == 1


async def test_a_form_that_says_nothing_is_wrong(world: World) -> None:
    """Without the field, or with a body of another kind."""
    for body, headers in (("", FORM), ("word=a", FORM), ('{"password": "a"}', {"Content-Type": "application/json"})):
        assert (await world.client("/login", "POST", body, headers)).code == 403


async def test_files_are_asked_about_and_not_sent_again(world: World) -> None:
    """By their ETag; the page itself is not kept by the browser."""
    style = await world.client("/static/page.css")
    assert style.body.decode() == FILES["page.css"] and style.headers["Cache-Control"] == "no-cache"
    again = await world.client("/static/page.css", headers={"If-None-Match": style.headers["Etag"]})
    assert (again.code, again.body) == (304, b"")
    other = await world.client("/static/page.css", headers={"If-None-Match": '"other"'})
    assert other.code == 200
    page = await (await world.client.logged_in())("/")
    assert page.headers["Cache-Control"] == "no-store"
