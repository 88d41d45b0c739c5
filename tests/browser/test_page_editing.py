"""Submit, then Commit Changes, as on the WSA: by a person with a mouse, or with nothing but a keyboard."""

from __future__ import annotations

import pytest
from selenium.webdriver import Keys

from tests.browser import documents
from tests.browser.chromium import needs_chromium
from tests.browser.fake_node import FakeNode
from tests.browser.looking import Page

pytestmark = needs_chromium

GROUPS = "POST /api/configuration/groups"
WSA_FIELDS = [
    "Failover Group ID",
    "Description",
    "Hostname",
    "Virtual IP Address and Netmask",
    "Interface",
    "Priority",
    "Enable Security for Service",
    "Shared Secret",
    "Retype Shared Secret",
    "Advertisement Interval",
]


def test_a_group_is_added_submitted_shown_as_a_diff_and_committed(page: Page, node: FakeNode) -> None:
    """What was typed arrives as it was typed; the file is written by Commit Changes alone."""
    page.open()
    page.press("[data-action=add]")
    for name, text in {"id": "2", "hostname": "guests.example.com", "virtual_ip": "10.0.0.4/24, fd00:77::4/64"}.items():
        page.type(name, text)
    page.press("dialog [name=role][value=backup]")
    page.type("backup_priority", "120")
    page.type("shared_secret", "of the guests only")
    page.type("shared_secret_again", "of the guests only")
    changes = ["Add failover group 2: guests.example.com."]
    second = documents.form(2, hostname="guests.example.com", virtual_ip=["10.0.0.4/24"])
    node.configuration = documents.configuration(documents.form(), second, changes=changes, diff=documents.DIFF)
    page.press("dialog [type=submit]")
    page.until_text(changes[0], ".pending-bar")
    (asked,) = node.asked
    assert asked[0] == GROUPS
    assert asked[1] == {
        "id": "2",
        "description": "",
        "hostname": "guests.example.com",
        "virtual_ip": ["10.0.0.4/24", "fd00:77::4/64"],
        "interface": "auto",
        "priority": "120",
        "has_secret": True,
        "shared_secret": "of the guests only",
        "shared_secret_again": "of the guests only",
        "advertisement_interval": "1",
        "revision": "r1",
    }
    assert not page.has("dialog")
    assert [each.strip() for each in page.texts(".diff .added")][2] == "+    hostname: guests.example.com"
    assert page.text(".groups tr[data-key=group-2] .pending") == "begins with Commit Changes"
    node.answers["POST /api/configuration/commit"] = (200, {"changes": ["group 2 begins"], "warnings": ["mind it"]})
    page.press("[data-action=commit]")
    node.configuration = documents.configuration(documents.form(), second)
    page.press("dialog [type=submit]")
    page.until_text("group 2 begins", "#messages")
    assert "Warning: mind it" in page.text("#messages")
    page.until(lambda: not page.has(".pending-bar"))
    assert node.asked[1:] == [("POST /api/configuration/commit", {"revision": "r1"})]


def test_an_error_stands_beside_its_field(page: Page, node: FakeNode) -> None:
    """It is tied to the field, which gets the focus; what was typed stays; what belongs to no field is said as well."""
    page.statuses_expected = {422}
    page.open()
    page.press("[data-action=add]")
    page.type("virtual_ip", "10.0.0.4")
    page.type("shared_secret", "one secret of many")
    page.type("shared_secret_again", "another secret")
    errors = {"shared_secret_again": "not the same", "virtual_ip": "10.0.0.4: lacks a prefix", "": "port 8080 is taken"}
    node.answers[GROUPS] = (422, {"errors": errors})
    page.press("dialog [type=submit]")
    page.until(lambda: page.has("dialog [aria-invalid=true]"))
    for name in ("virtual_ip", "shared_secret_again"):
        described = str(page.attribute(f"#field-{name}", "aria-describedby")).split()
        assert errors[name] in [page.text(f"#{each}") for each in described]
    assert "port 8080 is taken" in page.text("dialog [role=alert]")
    assert page.focused() == "field-virtual_ip"
    assert page.run("return document.getElementById('field-virtual_ip').value") == "10.0.0.4"
    del node.answers[GROUPS]
    page.press("dialog [type=submit]")
    page.until(lambda: not page.has("dialog"))


def test_the_form_has_the_fields_of_the_wsa_in_their_order(page: Page) -> None:
    page.open()
    page.press("[data-action=add]")
    labels = page.texts("dialog p.field > label, dialog .field > legend")
    assert [each.strip() for each in labels] == WSA_FIELDS
    options = page.texts("dialog select option")
    assert options[0] == "Select Interface Automatically"
    assert options[1].startswith("eth0 (10.0.0.1/24")


def test_a_group_is_edited_with_what_it_has(page: Page, node: FakeNode) -> None:
    """An interface that is gone stays chosen; an empty secret keeps the one that is set."""
    node.configuration = documents.configuration(documents.form(priority=7, interface="eth9"))
    page.open()
    page.press("[data-action=edit]")
    page.type("description", "renamed")
    page.press("dialog [type=submit]")
    page.until(lambda: node.asked)
    ((path, body),) = node.asked
    assert path == "PUT /api/configuration/groups/1"
    kept = {name: body[name] for name in ("id", "description", "interface", "priority", "shared_secret", "has_secret")}
    assert kept == {
        "id": "1",
        "description": "renamed",
        "interface": "eth9",
        "priority": "7",
        "shared_secret": "",
        "has_secret": True,
    }


def test_the_priority_of_the_master_is_none_of_a_backup(page: Page, node: FakeNode) -> None:
    """As the form says; the file would take it."""
    page.open()
    page.press("[data-action=add]")
    page.press("dialog [name=role][value=backup]")
    page.type("backup_priority", "255")
    page.press("dialog [type=submit]")
    page.until_text("255: is the master's; a backup has 1 to 254", "#error-priority")
    page.type("backup_priority", "254")
    page.press("dialog [type=submit]")
    page.until(lambda: node.asked)
    assert [body["priority"] for _, body in node.asked] == ["254"]


def test_security_is_turned_off(page: Page, node: FakeNode) -> None:
    """Enable Security for Service, without its tick, takes the secret away."""
    page.open()
    page.press("[data-action=edit]")
    page.press("dialog [name=security]")
    page.press("dialog [type=submit]")
    page.until(lambda: node.asked)
    assert node.asked[0][1]["has_secret"] is False


def test_a_deletion_says_what_it_does_before(page: Page, node: FakeNode) -> None:
    """Who takes over; and that nobody does."""
    page.open()
    page.press("[data-action=delete]")
    assert "b is ready and takes over" in page.text("dialog")
    node.tell(documents.lost(documents.status(documents.group())))
    page.until_text("nobody serves 10.0.0.3/24 any more", "dialog")
    page.press("dialog [data-cancel]")
    assert node.asked == []
    page.press("[data-action=delete]")
    page.press("dialog [type=submit]")
    page.until(lambda: node.asked)
    assert node.asked == [("DELETE /api/configuration/groups/1?revision=r1", None)]


def test_a_group_that_will_end_is_not_deleted_again(page: Page, node: FakeNode) -> None:
    """The node would say that there is no such group, of one that stands there."""
    node.configuration = documents.configuration(changes=["Delete failover group 1."], diff="-  - id: 1")
    page.open()
    page.until_text("will end with Commit Changes", ".groups")
    assert page.attribute("[data-action=delete]", "title") == "it ends with Commit Changes already"
    assert page.attribute("[data-action=delete]", "disabled") is not None


def test_what_waits_is_shown_with_who_began_it_and_what_it_does(page: Page, node: FakeNode) -> None:
    """A group that will end, the check's warnings, and that somebody has written the file meanwhile; before the commit,
    what it does to the node."""
    pending = {
        "changes": ["Delete failover group 1."],
        "effects": ["group 1 ends"],
        "warnings": ["group 2, priority: 5: is low"],
        "diff": "-  - id: 1",
        "by": "operator (page, 10.0.0.9)",
        "since": documents.ago(60),
        "trouble": "the file was changed by somebody else",
    }
    node.configuration = documents.configuration() | {"pending": pending}
    page.open()
    page.until(lambda: page.has(".pending-bar"))
    assert page.texts(".pending-bar li") == [
        "Delete failover group 1.",
        "Warning: the file was changed by somebody else",
        "Warning: group 2, priority: 5: is low",
    ]
    assert "Begun by operator (page, 10.0.0.9)" in page.text(".pending-bar")
    assert page.text(".groups .pending") == "will end with Commit Changes"
    page.press("[data-action=commit]")
    assert page.texts("dialog li") == ["group 1 ends"]


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ("edit", "PUT /api/configuration/groups/1"),
        ("delete", "DELETE /api/configuration/groups/1"),
        ("global", "PUT /api/configuration/global"),
    ],
)
def test_what_somebody_else_has_changed_meanwhile_is_not_undone(
    page: Page, node: FakeNode, action: str, path: str
) -> None:
    """A change says on what it was decided, whatever the page has learnt since; refused, it shows what is new."""
    page.statuses_expected = {409}
    page.open()
    page.press(f"[data-action={action}]")
    node.configuration = documents.configuration(documents.form(priority=7), changes=["Group 1: Priority"], diff="+x")
    node.configuration["revision"] = "r2"
    node.answers[path] = (409, {"error": "somebody else has changed the configuration"})
    for _ in range(2):
        page.press("dialog [type=submit]")
        page.until_text("somebody else has changed the configuration", "dialog [role=alert]")
        page.until_text("Group 1: Priority", ".pending-bar")
    revisions = [body["revision"] if body else target.partition("revision=")[2] for target, body in node.asked]
    assert revisions == ["r1", "r1"]


def test_a_refused_commit_names_every_reason(page: Page, node: FakeNode) -> None:
    """They are no fields: a list of sentences."""
    page.statuses_expected = {409}
    node.configuration |= {"pending": {"changes": ["Delete failover group 1."], "diff": "-  - id: 1"}}
    node.answers["POST /api/configuration/commit"] = (409, {"error": "refused", "errors": ["no group is left", "x"]})
    page.open()
    page.press("[data-action=commit]")
    page.press("dialog [type=submit]")
    page.until_text("refused; no group is left; x", "dialog [role=alert]")


def test_where_the_file_cannot_be_written_the_reason_is_shown(page: Page, node: FakeNode) -> None:
    """Add, Edit, Delete and the settings are off."""
    node.configuration |= {"writable": False, "why_not": "/etc/wsa-proxy is read-only"}
    page.browser.get(page.url)
    page.until_text("Add, Edit and Delete are off: /etc/wsa-proxy is read-only")
    for action in ("add", "delete", "global"):
        assert page.attribute(f"[data-action={action}]", "disabled") is not None
    assert not page.has("[data-action=edit]")


def test_failover_handling_is_edited_and_abandoned(page: Page, node: FakeNode) -> None:
    page.open()
    page.press("[data-action=global]")
    page.press("dialog [value=non-preemptive]")
    changed = documents.configuration(documents.form(), changes=["Failover Handling: Non-preemptive."], diff="+x")
    node.configuration = changed | {"failover_handling": "non-preemptive"}
    page.press("dialog [type=submit]")
    page.until_text("Non-preemptive after Commit Changes")
    node.configuration = documents.configuration(documents.form())
    page.press("[data-action=abandon]")
    page.press("dialog [type=submit]")
    page.until(lambda: not page.has(".pending-bar"))
    assert node.asked == [
        ("PUT /api/configuration/global", {"failover_handling": "non-preemptive", "revision": "r1"}),
        ("POST /api/configuration/abandon", {"revision": "r1"}),
    ]


def test_a_group_is_added_with_the_keyboard_alone(page: Page, node: FakeNode) -> None:
    """From the skip link to Submit; Escape closes a dialog, and the focus is back where it was."""
    page.open()
    page.keys(Keys.TAB)
    assert page.focused() == "Skip to the content"
    page.keys(Keys.ENTER)
    assert page.focused() == "main"
    tab_to(page, "Add Failover Group...")
    page.keys(Keys.ENTER)
    page.until(lambda: page.has("dialog[open]"))
    page.keys(Keys.ESCAPE)
    page.until(lambda: not page.has("dialog"))
    assert page.focused() == "Add Failover Group..."
    page.keys(Keys.ENTER)
    tab_to(page, "field-id")
    page.keys("9", Keys.TAB, "by keyboard", Keys.TAB, "proxy.example.com", Keys.TAB, "10.0.0.9/24")
    tab_to(page, "Submit")
    page.keys(Keys.ENTER)
    page.until(lambda: node.asked)
    assert node.asked[0][1]["description"] == "by keyboard"
    assert node.asked[0][1]["virtual_ip"] == ["10.0.0.9/24"]


def tab_to(page: Page, what: str) -> None:
    for _ in range(40):
        if page.focused() == what:
            return
        page.keys(Keys.TAB)
    raise AssertionError(f"{what} is not reached with Tab")
