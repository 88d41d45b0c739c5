"""How a group stands, as one node knows it from the members' reports: who could take over, who does not fit, what is
filtered. What follows for this node itself is an obstacle or a demotion of its driver; the rest is said."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wsa_proxy.members import equal
from wsa_proxy.members.equal import Mismatch
from wsa_proxy.members.redundancy import Candidate
from wsa_proxy.members.redundancy import Redundancy
from wsa_proxy.members.report import Maintenance
from wsa_proxy.members.report import Report
from wsa_proxy.members.roster import Member
from wsa_proxy.members.sides import Side
from wsa_proxy.members.sides import fits
from wsa_proxy.members.sides import gives_way_to
from wsa_proxy.members.sides import side_of
from wsa_proxy.members.sides import two_masters
from wsa_proxy.members.switch_words import read
from wsa_proxy.runtime.demotions import SWITCH
from wsa_proxy.runtime.findings import Findings
from wsa_proxy.runtime.findings import own_master_down_s

if TYPE_CHECKING:
    from wsa_proxy.runtime.group_reports import GroupReports

logger = logging.getLogger(__name__)

type OnRedundancy = Callable[[int, int, str], None]
"""Told of which virtual host the last healthy standby is lost or back, how many there are, and why. Must not raise."""

MISMATCH, CA = "mismatch", "certificate authority"
"""The names of an obstacle, and of a demotion."""
AFTER_EACH_BETTER_S, AFTER_BETTER_S_MAX = 0.02, 0.06
"""So much longer a node waits after a bow-out for each standby that should answer it first. By the advskews alone it is
2 ms, and a loop may well be later than that; if such a standby is dead as well, the takeover is as late as this."""
BEGIN_INTERVALS = 3
"""After so many intervals beyond the first master-down interval a member should have been heard."""


class Standings:
    """Of one group."""

    def __init__(self, reports: GroupReports, now_s: float) -> None:
        self._reports = reports
        self.redundancy = Redundancy(now_s + own_master_down_s(reports.driver) + BEGIN_INTERVALS * reports.interval_s)
        self.on_redundancy: OnRedundancy = lambda vhid, standbys, text: None
        self.fits = 0
        """How many nodes fit this one, itself among them; 0: all that there are."""
        self._told: set[str] = set()
        self.findings = Findings(reports, now_s)

    # -- what is reckoned ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Reckon anew, act on it, and say what has changed."""
        now_s = self._reports.now_s()
        self._give_way(now_s)
        sentence = self.redundancy.look(self._candidates(now_s), now_s)
        if sentence is not None:
            logger.warning("carp vhid=%d %s", self._reports.group.vhid, sentence)
            self.on_redundancy(self._reports.group.vhid, self.redundancy.standbys, sentence)
        found = self.findings.all(now_s)
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
        report = member.newest
        if not report.settings or _alike(report.settings, ours):  # none: of a version that tells none
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
        if report.state not in ("master", "backup") or _lasting_demotion(report):
            told = [
                each for each in report.reasons if report.maintenance is None or each != _reason(report.maintenance)
            ]
            reasons += told or ([] if reasons else [report.state or "says nothing of its state"])
        if mismatches := self.mismatches(member):
            side, own = side_of(report, member.vhid), self.own_side()
            reasons += [each.text for each in mismatches if self._excludes(each, side, own)]
        return reasons

    # -- who gives way -------------------------------------------------------------------------------------------------

    def _give_way(self, now_s: float) -> None:
        others, absent = self._sides(now_s)
        sides, driver = [side for side, _ in others], self._reports.driver
        by_addresses = by_authority = None
        self.fits = 0
        if others or absent:
            own = self.own_side()
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
        if all(member.report is not None and _alike(member.report.settings, ours) for member in known):
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
        return self.own_side().rank

    def own_side(self) -> Side:
        """This node, as the others see it."""
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
            report = member.newest
            is_master = member.is_fresh(now_s) and report.state == "master"
            found.append(Candidate(report.node, is_master, "; ".join(self.not_ready(member, now_s))))
        known = {each.name for each in found}
        found += [Candidate(name, False, "never heard") for name in reports.group.members.nodes if name not in known]
        return found

    def await_better(self) -> None:
        """A bow-out is about to be judged, and it is for the best standby to answer it."""
        waits_s = AFTER_EACH_BETTER_S * self._better_standbys(self._reports.now_s())
        self._reports.driver.virtual_host.after_better_s = min(waits_s, AFTER_BETTER_S_MAX)

    def _better_standbys(self, now_s: float) -> int:
        """How many come before this node: who is demoted comes after who is not, and among equals of that the rank
        decides. A switch binds nobody after a bow-out: of this node its demotion is over by now."""
        own, own_rank, found = self._reports.driver.virtual_host.demotion, self.own_rank, 0
        for member in self._reports.roster.members.values():
            theirs = self._standby_demotion(member, now_s)
            if theirs is not None and theirs <= own:
                found += theirs < own or side_of(member.newest, member.vhid).rank > own_rank
        return found

    def _standby_demotion(self, member: Member, now_s: float) -> int | None:
        """Of one that could answer a bow-out; None: it could not."""
        report = member.report
        if report is None or report.state != "backup" or report.leaves or not member.is_fresh(now_s):
            return None
        demotion = _lasting_demotion(report)
        return demotion if demotion or not self.not_ready(member, now_s) else None


def _lasting_demotion(report: Report) -> int:
    """But for a switch, which binds only as long as its master is there."""
    return 0 if read(report).only else report.demotion


def _reason(maintenance: Maintenance) -> str:
    """As the demotion for it has it."""
    return f"maintenance: {maintenance.reason}"


def _alike(theirs: Mapping[str, str], ours: Mapping[str, str]) -> bool:
    """Nearly always it is the same object, see ``members/report.py``."""
    return theirs is ours or theirs == ours


def _other_ca(one: Side, other: Side) -> bool:
    ours, theirs = one.settings.get(equal.CA), other.settings.get(equal.CA)
    return bool(ours and theirs and ours != theirs)
