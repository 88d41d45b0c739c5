"""What is wrong between the nodes of a group, as one of them knows it: in sentences, each as long as it is so.

Nothing of it changes what this node does.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from wsa_proxy.carp import election
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.wire import Reject
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.roster import FRESH_INTERVALS
from wsa_proxy.members.roster import Member
from wsa_proxy.members.sides import side_of
from wsa_proxy.members.sides import two_masters
from wsa_proxy.members.values import SECONDS_MAX
from wsa_proxy.runtime.driver import Driver

if TYPE_CHECKING:
    from wsa_proxy.runtime.group_reports import GroupReports

SUSPECTED_S = 60.0


class Findings:
    """Of one group."""

    def __init__(self, reports: GroupReports, now_s: float) -> None:
        self._reports = reports
        self._bad_secrets = 0
        self._bad_secret_at_s: float | None = None
        self._reported_at_s = now_s
        """When a master's report was known last."""
        self._suspect: str | None = None
        """The address that is named."""

    def all(self, now_s: float) -> list[str]:
        """What is wrong between the nodes, in sentences without numbers that grow."""
        found = [*self._suspected(now_s), *self._unreported(now_s)]
        if self._reports.roster.members:
            fresh = self._reports.roster.fresh(now_s)
            found = [*self._filtered(fresh, now_s), *found, *self._one_way(now_s), *self._two_masters(now_s)]
            found += self._same_names(fresh)
            for member in fresh:
                node = member.node
                found += [f"node {node}: {each.text}" for each in self._reports.standings.mismatches(member)]
        if (stranger := self._reports.driver.strangers.finding()) is not None:
            found.append(stranger)
        if self._reports.trouble is not None:
            found.append(f"this node's reports cannot be sent: {self._reports.trouble}")
        return found

    def _same_names(self, fresh: Collection[Member]) -> list[str]:
        own, names = self._reports.settings.node, [each.node for each in fresh]
        twice = {name for name in names if name == own or names.count(name) > 1}
        return [f"two nodes are called {name}; give each a name of its own (node)" for name in sorted(twice)]

    def _filtered(self, fresh: Collection[Member], now_s: float) -> list[str]:
        driver, own = self._reports.driver, self._reports.settings.node
        found = []
        for member in fresh:
            report = member.report
            if report is None or member.vhid != self._reports.group.vhid or self._is_grave(member):
                continue
            is_new = now_s - member.state_since_s <= own_master_down_s(self._reports.driver)
            if driver.virtual_host.state is State.BACKUP and report.state == "master" and self._hears_nothing(now_s):
                found += [] if is_new else [blocked(report.node, own)]
            down_s = election.master_down_s(report.advbase, report.advskew)
            since_s = now_s - driver.record.since_s
            if driver.is_master and report.state == "backup" and min(since_s, report.advertisement_s) > down_s:
                found.append(blocked(own, report.node))
        return found

    def _two_masters(self, now_s: float) -> list[str]:
        """They cannot know it; whoever hears both can."""
        masters = [
            member.report.node
            for member in self._reports.roster.fresh(now_s)
            if member.report is not None
            and member.report.state == "master"
            and member.vhid == self._reports.group.vhid
            and now_s - member.state_since_s > own_master_down_s(self._reports.driver)
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
        if (
            now_s - heard_at_s > own_master_down_s(self._reports.driver)
            or silent_s <= 2 * FRESH_INTERVALS * self._reports.interval_s
        ):
            return []
        return [
            f"no report of the master ({driver.virtual_host.last_master}) arrives here, its advertisements do:"
            f" let UDP port {group.members.port} pass from it to {own}"
        ]

    def _hears_nothing(self, now_s: float) -> bool:
        heard_at_s = self._reports.driver.record.heard_at_s
        since_s = now_s - self._reports.driver.record.since_s
        return min(since_s, SECONDS_MAX if heard_at_s is None else now_s - heard_at_s) > own_master_down_s(
            self._reports.driver
        )

    def _is_grave(self, member: Member) -> bool:
        if member.report is None or not self._reports.standings.mismatches(member):
            return False
        return two_masters(self._reports.standings.own_side(), side_of(member.report, member.vhid))

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


def own_master_down_s(driver: Driver) -> float:
    """Of this node's own settings."""
    settings = driver.virtual_host.settings
    return election.master_down_s(settings.advbase, settings.advskew)


def blocked(sender: str, receiver: str) -> str:
    """The sentence for protocol 112 that is dropped on the way from one node to another."""
    return (
        f"advertisements are blocked between {sender} and {receiver}: those of {sender} do not arrive at {receiver},"
        " its reports do; let IP protocol 112 pass"
    )
