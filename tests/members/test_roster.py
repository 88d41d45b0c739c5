"""Whom a node believes: reports of any age, from any life, in any order, and as many as there may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.members.reports import MINIMAL
from tests.members.reports import challenge
from tests.members.reports import life
from tests.members.reports import numbered
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.report import MEMBERS_MAX
from wsa_proxy.members.report import Report
from wsa_proxy.members.roster import ASK_INTERVALS
from wsa_proxy.members.roster import CHALLENGES_KEPT
from wsa_proxy.members.roster import FRESH_INTERVALS
from wsa_proxy.members.roster import PAST_LIVES_MAX
from wsa_proxy.members.roster import QUESTIONS_KEPT
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster

B = life(0xB)


class Node:
    """One end: its roster, and what it would send."""

    def __init__(self, name: str, number: int, **values: Any) -> None:
        self.roster = Roster(_own(number))
        self.name = name
        self.values = {"address": f"10.0.0.{number}"} | values

    def report(self, now_s: float, *, tick: bool = True, **more: Any) -> Report:
        if tick:
            self.roster.new_challenge()
        return Report(
            node=self.name,
            life=self.roster.life,
            number=self.roster.next_number(),
            challenge=self.roster.challenge,
            echoes=self.roster.echoes(now_s),
            **self.values | more,
        )

    def hear(self, report: Report, now_s: float) -> Member | Unread:
        return self.roster.hear(report, 1, "10.0.0.9", now_s)


def _own(number: int) -> Any:
    """Random bytes that are another node's never."""
    random = numbered()
    return lambda length: bytes([number]) + random(length - 1)


def heard(roster: Roster, number: int, now_s: float, by: bytes = B, **values: Any) -> Member | Unread:
    """A report so numbered arrives, from a node that has heard our newest challenge unless ``echoes`` say otherwise."""
    echoes: Mapping[bytes, bytes] = {roster.life: roster.challenge}
    report = replace(MINIMAL, life=by, number=number, **{"node": "b", "echoes": echoes} | values)
    return roster.hear(report, 1, "10.0.0.2", now_s)


def met(now_s: float = 0.0) -> Roster:
    """One that believes node b."""
    roster = Roster(numbered())
    assert isinstance(heard(roster, 1, now_s), Member)
    return roster


def test_two_nodes_meet_within_three_reports() -> None:
    """The first is a contact; the answer repeats its challenge and is believed; and so is what comes back."""
    a, b = Node("a", 1), Node("b", 2)
    assert b.hear(a.report(0.0), 0.0) is Unread.CONTACT
    assert not b.roster.fresh(0.0) and not a.roster.fresh(0.0)
    answer = b.report(0.1)
    assert isinstance(a.hear(answer, 0.1), Member)
    last = a.report(0.2)
    member = b.hear(last, 0.2)
    assert isinstance(member, Member) and member.report is last and member.heard_at_s == 0.2
    assert (member.vhid, member.source, member.contact) == (1, "10.0.0.9", last)
    assert [each.contact.node for each in a.roster.fresh(0.2)] == ["b"]


def test_a_node_that_has_started_believes_nothing_of_before() -> None:
    """Whoever recorded everything that was ever said, to this node as well, is not believed: the life is another."""
    a, b = Node("a", 1), Node("b", 2)
    recorded = []
    for second in range(10):
        b.hear(a.report(second), second)
        recorded.append(b.report(second))
        a.hear(recorded[-1], second)
    assert a.roster.fresh(9.0)
    again = Roster(_own(3))
    assert {again.hear(each, 1, "10.0.0.2", 10.0) for each in recorded} == {Unread.CONTACT}
    assert not again.fresh(10.0)


@pytest.mark.parametrize("number", [0, 1, 4, 5])
def test_a_number_counts_once(number: int) -> None:
    """The same again, one that was overtaken, an old one: whatever they repeat, they change nothing."""
    roster = met()
    heard(roster, 5, 1.0, state="master")
    before = (roster.members[B].report, roster.members[B].contact_at_s)
    assert heard(roster, number, 2.0, state="backup") is Unread.REPLAY
    assert (roster.members[B].report, roster.members[B].contact_at_s) == before
    assert isinstance(heard(roster, 6, 2.0), Member)


def test_a_contact_uses_its_number_up() -> None:
    """What was said to others is old as well once something newer was heard."""
    roster = Roster(numbered())
    assert heard(roster, 7, 0.0, echoes={}) is Unread.CONTACT
    assert heard(roster, 7, 0.0) is Unread.REPLAY and heard(roster, 6, 0.0) is Unread.REPLAY
    assert isinstance(heard(roster, 8, 0.0), Member)


def test_what_need_not_be_read_is_known_by_life_and_number() -> None:
    """Ours, and what is not above the last one of a life, forgotten or not; believed is who was once."""
    roster = met()
    highest = roster.members[B].contact.number
    told = [roster.why_old(B, highest), roster.why_old(B, highest + 1), roster.why_old(life(9), 0)]
    assert told == [Unread.REPLAY, None, None] and roster.why_old(roster.life, 10**6) is Unread.ECHO
    assert heard(roster, 1, 0.0, by=life(9), echoes={}) is Unread.CONTACT
    assert [roster.is_believed(each) for each in (B, life(9), life(8))] == [True, False, False]
    roster._forget(B)
    assert roster.why_old(B, highest) is Unread.REPLAY and not roster.is_believed(B)


def test_our_own_report_comes_back() -> None:
    """Reflected, whatever it says."""
    roster = Roster(numbered())
    assert heard(roster, 1, 0.0, by=roster.life) is Unread.ECHO
    assert not roster.members


@pytest.mark.parametrize("later", range(CHALLENGES_KEPT + 2))
def test_a_challenge_may_be_repeated_for_a_few_reports(later: int) -> None:
    """The newest and the seven before it; one that was held back for longer is a contact."""
    roster = met()
    echoes = {roster.life: roster.challenge}
    for _ in range(later):
        roster.new_challenge()
    outcome = heard(roster, 2, 5.0, echoes=echoes)
    assert isinstance(outcome, Member) if later < CHALLENGES_KEPT else outcome is Unread.CONTACT
    assert roster.members[B].heard_at_s == (5.0 if later < CHALLENGES_KEPT else 0.0)


def test_the_challenge_of_another_is_none() -> None:
    """One that we never made, and ours under another life."""
    roster = Roster(numbered())
    ours = roster.new_challenge()
    assert heard(roster, 1, 0.0, echoes={roster.life: bytes(16)}) is Unread.CONTACT
    assert heard(roster, 2, 0.0, echoes={life(99): ours}) is Unread.CONTACT


def test_random_is_asked_each_time() -> None:
    """No challenge and no question is used twice."""
    roster = Roster(numbered())
    made = [roster.new_challenge() for _ in range(20)] + [roster.new_question() for _ in range(20)]
    assert len({*made, roster.life}) == 41 and {len(each) for each in made} == {16} and len(roster.life) == 8
    assert roster.challenge == made[19]


# -- questions ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_believed_and_repeats_the_question() -> None:
    """Of a node that has not heard our challenges yet as well; another's answer, or another question, is none."""
    roster = Roster(numbered())
    roster.new_challenge()
    question = roster.new_question()
    assert heard(roster, 1, 0.0, echoes={}, answers={roster.life: bytes(16)}) is Unread.CONTACT
    assert heard(roster, 2, 0.0, echoes={}, answers={life(9): question}) is Unread.CONTACT
    member = heard(roster, 3, 0.0, echoes={}, answers={roster.life: question})
    assert isinstance(member, Member) and member.report is not None and roster.answers(member.report)
    assert not roster.answers(MINIMAL)


@pytest.mark.parametrize("later", range(4))
def test_an_answer_that_was_held_back_is_none(later: int) -> None:
    """A question has its time until the challenge after the next one: two intervals at most."""
    roster = Roster(numbered())
    roster.new_challenge()
    question = roster.new_question()
    for _ in range(later):
        roster.new_challenge()
    outcome = heard(roster, 1, 0.0, echoes={}, answers={roster.life: question})
    assert isinstance(outcome, Member) if later <= 1 else outcome is Unread.CONTACT


def test_of_many_questions_the_newest_count() -> None:
    roster = Roster(numbered())
    questions = [roster.new_question() for _ in range(QUESTIONS_KEPT + 2)]
    counts = [roster.answers(replace(MINIMAL, answers={roster.life: each})) for each in questions]
    assert counts == [False, False] + [True] * QUESTIONS_KEPT


# -- freshness ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval_s", [1 / 256, 0.25, 1.0, 255.0])
def test_after_a_few_of_its_intervals_a_member_is_silent(interval_s: float) -> None:
    """Asked before it is, and one lost report is forgiven."""
    roster = Roster(numbered())
    member = heard(roster, 1, 100.0, interval_s=interval_s)
    assert isinstance(member, Member) and member.interval_s == interval_s
    asked, silent = 100.0 + ASK_INTERVALS * interval_s, 100.0 + FRESH_INTERVALS * interval_s
    little = interval_s / 1000
    assert roster.silent_soon(asked - little) == [] and roster.silent_soon(asked + little) == [B]
    assert roster.fresh(silent - little) == [member] and roster.silent_soon(silent - little) == [B]
    assert roster.fresh(silent + little) == [] and roster.silent_soon(silent + little) == []
    assert 2 < ASK_INTERVALS < FRESH_INTERVALS < 3, "one is forgiven, and the loss is known within three intervals"


def test_a_contact_is_not_fresh_and_keeps_nobody_fresh() -> None:
    """Who was believed once and repeats nothing any more, as it does not hear us, ages."""
    roster = met()
    for second in range(1, 5):
        assert heard(roster, 1 + second, second, echoes={}, state="master") is Unread.CONTACT
    believed = roster.members[B].report
    assert believed is not None and believed.state == ""
    assert roster.members[B].contact.state == "master" and not roster.fresh(4.0)


def test_who_leaves_in_order_is_gone_at_once() -> None:
    """The interval that it says is its newest believed one."""
    roster = met()
    assert isinstance(heard(roster, 2, 0.5, leaves=True, interval_s=9.0), Member)
    assert roster.fresh(0.5) == [] and roster.silent_soon(25.0) == []
    assert roster.members[B].interval_s == 9.0


# -- what is repeated --------------------------------------------------------------------------------------------------


def test_what_everybody_wants_repeated() -> None:
    """The newest challenge of each that was heard of late, whether it is believed or not."""
    roster = met()
    heard(roster, 2, 1.0, challenge=challenge(2))
    heard(roster, 1, 1.0, by=life(3), echoes={}, challenge=challenge(3), interval_s=0.1)
    assert roster.echoes(1.0) == {B: challenge(2), life(3): challenge(3)}
    assert roster.echoes(1.0 + 2 * FRESH_INTERVALS * 0.1 + 0.01) == {B: challenge(2)}
    assert roster.echoes(1.0 + 2 * FRESH_INTERVALS - 0.01) == {B: challenge(2)}
    assert roster.echoes(1.0 + 2 * FRESH_INTERVALS + 0.01) == {}


def test_whoever_is_believed_comes_first() -> None:
    """A long report leaves out the last ones; old reports of former lives are heard later, and push nobody out."""
    roster = met()
    heard(roster, 1, 0.1, by=life(2), node="c")
    for number in range(3, 9):
        heard(roster, 1, 0.2 + number / 100, by=life(number), echoes={})
    order = list(roster.echoes(0.5))
    assert order == [life(2), B] + [life(number) for number in range(8, 2, -1)]


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_a_flood_of_contacts_drives_no_member_out() -> None:
    """Somebody plays a thousand former lives of the group: the table stays small, the believed stay, and a node that
    starts in the middle of it is believed with its second report."""
    roster, newcomer = met(), Node("c", 3)
    for number in range(1000):
        assert heard(roster, 1, number / 1000, by=life(100 + number), echoes={}, node=f"old {number}") is Unread.CONTACT
        assert len(roster.members) <= MEMBERS_MAX and B in roster.members
    roster.hear(newcomer.report(1.0), 1, "10.0.0.3", 1.0)
    for number in range(1000, 1100):  # its contact is driven out, which does not matter
        heard(roster, 1, 1.0 + number / 1e6, by=life(100 + number), echoes={})
    assert newcomer.roster.life not in roster.members
    ours = replace(MINIMAL, life=roster.life, challenge=roster.challenge)
    newcomer.hear(ours, 1.1)
    assert isinstance(roster.hear(newcomer.report(1.2), 1, "10.0.0.3", 1.2), Member)
    assert {each.contact.node for each in roster.fresh(1.2)} == {"b", "c"}
    assert list(roster.echoes(1.2))[:2] == [newcomer.roster.life, B]


def test_of_more_members_than_there_may_be_the_oldest_goes() -> None:
    """And is believed again when it is heard again, but for what it has said before."""
    roster = Roster(numbered())
    for number in range(1, MEMBERS_MAX + 2):
        assert isinstance(heard(roster, 5, number, by=life(100 + number), node=f"n{number}"), Member)
    assert len(roster.members) == MEMBERS_MAX and life(101) not in roster.members
    assert heard(roster, 5, 50.0, by=life(101), node="n1") is Unread.REPLAY
    assert heard(roster, 6, 50.0, by=life(101), node="n1", echoes={}) is Unread.REPLAY
    assert isinstance(heard(roster, 6, 50.0, by=life(101), node="n1"), Member)
    assert len(roster.members) == MEMBERS_MAX and life(102) not in roster.members


def test_the_numbers_of_former_lives_have_a_bound() -> None:
    """A node that starts a thousand times."""
    roster = Roster(numbered())
    for number in range(1000):
        assert isinstance(heard(roster, 1, number, by=life(100 + number), address="10.0.0.2"), Member)
        assert list(roster.members) == [life(100 + number)] and len(roster._past) <= PAST_LIVES_MAX


# -- lives -------------------------------------------------------------------------------------------------------------


def test_a_node_that_has_started_anew_is_one_member_at_once() -> None:
    """It has the name and the address of the former life, of which nothing more is believed."""
    roster = met()
    assert isinstance(heard(roster, 9, 0.5, address="10.0.0.2"), Member)
    assert isinstance(heard(roster, 1, 0.9, by=life(2), address="10.0.0.2"), Member)
    assert list(roster.members) == [life(2)]
    assert heard(roster, 9, 1.0) is Unread.REPLAY and heard(roster, 10, 1.0, echoes={}) is Unread.REPLAY


def test_after_its_address_changed_a_node_is_one_member_soon() -> None:
    """When the former life is silent, or has left in order."""
    for leaves in (False, True):
        roster = met()
        heard(roster, 2, 0.0, address="10.0.0.2", leaves=leaves)
        heard(roster, 1, 1.0, by=life(2), address="10.0.0.7")
        assert set(roster.members) == ({life(2)} if leaves else {B, life(2)})
        heard(roster, 2, 4.0, by=life(2), address="10.0.0.7")
        assert set(roster.members) == {life(2)}


def test_two_nodes_of_one_name_are_two_members() -> None:
    """A copied virtual machine: as long as both are heard, both stay. One that was frozen, and so forgotten, is there
    again when it is heard again."""
    roster = met()
    for second in range(1, 20):
        heard(roster, 1 + second, second, address="10.0.0.2")
        heard(roster, 1 + second, second + 0.1, by=life(2), address="10.0.0.7")
        assert len(roster.fresh(second + 0.1)) == 2
    for second in range(20, 30):
        heard(roster, 1 + second, second, by=life(2), address="10.0.0.7")
    assert set(roster.members) == {life(2)}
    assert heard(roster, 30, 30.0, address="10.0.0.2", echoes={}) is Unread.REPLAY
    assert isinstance(heard(roster, 31, 30.1, address="10.0.0.2"), Member)
    assert len(roster.fresh(30.1)) == 2


def test_a_namesake_that_is_not_believed_yet_is_not_forgotten() -> None:
    """What it wants repeated must be, or it would never believe us."""
    roster = met(50.0)
    heard(roster, 1, 50.5, by=life(2), echoes={}, challenge=challenge(2), address="10.0.0.7")
    heard(roster, 2, 50.6, address="10.0.0.2")
    assert roster.echoes(50.7)[life(2)] == challenge(2)


# -- any order ---------------------------------------------------------------------------------------------------------


@given(st.data())
def test_nothing_old_is_ever_believed(data: st.DataObject) -> None:
    """Two nodes talk over a network that loses, delays, repeats and reorders as it likes, and one of them starts anew:
    what is believed is above all that was believed of its life, repeats one of the last eight challenges, and each
    report is believed once."""
    a, lives = Node("a", 1), [Node("b", 2)]
    under_way: list[Report] = []
    recorded: list[Report] = []
    challenges: list[bytes] = []
    believed: list[tuple[bytes, int]] = []
    for step in range(data.draw(st.integers(1, 40))):
        now_s, b = step * 0.3, lives[-1]
        match data.draw(st.sampled_from("aabbdddr")):
            case "a":
                ours = a.report(now_s)
                challenges.append(ours.challenge)
                if data.draw(st.booleans()):
                    b.hear(ours, now_s)
            case "b":
                under_way.append(b.report(now_s))
                recorded.append(under_way[-1])
            case "r" if len(lives) < 4:
                lives.append(Node("b", 2 + len(lives), address="10.0.0.2"))
            case _ if recorded:
                report = data.draw(st.sampled_from(recorded))
                if isinstance(a.hear(report, now_s), Member):
                    assert report.echoes[a.roster.life] in challenges[-CHALLENGES_KEPT:]
                    earlier = [number for one, number in believed if one == report.life]
                    assert report.number > max(earlier, default=-1)
                    believed.append((report.life, report.number))
    assert len(a.roster.members) <= 4


def test_when_the_next_member_falls_silent() -> None:
    """By its own interval, whoever was heard first, and nobody who is silent already or has left."""
    roster = met(10.0)
    assert isinstance(heard(roster, 1, 10.5, life(0xC), node="c", interval_s=4.0), Member)
    first_s, second_s = 10.0 + FRESH_INTERVALS, 10.5 + 4 * FRESH_INTERVALS
    assert roster.next_silence_s(11.0) == pytest.approx(first_s - 11.0)
    assert roster.next_silence_s(first_s + 0.1) == pytest.approx(second_s - first_s - 0.1)
    heard(roster, 2, 14.0, life(0xC), node="c", interval_s=4.0, leaves=True)
    assert roster.next_silence_s(14.0) == math.inf
