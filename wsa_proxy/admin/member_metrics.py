"""The metrics of what a group's members tell each other (``members`` in the status document of a group)."""

from __future__ import annotations

from collections.abc import Callable

from wsa_proxy.admin.document import Part
from wsa_proxy.admin.metric import STATES
from wsa_proxy.admin.metric import Metric
from wsa_proxy.admin.metric import Reader
from wsa_proxy.admin.metric import Samples
from wsa_proxy.admin.metric import by_name
from wsa_proxy.admin.metric import number
from wsa_proxy.admin.metric import stands

MEMBER_STATES = (*STATES, "unknown")
"""``unknown``: nothing was heard of it lately, or it says something else."""


def _findings(group: Part) -> Samples:
    members = group.part("members")
    return [((), float(len(members.items("findings"))))] if members.knows("findings") else []


def _of_each(read: Callable[[Part], Samples]) -> Reader:
    """With the member's name as the first label. Of two with one name that one counts which was heard last: a node
    that was started anew is known twice for some seconds."""

    def of_all(group: Part) -> Samples:
        members = sorted(group.part("members").parts("list"), key=_age_s)
        return [((each.text("node"), *labels), value) for each in members for labels, value in read(each)]

    return of_all


def _age_s(member: Part) -> float:
    age_s = member.number("age_s")
    return float("inf") if age_s is None else age_s


def _state(member: Part) -> Samples:
    told = member.text("state") if member.number("is_fresh") else "unknown"
    now = told if told in MEMBER_STATES else "unknown"
    return [((state,), float(state == now)) for state in MEMBER_STATES]


MEMBER_METRICS = (
    Metric(
        "healthy_standbys",
        "Number of nodes that could take over now: at 0 the next failure is an outage; wsa-proxy status says why.",
        number("members", "redundancy", "healthy_standbys"),
    ),
    Metric(
        "standby_lost_seconds",
        "Seconds for which no node could have taken over; absent while one can.",
        number("members", "redundancy", "lost_s"),
    ),
    Metric(
        "findings",
        "Number of things that are wrong between the nodes (settings, blocked packets): wsa-proxy status has them.",
        _findings,
    ),
    Metric(
        "switched_away",
        "Whether an operator has switched the group away from this node (1): wsa-proxy switch brings it back.",
        stands("members", "switched_away"),
    ),
    Metric("reports_sent_total", "Number of reports sent to the other members.", number("members", "sent")),
    Metric(
        "reports_unread_total",
        "Number of members' reports that were not believed, by the reason: bad_secret is another Shared Secret.",
        by_name("members", "unread"),
        ("reason",),
    ),
    Metric(
        "member_state",
        "1 for the state that a member reports, 0 for the others; unknown: it is silent, ask its own status.",
        _of_each(_state),
        ("member", "state"),
    ),
    Metric(
        "member_ready",
        "Whether this member could take over now (1): wsa-proxy status says why not.",
        _of_each(stands("is_ready")),
        ("member",),
    ),
    Metric(
        "member_report_age_seconds",
        "Seconds since a report of this member was believed last.",
        _of_each(number("age_s")),
        ("member",),
    ),
    Metric(
        "member_clock_offset_seconds",
        "Seconds by which the clock of this member is ahead of ours: let both follow a time server.",
        _of_each(number("clock_offset_s")),
        ("member",),
    ),
)
