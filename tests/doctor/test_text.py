from __future__ import annotations

from wsa_proxy.doctor.finding import Examination
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.text import document
from wsa_proxy.doctor.text import text

WRONG = Finding("it is wrong", "it was seen", "do that")
EXAMINATION = Examination((("one", (WRONG,)), ("two", (NotMade("no node"),)), ("three", (NotMade("no node"), WRONG))))


def test_a_person_reads_three_lines_and_the_sum() -> None:
    assert text(EXAMINATION) == (
        "one: it is wrong\n  seen  it was seen\n  fix   do that\n\n"
        "three: it is wrong\n  seen  it was seen\n  fix   do that\n\n"
        "not made: two, three: no node\n\n"
        "2 found: 3 checks, 2 of them not made or in part only"
    )


def test_on_a_terminal_lines_are_broken_between_words() -> None:
    path = "/a/long-path/" + "x" * 30
    shown = text(Examination((("one", (Finding("it is wrong", f"look at {path} there", "do that"),)),)), 30)
    assert shown.splitlines()[:5] == [
        "one: it is wrong",
        "  seen  look at",
        f"        {path}",
        "        there",
        "  fix   do that",
    ]


def test_nothing_at_all() -> None:
    assert text(Examination((("one", ()), ("two", ())))) == "nothing found: 2 checks"


def test_what_the_lan_writes_does_not_reach_the_terminal() -> None:
    """A name with an escape sequence in it is spelled out."""
    shown = text(Examination((("one", (Finding("node \x1b[2J", "a\nb", "c"),)),)))
    assert "\x1b" not in shown and shown.count("\n") == 4


def test_the_document() -> None:
    assert document(EXAMINATION, "a") == {
        "schema": 1,
        "node": "a",
        "findings": [
            {"check": name, "what": "it is wrong", "evidence": "it was seen", "fix": "do that"}
            for name in ("one", "three")
        ],
        "not_made": [{"check": name, "why": "no node"} for name in ("two", "three")],
        "checks": ["one", "two", "three"],
    }
