"""Every trouble of which a status document can tell is said in words, with its weight and with what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser import documents
from tests.browser.chromium import needs_chromium
from tests.browser.documents import Document
from tests.browser.looking import Page

pytestmark = needs_chromium

WARNINGS_OF = """
const [documents, done] = arguments;
import("/static/warnings.js").then(({ warningsOf }) => done(documents.map(warningsOf)), (error) => done(String(error)));
"""

type Change = Callable[[Document, Document, Document], object]
"""Of a status document, its group, and the members of that."""


def rejected(group: Document, reason: str, age_s: float = 1.0) -> None:
    group["rejected"][reason] = 7
    group["last_rejected"][reason] = {"from": "10.0.0.9", "mac": "02:00:00:00:00:09", "age_s": age_s, "hint": "do it"}


MAINTENANCE = {"reason": "memory", "since": "", "until": "", "left_s": 900.0}
CASES: list[tuple[Change, str, str]] = [
    (lambda s, g, m: s["health"].update(hard="nobody accepts"), "bad", "The proxy cannot serve: nobody accepts"),
    (lambda s, g, m: s["health"].update(soft="get is late"), "bad", "The proxy is not well: get is late"),
    (lambda s, g, m: s["guardian"].update(pid=None), "bad", "The guardian is missing"),
    (lambda s, g, m: s.update(maintenance=MAINTENANCE), "note", "In maintenance for another 15 min 0 s: memory"),
    (
        lambda s, g, m: s.update(maintenance=MAINTENANCE | {"left_s": 61.0}),
        "warn",
        "Maintenance ends by itself in 1 min 1 s: memory",
    ),
    (
        lambda s, g, m: s.update(demoted_by_operator={"reason": "kernel", "age_s": 3.0}),
        "warn",
        "Demoted by the operator for 3.0 s: kernel",
    ),
    (lambda s, g, m: s["history"].update(trouble="disk full"), "warn", "The history is not written: disk full"),
    (
        lambda s, g, m: s["notify"].update(failed=1, last_failure="exit status 3"),
        "warn",
        "The notify command has failed 1 time: exit status 3",
    ),
    (lambda s, g, m: s["admin"].update(trouble="port 8112 is in use"), "warn", "The page is in trouble: port 8112"),
    (lambda s, g, m: g.update(obstacles={"link": "eth0 is down"}), "bad", "Group 1 is out (link): eth0 is down"),
    (
        lambda s, g, m: m["redundancy"].update(lost_s=5.0, why="b: last heard 6.0 s ago"),
        "bad",
        "Group 1: no healthy standby for 5.0 s: b: last heard 6.0 s ago",
    ),
    (lambda s, g, m: m.update(findings=["node b: VIP differs"]), "bad", "Group 1: node b: VIP differs"),
    (
        lambda s, g, m: m.update(switched_away={"to": "b", "since": "02:00", "only": True}),
        "note",
        "Group 1: switched away by the operator to b since 02:00",
    ),
    (
        lambda s, g, m: g["service"].update(answers=False, evidence="refused"),
        "bad",
        "Group 1: the virtual IP 10.0.0.3:8080 does not answer here: refused",
    ),
    (
        lambda s, g, m: g.update(demoted_by={"sending": "no buffer space"}),
        "warn",
        "Group 1 is demoted (sending): no buffer space",
    ),
    (
        lambda s, g, m: g["virtual_mac"].update(network="refused"),
        "bad",
        "Group 1: the network seems to refuse the virtual MAC 00:00:5e:00:01:01",
    ),
    (
        lambda s, g, m: rejected(g, "bad_secret"),
        "warn",
        "Group 1: 7 packets refused (bad_secret) from 10.0.0.9 (unverified), 02:00:00:00:00:09, last 1.0 s ago",
    ),
]
HARMLESS: list[Change] = [
    lambda s, g, m: None,
    lambda s, g, m: rejected(g, "echo"),
    lambda s, g, m: rejected(g, "duplicate"),
    lambda s, g, m: rejected(g, "bad_secret", age_s=61.0),
    lambda s, g, m: g.update(demoted_by={"maintenance": "memory"}),  # told once, for the whole node
]


def changed(change: Change) -> Document:
    status = documents.status(documents.group())
    group = status["groups"][0]
    change(status, group, group["members"])
    return status


def warnings_of(page: Page, statuses: list[Document]) -> list[list[dict[str, str]]]:
    page.browser.get(page.url)
    found: Any = page.browser.execute_async_script(WARNINGS_OF, statuses)
    assert isinstance(found, list), found
    return found


def test_every_trouble_is_told_with_what_to_do(page: Page) -> None:
    """One for each, and with it a sentence that says what to do."""
    found = warnings_of(page, [changed(change) for change, _, _ in CASES])
    for warnings, (_, level, text) in zip(found, CASES, strict=True):
        assert [each["level"] for each in warnings] == [level], (text, warnings)
        assert warnings[0]["text"].startswith(text), warnings
        assert warnings[0]["fix"], warnings


def test_what_does_no_harm_is_no_warning(page: Page) -> None:
    assert warnings_of(page, [changed(change) for change in HARMLESS]) == [[]] * len(HARMLESS)


def test_the_worst_stands_first(page: Page) -> None:
    """And in maintenance it is meant that nobody stands by."""
    status = changed(lambda s, g, m: s.update(maintenance=MAINTENANCE))
    status["groups"][0]["members"]["redundancy"] |= {"lost_s": 5.0, "why": "a: in maintenance"}
    status["groups"][0]["obstacles"] = {"link": "eth0 is down"}
    (warnings,) = warnings_of(page, [status])
    assert [each["level"] for each in warnings] == ["bad", "note", "note"]
