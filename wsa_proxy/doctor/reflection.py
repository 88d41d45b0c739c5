"""Does the network send back what this host sends? It does no harm by itself, and shows a port that is set up wrongly.

Three witnesses: own ARP probes that come in again, a master's own advertisements that do, and what the running node has
counted as ``echo``.
"""

from __future__ import annotations

from collections.abc import Iterator

from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.facts import Sound
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.speakers import is_own_echo

FIX = (
    "look for a port with hairpin or reflective relay, a loop, or a team of uplinks: bridge link set dev PORT hairpin"
    " off; ESXi with several uplinks: Net.ReversePathFwdCheckPromisc=1"
)

GOES_ON_INTERVALS = 3
"""A master's advertisement comes back each time, so what was counted before is over."""


def check(facts: Facts) -> Iterator[Answer]:
    for interface, why in facts.deaf.items():
        yield NotMade(f"{interface}: {why}")
    by_interface: dict[str, list[Group]] = {}
    for group in facts.groups:
        by_interface.setdefault(group.interface, []).append(group)
    for interface, groups in by_interface.items():
        sound = facts.sounds.get(interface)
        if sound is not None and not sound.probes_sent and not any(heard.sent_here for heard, _ in sound.heard):
            yield NotMade(f"{interface}: without an IPv4 virtual IP it shows on the master only")
        seen = [*_seen(sound), *_counted(facts, groups)] if sound is not None else [*_counted(facts, groups)]
        if seen:
            what = f"the network on {interface} sends back what this host sends"
            yield Finding(what, "; ".join(seen), FIX)


def _seen(sound: Sound) -> Iterator[str]:
    if sound.probes_back:
        yield f"{sound.probes_back} of {sound.probes_sent} own ARP probes came in again"
    echoes = [heard for heard, _ in sound.heard if is_own_echo(heard, sound)]
    if echoes:
        yield f"{len(echoes)} own advertisements came in again, the last from {echoes[-1].mac}"


def _counted(facts: Facts, groups: list[Group]) -> Iterator[str]:
    for group in groups if facts.node is not None else ():
        assert facts.node is not None
        status = facts.node.group(group.vhid)
        last = (status.get("last_rejected") or {}).get("echo")
        if last and last["age_s"] <= GOES_ON_INTERVALS * group.interval_s:
            count = status["rejected"]["echo"]
            when = f"the last {last['age_s']:g} s ago"
            yield f"the running node has met {count} of its own advertisements of group {group.vhid}, {when}"
