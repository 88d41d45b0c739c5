"""What a node steers, for all its groups, as nf_tables has it; and the messages from one such state to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Literal

from wsa_proxy.net.nft_messages import delete_elements
from wsa_proxy.net.nft_messages import new_elements
from wsa_proxy.net.ports import Steered
from wsa_proxy.net.steering_rules import Lan
from wsa_proxy.net.steering_rules import SetKind
from wsa_proxy.net.steering_rules import delete_lan
from wsa_proxy.net.steering_rules import delete_way_in
from wsa_proxy.net.steering_rules import new_lan
from wsa_proxy.net.steering_rules import new_way_in
from wsa_proxy.net.steering_rules import set_name

_BYTES: Mapping[Literal[4, 6], tuple[int, int]] = {4: (4, 12), 6: (16, 36)}
"""Of an address, and of a client."""
_FIRST, _LAST = "clients", "unknown"
"""By what decides that a frame is steered, see ``net/steering_rules.py``."""
_PADDING = bytes(2)  # behind a port or a hardware address: nf_tables compares four bytes at a time

type Elements = Mapping[tuple[SetKind, Literal[4, 6]], Mapping[bytes, bytes | None]]
"""Of each set its keys, without padding, and in a map their values."""


@dataclass(frozen=True, slots=True)
class WayIn:
    """A device whose frames are looked at."""

    index: int
    lan: str
    """The device of the LAN whose rules they meet."""


@dataclass(frozen=True, slots=True)
class Group:
    """What is steered for one group."""

    steered: Steered
    elements: Elements


@dataclass(frozen=True, slots=True)
class State:
    """The groups by their ids, the rest by device."""

    groups: Mapping[int, Group] = field(default_factory=dict)
    lans: Mapping[str, Lan] = field(default_factory=dict)
    ways_in: Mapping[str, WayIn] = field(default_factory=dict)


NOTHING = State()


def group_of(steered: Steered) -> Group:
    """With its elements. No two groups have the same virtual address, so they have no element in common."""
    # Whoever gets steered frames is a member, also if our caller has not heard so yet: it may be steering to us.
    members = steered.members.union(steered.targets.values(), steered.unknown.values())
    return Group(steered, {**_elements(steered, members, 4), **_elements(steered, members, 6)})


def overlap(before: Group, after: Group) -> Group | None:
    """What is in force in between, where a frame that is just passing the rules would meet neither.

    The kernel changes to a transaction's sets at once, and yet a frame looks them up one after the other: whoever was
    not among the clients before, is not among the unknown after. So what is looked up last goes last. None: nothing of
    that goes.
    """
    if all(after.elements[each].keys() >= before.elements[each].keys() for each in before.elements if each[0] == _LAST):
        return None
    elements = {
        each: wanted if each[0] == _FIRST else {**before.elements[each], **wanted}
        for each, wanted in after.elements.items()
    }
    return Group(replace(after.steered), elements)


def state_of(groups: Mapping[int, Group], indexes: Mapping[str, int], own_macs: Mapping[str, bytes]) -> State:
    """``indexes``: of all devices of the groups. ``own_macs``: of those by which steered frames leave."""
    lans = {group.steered.device for group in groups.values()}
    ways_in = {device: group.steered.device for group in groups.values() for device in group.steered.devices}
    return State(
        groups,
        {device: Lan(device, indexes[device], own_macs[device]) for device in lans},
        {device: WayIn(indexes[device], lan) for device, lan in ways_in.items()},
    )


def is_step(before: State, after: State) -> bool:
    """Whether ``step`` can do it: whatever stays is the same device as before."""
    groups_stay = all(
        each.steered.device == before.groups[vhid].steered.device
        for vhid, each in after.groups.items()
        if vhid in before.groups
    )
    lans_stay = all(after.lans.get(device, lan) == lan for device, lan in before.lans.items())
    ways_in_stay = all(after.ways_in.get(device, way) == way for device, way in before.ways_in.items())
    return groups_stay and lans_stay and ways_in_stay


def step(table: str, before: State, after: State) -> list[bytes]:
    """From one state to the next, which is a step. Elements go before others come, since one may change its value."""
    messages: list[bytes] = []
    for lan in _missing(before.lans, after.lans):
        messages += new_lan(table, after.lans[lan])
    for device in _missing(before.ways_in, after.ways_in):
        messages += new_way_in(table, device, after.ways_in[device].lan)
    changed = [vhid for vhid, group in after.groups.items() if before.groups.get(vhid) is not group]
    for vhid in [*_missing(after.groups, before.groups), *changed]:
        messages += _regrouped(table, before.groups.get(vhid), after.groups.get(vhid))
    for device in _missing(after.ways_in, before.ways_in):
        messages += delete_way_in(table, device)
    for lan in _missing(after.lans, before.lans):
        messages += delete_lan(table, lan)
    return messages


def _missing[Key](there: Mapping[Key, object], wanted: Mapping[Key, object]) -> list[Key]:
    """What is wanted and not there."""
    return [each for each in wanted if each not in there]


def _regrouped(table: str, before: Group | None, after: Group | None) -> list[bytes]:
    either = after or before
    if either is None:
        return []
    messages: list[bytes] = []
    for kind, version in either.elements:
        name = set_name(kind, version, either.steered.device)
        there = before.elements[kind, version] if before else {}
        wanted = after.elements[kind, version] if after else {}
        if there is wanted:
            continue  # as the clients of an overlap are
        gone = [key for key, mac in there.items() if wanted.get(key, b"") != mac]
        new = [(key, mac) for key, mac in wanted.items() if there.get(key, b"") != mac]
        messages += delete_elements(table, name, (_padded(kind, key) for key in gone))
        messages += new_elements(table, name, ((_padded(kind, key), mac) for key, mac in new))
    return messages


def _elements(steered: Steered, members: frozenset[bytes], version: Literal[4, 6]) -> Elements:
    address_bytes = _BYTES[version][0]
    # What has the length of neither version is given to the kernel as one of IPv6, and refused.
    clients = {key: mac for key, mac in steered.targets.items() if (len(key) == _BYTES[4][1]) == (version == 4)}
    own = {key for key in steered.own if (len(key) == _BYTES[4][1]) == (version == 4)} if steered.unknown else set()
    unknown = {
        address + port.to_bytes(2): mac
        for (address, port), mac in steered.unknown.items()
        if (len(address) == _BYTES[4][0]) == (version == 4)
    }
    addresses = {key[:address_bytes] for key in clients} | {key[:address_bytes] for key in unknown}
    return {
        ("clients", version): clients,
        ("members", version): dict.fromkeys(address + mac for address in addresses for mac in members),
        ("opening", version): dict.fromkeys(unknown),
        ("unknown", version): unknown,
        ("own", version): dict.fromkeys(own),
    }


def _padded(kind: SetKind, key: bytes) -> bytes:
    if kind not in ("clients", "own"):
        return key + _PADDING
    half = len(key) // 2
    return key[:half] + _PADDING + key[half:] + _PADDING
