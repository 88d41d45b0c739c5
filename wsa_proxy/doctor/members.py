"""What the running node knows of the other members: differences, readiness, redundancy, clocks.

All of it is in the status document (``members`` of each group); a node of an earlier version has none of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.node import members_of

CLOCK_OFFSET_S_MAX = 1.0
"""With NTP a LAN is within milliseconds; a second is a clock that nobody sets."""


def check_members(facts: Facts) -> Iterator[Answer]:
    """Everything that the node itself has found, and every member that differs or is not ready."""
    for group, document, why in _documents(facts):
        if why:
            yield NotMade(why)
            continue
        said = [sentence for each in others(facts, document) for sentence in each.get("mismatches", ())]
        for sentence in document.get("findings", ()):
            if sentence not in said:
                yield _as_told(group, sentence)
        for member in others(facts, document):
            yield from _of_member(group, member)


def _as_told(group: Group, sentence: str) -> Finding:
    evidence = f"the running node's status, group {group.vhid}, members"
    return Finding(
        sentence, evidence, "wsa-proxy status on both nodes; make their settings equal, then wsa-proxy reload"
    )


def _of_member(group: Group, member: Mapping[str, Any]) -> Iterator[Finding]:
    told = f"reported by {name_of(member)}, {member.get('age_s', 0):.1f} s ago, group {group.vhid}"
    mismatches = member.get("mismatches", ())
    for sentence in mismatches:
        yield Finding(sentence, told, "make that setting equal on both nodes, then wsa-proxy reload")
    if not member.get("is_fresh", True):
        yield Finding(
            f"{name_of(member)}, a member of group {group.vhid}, is heard no more",
            f"its last report came {member.get('age_s', 0):.1f} s ago",
            "does it run (wsa-proxy status there), and does its cable, its firewall or the switch carry UDP to it?",
        )
    elif member.get("is_ready") is False and not member.get("maintenance"):
        reasons = [each for each in member.get("not_ready", ()) if each not in mismatches]
        if reasons:
            what = f"{name_of(member)} is not ready to take over group {group.vhid}: {'; '.join(reasons)}"
            yield Finding(what, told, "wsa-proxy status there says more")


def check_redundancy(facts: Facts) -> Iterator[Answer]:
    """Would anybody take over?"""
    for group, document, why in _documents(facts):
        if why:
            yield NotMade(why)
            continue
        redundancy = document.get("redundancy") or {}
        if redundancy.get("healthy_standbys", 1) > 0:
            continue
        lost_s = redundancy.get("lost_s")
        since = "since this node was started" if lost_s is None else f"for {lost_s:.0f} s"
        known = ", ".join(name_of(each) for each in others(facts, document)) or "nobody"
        yield Finding(
            f"group {group.vhid} has no healthy standby: if its master fails, nobody takes over",
            f"the running node's status, {since}; other members known: {known}",
            "start or repair another node; wsa-proxy status there says why it does not take part",
        )


def check_clocks(facts: Facts) -> Iterator[Answer]:
    """A restart without memory refuses a master whose time seems too old (clock_tolerance)."""
    told: set[str] = set()
    for _, document, why in _documents(facts):
        if why:
            yield NotMade(why)
            continue
        for member in others(facts, document):
            offset_s = member.get("clock_offset_s")
            if offset_s is None or abs(offset_s) <= CLOCK_OFFSET_S_MAX or name_of(member) in told:
                continue
            told.add(name_of(member))
            way = "ahead of" if offset_s > 0 else "behind"
            worse = ""
            if abs(offset_s) > facts.clock_tolerance_s:
                worse = ", more than clock_tolerance: a node that starts without its memory would refuse the other one"
            yield Finding(
                f"the clock of {name_of(member)} is {abs(offset_s):.1f} s {way} this host's{worse}",
                f"its report of {member.get('age_s', 0):.1f} s ago",
                "set both by NTP: timedatectl set-ntp true, chronyc tracking",
            )


def others(facts: Facts, document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The members beside this node itself."""
    own = facts.node.status.get("node") if facts.node else None
    return [each for each in document.get("list", ()) if each.get("node") != own]


def name_of(member: Mapping[str, Any]) -> str:
    """``node b (10.0.0.2)``."""
    address = f" ({member['address']})" if member.get("address") else ""
    return f"node {member.get('node', '?')}{address}"


def _documents(facts: Facts) -> Iterator[tuple[Group, Mapping[str, Any], str]]:
    """Each group with what is known of its members, or why nothing is."""
    for group in facts.groups:
        document = members_of(facts.node, group.vhid)
        why = ""
        if facts.node is None:
            why = facts.no_node
        elif not document:
            why = f"the running node tells nothing of the members of group {group.vhid}: an earlier version?"
        elif document.get("reports") != "sent":
            why = f"group {group.vhid} sends no reports: {document.get('reports')}"
        yield group, document, why
