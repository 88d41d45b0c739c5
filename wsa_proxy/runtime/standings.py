"""How a group stands, as one node knows it from the members' reports: who could take over, who does not fit, what is
filtered. What follows for this node itself is an obstacle or a demotion of its driver; the rest is said."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from wsa_proxy.carp import election
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.wire import Reject
from wsa_proxy.members import equal
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.equal import Mismatch
from wsa_proxy.members.redundancy import Candidate
from wsa_proxy.members.redundancy import Redundancy
from wsa_proxy.members.report import SECONDS_MAX
from wsa_proxy.members.report import Maintenance
from wsa_proxy.members.roster import FRESH_INTERVALS
from wsa_proxy.members.roster import Member
from wsa_proxy.members.sides import Side
from wsa_proxy.members.sides import fits
from wsa_proxy.members.sides import gives_way_to
from wsa_proxy.members.sides import side_of
from wsa_proxy.members.sides import two_masters
from wsa_proxy.members.switch_words import Said
from wsa_proxy.members.switch_words import read
from wsa_proxy.runtime.demotions import SWITCH

if TYPE_CHECKING:
    from wsa_proxy.runtime.group_reports import GroupReports

logger = logging.getLogger(__name__)

type OnRedundancy = Callable[[int, int, str], None]
"""Told of which virtual host the last healthy standby is lost or back, how many there are, and why. Must not raise."""

MISMATCH, CA = "mismatch", "certificate authority"
"""The names of an obstacle, and of a demotion."""
SUSPECTED_S = 60.0
BEGIN_INTERVALS = 3
"""After so many intervals beyond the first master-down interval a member should have been heard."""


class Standings:
    """Of one group."""

    def __init__(self, reports: GroupReports, now_s: float) -> None:
        self._reports = reports
        self.redundancy = Redundancy(now_s + self._down_s + BEGIN_INTERVALS * reports.interval_s)
        self.on_redundancy: OnRedundancy = lambda vhid, standbys, text: None
        self.fits = 0
        """How many nodes fit this one, itself among them; 0: all that there are."""
        self._told: set[str] = set()
        self._bad_secrets = 0
        self._bad_secret_at_s: float | None = None
        self._reported_at_s = now_s
        """When a master's report was known last."""
        self._suspect: str | None = None
        """The address that is named."""

    @property
    def _down_s(self) -> float:
        """Of this node."""
        settings = self._reports.driver.virtual_host.settings
        return election.master_down_s(settings.advbase, settings.advskew)

    # -- what is reckoned ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Reckon anew, act on it, and say what has changed."""
        now_s = self._reports.now_s()
        self._give_way(now_s)
        sentence = self.redundancy.look(self._candidates(now_s), now_s)
        if sentence is not None:
            logger.warning("carp vhid=%d %s", self._reports.group.vhid, sentence)
            self.on_redundancy(self._reports.group.vhid, self.redundancy.standbys, sentence)
        found = self.findings(now_s)
        if found or self._told:
            for text in sorted(set(found) - self._told):
                logger.warning("carp vhid=%d %s", self._reports.group.vhid, text)
            self._told = set(found)

    def hears_s(self, now_s: float) -> dict[bytes, float]:
        """By life: how long ago each member was believed last."""
        members = self._reports.roster.members
        return {life: now_s - each.heard_at_s for life, each in members.items() if each.report is not None}

    def mismatches(self, member: Member) -> list[Mismatch]:
        """Which of a member's settings are not ours."""
        ours = self._reports.shared_settings()
        report = member.report or member.contact
        if not report.settings or report.settings == ours:  # none: of a version that tells none
            return []
        options = [name for name in {*ours, *report.settings} if name not in equal.WORDS]
        return equal.compare(ours, report.settings, [*options, "secrets"])

    def not_ready(self, member: Member, now_s: float) -> list[str]:
        """Why a member could not serve as well as any; empty if it could."""
        report = member.report
        if report is None:
            return ["is heard, and does not hear this node"]
        if report.leaves:
            return ["stopped in order"]
        if not member.is_fresh(now_s):
            return [f"last heard {now_s - member.heard_at_s:.1f} s ago"]
        reasons = []
        if report.maintenance is not None:
            reasons.append(f"in maintenance until {report.maintenance.until}: {report.maintenance.reason}")
        is_demoted = bool(report.demotion) and not read(report).only
        if report.state not in ("master", "backup") or is_demoted:
            told = [
                each for each in report.reasons if report.maintenance is None or each != _reason(report.maintenance)
            ]
            reasons += told or ([] if reasons else [report.state or "says nothing of its state"])
        if mismatches := self.mismatches(member):
            side, own = side_of(report, member.vhid), self._own_side()
            reasons += [each.text for each in mismatches if self._excludes(each, side, own)]
        return reasons

    def findings(self, now_s: float) -> list[str]:
        """What is wrong between the nodes, in sentences without numbers that grow."""
        found = [*self._suspected(now_s), *self._unreported(now_s)]
        if self._reports.roster.members:
            fresh = self._reports.roster.fresh(now_s)
            found = [*self._filtered(fresh, now_s), *found, *self._one_way(now_s), *self._two_masters(now_s)]
            found += self._same_names(fresh)
            for member in fresh:
                node = (member.report or member.contact).node
                found += [f"node {node}: {each.text}" for each in self.mismatches(member)]
        if (stranger := self._reports.driver.strangers.finding()) is not None:
            found.append(stranger)
        if self._reports.trouble is not None:
            found.append(f"this node's reports cannot be sent: {self._reports.trouble}")
        return found

    def _same_names(self, fresh: Collection[Member]) -> list[str]:
        own, names = self._reports.settings.node, [(each.report or each.contact).node for each in fresh]
        twice = {name for name in names if name == own or names.count(name) > 1}
        return [f"two nodes are called {name}; give each a name of its own (node)" for name in sorted(twice)]

    # -- who gives way -------------------------------------------------------------------------------------------------

    def _give_way(self, now_s: float) -> None:
        others, absent = self._sides(now_s)
        sides, driver = [side for side, _ in others], self._reports.driver
        by_addresses = by_authority = None
        self.fits = 0
        if others or absent:
            own = self._own_side()
            self.fits = fits(own, [*sides, *absent])
            own = dataclasses.replace(own, fits=self.fits)
            by_addresses = gives_way_to(own, sides, two_masters, absent)
            if not self._reports.group.members.allow_ca_mismatch:
                # A node that is not ready serves for want of another one: that makes its authority no measure.
                by_authority = gives_way_to(own, sides, _other_ca, absent, whoever_serves_stays=False)
        driver.set_obstacle(MISMATCH, None if by_addresses is None else self._why(by_addresses, others))
        reason = "the certificate authority is the others' again"
        if by_authority is not None:
            reason = f"its clients would see another certificate authority than node {by_authority.name}'s"
        if bool(driver.demotions.of(CA)) != (by_authority is not None):
            driver.set_demotion(CA, 0 if by_authority is None else 1, reason)

    def _sides(self, now_s: float) -> tuple[list[tuple[Side, Member]], list[Side]]:
        """Who takes part now, and who did once; nobody where all are set up alike."""
        if not self._reports.roster.members:
            return [], []
        ours = self._reports.shared_settings()
        known = [member for member in self._reports.roster.members.values() if member.report is not None]
        if all(member.report is not None and member.report.settings == ours for member in known):
            return [], []
        others, absent = [], []
        for member in known:
            assert member.report is not None
            side = side_of(member.report, member.vhid)
            if not member.is_fresh(now_s):
                absent.append(side)
            elif member.report.state in ("master", "backup"):
                others.append((side, member))
        return others, absent

    def _why(self, measure: Side, others: Sequence[tuple[Side, Member]]) -> str:
        member = next(member for side, member in others if side is measure)
        grave = [each.text for each in self.mismatches(member) if each.name in equal.GRAVE]
        return f"node {measure.name}: {'; '.join(grave)}; both would be master"

    @property
    def own_rank(self) -> tuple[int, int, bytes]:
        """This node's (priority, address), to be compared with the others'."""
        return self._own_side().rank

    def _own_side(self) -> Side:
        reports = self._reports
        return Side(
            reports.settings.node,
            reports.group.vhid,
            reports.group.priority,
            reports.own_address(),
            reports.driver.is_master,
            reports.shared_settings(),
        )

    def _excludes(self, mismatch: Mismatch, side: Side, own: Side) -> bool:
        if mismatch.name == equal.CA:
            return not self._reports.group.members.allow_ca_mismatch
        return mismatch.name in equal.GRAVE and two_masters(own, side)

    # -- who could take over -------------------------------------------------------------------------------------------

    def _candidates(self, now_s: float) -> list[Candidate]:
        reports = self._reports
        driver = reports.driver
        own = [*driver.obstacles.values(), *driver.demotions.beside([SWITCH]).values()]
        found = [Candidate(reports.settings.node, driver.is_master, "; ".join(dict.fromkeys(own)))]
        for member in reports.roster.members.values():
            report = member.report or member.contact
            is_master = member.is_fresh(now_s) and report.state == "master"
            found.append(Candidate(report.node, is_master, "; ".join(self.not_ready(member, now_s))))
        known = {each.name for each in found}
        found += [Candidate(name, False, "never heard") for name in reports.group.members.nodes if name not in known]
        return found

    # -- what is filtered ----------------------------------------------------------------------------------------------

    def _filtered(self, fresh: Collection[Member], now_s: float) -> list[str]:
        driver, own = self._reports.driver, self._reports.settings.node
        found = []
        for member in fresh:
            report = member.report
            if report is None or member.vhid != self._reports.group.vhid or self._is_grave(member):
                continue
            is_new = now_s - member.state_since_s <= self._down_s
            if driver.virtual_host.state is State.BACKUP and report.state == "master" and self._hears_nothing(now_s):
                found += [] if is_new else [_blocked(report.node, own)]
            down_s = election.master_down_s(report.advbase, report.advskew)
            since_s = now_s - driver.record.since_s
            if driver.is_master and report.state == "backup" and min(since_s, report.advertisement_s) > down_s:
                found.append(_blocked(own, report.node))
        return found

    def _two_masters(self, now_s: float) -> list[str]:
        """They cannot know it; whoever hears both can."""
        masters = [
            member.report.node
            for member in self._reports.roster.fresh(now_s)
            if member.report is not None
            and member.report.state == "master"
            and member.vhid == self._reports.group.vhid
            and now_s - member.state_since_s > self._down_s
            and not self._is_grave(member)
        ]
        if len(masters) < 2:
            return []
        return [
            f"nodes {' and '.join(sorted(masters))} are both master: they do not hear each other; let IP protocol 112"
            f" and UDP port {self._reports.group.members.port} pass between them"
        ]

    def _unreported(self, now_s: float) -> list[str]:
        """A master lives that does not report: in a group that believes seals alone it is a node of ours."""
        driver, group = self._reports.driver, self._reports.group
        heard_at_s, own = driver.record.heard_at_s, self._reports.settings.node
        reported_s = [
            each.contact_at_s for each in self._reports.roster.members.values() if each.contact.state == "master"
        ]
        self._reported_at_s = max([self._reported_at_s, *reported_s])
        if driver.virtual_host.state is not State.BACKUP or "carp" in group.security or heard_at_s is None:
            return []
        silent_s = now_s - max(driver.record.since_s, self._reported_at_s)
        if now_s - heard_at_s > self._down_s or silent_s <= 2 * FRESH_INTERVALS * self._reports.interval_s:
            return []
        return [
            f"no report of the master ({driver.virtual_host.last_master}) arrives here, its advertisements do:"
            f" let UDP port {group.members.port} pass from it to {own}"
        ]

    def _hears_nothing(self, now_s: float) -> bool:
        heard_at_s = self._reports.driver.record.heard_at_s
        since_s = now_s - self._reports.driver.record.since_s
        return min(since_s, SECONDS_MAX if heard_at_s is None else now_s - heard_at_s) > self._down_s

    def _is_grave(self, member: Member) -> bool:
        if member.report is None or not self.mismatches(member):
            return False
        return two_masters(self._own_side(), side_of(member.report, member.vhid))

    def _suspected(self, now_s: float) -> list[str]:
        """Only suspected: whoever does not authenticate may be anybody."""
        count = self._reports.unread[Unread.BAD_SECRET]
        if count > self._bad_secrets:
            self._bad_secrets, self._bad_secret_at_s = count, now_s
        suspect = self._suspect_source(now_s)
        found: list[str] = []
        if self._bad_secret_at_s is not None and now_s - self._bad_secret_at_s <= SUSPECTED_S:
            found.append("somebody sends reports of this group with another Shared Secret")
        if suspect is not None and not found:
            found.append(
                f"somebody at {suspect} (unverified) advertises this group with another Shared Secret"
                " or other virtual IPs"
            )
        return found

    def _suspect_source(self, now_s: float) -> str | None:
        """The same for as long as there is anybody: the address is each packet's own choice, and another is no news."""
        rejected = self._reports.driver.record.last_rejected.get(Reject.BAD_SECRET)
        if rejected is None or now_s - rejected.at_s > SUSPECTED_S:
            self._suspect = None
        elif self._suspect is None:
            self._suspect = rejected.source
        return self._suspect

    def _one_way(self, now_s: float) -> list[str]:
        reports, found = self._reports, []
        for member in reports.roster.members.values():
            contact = member.contact
            soon_s = 2 * FRESH_INTERVALS * max(member.interval_s, reports.interval_s)
            lately = now_s - member.contact_at_s <= FRESH_INTERVALS * member.interval_s
            believed_s = now_s - member.heard_at_s if member.report is not None else SECONDS_MAX
            if lately and not contact.leaves and min(believed_s, now_s - member.since_s) > soon_s:
                found.append(
                    f"reports of node {contact.node} arrive here, and this node's do not arrive there:"
                    f" UDP port {reports.group.members.port} is blocked from {reports.settings.node} to {contact.node}"
                )
        return found

    # -- the status ----------------------------------------------------------------------------------------------------

    def status(self, now_s: float) -> dict[str, Any]:
        """As in the status document, under ``members``."""
        reports, redundancy = self._reports, self.redundancy
        lost_s = None if redundancy.lost_since_s is None else round(now_s - redundancy.lost_since_s, 2)
        return {
            "reports": reports.trouble or "sent",
            "port": reports.group.members.port,
            "life": reports.roster.life.hex(),
            "sent": reports.sent,
            "unread": {unread.value: count for unread, count in reports.unread.items()},
            "redundancy": {
                "healthy_standbys": redundancy.standbys,
                "lost_s": lost_s,
                "why": redundancy.why if lost_s is not None else None,
            },
            "findings": self.findings(now_s),
            "switched_away": _switched_away(reports.settings.node, reports.switch()),
            "list": [self._member_status(life, member, now_s) for life, member in reports.roster.members.items()],
        }

    def _member_status(self, life: bytes, member: Member, now_s: float) -> dict[str, Any]:
        report = member.report or member.contact
        not_ready = self.not_ready(member, now_s)
        maintenance = report.maintenance
        return {
            "node": report.node,
            "life": life.hex(),
            "address": report.address or member.source,
            "group": member.vhid,
            "state": report.state,
            "health": report.health,
            "reasons": list(report.reasons),
            "priority": report.priority,
            "demotion": report.demotion,
            "versions": dict(report.versions),
            "clock_offset_s": round(member.clock_offset_s, 3),
            "age_s": round(now_s - member.heard_at_s, 2) if member.report is not None else None,
            "is_fresh": member.is_fresh(now_s),
            "hears_us": member.report is not None and member.is_fresh(now_s),
            "left": report.leaves,
            "mismatches": [each.text for each in self.mismatches(member)],
            "is_ready": not not_ready,
            "not_ready": not_ready,
            "maintenance": maintenance and {"until": maintenance.until, "reason": maintenance.reason},
            "switched_away": _switched_away(report.node, read(report)),
        }


def _reason(maintenance: Maintenance) -> str:
    """As the demotion for it has it."""
    return f"maintenance: {maintenance.reason}"


def _other_ca(one: Side, other: Side) -> bool:
    ours, theirs = one.settings.get(equal.CA), other.settings.get(equal.CA)
    return bool(ours and theirs and ours != theirs)


def _switched_away(node: str, said: Said) -> dict[str, Any] | None:
    """``only``: it is demoted for nothing else."""
    if not said.held or said.held_node == node:
        return None
    return {"to": said.held_node, "since": said.since, "only": said.only}


def _blocked(sender: str, receiver: str) -> str:
    return (
        f"advertisements are blocked between {sender} and {receiver}: those of {sender} do not arrive at {receiver},"
        " its reports do; let IP protocol 112 pass"
    )
