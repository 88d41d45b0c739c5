"""How long an outage was, by what the new master knows: always an interval in which the truth lies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wsa_proxy.runtime.outage import Signs
from wsa_proxy.runtime.outage import outage

SIGNS = Signs("master_silent", 103.0, 103.01, 100.0, None, 99.5, 100.9)


def told(signs: Signs) -> tuple[float, float]:
    found = outage(signs)
    assert found is not None
    return round(found.ms_min), round(found.ms_max)


CASES = [
    # Cable: it was heard at 100, answered at 99.5, and did not answer at 100.9; 103.01 this node answers.
    ("a probe has failed: between the last that was answered and that", {}, (2110, 3510)),
    ("silence, and no probe has failed yet", {"failed_s": None}, (10, 3010)),
    ("no probe was answered ever, and the first failed", {"answered_s": None}, (2110, 3010)),
    # Kill: the guardian's bow-out, some ms after the death.
    (
        "bowed out for a dead one",
        {"reason": "master_bowed_out", "failed_s": None, "bowed_out_s": 102.99, "answered_s": 102.5},
        (20, 510),
    ),
    (
        "frozen: a probe hung before its guardian bowed out",
        {"reason": "master_bowed_out", "bowed_out_s": 102.99},
        (2110, 3510),
    ),
    (
        "stopped in order: it served until it was followed",
        {"reason": "master_bowed_out", "failed_s": None, "bowed_out_s": 102.99, "in_order": True},
        (0, 20),
    ),
    (
        "left in order since its listener was gone, which a probe has shown",
        {"reason": "master_bowed_out", "bowed_out_s": 102.99, "in_order": True},
        (2110, 3510),
    ),
    ("preempted", {"reason": "preempted_inferior_master", "failed_s": None, "advertised_s": 103.0}, (0, 10)),
    (
        "a planned switch",
        {"reason": "master_demoted", "failed_s": None, "advertised_s": 103.0, "in_order": True},
        (0, 10),
    ),
    ("demoted, and it did not answer", {"reason": "master_demoted", "advertised_s": 103.0}, (2110, 3510)),
]


@pytest.mark.parametrize(("changes", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_interval_follows_from_the_signs(changes: dict[str, object], expected: tuple[float, float]) -> None:
    """From the first sign that nobody served, and from the last that somebody did."""
    assert told(replace(SIGNS, **changes)) == expected  # type: ignore[arg-type]


def test_nobody_is_known_to_have_served() -> None:
    """The first master of a group ends no outage."""
    assert outage(replace(SIGNS, advertised_s=None, answered_s=None, failed_s=None)) is None
    assert outage(replace(SIGNS, advertised_s=None, answered_s=None)) is None
    began = replace(SIGNS, reason="preempted_inferior_master", answered_s=None, advertised_s=102.9)
    assert outage(began) is None, (
        "two nodes start: one is master for a moment, when the other has asked in vain already"
    )


def test_of_an_unwell_master_nobody_knows_when_it_served_last() -> None:
    """It was demoted by its own tests: what they have found a probe may not see, nor when it began."""
    assert outage(replace(SIGNS, reason="master_demoted", failed_s=None, advertised_s=103.0)) is None


def test_it_says_how_it_was_measured() -> None:
    """For whoever doubts the number."""
    found = [outage(replace(SIGNS, reason="master_bowed_out", failed_s=None, bowed_out_s=102.996)), outage(SIGNS)]
    assert [each and each.how for each in found] == [
        "the old master's bow-out was heard; the virtual IP answered here 14 ms later; the last advertisement of the"
        " old master had come 2996 ms before that",
        "the virtual IP did not answer a probe; the virtual IP answered here 2110 ms later; the last answer of the"
        " virtual IP had come 1400 ms before that",
    ]
