"""A person logs in at the real server by the form, with the Origin that browsers send, by the policy of the page."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver import Keys

from tests.admin.world import PASSWORD
from tests.admin.world import FakeNode
from tests.browser import documents
from tests.browser.chromium import needs_chromium
from tests.browser.looking import Page
from tests.proxy.processes import free_port
from wsa_proxy.admin.events import LISTENERS_MAX
from wsa_proxy.admin.pages import WRONG
from wsa_proxy.admin.server import AdminServer
from wsa_proxy.admin.static_files import FOLDER
from wsa_proxy.admin.static_files import read_static_files
from wsa_proxy.settings import AdminSettings

pytestmark = needs_chromium


@pytest.fixture
def url() -> Iterator[str]:
    """Of the page of a node that serves."""
    loop = asyncio.new_event_loop()
    settings = AdminSettings(port=free_port(), password=PASSWORD)

    async def begin() -> AdminServer:
        node = FakeNode(document=documents.status(documents.group()))
        server = AdminServer(settings, node, files=read_static_files(FOLDER))
        await server.start()
        return server

    thread = threading.Thread(target=loop.run_forever, name="page's server", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    yield f"http://127.0.0.1:{settings.port}/"
    asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_a_page_too_many_says_so_until_another_is_closed(browser: Chrome, url: str) -> None:
    """By the real limit, and a real refusal: EventSource itself would not tell."""
    page, port = Page(browser, url), int(url.rstrip("/").rpartition(":")[2])
    lines = ["GET /api/events HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: Bearer {PASSWORD}", "", ""]
    others = [socket.create_connection(("127.0.0.1", port)) for _ in range(LISTENERS_MAX)]
    for other in others:
        other.sendall("\r\n".join(lines).encode())
        assert other.recv(1024)
    browser.get(url)
    page.until(lambda: page.focused() == "password")
    page.keys(PASSWORD, Keys.ENTER)
    page.until_text("too many pages are open; close one", "#connection")
    others.pop().close()
    page.until(lambda: page.text("#connection") == "live")
    for other in others:
        other.close()


def test_the_form_logs_in(browser: Chrome, url: str) -> None:
    """Who is wrong is told so, once, and types again; then the page is there and hears its node. After the logout the
    form is."""
    page = Page(browser, url)
    browser.get(url)
    page.until(lambda: page.focused() == "password")
    page.keys("wrong", Keys.ENTER)
    page.until_text(WRONG, "[role=alert]")
    assert len(page.texts("[role=alert]")) == 1
    page.until(lambda: page.focused() == "password")
    page.keys(PASSWORD, Keys.ENTER)
    page.until(lambda: page.has("#connection.live") and page.text(".panel .role") == "MASTER")
    page.press("[data-action=logout]")
    page.until(lambda: page.focused() == "password")
