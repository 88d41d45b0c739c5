"""docs/warnings.md has a heading, a row or a quotation for everything that the product warns of."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from tests.docs import kinds
from tests.docs.blocks import FENCE
from tests.docs.blocks import ROOT
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.wire import Reject
from wsa_proxy.doctor.checks import CHECKS
from wsa_proxy.members.equal import WORDS
from wsa_proxy.runtime.demotions import SWITCH
from wsa_proxy.runtime.record import REJECT_HINTS
from wsa_proxy.runtime.standings import CA
from wsa_proxy.runtime.standings import MISMATCH
from wsa_proxy.status_warnings import ORDERED
from wsa_proxy.status_warnings import OUT_FIXES
from wsa_proxy.watch.judge import UNVERIFIED
from wsa_proxy.watch.judge import VALID

PAGE = FENCE.sub("", (ROOT / "docs/warnings.md").read_text())
HEADINGS = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
QUOTED = [" ".join(text.split()) for text in re.findall(r"`([^`]+)`", PAGE)]


def missing(texts: Iterable[str], said: Iterable[str]) -> list[str]:
    """Those of which no heading or quotation is the beginning."""
    shown = list(said)
    return sorted(text for text in texts if not any(kinds.pattern(text).fullmatch(each) for each in shown))


def test_every_heading_stands_once() -> None:
    """A reader finds one place, and a link leads to it."""
    assert sorted(set(HEADINGS)) == sorted(HEADINGS)


@pytest.mark.parametrize("word", [each.value for each in Reason])
def test_every_reason_of_a_transition_has_a_heading(word: str) -> None:
    """The word behind ``reason=`` in the log."""
    assert word in HEADINGS


@pytest.mark.parametrize("word", [each.value for each in Reject])
def test_every_reason_to_reject_has_a_heading(word: str) -> None:
    """The word behind ``rejected=``; those that have a hint are among them."""
    assert word in HEADINGS
    assert REJECT_HINTS.keys() <= set(Reject)


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_of_the_doctor_has_a_heading(name: str) -> None:
    """In the doctor's own words."""
    assert name in HEADINGS


@pytest.mark.parametrize("words", WORDS.values())
def test_every_setting_that_may_differ_has_a_row(words: str) -> None:
    """As a mismatch names it."""
    assert f"\n| `{words}` |" in PAGE


@pytest.mark.parametrize("name", ["proxy", "link", "kernel", "guardian", "mismatch", "stop"])
def test_every_obstacle_has_a_row(name: str) -> None:
    """As the status names it behind ``out because``; the driver's are asked of the source."""
    assert f"\n| `{name}` |" in PAGE


def test_every_demotion_has_a_row() -> None:
    """As the status names it behind ``demoted``: it is the name that an operator looks for."""
    for name in ("proxy", "sending", *ORDERED, SWITCH, CA):
        assert f"\n| `{name}` |" in PAGE.partition("| demoted by |")[2], name


def test_every_obstacle_has_a_way_out() -> None:
    """In the warnings and in ``why``; they are those of the page."""
    assert OUT_FIXES.keys() == {"proxy", "link", "kernel", "guardian", MISMATCH, "stop"}


def test_obstacles_are_those_of_the_source() -> None:
    """A new one must be written down here, and so in the page."""
    said = {
        argument
        for path in sorted((ROOT / "wsa_proxy/runtime").glob("*.py"))
        for name, call in kinds.calls(path)
        if name == "set_obstacle" and call.args and (argument := kinds.template(call.args[0])) is not None
    }
    assert said == {"proxy", "link", "kernel", "guardian", "stop"}  # and "mismatch", by a constant


def test_every_sentence_about_members_has_a_heading() -> None:
    """What the status shows behind WARNING."""
    assert len(kinds.members_findings()) >= 9
    assert not missing(kinds.members_findings(), HEADINGS)


def test_every_finding_of_the_doctor_is_quoted() -> None:
    """With any values."""
    assert len(kinds.doctors_findings()) >= 21
    assert not missing(kinds.doctors_findings(), QUOTED)


def test_every_warning_of_check_is_quoted() -> None:
    """Behind the key and its value."""
    assert len(kinds.checks_warnings()) >= 12
    assert not missing(kinds.checks_warnings(), QUOTED)


def test_every_line_of_the_log_is_quoted() -> None:
    """Warnings and errors, without what stands before them."""
    assert len(kinds.log_lines()) >= 50
    assert not missing(kinds.log_lines(), QUOTED)


def test_every_verdict_of_the_watch_is_explained() -> None:
    """Beside the words of a node."""
    assert {VALID, UNVERIFIED} <= set(QUOTED)


def test_a_sentence_that_is_not_explained_is_found() -> None:
    """Its beginning must fit, with any value; another word is another sentence."""
    assert missing(["node {} is odd: see {}"], ["node b is odd"]) == []
    assert missing(["node {} is odd: see {}"], ["node b is even"]) == ["node {} is odd: see {}"]
