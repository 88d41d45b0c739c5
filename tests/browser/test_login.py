"""A browser logs in at the real server by its form, with the Origin that browsers send, by the policy of the page."""

from __future__ import annotations

import asyncio
from functools import partial

from selenium.webdriver import Chrome
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.admin.world import PASSWORD
from tests.admin.world import FakeNode
from tests.browser.chromium import needs_chromium
from tests.browser.fake_node import STATIC
from tests.browser.looking import Page
from tests.proxy.processes import free_port
from wsa_proxy.admin.server import AdminServer
from wsa_proxy.admin.static_files import read_static_files
from wsa_proxy.settings import AdminSettings

pytestmark = needs_chromium

WRONG = "That is neither the token nor the password."


def log_in(browser: Chrome, url: str) -> list[str]:
    """What is shown after a wrong password and after the right one."""
    page = Page(browser, url)
    browser.get(url)
    seen = []
    for password, sign in (("wrong", "[role=alert]"), (PASSWORD, "#connection")):
        browser.find_element(By.ID, "password").send_keys(password, Keys.ENTER)
        page.until(partial(page.has, sign))
        seen.append(page.shown())
    return seen


async def test_a_browser_logs_in_by_the_form(browser: Chrome) -> None:
    """With a wrong password it is told so, once, and may try again."""
    settings = AdminSettings(port=free_port(), password=PASSWORD)
    server = AdminServer(settings, FakeNode(), files=read_static_files(STATIC))
    await server.start()
    url = f"http://127.0.0.1:{settings.port}/"
    wrong, _ = await asyncio.to_thread(log_in, browser, url)
    assert wrong.count(WRONG) == 1
    assert browser.current_url == url
    await asyncio.to_thread(browser.get, "about:blank")  # ends its stream of events
    await server.close()
