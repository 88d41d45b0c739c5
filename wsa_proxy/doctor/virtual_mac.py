"""Does the network carry frames of a hardware address that is not the network card's? A virtual MAC needs it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.finding import unique
from wsa_proxy.net.ports import MacVerdict

FIX = (
    "allow promiscuous mode, MAC changes and forged transmits for this host's port, or set mac: interface on all nodes"
)


def check(facts: Facts) -> Iterator[Answer]:
    yield from unique(answer for group in facts.groups if group.virtual_mac for answer in _of_group(facts, group))


def _of_group(facts: Facts, group: Group) -> Iterator[Answer]:
    said = verdict_of_node(facts.node.group(group.vhid) if facts.node is not None else {})
    what = f"the network on {group.interface} refuses frames of another hardware address, so a virtual MAC cannot work"
    if said is MacVerdict.REFUSED:
        yield Finding(what, "the running node has asked its neighbours from another address, and none answered", FIX)
        return
    sound = facts.sounds.get(group.interface)
    if said is MacVerdict.CARRIED:
        return
    if sound is None:
        if group.interface in facts.deaf:
            yield NotMade(f"{group.interface}: {facts.deaf[group.interface]}")
    elif sound.mac_verdict is MacVerdict.REFUSED:
        yield Finding(what, sound.mac_sentence.partition(": ")[2].partition(";")[0], FIX)
    elif sound.mac_verdict is MacVerdict.UNKNOWN:
        yield NotMade(f"{group.interface}: no neighbour or gateway has answered often enough, not even the own address")
    elif sound.mac_verdict is None:
        yield NotMade(f"{group.interface}: {sound.mac_sentence}")


def verdict_of_node(status: Mapping[str, Any]) -> MacVerdict:
    """What a running node has found out."""
    network = (status.get("virtual_mac") or {}).get("network")
    return MacVerdict(network) if network in {each.value for each in MacVerdict} else MacVerdict.UNKNOWN
