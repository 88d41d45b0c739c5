"""An answer to what the owner was asked counts once, and soon."""

from __future__ import annotations

from wsa_proxy.members.owner_questions import OwnerQuestions

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
