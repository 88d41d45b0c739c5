"""What the running node knows of the other members: differences, redundancy, clocks.

All of it is in the status document (``members`` of each group, ``runtime/standings.py``); a node of an earlier version
has none of it. Its findings are sentences, and each belongs to one check.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from wsa_proxy.doctor import firewall
from wsa_proxy.doctor import speakers
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.node import members_of
from wsa_proxy.doctor.ruleset import Fate
from wsa_proxy.doctor.ruleset import outcome

CLOCK_OFFSET_S_MAX = 1.0
"""With NTP a LAN is within milliseconds; a second is a clock that nobody sets."""
BLOCKED = "advertisements are blocked between "
"""So begins what ``passing.py`` tells."""
STRANGER = "somebody "
"""So begins what ``speakers.py`` tells, unless it has heard nothing of it."""
FIXES = {
    "certificate authority": "copy the files mitmproxy-ca* from one node to the others, and start their proxies again",
    "UDP port": "let that UDP port pass, on both hosts and in between",
    "two nodes are called": "node: NAME in the file of one of them",
    "cannot be sent": "look at this host's packet filter and its routes",
}
NO_REPORTS = ("UDP port", "cannot be sent")
"""What stands in the node's sentences about reports that do not pass."""
EQUAL = "make it equal on both nodes, then wsa-proxy reload"


def check_members(facts: Facts) -> Iterator[Answer]:
    """Everything that does not fit between the nodes, in the node's own words."""
    told = any(isinstance(answer, Finding) for answer in speakers.check(facts))
    for group, document, why in _documents(facts):
        if why:
            yield NotMade(why)
        for sentence in document.get("findings", ()):
            if not sentence.startswith(BLOCKED) and not (told and sentence.startswith(STRANGER)):
                fix = next((text for part, text in FIXES.items() if part in sentence), EQUAL)
                yield Finding(sentence, f"the running node's status, group {group.vhid}, members", fix)


def check_redundancy(facts: Facts) -> Iterator[Answer]:
    """Would anybody take over? While somebody would, each other member that could not is told by itself."""
    for group, document, why in _documents(facts):
        why = why or _unheard(facts, group, document)
        if why:
            yield NotMade(why)
            continue
        redundancy = document.get("redundancy") or {}
        if redundancy.get("lost_s") is not None:
            yield Finding(
                f"group {group.vhid} has no healthy standby: if its master fails, nobody takes over as it should",
                f"the running node's status, for {redundancy['lost_s']:.0f} s: {redundancy.get('why')}",
                "start or repair another node; wsa-proxy status there says why it does not take part",
            )
            continue
        for name, reason in _unfit(group, document):
            what = f"node {name}, a member of group {group.vhid}, could not take over: {reason}"
            evidence = f"the running node's status, group {group.vhid}, members"
            yield Finding(what, evidence, "wsa-proxy status there; does its cable, its firewall, the switch carry UDP?")


def _unheard(facts: Facts, group: Group, document: Mapping[str, Any]) -> str:
    """Where reports are known not to pass, nobody knows who could take over."""
    blocked = any(part in sentence for sentence in document.get("findings", ()) for part in NO_REPORTS)
    for packet in firewall.report_packets(facts, group):
        blocked = blocked or outcome(packet, facts.firewall.chains).fate is Fate.DROPPED
    return f"reports of group {group.vhid} do not pass, so it is not known who could take over" if blocked else ""


def _unfit(group: Group, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Not those in maintenance or stopped in order, which somebody wants so; nor for what differs, which is told."""
    listed = document.get("list", ())
    alive = {member["node"] for member in listed if member["is_fresh"]}
    for member in listed:
        if member.get("left") or member.get("maintenance") or (not member["is_fresh"] and member["node"] in alive):
            continue  # of a node that was started again the last life is known for a while
        reasons = [each for each in member["not_ready"] if each not in member["mismatches"]]
        if reasons:
            yield member["node"], "; ".join(reasons)
    for name in group.expected:
        if all(member["node"] != name for member in listed):
            yield name, "never heard, and named under members.nodes"


def check_clocks(facts: Facts) -> Iterator[Answer]:
    """A restart without memory refuses a master whose time seems too old (clock_tolerance)."""
    told: set[str] = set()
    for _, document, why in _documents(facts):
        if why:
            yield NotMade(why)
        for member in document.get("list", ()):
            offset_s = member["clock_offset_s"] if member["is_fresh"] else None
            if offset_s is None or abs(offset_s) <= CLOCK_OFFSET_S_MAX or member["node"] in told:
                continue
            told.add(member["node"])
            way = "ahead of" if offset_s > 0 else "behind"
            worse = ""
            if abs(offset_s) > facts.clock_tolerance_s:
                worse = ", more than clock_tolerance: a node that starts without its memory would refuse the other one"
            yield Finding(
                f"the clock of {name_of(member)} is {abs(offset_s):.1f} s {way} this host's{worse}",
                f"its report of {member['age_s']:.1f} s ago",
                "set both by NTP: timedatectl set-ntp true, chronyc tracking",
            )


def blocked(document: Mapping[str, Any]) -> Sequence[str]:
    """The sentences about advertisements that do not arrive."""
    return [sentence for sentence in document.get("findings", ()) if sentence.startswith(BLOCKED)]


def name_of(member: Mapping[str, Any]) -> str:
    """``node b (10.0.0.2)``."""
    address = f" ({member['address']})" if member.get("address") else ""
    return f"node {member['node']}{address}"


def _documents(facts: Facts) -> Iterator[tuple[Group, Mapping[str, Any], str]]:
    """Each group with what is known of its members, or why nothing is."""
    for group in facts.groups:
        document = members_of(facts.node, group.vhid)
        why = ""
        if facts.node is None:
            why = facts.no_node
        elif not document:
            why = f"the running node tells nothing of the members of group {group.vhid}: an earlier version?"
        elif "life" not in document:  # it sends none, and has said why
            why = f"group {group.vhid} has {document.get('reports')}"
        yield group, document, why
