"""Is a virtual IP answered by somebody who is not the group's master?

ARP and neighbour discovery are not signed, so a master is known by his hardware address alone: the one from which
advertisements of the id come. Who advertises and is not believed is told by the check of the speakers, once.
"""

from __future__ import annotations

from collections.abc import Iterator

from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.facts import Sound
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.neighbour_names import describe_mac
from wsa_proxy.doctor.node import members_of
from wsa_proxy.net.virtual_interface import virtual_mac


def check(facts: Facts) -> Iterator[Answer]:
    for interface, why in facts.deaf.items():
        yield NotMade(f"{interface}: {why}")
    for group in facts.groups:
        sound = facts.sounds.get(group.interface)
        if sound is not None:
            yield from _of_group(facts, group, sound)


def _of_group(facts: Facts, group: Group, sound: Sound) -> Iterator[Answer]:
    speakers = {heard.mac for heard, _ in sound.heard if heard.number == group.vhid and not heard.sent_here}
    master_elsewhere = _master_elsewhere(facts, group)
    for address, macs in sorted(sound.answers.items(), key=lambda each: str(each[0])):
        if address not in group.addresses:
            continue
        for mac in sorted(macs - speakers):
            if _reports(facts, group, sound, mac):
                continue
            if master_elsewhere and sound.seconds <= group.interval_s:
                yield NotMade(
                    f"{address} is answered by {mac}, which may be the master: it advertises every"
                    f" {group.interval_s:g} s, and {sound.seconds:g} s were listened to; give --seconds"
                )
                continue
            yield Finding(
                f"{address}, a virtual IP of group {group.vhid}, is answered by somebody who is not its master",
                f"an answer to a probe on {group.interface} from {describe_mac(mac, dict(sound.names))}; nobody"
                f" advertised id {group.vhid} from there in {sound.seconds:g} s",
                _fix(group, mac),
            )


def _reports(facts: Facts, group: Group, sound: Sound, mac: str) -> bool:
    """A member has reported that it is master, and this may be its hardware address: its advertisements are filtered,
    which is another check's."""
    masters = [
        member
        for member in members_of(facts.node, group.vhid).get("list", ())
        if member["is_fresh"] and member["state"] == "master"
    ]
    if group.virtual_mac:
        return bool(masters) and mac == virtual_mac(group.vhid)
    known_as = sound.names.get(mac, "").split(", ")
    return any(member["address"] in known_as for member in masters)


def _fix(group: Group, mac: str) -> str:
    if mac == virtual_mac(group.vhid):
        where = "does a master advertise there, and the network drops it? wsa-proxy status on the other nodes"
        return f"{where}; else another router has this id: find it by the port at the switch, and change the id"
    owner = "find that machine by its hardware address, at the switch or in the DHCP server, and take the address away"
    return f"{owner}; a virtual IP must be outside of every DHCP range"


def _master_elsewhere(facts: Facts, group: Group) -> bool:
    """It may be that an advertisement was just not due; of a group that this node serves there is no other master."""
    status = facts.node.group(group.vhid) if facts.node else {}
    return status.get("state") != "master"
