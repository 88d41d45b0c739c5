"""Who else speaks protocol 112 with the id of a group: VRRP routers, and CARP that a node does not believe.

What a node believes is its own judge's word (``watch/judge.py``), where the file's secrets could be read. Beside that
the running node is asked for what it has refused in the last minute: a router that fights with another one of its id,
or with us, is silent for seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from itertools import groupby

from wsa_proxy.carp.wire import Reject
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.facts import Sound
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.neighbour_names import describe_mac
from wsa_proxy.net.virtual_interface import virtual_mac
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.judge import UNVERIFIED
from wsa_proxy.watch.judge import VALID
from wsa_proxy.watch.judge import Opinion
from wsa_proxy.watch.vrrp import Vrrp

RECENT_S = 60.0
"""What a running node has refused before is history."""
ABOUT = {
    Reject.BAD_SECRET: (
        "advertises it with another Shared Secret or other virtual IPs",
        "make shared_secret and virtual_ip equal on all nodes of the group; another group needs another id",
    ),
    Reject.PLAIN_MEMBER: ("speaks plain CARP with our secret", "make security equal on all nodes of the group"),
    Reject.SEALED_MEMBER: ("speaks sealed with our secret", "make security equal on all nodes of the group"),
    Reject.OTHER_FAMILY: (
        "has virtual IPs of an IP version that this group does not have",
        "make virtual_ip equal on all nodes of the group",
    ),
    Reject.REWRITTEN: ("forges advertisements of it", "find who is on this LAN and should not be"),
    Reject.REPLAY: ("repeats advertisements of it", "find who is on this LAN and should not be, or was it overloaded?"),
    Reject.STALE: ("advertises it with a time long past", "set the clocks, of that host and of this one"),
}
COUNTED = {
    word: ABOUT[word] for word in (Reject.BAD_SECRET, Reject.PLAIN_MEMBER, Reject.SEALED_MEMBER, Reject.OTHER_FAMILY)
}
"""What a running node does not refuse for a moment only, as it does what comes too late when it starts."""
_SPEAKS_VRRP = "speaks VRRP (keepalived, for one)"
VRRP = (Reject.VRRP, Reject.BAD_VERSION)
"""How a node counts versions 2 and 3; it looks no further."""
DAMAGED = ("sends damaged packets with it", "find that host; wsa-proxy watch shows what is wrong with its packets")


def check(facts: Facts) -> Iterator[Answer]:
    for interface, why in facts.deaf.items():
        yield NotMade(f"{interface}: {why}")
    for group in facts.groups:
        sound = facts.sounds.get(group.interface)
        if sound is not None:
            yield from _of_sound(group, sound)
            if sound.seconds < group.interval_s:
                yield NotMade(
                    f"{sound.seconds:g} s were listened to, and group {group.vhid} advertises every"
                    f" {group.interval_s:g} s only: give --seconds"
                )
        yield from _of_counters(facts, group, sound)


def _of_sound(group: Group, sound: Sound) -> Iterator[Finding]:
    """One finding for each sender."""
    others = [(heard, opinion) for heard, opinion in sound.heard if _is_another(heard, group, sound)]
    ordered = sorted(others, key=_sender)
    for _, packets in groupby(ordered, key=_sender):
        yield from _of_sender(group, sound, list(packets))


def _sender(entry: tuple[Heard, Opinion]) -> tuple[str, str, str]:
    return entry[0].mac, entry[0].source, entry[0].protocol


def _is_another(heard: Heard, group: Group, sound: Sound) -> bool:
    """Of this LAN, not of a VLAN on it; and not our own that came back."""
    if heard.number != group.vhid or heard.sent_here or heard.vlans or heard.mac == sound.mac:
        return False
    return not is_own_echo(heard, sound)


def is_own_echo(heard: Heard, sound: Sound) -> bool:
    """It came in, and this host has sent the very same."""
    return not heard.sent_here and any(
        own.sent_here and own.payload == heard.payload and own.version == heard.version for own, _ in sound.heard
    )


def _of_sender(group: Group, sound: Sound, packets: Sequence[tuple[Heard, Opinion]]) -> Iterator[Finding]:
    heard = packets[-1][0]
    count = f"{len(packets)} packets" if len(packets) > 1 else "a packet"
    evidence = f"{count} in {sound.seconds:g} s on {group.interface} from {heard.source} (unverified),"
    evidence = f"{evidence} {describe_mac(heard.mac, dict(sound.names))}"
    if isinstance(heard.says, Vrrp):
        says = heard.says
        yield Finding(
            f"a VRRP router (keepalived, for one) uses id {group.vhid} on this LAN, the id of our group",
            f"{evidence}: VRRP {says.version}, priority {says.priority}, for {', '.join(says.addresses) or 'nothing'}",
            _other_id(group),
        )
        return
    if any(opinion.word in (VALID, UNVERIFIED) for _, opinion in packets):
        return
    refused = [opinion for _, opinion in packets if not _is_normal(opinion)]
    if refused:
        last = refused[-1]
        does, fix = _about(last.word)
        answers = [str(address) for address in group.addresses if heard.mac in sound.answers.get(address, ())]
        also = f"; it answers for {', '.join(answers)}" if answers else ""
        yield Finding(
            f"somebody uses id {group.vhid}, the id of our group, and {does}",
            f"{evidence}: {last.word}, {last.why}{also}",
            fix,
        )


def _is_normal(opinion: Opinion) -> bool:
    """A second copy does no harm; and who leaves while we have heard nobody else cannot be believed by any node."""
    if opinion.word == Reject.DUPLICATE.value:
        return True
    leaves = opinion.seal is not None and (opinion.seal.is_bow_out or opinion.seal.farewell)
    return leaves and opinion.word == Reject.STALE.value


def _about(word: str) -> tuple[str, str]:
    return next((text for reject, text in ABOUT.items() if reject.value == word), DAMAGED)


def _of_counters(facts: Facts, group: Group, sound: Sound | None) -> Iterator[Finding]:
    """What the running node has refused, but not of those that were heard: they are told."""
    status = facts.node.group(group.vhid) if facts.node is not None else {}
    heard = {heard.mac for heard, _ in sound.heard if not heard.sent_here} if sound is not None else set()
    known = {reject.value: text for reject, text in COUNTED.items()}
    known |= {reject.value: (_SPEAKS_VRRP, _other_id(group)) for reject in VRRP}
    for word, last in (status.get("last_rejected") or {}).items():
        if last["age_s"] > RECENT_S or word not in known or (last["mac"] in heard and facts.with_keys):
            continue
        does, fix = known[word]
        yield Finding(
            f"somebody uses id {group.vhid}, the id of our group, and {does}",
            f"the running node has refused {status['rejected'][word]} of these ({word}), the last"
            f" {last['age_s']:g} s ago from {last['from']} (unverified), {last['mac']}",
            fix,
        )


def _other_id(group: Group) -> str:
    return (
        "give the group another id on all its nodes, or the router another one (keepalived: virtual_router_id): both"
        f" want the hardware address {virtual_mac(group.vhid)}"
    )
