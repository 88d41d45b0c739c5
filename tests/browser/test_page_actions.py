"""What the operator orders on the page: asked first, with its effect, and refused in the node's own words."""

from __future__ import annotations

import pytest

from tests.browser import documents
from tests.browser.chromium import needs_chromium
from tests.browser.fake_node import FakeNode
from tests.browser.looking import Page

pytestmark = needs_chromium

SWITCH = "POST /api/actions/switch"


def test_a_switch_shows_who_is_ready_and_is_carried_out(page: Page, node: FakeNode) -> None:
    page.open()
    page.press("[data-action=switch]")
    assert page.text("dialog .choice").strip() == "b: ready"
    node.answers[SWITCH] = (200, {"changes": ["group 1: node b is master"]})
    page.press("dialog [type=submit]")
    page.until_text("group 1: node b is master", "#messages")
    assert node.asked == [(SWITCH, {"group": "1", "to": "b"})]


def test_a_switch_without_a_standby_is_off_with_the_reason(page: Page, node: FakeNode) -> None:
    """Also when the standby is lost while the question is shown, and on again when it is back."""
    page.open()
    page.press("[data-action=switch]")
    node.tell(documents.lost(documents.status(documents.group())))
    page.until_text("no node is ready to take over", "dialog .why-not")
    assert page.attribute("dialog [type=submit]", "disabled") is not None
    assert "last heard 194.1 s ago" in page.text("dialog .choice")
    node.tell(documents.status(documents.group()))
    page.until(lambda: page.attribute("dialog [type=submit]", "disabled") is None)


def test_a_group_that_was_switched_away_can_be_switched_back(page: Page, node: FakeNode) -> None:
    """Its old master is a healthy standby: demoted for nothing else. What else is wrong with it still counts."""
    away = documents.group("backup")
    away["demoted_by"] = {"switch": "switched to b by the operator"}
    node.status = documents.status(away)
    page.open()
    assert "yes" in page.text(".members tbody tr:first-child")
    page.press("[data-action=switch]")
    assert page.text("dialog .choice").strip() == "a: ready"
    assert page.attribute("dialog [type=submit]", "disabled") is None
    away["demoted_by"]["operator"] = "kernel"
    node.tell(documents.status(away))
    page.until(lambda: page.text("dialog .choice").strip() == "a: kernel")
    assert page.attribute("dialog [type=submit]", "disabled") is not None
    assert "no: kernel" in page.text(".members tbody tr:first-child")


def test_a_refusal_is_shown_in_the_words_of_the_node(page: Page, node: FakeNode) -> None:
    """The dialog stays, and can be tried again."""
    page.statuses_expected = {409}
    page.open()
    page.press("[data-action=switch]")
    node.answers[SWITCH] = (409, {"error": "group 1: b did not prove that it serves"})
    page.press("dialog [type=submit]")
    page.until_text("group 1: b did not prove that it serves", "dialog [role=alert]")
    assert page.attribute("dialog [type=submit]", "disabled") is None


def test_a_refusal_is_told_when_the_question_was_closed_meanwhile(page: Page, node: FakeNode) -> None:
    """Nobody takes an order for carried out because he has not waited for the answer."""
    page.statuses_expected = {409}
    page.open()
    page.press("[data-action=switch]")
    node.answers[SWITCH] = (409, {"error": "b did not prove that it serves"})
    page.run("document.querySelector('dialog [type=submit]').click(); document.querySelector('dialog').close()")
    page.until_text("Switch failover group 1: b did not prove that it serves", "#messages .error")
    assert not page.has("dialog")


def test_a_session_that_was_begun_anew_in_another_tab_goes_on(page: Page, node: FakeNode) -> None:
    """Its token is another one: it is asked for, and what was ordered is done once."""
    page.statuses_expected = {403}
    page.open()
    node.csrf = "the-token-of-the-next-session"
    page.press("[data-action=switch]")
    page.press("dialog [type=submit]")
    page.until_text("done", "#messages")
    assert node.asked == [(SWITCH, {"group": "1", "to": "b"})]


@pytest.mark.parametrize(
    ("action", "typed", "verb", "texts"),
    [
        ("drill", {"objective_ms": "150"}, "drill", {"group": "1", "objective_ms": "150"}),
        ("demote", {"reason": "kernel"}, "demote", {"reason": "kernel"}),
        (
            "maintenance",
            {"duration": "2h", "reason": "memory"},
            "maintenance_on",
            {"duration": "2h", "reason": "memory"},
        ),
        ("maintenance-off", {}, "maintenance_off", {}),
        ("restore", {}, "restore", {}),
        ("preempt", {}, "preempt", {"group": "1"}),
        ("reload", {}, "reload", {}),
    ],
)
def test_each_button_asks_and_orders_its_verb(
    page: Page, node: FakeNode, action: str, typed: dict[str, str], verb: str, texts: dict[str, str]
) -> None:
    """Of those that are there in this state of the node only."""
    if action == "preempt":
        node.status["groups"][0]["preemption"]["waits_s"] = 8.0
    if action == "maintenance-off":
        node.status["maintenance"] = {"reason": "memory", "since": documents.ago(9), "until": "", "left_s": 900.0}
    if action == "restore":
        node.status["demoted_by_operator"] = {"reason": "kernel", "age_s": 30.0}
    node.answers["POST /api/actions/drill"] = (200, {"drill": {"lines": ["done"]}})
    page.open()
    page.press(f"[data-action={action}]")
    for name, text in typed.items():
        page.type(name, text)
    page.press("dialog [type=submit]")
    page.until_text("done", "#messages")
    assert node.asked == [(f"POST /api/actions/{verb}", texts)]


def test_a_file_that_cannot_be_taken_is_told_with_what_is_wrong(page: Page, node: FakeNode) -> None:
    """A reload is answered, whatever came of it."""
    page.open()
    reload = "POST /api/actions/reload"
    node.answers[reload] = (200, {"changes": [], "warnings": [], "errors": ["groups[0].id: 300: must be 1 to 255"]})
    page.press("[data-action=reload]")
    page.press("dialog [type=submit]")
    page.until_text("groups[0].id: 300: must be 1 to 255", "dialog [role=alert]")
    node.answers[reload] = (200, {"changes": ["group 1: priority 9"], "warnings": ["is low"], "errors": []})
    page.press("dialog [type=submit]")
    page.until_text("Warning: is low", "#messages")


def test_what_is_typed_stays_while_the_question_is_renewed(page: Page, node: FakeNode) -> None:
    page.open()
    page.press("[data-action=maintenance]")
    page.type("reason", "memory")
    node.tell(documents.lost(documents.status(documents.group())))
    page.until_text("this node goes on serving until one is", "dialog .effect")
    assert page.run("return document.getElementById('field-reason').value") == "memory"
    assert page.focused() == "field-reason"


def test_why_is_answered_in_three_sentences(page: Page) -> None:
    page.open()
    page.press("[data-action=why]")
    page.until(lambda: page.texts("dialog p")[:3] == ["One.", "Two.", "Three."])
    assert not page.has("dialog [type=submit]")
