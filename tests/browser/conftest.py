"""One browser for all tests of the page, and a fake node for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import chromium
from tests.browser.chromium import complaints
from tests.browser.chromium import hosts
from tests.browser.fake_node import FakeNode
from tests.browser.looking import Page


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    with chromium(width=1280, height=1000) as browser:
        yield browser


@pytest.fixture
def node() -> Iterator[FakeNode]:
    with FakeNode() as node:
        yield node


@pytest.fixture
def page(browser: Chrome, node: FakeNode) -> Iterator[Page]:
    """The page of the fake node. In the end: the console has nothing to complain of, and no other host was asked."""
    browser.get("about:blank")
    complaints(browser)
    hosts(browser)
    page = Page(browser, node.url)
    yield page
    lines = complaints(browser)
    expected = page.expected(lines)
    assert [line for line in lines if line not in expected] == []
    assert hosts(browser) == {f"127.0.0.1:{node.port}"}
