"""The member reports of one group: when they are sent, what comes of those that are heard.

An answer to our question goes to the driver as an advertisement would. Everything else that follows (who gives way, who
is no healthy standby, what is filtered) is reckoned anew with each report of our own, and when one of another says
something new: ``standings.py``.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from wsa_proxy.carp import election
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.wire import Reject
from wsa_proxy.members import equal
from wsa_proxy.members.cipher import Cipher
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.cipher import members_key
from wsa_proxy.members.client_page import is_page
from wsa_proxy.members.owner_questions import OwnerQuestions
from wsa_proxy.members.owner_questions import wins_tie
from wsa_proxy.members.question import lead_s
from wsa_proxy.members.report import MEMBERS_MAX
from wsa_proxy.members.report import BadReport
from wsa_proxy.members.report import Maintenance
from wsa_proxy.members.report import Packer
from wsa_proxy.members.report import Report
from wsa_proxy.members.report import head
from wsa_proxy.members.report import unpack
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster
from wsa_proxy.members.switch_words import Said
from wsa_proxy.members.switch_words import written
from wsa_proxy.net.virtual_interface import virtual_mac
from wsa_proxy.runtime import report_of
from wsa_proxy.runtime.allowance import Allowance
from wsa_proxy.runtime.clocks import EPOCH_2020_S
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.identity import Identity
from wsa_proxy.runtime.standings import Standings
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings

logger = logging.getLogger(__name__)

JUST_AFTER_S = 0.01
ANSWER_WAIT_S_MAX = 0.05
ANSWER_WAIT_SHARE = 1 / 6
"""Between two answers, or a share of a question's lead where that is less: several backups ask at the same time."""
REPLIES_PER_INTERVAL = 4
"""So many of our reports may others provoke in an interval, by being new or by being a second master."""
CONTACTS_PER_S = 40
"""So many reports of lives that were never believed are read; two of each are enough."""


class GroupReports:
    """Of one group with a secret. ``send`` sends one datagram and answers what went wrong, or None; ``source`` is the
    address that it is sent from. ``random`` answers so many unpredictable bytes."""

    carry: Callable[[], Mapping[str, Any]]
    """What is to be said of connections that are carried over, by ``members/carrying.py``,"""
    copies: Callable[[], Mapping[bytes, int]]
    """and of the lists of clients that were taken over."""
    on_page: Callable[[bytes], Unread | None]
    """Given each page of such a list that authenticates. Answers why it is not believed."""
    passed_over_at_s = -math.inf
    """When a datagram of this group was last not even opened: there are more than this node takes the time for."""

    def __init__(
        self,
        group: GroupSettings,
        settings: Settings,
        driver: Driver,
        identity: Identity,
        *,
        clocks: Clocks,
        health: Callable[[], Health],
        facts: Callable[[], ProxyFacts],
        maintenance: Callable[[], Maintenance | None],
        send: Callable[[bytes], str | None],
        source: Callable[[], str],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.driver = driver
        self.roster = Roster(random)
        self.unread = dict.fromkeys(Unread, 0)
        self.sent = 0
        self.trouble: str | None = None
        """Why the last report could not be sent."""
        self.switch: Callable[[], Said] = Said
        """What a planned switch has to say."""
        self.carry, self.copies, self.on_page = dict, dict, lambda _: None
        self.on_report: list[Callable[[Member], None]] = []
        """Told of each that is believed, one after the other."""
        self._clocks, self._identity = clocks, identity
        self._health, self._facts, self._maintenance = health, facts, maintenance
        self._send, self._source, self._random = send, source, random
        self._owner_questions, self._contacts = OwnerQuestions(), Allowance(CONTACTS_PER_S, clocks.now_s)
        self._packer, self._closed = Packer(), False
        self._lasts: tuple[tuple[object, ...], Report] | None = None
        """What our last report said that stays, with all that it was made of."""
        self._owed: dict[bytes, tuple[bytes, bool]] = {}
        """By life: the question, and whether it was for us whatever we are."""
        self._reply_after_s = self._answer_after_s = self._ask_after_s = 0.0
        self.take(group, settings)
        self.standings = Standings(self, clocks.now_s())
        driver.asking.ask = self.ask_owner
        driver.strangers.is_none_of_ours = self._is_none_of_ours

    def take(self, group: GroupSettings, settings: Settings) -> None:
        """Other settings of the same group. Slow unless the keys were made before."""
        self.group, self.settings = group, settings
        self.interval_s = report_of.report_interval_s(group)
        """Between two of our reports."""
        self.versions = group.versions
        self._shared: tuple[ProxyFacts, Mapping[str, str]] | None = None
        self._keys = [members_key(phrase) for phrase in group.pass_phrases]
        self.cipher = Cipher(group.vhid, self._keys, self._random)

    def shared_settings(self) -> Mapping[str, str]:
        """Of this node, what must be equal."""
        facts = self._facts()
        if self._shared is None or (self._shared[0] is not facts and self._shared[0] != facts):
            told = report_of.shared_settings(self.group, self.settings, self._keys, facts)
            self._shared = facts, equal.fitting(told)
        return self._shared[1]

    def now_s(self) -> float:
        """Monotonic."""
        return self._clocks.now_s()

    def _wall_ms(self) -> int:
        """Since 1970."""
        return int(self._clocks.wall_ms() + EPOCH_2020_S * 1000)

    def own_address(self) -> str:
        """From which reports are sent; empty if there is none."""
        return self._source()

    # -- sending -------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Once in each interval."""
        self.roster.new_challenge()
        silent = next(iter(self.roster.silent_soon(self.now_s())), b"") if self.roster.members else b""
        self.driver.strangers.look(is_master=self.driver.is_master)
        self.standings.look()
        self.send(question=self.roster.new_question() if silent else b"", asked=silent)
        if self.roster.members:
            in_s = self.roster.next_silence_s(self.now_s()) + JUST_AFTER_S
            if in_s < self.interval_s:
                asyncio.get_running_loop().call_later(in_s, self._look)

    def _look(self) -> None:
        """A member may have fallen silent: the next tick would be too late to tell it within three intervals."""
        if not self._closed:
            self.standings.look()

    def send(self, **more: Any) -> None:
        """One report, as things are now."""
        now_s = self.now_s()
        changing = {
            "number": self.roster.next_number(),
            "challenge": self.roster.challenge,
            "echoes": self.roster.echoes(now_s),
            "hears_s": self.standings.hears_s(now_s),
            "clock_ms": self._wall_ms(),
            "group_ms": self._identity.group_ms(),
            "copies": self.copies(),
            **report_of.says_now(self.driver, self._health(), now_s),
            **more,
        }
        self.sent += 1
        self._send_sealed(self._packer.pack(self._lasting(), changing))

    def send_page(self, packed: bytes) -> None:
        """One page of this node's list of clients."""
        self._send_sealed(packed)

    def _send_sealed(self, packed: bytes) -> None:
        trouble = self._send(self.cipher.seal(packed))
        if trouble is not None and self.trouble is None:
            logger.warning("carp vhid=%d member reports cannot be sent: %s", self.group.vhid, trouble)
        self.trouble = trouble

    def _lasting(self) -> Report:
        """What stays as it is from report to report, made anew when something of it has changed."""
        facts, source, maintenance, switch = self._facts(), self._source(), self._maintenance(), self.switch()
        standing = (self.standings.fits, report_of.standing(self.driver))
        carry = self.carry()
        made_of = (self.group, self.settings, facts, source, maintenance, switch, carry, standing)
        if self._lasts is None or self._lasts[0] != made_of:
            report = Report(
                node=self.settings.node,
                life=self.roster.life,
                number=0,
                challenge=b"",
                address=source,
                versions=report_of.versions(facts),
                settings=self.shared_settings(),
                fits=self.standings.fits,
                maintenance=maintenance,
                switch=written(switch),
                probes_from=facts.probes_from,
                carry=carry,
                **report_of.says(self.driver, self.group),
            )
            self._lasts = made_of, report
        return self._lasts[1]

    def send_soon(self) -> None:
        """Something was heard that others should react to; not more often than they may provoke it."""
        now_s = self.now_s()
        if now_s >= self._reply_after_s:
            self._reply_after_s = now_s + self.interval_s / REPLIES_PER_INTERVAL
            self.send()

    def ask_owner(self) -> None:
        """The master is silent: is there one? Or two are."""
        if not self.driver.is_master and self.driver.virtual_host.last_master is not None:
            self.driver.strangers.ask()  # before the first acquisition the virtual host asks the LAN itself
        question = self.roster.new_question()
        self._owner_questions.asked(question, self.now_s(), self._lead_s)
        self.send(question=question)

    def _is_none_of_ours(self, mac: str) -> bool:
        """A master that is not believed, having another secret or speaking VRRP, advertises; whoever only answers for
        its addresses is nobody."""
        now_s, host = self.now_s(), self.driver.virtual_host.settings
        since_s = now_s - election.master_down_s(host.advbase, host.advskew)
        refused = [self.driver.record.last_rejected.get(each) for each in (Reject.BAD_SECRET, Reject.VRRP)]
        suspects = {each.source_mac for each in refused if each is not None and each.at_s >= since_s}
        if suspects:
            suspects.add(virtual_mac(self.group.vhid))
        return bool(self.roster.fresh(now_s)) and mac not in suspects

    def leave(self) -> None:
        """The last report of this life, if that is an orderly end."""
        self.driver.asking.ask = None
        self.driver.strangers.is_none_of_ours = lambda mac: False
        self.send(leaves=True)
        self._closed = True

    # -- hearing -------------------------------------------------------------------------------------------------------

    def pass_over(self) -> None:
        """A datagram of this group, whoever sent it."""
        self.unread[Unread.LIMIT] += 1
        self.passed_over_at_s = self.now_s()

    def receive(self, packed: bytes, source: str) -> None:
        """The contents of a datagram that authenticates, of this group."""
        if is_page(packed):
            if (reason := self.on_page(packed)) is not None:
                self.unread[reason] += 1
        elif (report := self._read(packed, source, self.group.vhid)) is not None:
            self._hear(report, self.group.vhid, source)

    def receive_foreign(self, packed: bytes, vhid: int, source: str) -> None:
        """Of a group with another id: it matters if it is this one by its virtual IPs; its clients do not."""
        if is_page(packed):
            return
        if (report := self._read(packed, source, vhid)) is not None:
            self._hear(report, vhid, source)

    def _read(self, packed: bytes, source: str, vhid: int) -> Report | None:
        """What is in it, if that can be news. What a believed member says is read however much it is: nobody else can
        have more of it. Whoever has recorded others has more than this node takes the time for."""
        try:
            life, number, settings = head(packed)
            if vhid != self.group.vhid and not self._means_ours(settings):
                return None
            if (old := self.roster.why_old(life, number)) is not None:
                self.unread[old] += not self._is_copy(life, number)
                return None
            if not self.roster.is_believed(life) and not self._contacts.take():
                self.unread[Unread.LIMIT] += 1
                return None
            return unpack(packed)
        except BadReport as error:
            self.unread[Unread.MALFORMED] += 1
            logger.debug("carp vhid=%d a report of %s makes no sense: %s", self.group.vhid, source, error)
            return None

    def _means_ours(self, settings: Mapping[str, str]) -> bool:
        theirs, ours = (each.get(equal.VIRTUAL_IP, "") for each in (settings, self.shared_settings()))
        return bool(equal.addresses_of(theirs) & equal.addresses_of(ours))

    def _is_copy(self, life: bytes, number: int) -> bool:
        """Of the last one: by IPv4 and IPv6, or by a network with two ways."""
        known = self.roster.members.get(life)
        return known is not None and known.contact.number == number

    def _hear(self, report: Report, vhid: int, source: str) -> None:
        known = self.roster.members.get(report.life)
        before = known.report if known is not None else None
        outcome = self.roster.hear(report, vhid, source, self.now_s())
        if isinstance(outcome, Unread):
            self.unread[outcome] += 1
            if outcome is not Unread.CONTACT:
                return
            self.send_soon()
        else:
            self._believe(outcome, report, before)
        if report.question and vhid == self.group.vhid:
            self._be_asked(report)

    def _believe(self, member: Member, report: Report, before: Report | None) -> None:
        member.clock_offset_s = (report.clock_ms - self._wall_ms()) / 1000
        if self._fits(member):
            if report.group_ms:
                self._identity.learn_group_ms(report.group_ms)
            if self._is_answer(report):
                self._answered(report)
            elif report.state == "master" and self.driver.is_master:
                self._ask_rival()
            if before is not None and before.state == "master" != report.state and self.driver.is_master:
                # It may have announced itself last; its farewell, if it was said, need not have come.
                self.driver.tell(FarewellReceived(report.node))
        for tell in self.on_report:
            tell(member)
        if before is None or _news(before) != _news(report):
            self.standings.look()

    def _fits(self, member: Member) -> bool:
        """It is of this group, and means the same addresses."""
        theirs = member.newest.settings.get(equal.VIRTUAL_IP, "")
        ours = self.shared_settings()[equal.VIRTUAL_IP]
        return member.vhid == self.group.vhid and equal.addresses_of(theirs) == equal.addresses_of(ours)

    @property
    def _lead_s(self) -> float:
        """Of a question."""
        host = self.driver.virtual_host.settings
        return lead_s(election.master_down_s(host.advbase, host.advskew))

    def _is_answer(self, report: Report) -> bool:
        """Of a living owner: who is master, has the addresses and serves, all of it looked up for this answer."""
        owner = report.state == "master" and report.holds
        return owner and self._owner_questions.take(report.answers.get(self.roster.life), self.now_s())

    def _answered(self, report: Report) -> None:
        host = self.driver.virtual_host
        values = host.settings.advbase, host.advskew, host.demotion
        if self.driver.is_master and wins_tie(values, self.roster.life, report):
            return
        self.driver.answered(report.advbase, report.advskew, report.demotion, report.node)

    def _ask_rival(self) -> None:
        """Two masters, of whom at least one does not hear the other's advertisements."""
        now_s = self.now_s()
        if now_s >= self._ask_after_s:
            self._ask_after_s = now_s + self.interval_s / REPLIES_PER_INTERVAL
            self.ask_owner()

    def _be_asked(self, report: Report) -> None:
        """Answer at once; what is claimed is looked up now."""
        if report.asked not in (b"", self.roster.life) or len(self._owed) >= MEMBERS_MAX:
            return
        is_first = not self._owed
        self._owed[report.life] = report.question, bool(report.asked)
        if is_first:
            asyncio.get_running_loop().call_later(max(0.0, self._answer_after_s - self.now_s()), self._answer)

    def _answer(self) -> None:
        """All that were asked since the last answer, in one."""
        owed, self._owed = self._owed, {}
        self._answer_after_s = self.now_s() + min(ANSWER_WAIT_S_MAX, self._lead_s * ANSWER_WAIT_SHARE)
        self.driver.turn()  # a process that stood still learns here that it is master no more
        serves = report_of.serves(self.driver, self.group, self._health(), self.now_s())
        answers = {life: question for life, (question, to_anybody) in owed.items() if to_anybody or serves}
        if answers and not self._closed:
            self.send(answers=answers)


def _news(report: Report) -> tuple[object, ...]:
    """What others react to at once."""
    return report.state, report.leaves, report.health, report.reasons, report.settings, report.maintenance
