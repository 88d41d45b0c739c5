"""An answer to what the owner was asked counts once, and soon."""

from __future__ import annotations

from wsa_proxy.members.owner_questions import OwnerQuestions
from wsa_proxy.members.owner_questions import wins_tie
from wsa_proxy.members.report import Report

FIRST, SECOND, THIRD = (bytes([number]) * 16 for number in (1, 2, 3))
WITHIN_S = 0.6


def asked() -> OwnerQuestions:
    questions = OwnerQuestions()
    for number, question in enumerate((FIRST, SECOND, THIRD)):
        questions.asked(question, 2.4 + 0.2 * number, WITHIN_S)
    return questions


def test_any_of_several_questions_may_be_answered_and_then_all_are() -> None:
    questions = asked()
    assert questions.take(SECOND, 2.9)
    assert not questions.take(THIRD, 2.9) and not questions.take(SECOND, 2.9)


def test_an_answer_that_is_held_back_does_not_count() -> None:
    """Not even if nothing else was asked meanwhile."""
    questions = asked()
    assert not questions.take(THIRD, 3.41)
    assert questions.take(THIRD, 3.39)


def test_what_answers_nothing_does_not_count() -> None:
    questions = asked()
    assert not questions.take(None, 2.5) and not questions.take(bytes(16), 2.5)
    assert questions.take(FIRST, 2.5)


def test_what_is_forgotten_costs_no_memory() -> None:
    """Nobody need ever answer."""
    questions = OwnerQuestions()
    for number in range(100):
        questions.asked(bytes([number]) * 16, number, WITHIN_S)
    assert len(questions._until_s) == 1


def master(life: int, advskew: int) -> Report:
    return Report(node="a", life=bytes([life] * 8), number=1, challenge=bytes(16), advbase=1, advskew=advskew)


def test_of_two_masters_of_one_rank_exactly_one_wins() -> None:
    """Any other rank decides by itself, as in an advertisement."""
    one, other = master(5, 10), master(9, 10)
    values = (1, 10, 0)
    assert not wins_tie(values, one.life, other) and wins_tie(values, other.life, one)
    assert not wins_tie((1, 11, 0), other.life, one) and not wins_tie((1, 10, 1), other.life, one)
