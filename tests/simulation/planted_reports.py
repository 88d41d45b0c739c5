"""Bugs of member reports and of the questions that they carry: in the product's own members, and in what a process does
with them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.planted import Plant
from tests.simulation.planted_lines import make_plant
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.members import owner_questions
from wsa_proxy.members import question
from wsa_proxy.members.owner_questions import OwnerQuestions
from wsa_proxy.members.question import Question
from wsa_proxy.members.roster import Roster
from wsa_proxy.runtime.asking import Asking
from wsa_proxy.simulation import reporting
from wsa_proxy.simulation.reporting import Reporter

BUGS: list[tuple[str, Any, str, str, str, set[str]]] = [
    # Who answers.
    ("a backup answers as the owner", Reporter, "_serves", "self._core.state is State.MASTER and", "", {"V11"}),
    ("a sick owner answers", Reporter, "_serves", "and proven", "", {"V11"}),
    ("nobody is answered", Reporter, "_be_asked", "if is_first:", "if False:", {"I1"}),
    # Which answer counts.
    (
        "old answers count",
        OwnerQuestions,
        "take",
        "now_s <= self._until_s.get(answer, now_s - 1)",
        "answer in self._until_s",
        {"V11"},
    ),
    ("an answer counts again and again", OwnerQuestions, "take", "self._until_s.clear()", "pass", {"V11"}),
    (
        "any report of a master is an answer",
        Reporter,
        "_believe",
        "owner and self._questions.take(",
        "owner or self._questions.take(",
        {"V11"},
    ),
    (
        "an answer is heard in one IP version",
        Reporter,
        "_answered",
        "in self.settings.versions",
        "in self.settings.versions[:1]",
        {"I1"},
    ),
    # Whom a node believes.
    ("any number is new", Roster, "why_old", "if number <= highest", "if False", {"I4"}),
    ("any challenge is ours", Roster, "hear", "report.echoes.get(self.life) in self._challenges", "True", {"I4"}),
    ("own reports are heard", Roster, "why_old", "life == self.life", "False", {"I4"}),
    ("a past life never comes back", Roster, "hear", "in self._past and not believed", "in self._past", {"I4"}),
    ("a contact answers questions", Reporter, "_hear", "self._reply()", "self._answered(report)", {"I3", "V11"}),
    ("every contact is replied to", Reporter, "_reply", "self._host.now >= self._reply_after_s", "True", {"I9"}),
    ("what does not authenticate is believed", Reporter, "_judge", "if letter.forged:", "if False:", {"I4"}),
    # Whether a silence is believed.
    ("nobody is asked", Asking, "look", "self.ask()", "pass", {"I2"}),
    ("asked again and again", Question, "due_s", "math.inf if asked >= QUESTIONS else", "", {"V11", "I9"}),
    ("a question puts the next probe off", Asking, "counts_from_s", "or deadline_s < ends_s", "", {"V1", "V2", "V11"}),
    # Two masters.
    ("masters do not ask each other", Reporter, "_believe", "self._ask_rival()", "pass", {"I1"}),
    ("a farewell by report is not heard", Reporter, "_believe", "if was_master and", "if False and", {"V6"}),
]


def plant_asked_too_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(question, "LEAD_SHARE", question.LEAD_SHARE / 2)


def plant_asked_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(question, "QUESTIONS", 1)


def plant_waits_although_nobody_answers(patch: pytest.MonkeyPatch) -> None:
    original = Question.waits_until_s
    patch.setattr(Question, "waits_until_s", lambda self, ends_s: original(self, ends_s) + 1.0)


def plant_of_two_equals_both_yield(patch: pytest.MonkeyPatch) -> None:
    for module in (owner_questions, reporting):
        patch.setattr(module, "wins_tie", lambda *_: False)


def plant_one_answer_in_50_ms(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reporting, "ANSWER_WAIT_SHARE", 1e9)


def plant_who_is_ahead_by_its_report_is_not_followed(patch: pytest.MonkeyPatch) -> None:
    original = GroupTime.learn

    def learn(self: GroupTime, group_ms: int, clock_ms: float) -> None:
        if self.line_ms is None or self._is_hearsay:
            original(self, group_ms, clock_ms)

    patch.setattr(GroupTime, "learn", learn)


def plant_a_change_of_state_is_not_reported(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reporter, "look", lambda self: None)


PLANTED: list[tuple[Plant, set[str]]] = [
    *((make_plant(*bug[:5]), bug[5]) for bug in BUGS),
    (plant_asked_too_late, {"I2"}),
    (plant_asked_once, {"I2"}),
    (plant_waits_although_nobody_answers, {"V2", "V11"}),
    (plant_of_two_equals_both_yield, {"V2", "V4"}),
    (plant_one_answer_in_50_ms, {"I1"}),
    (plant_who_is_ahead_by_its_report_is_not_followed, {"I1", "I4"}),
    (plant_a_change_of_state_is_not_reported, {"I6"}),
]
