"""When a silent master is asked, and for how long its silence is not believed then."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.members.question import LEAD_S_MAX
from wsa_proxy.members.question import QUESTIONS
from wsa_proxy.members.question import Question
from wsa_proxy.members.question import lead_s

INTERVALS = st.sampled_from([0.15, 0.164, 0.75, 3.0, 3.2, 9.0, 766.0])


def asked_at(question: Question, ends_s: float, begin_s: float, every_s: float = 0.0) -> list[float]:
    """The times of the questions until the silence ends, by a timer that is due each time (or that comes so often)."""
    times, now = [], begin_s
    while now < ends_s:
        if question.ask(ends_s, now):
            times.append(now)
        now = now + every_s if every_s else max(now, question.due_s(ends_s))
    return times


@pytest.mark.parametrize(
    ("master_down_s", "lead"),
    [(3.0, 0.6), (766.0, 0.6), (2.4, 0.6), (2.0, 0.5), (0.75, 0.1875), (0.164, 0.041)],
)
def test_the_first_question_has_its_time(master_down_s: float, lead: float) -> None:
    """0.6 s, or a quarter of the silence: an advertisement is missing by then, twice, and the answer can still come."""
    assert lead_s(master_down_s) == pytest.approx(lead)


@pytest.mark.parametrize("master_down_s", [0.164, 0.75, 3.0, 766.0])
def test_three_questions_before_the_deadline(master_down_s: float) -> None:
    """At the lead, two thirds and a third of it before the end; so a dead master's deadline is never put off."""
    question, ends_s = Question(master_down_s), 1000.0
    lead = lead_s(master_down_s)
    times = asked_at(question, ends_s, ends_s - master_down_s)
    assert times == pytest.approx([ends_s - lead, ends_s - lead * 2 / 3, ends_s - lead / 3])
    assert question.due_s(ends_s) == math.inf and question.waits_until_s(ends_s) <= ends_s + 1e-9
    assert not question.ask(ends_s, ends_s + 10)


def test_without_a_silence_there_is_nothing_to_ask_about() -> None:
    """A master, or who waits for something else."""
    question = Question(3.0)
    assert question.due_s(None) == math.inf and not question.ask(None, 1e9)
    assert question.waits_until_s(None) == -math.inf
    question.ask(10.0, 9.9)
    assert question.waits_until_s(None) == -math.inf and question.waits_until_s(10.0) > 9.9


def test_a_master_that_is_heard_again_is_asked_anew() -> None:
    """Each silence has its three questions, and the end of the last one waits for none of its own."""
    question = Question(3.0)
    assert len(asked_at(question, 1003.0, 1000.0)) == QUESTIONS
    assert question.due_s(1006.0) == pytest.approx(1005.4)
    assert question.waits_until_s(1006.0) == -math.inf
    assert not question.ask(1006.0, 1005.3) and question.ask(1006.0, 1005.4)
    assert question.due_s(1006.0) == pytest.approx(1005.6)
    # An advertisement after the first question: the others are not asked, and the next silence has three again.
    assert len(asked_at(question, 1008.0, 1006.0)) == QUESTIONS


@pytest.mark.parametrize("late_s", [0.0, 0.05, 0.39, 5.0])
def test_a_loop_that_is_late_asks_once_and_waits(late_s: float) -> None:
    """The end has passed and nobody was asked: one question, and a third of the lead for its answer."""
    question = Question(3.0)
    now = 1003.0 + late_s
    assert question.waits_until_s(1003.0) == -math.inf
    assert question.ask(1003.0, now) and not question.ask(1003.0, now)
    assert question.due_s(1003.0) == math.inf
    assert question.waits_until_s(1003.0) == pytest.approx(now + 0.2)


def test_questions_that_are_due_together_are_one() -> None:
    """The loop turns after the second was due: one is asked for both, and the third at its time."""
    question = Question(3.0)
    assert question.ask(1003.0, 1002.7) and question.due_s(1003.0) == pytest.approx(1002.8)
    assert question.ask(1003.0, 1002.81) and question.due_s(1003.0) == math.inf


def test_other_settings() -> None:
    """Another interval counts from the next question on; what was asked stays asked."""
    question = Question(3.0)
    assert question.ask(1003.0, 1002.4)
    question.set_master_down(0.75)
    assert question.due_s(1003.0) == pytest.approx(1003.0 - 0.1875 * 2 / 3)
    question.set_master_down(3.0)
    assert question.due_s(1003.0) == pytest.approx(1002.6)
    assert Question(0.0).due_s(5.0) == 5.0, "no time to ask in: at the end"


@given(INTERVALS, st.floats(0.0001, 0.5), st.floats(0, 1e6))
def test_whatever_the_loop_does(master_down_s: float, every_s: float, begin_s: float) -> None:
    """It turns as seldom as it likes: at most three questions, none early, at least one before the silence is believed;
    and never is the end put off by more than the loop's own lateness and a third of the lead."""
    question, ends_s = Question(master_down_s), begin_s + master_down_s
    times, now = [], begin_s
    for _ in range(20_000):
        if question.ask(ends_s, now):
            times.append(now)
        if now >= max(ends_s, question.waits_until_s(ends_s)):
            break
        now += max(every_s, master_down_s / 5000)
    assert now >= ends_s and 1 <= len(times) <= QUESTIONS
    lead = lead_s(master_down_s)
    assert times[0] >= ends_s - lead - 1e-6
    assert question.waits_until_s(ends_s) <= max(ends_s, times[-1] + lead / QUESTIONS) + 1e-6
    assert lead <= LEAD_S_MAX
