"""A node's member reports: the product's own roster, questions and patience, and what a process does with them.

It reports once in each interval and whenever its state changes, asks before it believes a silence, and answers as the
owner of the addresses if it is one: master after a turn, with the addresses in its kernel, and a proxy whose self-test
passed of late. Two masters ask each other. What the product's pump does beside that (sockets, the cipher, what the
status says) is not modelled; a forged report is one that does not authenticate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from random import Random
from typing import Protocol

from wsa_proxy.carp import election
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.members.carrying import Carrying
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.owner_questions import OwnerQuestions
from wsa_proxy.members.owner_questions import wins_tie
from wsa_proxy.members.question import lead_s
from wsa_proxy.members.report import Report
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster
from wsa_proxy.members.values import SECONDS_MAX
from wsa_proxy.runtime.asking import Asking
from wsa_proxy.simulation.kernel import Kernel
from wsa_proxy.simulation.post import Letter
from wsa_proxy.simulation.post import Post

ANSWER_WAIT_S_MAX = 0.05
"""Between two answers, or a share of a question's lead where that is less."""
ANSWER_WAIT_SHARE = 1 / 6
REPLIES_PER_INTERVAL = 4
PROVEN_S = 2.5
SELF_TEST_EVERY_S = 1.0
QUEUE_MAX = 256  # reports in the socket's buffer
WAKES_AFTER_S = 1e-3


class Host(Protocol):
    """The node."""

    number: int
    core: VirtualHost | None
    kernel: Kernel
    health: int
    asleep_until_s: float

    @property
    def now(self) -> float:
        """Its own clock, seconds."""

    @property
    def awake(self) -> bool:
        """Does its process turn?"""

    @property
    def holds(self) -> bool:
        """Has its kernel the addresses?"""

    @property
    def unreachable(self) -> frozenset[int]:
        """To whom its host has no way."""

    def turn(self) -> None:
        """As its timer does."""

    def take_in(self, event: Event) -> None:
        """An advertisement was believed."""

    def handle(self, event: Event) -> None:
        """One event for the core."""

    def time_of_the_group_ms(self) -> int:
        """As far as it is known; else 0."""

    def learn_time(self, group_ms: int) -> None:
        """A member says the time of the group."""

    def read_guardian(self) -> None:
        """What it believes to hold it may not hold any more."""

    def after(self, wait_s: float, what: Callable[[], None]) -> None:
        """In so many seconds of the LAN's clock."""

    def at_own(self, when_s: float, what: Callable[[], None]) -> None:
        """At a time of its own clock."""

    def lan_now(self) -> float:
        """Seconds."""

    def tells(self, kind: str, what: object) -> None:
        """One line of the story."""


class Reporter:
    """That of one process. ``late_s`` answers by how much the loop is late now. ``random`` is its own."""

    def __init__(self, host: Host, core: VirtualHost, post: Post, random: Random, late_s: Callable[[], float]) -> None:
        self.roster = Roster(random.randbytes)
        self.asking = Asking(core, lambda: host.now)
        self.asking.ask = self.ask_owner
        self.carrying: Carrying | None = None
        """What it decides for its clients, if it has any,"""
        self.on_believed: Callable[[Member], None] = lambda _: None
        """and who is told of each report that is believed."""
        self.unread: Counter[Unread] = Counter()
        self.ended = False
        self._questions = OwnerQuestions()
        self._host, self._core, self._post, self._late_s = host, core, post, late_s
        self._proven_at_s = -math.inf if host.health else host.now
        self._said = State.INIT
        self._queue: deque[Letter] = deque()
        self._owed: dict[bytes, bytes] = {}
        self._reply_after_s = self._answer_after_s = self._ask_after_s = 0.0
        self._tick()
        self._test_itself()

    @property
    def settings(self) -> VirtualHostSettings:
        """In force."""
        return self._core.settings

    @property
    def interval_s(self) -> float:
        """Between two reports."""
        return self.settings.advbase or self.settings.advskew / 256

    @property
    def lead_s(self) -> float:
        """Of a question: so long its answer counts."""
        return lead_s(election.master_down_s(self.settings.advbase, self.settings.advskew))

    # -- sending -------------------------------------------------------------------------------------------------------

    def _when_awake(self, what: Callable[[], None]) -> bool:
        """Whether that can be done now; else it is done when the process turns again, if it does."""
        if self.ended:
            return False
        if not self._host.awake:
            self._host.after(max(self._host.asleep_until_s - self._host.lan_now(), 0.0) + WAKES_AFTER_S, what)
        return self._host.awake

    def _tick(self) -> None:
        if self._when_awake(self._tick):
            self.roster.new_challenge()
            silent = next(iter(self.roster.silent_soon(self._host.now)), b"")
            self._send(question=self.roster.new_question() if silent else b"", asked=silent)
            self._host.at_own(self._host.now + self.interval_s + self._late_s(), self._tick)

    def _test_itself(self) -> None:
        if self._when_awake(self._test_itself):
            if not self._host.health:
                self._proven_at_s = self._host.now
            self._host.at_own(self._host.now + SELF_TEST_EVERY_S, self._test_itself)

    def look(self) -> None:
        """Has its state changed?"""
        if not self.ended and self._host.awake and self._core.state is not self._said:
            self._send()

    def say(self) -> None:
        """What it has to say is new."""
        if not self.ended and self._host.awake:
            self._send()

    def leave(self) -> None:
        """The last report of an orderly end."""
        self._send(leaves=True)

    def ask_owner(self) -> None:
        """Is there one?"""
        question = self.roster.new_question()
        self._questions.asked(question, self._host.now, self.lead_s)
        self._host.tells("asks", question)
        self._send(question=question)

    def _send(
        self,
        *,
        question: bytes = b"",
        asked: bytes = b"",
        answers: Mapping[bytes, bytes] | None = None,
        leaves: bool = False,
    ) -> None:
        host, core, now = self._host, self._core, self._host.now
        report = Report(
            node=f"node-{host.number}",
            life=self.roster.life,
            number=self.roster.next_number(),
            challenge=self.roster.challenge,
            echoes=self.roster.echoes(now),
            question=question,
            asked=asked,
            answers=answers or {},
            state=core.state.value,
            leaves=leaves,
            holds=core.state is State.MASTER and host.holds,
            proven_s=min(now - self._proven_at_s, SECONDS_MAX),
            priority=255 - core.settings.advskew,
            advbase=core.settings.advbase,
            advskew=core.advskew,
            demotion=core.demotion,
            group_ms=host.time_of_the_group_ms(),
            address=f"10.0.0.10{host.number}",
            interval_s=self.interval_s,
            carry=self.carrying.says() if self.carrying else {},
            copies=self.carrying.copies() if self.carrying else {},
        )
        self._said = core.state
        host.tells("reports", report)
        self._post.send(host.number, report, host.unreachable)

    # -- hearing -------------------------------------------------------------------------------------------------------

    def receive(self, letter: Letter) -> None:
        """One report has come; while the process stands still it waits in the socket."""
        if self.ended:
            return
        if self._host.awake:
            self._hear(letter)
        elif len(self._queue) < QUEUE_MAX:
            self._queue.append(letter)

    def wake(self) -> None:
        """The process turns again."""
        while self._queue and self._host.awake and not self.ended:
            self._hear(self._queue.popleft())

    def _hear(self, letter: Letter) -> None:
        self._host.read_guardian()
        self._host.tells("a report came", letter)
        report, outcome = letter.report, self._judge(letter)
        if isinstance(outcome, Unread):
            self.unread[outcome] += 1
            self._host.tells("report not believed", (outcome, letter))
            if outcome is not Unread.CONTACT:
                return
            self._reply()
        else:
            before, member = outcome
            self._host.tells("report believed", letter)
            self._believe(report, before, member)
        if report.question and report.asked in (b"", self.roster.life):
            self._be_asked(report)

    def _judge(self, letter: Letter) -> Unread | tuple[Report | None, Member]:
        """The member that it is believed of, and what was believed of it before."""
        if letter.forged:
            return Unread.BAD_SECRET
        report = letter.report
        known = self.roster.members.get(report.life)
        before = known.report if known is not None else None
        outcome = self.roster.hear(report, self.settings.vhid, f"node-{letter.sender}", self._host.now)
        return outcome if isinstance(outcome, Unread) else (before, outcome)

    def _reply(self) -> None:
        if self._host.now >= self._reply_after_s:
            self._reply_after_s = self._host.now + self.interval_s / REPLIES_PER_INTERVAL
            self._send()

    def _believe(self, report: Report, before: Report | None, member: Member) -> None:
        if report.group_ms:
            self._host.learn_time(report.group_ms)
        self.on_believed(member)
        owner = report.state == State.MASTER.value and report.holds
        if owner and self._questions.take(report.answers.get(self.roster.life), self._host.now):
            self._answered(report)
        elif report.state == State.MASTER.value and self._core.state is State.MASTER:
            self._ask_rival()
        was_master = before is not None and before.state == State.MASTER.value
        if was_master and report.state != State.MASTER.value and self._core.state is State.MASTER:
            self._host.handle(FarewellReceived(member.source))

    def _answered(self, report: Report) -> None:
        """As ``Driver.answered``: as an advertisement, in each IP version."""
        values = self.settings.advbase, self._core.advskew, self._core.demotion
        if self._core.state is State.MASTER and wins_tie(values, self.roster.life, report):
            return
        self._host.tells("answered", report)
        values = report.advbase, report.advskew, report.demotion
        advertisement = Advertisement(self.settings.vhid, *values, 0, b"")
        for version in self.settings.versions:
            if self._host.awake:
                self._host.take_in(AdvertisementReceived(advertisement, version, report.node))

    def _ask_rival(self) -> None:
        if self._host.now >= self._ask_after_s:
            self._ask_after_s = self._host.now + self.interval_s / REPLIES_PER_INTERVAL
            self.ask_owner()

    # -- answering -----------------------------------------------------------------------------------------------------

    def _be_asked(self, report: Report) -> None:
        is_first = not self._owed
        self._owed[report.life] = report.question
        if is_first:
            self._host.at_own(max(self._answer_after_s, self._host.now), self._answer)

    def _answer(self) -> None:
        if not self._when_awake(self._answer):
            return
        self._answer_after_s = self._host.now + min(ANSWER_WAIT_S_MAX, self.lead_s * ANSWER_WAIT_SHARE)
        owed, self._owed = self._owed, {}
        self._host.turn()
        if self._host.awake and self._serves():
            self._send(answers=owed)

    def _serves(self) -> bool:
        limit_s = max(self._core.rank.interval_256ths / 256, PROVEN_S)
        proven = self._host.now - self._proven_at_s <= limit_s
        return self._core.state is State.MASTER and self._host.holds and proven
