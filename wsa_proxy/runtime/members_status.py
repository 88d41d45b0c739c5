"""The part of the status document that tells of a group's members."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from wsa_proxy.members.roster import Member
from wsa_proxy.members.switch_words import Said
from wsa_proxy.members.switch_words import read

if TYPE_CHECKING:
    from wsa_proxy.runtime.group_reports import GroupReports


def members_status(reports: GroupReports, now_s: float) -> dict[str, Any]:
    """As in the status document, under ``members``."""
    redundancy = reports.standings.redundancy
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
        "findings": reports.standings.findings.all(now_s),
        "switched_away": _switched_away(reports.settings.node, reports.switch()),
        "list": [_member_status(reports, life, member, now_s) for life, member in reports.roster.members.items()],
    }


def _member_status(reports: GroupReports, life: bytes, member: Member, now_s: float) -> dict[str, Any]:
    report = member.newest
    not_ready = reports.standings.not_ready(member, now_s)
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
        "mismatches": [each.text for each in reports.standings.mismatches(member)],
        "is_ready": not not_ready,
        "not_ready": not_ready,
        "maintenance": maintenance and {"until": maintenance.until, "reason": maintenance.reason},
        "switched_away": _switched_away(report.node, read(report)),
    }


def _switched_away(node: str, said: Said) -> dict[str, Any] | None:
    """``only``: it is demoted for nothing else."""
    if not said.held or said.held_node == node:
        return None
    return {"to": said.held_node, "since": said.since, "only": said.only}
