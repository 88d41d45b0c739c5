"""What is shown can be read: in the light and in the dark, and whatever state the node is in."""

from __future__ import annotations

import re
from datetime import UTC
from datetime import datetime
from pathlib import Path

import pytest

from tests.browser import documents
from tests.browser import screenshots
from tests.browser.chromium import needs_chromium
from tests.browser.fake_node import STATIC
from tests.browser.fake_node import FakeNode
from tests.browser.looking import Page
from wsa_proxy.carp.commands import Reason

pytestmark = needs_chromium

CONTRAST_MIN = 4.5
PICTURE_BYTES_MAX = 150_000
HARD_TO_READ = (Path(__file__).parent / "contrast.js").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(page: Page, node: FakeNode, scheme: str) -> None:
    """4.5 to 1 at least: warnings, changes that wait, a form with an error, and when the connection is lost."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.statuses_expected = {422}
    try:
        node.status = documents.lost(documents.status(documents.group()))
        node.history = documents.history(datetime.now(UTC))
        node.configuration |= {"pending": {"changes": ["Add failover group 2."], "diff": documents.DIFF}}
        node.answers["POST /api/configuration/groups"] = (422, {"errors": {"id": "must be 1 to 255"}})
        page.open()
        page.until(lambda: page.has(".history"))
        assert page.run(HARD_TO_READ, CONTRAST_MIN) == []
        page.press("[data-action=add]")
        page.press("dialog [type=submit]")
        page.until(lambda: page.has("[aria-invalid=true]"))
        assert page.run(HARD_TO_READ, CONTRAST_MIN) == []
        page.press("dialog [data-cancel]")
        page.run("document.documentElement.dataset.staleAfterMs = 0")
        page.until(lambda: page.has("main.stale"))
        assert page.run(HARD_TO_READ, CONTRAST_MIN) == []
        ground = page.run("return getComputedStyle(document.documentElement).backgroundColor")
        assert (ground == "rgb(18, 22, 28)") is (scheme == "dark")
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_everything_that_can_be_used_has_a_name(page: Page, node: FakeNode) -> None:
    """As a screen reader would say it; and each input has a label of its own."""
    node.history = documents.history(datetime.now(UTC))
    page.open()
    page.press("[data-action=add]")
    tree = page.browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    used = {"button", "textbox", "radio", "checkbox", "combobox", "link", "dialog", "table"}
    named = [(each["role"]["value"], each.get("name", {}).get("value", "")) for each in tree if not each["ignored"]]
    assert {"button", "textbox", "radio", "checkbox", "combobox", "dialog"} <= {role for role, _ in named}
    assert [role for role, name in named if role in used - {"table"} and not name] == []


def test_the_page_loads_nothing_but_its_own_files() -> None:
    """No address in any of the files, but the name space of SVG; no style and no script inside of the HTML."""
    for path in sorted(STATIC.iterdir()):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, path.name
        assert "innerHTML" not in text and "insertAdjacent" not in text, path.name
        if path.suffix == ".html":
            assert not re.search(r"<style|<script(?! type=\"module\" src=)|\s(style|on\w+)=", text), path.name


def test_every_reason_of_the_protocol_has_its_words() -> None:
    """A word of the log is not for people."""
    told = (STATIC / "words.js").read_text().partition("const REASONS = {")[2].partition("}")[0]
    assert {reason.value for reason in Reason} <= set(re.findall(r"^  (\w+):", told, re.MULTILINE))


def test_the_pictures_of_the_documentation_are_those_that_are_taken() -> None:
    """Each has its line in screenshots.py, and none is too large to be read over a slow line."""
    sizes = {path.name: path.stat().st_size for path in screenshots.FOLDER.iterdir()}
    assert sizes.keys() == {f"{name}.png" for name, *_ in screenshots.SHOTS}
    assert max(sizes.values()) < PICTURE_BYTES_MAX


def test_without_a_session_there_is_a_form_to_log_in(page: Page, node: FakeNode) -> None:
    """Plain HTML: the server's own answer is shown in it."""
    node.is_logged_in = False
    page.browser.get(page.url)
    assert page.focused() == "password"
    assert page.attribute("form", "action") == "/login"
    assert page.attribute("form", "method") == "post"
    assert page.run(HARD_TO_READ, CONTRAST_MIN) == []
