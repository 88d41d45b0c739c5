"""Whom a node believes: the members of one group, and what the newest report of each says.

Nobody's word is taken for being new. A report is *believed* if it repeats one of the last challenges that this node has
sent, and is above all others of its life; so whoever holds reports back, or repeats them, is a few intervals late at
most, and a node that has just started, and knows nobody, asks before it believes. What is authentic and repeats no
challenge is a *contact*: it is answered with a report of our own, so that the next one can be believed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass

from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.report import CHALLENGE_BYTES
from wsa_proxy.members.report import LIFE_BYTES
from wsa_proxy.members.report import MEMBERS_MAX
from wsa_proxy.members.report import Report

CHALLENGES_KEPT = 8
"""Reports of ours of which any may be repeated: several are lost, or sent at once when something changes."""
QUESTIONS_KEPT = 4
PAST_LIVES_MAX = 64
FRESH_INTERVALS = 2.7
"""After so many of its intervals without a report a member is silent; one that was lost is forgiven."""
ASK_INTERVALS = 2.2
"""After so many it is asked first."""


@dataclass(slots=True)
class Member:
    """One life of a node. ``report`` is the newest that was believed; None: none was yet."""

    vhid: int
    contact: Report
    """The newest authentic one."""
    contact_at_s: float
    report: Report | None = None
    heard_at_s: float = 0.0
    """When that was believed, monotonic."""
    source: str = ""
    since_s: float = 0.0
    """When it was heard first after it had been silent, or was unknown."""
    state_since_s: float = 0.0
    """When it was believed first with the state that it has."""
    clock_offset_s: float = 0.0
    """Its wall clock when the newest report came, against ours."""

    @property
    def newest(self) -> Report:
        """The newest that was believed, else the newest authentic one: for what may be shown and not relied on."""
        return self.report or self.contact

    @property
    def node(self) -> str:
        """Its name."""
        return self.newest.node

    @property
    def interval_s(self) -> float:
        """Between two of its reports, as it says."""
        return self.newest.interval_s

    def is_fresh(self, now_s: float) -> bool:
        """Believed within its last few intervals, and not gone in order."""
        if self.report is None or self.report.leaves:
            return False
        return now_s - self.heard_at_s <= FRESH_INTERVALS * self.interval_s


class Roster:
    """The members of one group, by life. ``random`` answers so many unpredictable bytes."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self.life = random(LIFE_BYTES)
        self.members: dict[bytes, Member] = {}
        self._random = random
        self._number = 0
        self._challenges: deque[bytes] = deque(maxlen=CHALLENGES_KEPT)
        self._challenges_made = 0
        self._questions: dict[bytes, int] = {}
        """With the number of challenges that had been made by then."""
        self._past: dict[bytes, int] = {}
        """By life that is forgotten: its highest number."""

    # -- what our next report needs ------------------------------------------------------------------------------------

    def next_number(self) -> int:
        """Of a report that is about to be sent."""
        self._number += 1
        return self._number

    def new_challenge(self) -> bytes:
        """One that may be repeated from now on, instead of the oldest. Nor does an answer count any more whose question
        was asked before the last one: it was held back."""
        self._challenges.append(self._random(CHALLENGE_BYTES))
        self._challenges_made += 1
        self._questions = {one: at for one, at in self._questions.items() if at >= self._challenges_made - 1}
        return self._challenges[-1]

    @property
    def challenge(self) -> bytes:
        """The newest."""
        return self._challenges[-1] if self._challenges else self.new_challenge()

    def new_question(self) -> bytes:
        """Likewise; an answer repeats it."""
        question = self._random(CHALLENGE_BYTES)
        self._questions[question] = self._challenges_made
        if len(self._questions) > QUESTIONS_KEPT:
            del self._questions[next(iter(self._questions))]
        return question

    def echoes(self, now_s: float) -> dict[bytes, bytes]:
        """By life: what everybody who was heard of late wants repeated. Whoever is believed comes first, then whoever
        was heard last: a long report leaves the others out, and old reports of former lives are heard as well."""
        heard = sorted(self.members.items(), key=lambda pair: (pair[1].report is None, -pair[1].contact_at_s))
        return {
            life: member.contact.challenge
            for life, member in heard
            if now_s - member.contact_at_s <= 2 * FRESH_INTERVALS * member.interval_s
        }

    # -- what is heard -------------------------------------------------------------------------------------------------

    def hear(self, report: Report, vhid: int, source: str, now_s: float) -> Member | Unread:
        """An authentic report. Answers its sender if it is believed, else why not; a contact is remembered."""
        if (old := self.why_old(report.life, report.number)) is not None:
            return old
        member = self.members.get(report.life)
        believed = report.echoes.get(self.life) in self._challenges or self.answers(report)
        if report.life in self._past and not believed:
            return Unread.REPLAY
        if member is None:
            self._make_room()
            self._past.pop(report.life, None)
            member = self.members[report.life] = Member(vhid, report, now_s, since_s=now_s)
        if now_s - member.contact_at_s > FRESH_INTERVALS * member.interval_s:
            member.since_s = now_s
        member.contact, member.contact_at_s, member.source = report, now_s, source
        if not believed:
            return Unread.CONTACT
        if not member.is_fresh(now_s) or member.report is None or member.report.state != report.state:
            member.state_since_s = now_s
        member.report, member.heard_at_s = report, now_s
        self._forget_former_lives(report, now_s)
        return member

    def why_old(self, life: bytes, number: int) -> Unread | None:
        """Why a report that says this is not looked at further; None: it may be news."""
        if life == self.life:
            return Unread.ECHO
        member = self.members.get(life)
        highest = self._past.get(life, -1) if member is None else member.contact.number
        return Unread.REPLAY if number <= highest else None

    def is_believed(self, life: bytes) -> bool:
        """At least one of its reports was: of what it says nothing is new but what it says itself, in that order."""
        return life in self.members and self.members[life].report is not None

    def believes(self, life: bytes, echoes: Mapping[bytes, bytes], now_s: float) -> bool:
        """Whether what a member says beside its reports is new: it is there, and repeats one of our last challenges."""
        member = self.members.get(life)
        return member is not None and member.is_fresh(now_s) and echoes.get(self.life) in self._challenges

    def answers(self, report: Report) -> bool:
        """Whether it repeats one of our last questions."""
        return report.answers.get(self.life) in self._questions

    def fresh(self, now_s: float) -> Collection[Member]:
        """Who is there."""
        return [member for member in self.members.values() if member.is_fresh(now_s)]

    def next_silence_s(self, now_s: float) -> float:
        """In so many seconds the next member will be silent, if it is not heard before; infinite if none is there."""
        ends_s = (each.heard_at_s + FRESH_INTERVALS * each.interval_s for each in self.fresh(now_s))
        return min(ends_s, default=math.inf) - now_s

    def silent_soon(self, now_s: float) -> Collection[bytes]:
        """The lives of those that should have been heard by now: to be asked before they count as silent."""
        return [
            life
            for life, member in self.members.items()
            if member.is_fresh(now_s) and now_s - member.heard_at_s >= ASK_INTERVALS * member.interval_s
        ]

    def _forget_former_lives(self, report: Report, now_s: float) -> None:
        """A node that has started anew is one member. Two that have one name both go on being heard, from an address of
        its own each, and both stay."""
        for life, member in list(self.members.items()):
            told = member.newest
            if life == report.life or told.node != report.node:
                continue
            silent = now_s - member.contact_at_s > FRESH_INTERVALS * member.interval_s
            if silent or member.contact.leaves or (told.address and told.address == report.address):
                self._forget(life)

    def _make_room(self) -> None:
        """Whoever was never believed goes first, then whoever has been silent for longest."""
        if len(self.members) < MEMBERS_MAX:
            return
        oldest = min(self.members.items(), key=lambda pair: (pair[1].report is not None, pair[1].contact_at_s))
        self._forget(oldest[0])

    def _forget(self, life: bytes) -> None:
        """Its number is kept: what it has said is old for ever, and what it says anew shows that it is there."""
        member = self.members.pop(life)
        if member.report is None:
            return
        self._past[life] = member.contact.number
        if len(self._past) > PAST_LIVES_MAX:
            del self._past[next(iter(self._past))]
