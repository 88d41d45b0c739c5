"""Do the advertisements pass between the members?

From one node this can be told: whom it hears advertise, whom it hears report, and whom it hears do both. What goes on
in a switch cannot be seen. 224.0.0.18 is one of the addresses (224.0.0.0/24) that IGMP snooping must flood (RFC 4541,
2.1.2), and some switches do not; so the evidence is a report without an advertisement, two masters, or a membership
that the kernel has lost.
"""

from __future__ import annotations

from collections.abc import Iterator

from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.facts import Sound
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.members import blocked
from wsa_proxy.doctor.members import name_of
from wsa_proxy.doctor.node import members_of
from wsa_proxy.net.frames import GROUP_IPV4
from wsa_proxy.net.frames import GROUP_IPV6

LET_PASS = (
    "let IP protocol 112 to 224.0.0.18 and ff02::12 pass: IGMP and MLD snooping, storm control, port isolation, a"
    " cloud's security group; where a network carries no multicast, name the other nodes as peers"
)
LET_PASS_UNICAST = "let IP protocol 112 pass between the peers: firewalls on the way, a cloud's security group"


def check(facts: Facts) -> Iterator[Answer]:
    for interface, why in facts.deaf.items():
        yield NotMade(f"{interface}: {why}")
    if facts.node is None:
        yield NotMade(facts.no_node)
    for group in facts.groups:
        sound = facts.sounds.get(group.interface)
        fix = LET_PASS_UNICAST if group.peers else LET_PASS
        seen = [*_from_sound(sound), *_from_members(facts, group, sound)]
        if seen:
            what = f"the advertisements of group {group.vhid} do not pass between its members"
            yield Finding(what, "; ".join(seen), fix)
        yield from _memberships(facts, group)


def _from_sound(sound: Sound | None) -> Iterator[str]:
    yield from sound.masters if sound is not None else ()


def _from_members(facts: Facts, group: Group, sound: Sound | None) -> Iterator[str]:
    """What the running node has found out, and a master that reports and is not heard here."""
    document = members_of(facts.node, group.vhid)
    told = blocked(document)
    yield from told
    for member in document.get("list", ()) if not told else ():
        if member["is_fresh"] and member["state"] == "master" and _is_silent(group, sound):
            yield f"{name_of(member)} reports that it is master, and no advertisement of id {group.vhid} is heard here"


def _is_silent(group: Group, sound: Sound | None) -> bool:
    """Long enough for two advertisements, and there was none from outside."""
    if sound is None or sound.seconds < 2 * group.interval_s:
        return False
    return not any(heard.number == group.vhid and not heard.sent_here for heard, _ in sound.heard)


def _memberships(facts: Facts, group: Group) -> Iterator[Finding]:
    """The kernel tells snooping switches about it; a node joins at its start, and again when the link is back."""
    joined = facts.node.memberships if facts.node is not None else None
    if joined is None or group.peers or not group.interface or facts.node is None:
        return
    if facts.node.group(group.vhid).get("state") not in ("master", "backup"):
        return
    versions = {each.version for each in group.addresses}
    for address, version in ((GROUP_IPV4, 4), (GROUP_IPV6, 6)):
        if version in versions and (group.interface, str(address)) not in joined:
            yield Finding(
                f"this host is no member of {address} on {group.interface}, so a snooping switch may send it nothing",
                f"/proc/{facts.node.status.get('pid')}/net/igmp{'6' if version == 6 else ''} does not list it",
                "restart the node; who has taken it away?",
            )
