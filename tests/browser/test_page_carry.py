"""What the page says of open connections: what happens to them now, and what a switch would do to them."""

from __future__ import annotations

from tests.browser import documents
from tests.browser.chromium import needs_chromium
from tests.browser.fake_node import FakeNode
from tests.browser.looking import Page
from tests.test_carry_text import BUSY
from tests.test_carry_text import QUIET

pytestmark = needs_chromium


def test_what_happens_to_them_stands_beside_the_role(page: Page, node: FakeNode) -> None:
    """While it happens, and not of a node that is silent; a node of an earlier version tells nothing."""
    page.open()
    quiet = page.text(".groups tbody tr")
    node.status["groups"][0]["carry"] = BUSY
    node.tell()
    page.until_text("finishes 12 connections that it had as master, 4", ".groups")
    shown = page.text(".groups tbody tr")
    assert "steers 1 connection to a" in shown and "steers 0 connections to c" in shown
    assert "200 clients of a told that their connections are gone, 1" in shown
    for carry in (QUIET, None):
        node.status["groups"][0]["carry"] = carry
        node.tell()
        page.until(lambda: "connection" not in page.text(".groups tbody tr"))
    assert "connection" not in quiet
    page.run("document.documentElement.dataset.staleAfterMs = 800")
    node.status["groups"][0]["carry"] = BUSY
    node.tell()
    page.until_text("finishes 12 connections", ".groups")
    node.is_silent = True
    page.until_text("UNKNOWN", ".groups")
    assert "finishes" not in page.text(".groups tbody tr")


def test_before_a_switch_it_is_said_what_becomes_of_them(page: Page, node: FakeNode) -> None:
    """By the master, who alone knows; also while the question is shown."""
    page.open()
    page.press("[data-action=switch]")
    page.until_text("tunnels and long downloads go on.", "dialog")
    node.status["groups"][0]["carry"] = QUIET | {"possible": False, "why_not": "node b cannot steer: old"}
    node.tell()
    page.until_text("tunnels and long downloads are cut: node b cannot steer: old.", "dialog")
    node.tell(documents.status(documents.group("backup")))
    page.until_text("tunnels and long downloads go on if the nodes can carry them over", "dialog")
