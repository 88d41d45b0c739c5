from __future__ import annotations

import pytest

from wsa_proxy.proxy.judge import Judge
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import Limits

LIMITS = Limits(2.0, rise=2, fall=3)


def take(judge: Judge, story: str, began_s: float = 0.0) -> str | None:
    """``+`` passed, ``-`` failed, ``~`` slow while others were answered."""
    for n, word in enumerate(story):
        result = SelfTestResult("get", word == "+", "" if word == "+" else f"evidence {n}", 0.1, 1.0, LIMITS)
        judge.take(result, began_s, excused=word == "~")
    return judge.failing


@pytest.mark.parametrize(
    ("story", "failing"),
    [
        ("--", None),
        ("--+--", None),
        ("---", "evidence 2, 3 times in a row"),
        ("-----", "evidence 2, 3 times in a row"),  # the reason does not change while it lasts
        ("---+", "evidence 2, 3 times in a row"),
        ("---+-+", "evidence 2, 3 times in a row"),
        ("---++", None),
        ("~~~~~~", None),
        ("--~-", "evidence 3, 3 times in a row"),  # a busy one is no pass either
        ("---+~+", None),
    ],
)
def test_fall_failures_in_a_row_fail_and_rise_passes_in_a_row_end_it(story: str, failing: str | None) -> None:
    """Nothing else changes the verdict; an excused result counts for neither."""
    assert take(Judge(LIMITS), story) == failing


def test_a_single_failure_is_told_without_a_count() -> None:
    """With a fall of one there is no row."""
    assert take(Judge(Limits(2.0, rise=1, fall=1)), "-") == "evidence 0"


def test_the_first_proof_is_one_pass_and_those_after_a_doubt_are_rise() -> None:
    """A start is quick, coming back is not; what began before the doubt, or was busy, is no proof."""
    judge = Judge(LIMITS)
    assert not judge.proven
    take(judge, "-+")
    assert judge.proven
    judge.doubt(10.0)
    take(judge, "+++", began_s=9.9)
    assert not judge.proven
    take(judge, "+", began_s=10.0)
    take(judge, "~-", began_s=10.0)
    take(judge, "+", began_s=10.0)
    assert not judge.proven, "a failure begins the row anew"
    take(judge, "+", began_s=10.0)
    assert judge.proven


def test_what_is_proven_already_needs_no_proof() -> None:
    """A test that is new in a proxy that works."""
    judge = Judge(LIMITS, proven=True)
    assert judge.proven and not judge.unsettled
    take(judge, "-")
    assert judge.proven and judge.unsettled
    take(judge, "+")
    assert not judge.unsettled
    take(judge, "---+")
    assert judge.unsettled, "another pass would end the failure"
    judge.doubt(0.0)
    assert judge.unsettled


def test_what_comes_back_soon_has_to_stay_away_for_longer_each_time() -> None:
    """Whatever its clients do to a node ends when another one has them, and begins anew when they are back. The rise
    holds as well; and a failure after a quiet minute is a new one."""
    judge, now_s = Judge(Limits(2.0, rise=3, fall=1)), 0.0

    def take_one(passed: bool) -> None:
        nonlocal now_s
        now_s += 0.5
        judge.take(SelfTestResult("get", passed, "" if passed else "no answer", 0.1, now_s, LIMITS), now_s)

    def fail_and_recover() -> tuple[str | None, float]:
        take_one(False)
        evidence, began_s = judge.failing, now_s
        while judge.failing:
            assert judge.failing == evidence
            take_one(True)
        return evidence, now_s - began_s - 0.5  # from the first pass on

    assert fail_and_recover() == ("no answer", 1.0)
    for away_s in (2, 4, 8, 16, 30, 30):
        assert fail_and_recover() == (f"no answer, again: well when it has been away for {away_s} s", away_s)
    take_one(False)
    for _ in range(59):
        take_one(True)
    take_one(False)  # in between: the time begins anew
    for _ in range(60):
        take_one(True)
        assert judge.failing
    take_one(True)
    assert judge.failing is None
    for _ in range(119):
        take_one(True)
    assert fail_and_recover() == ("no answer", 1.0)
