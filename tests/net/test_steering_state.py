"""From what is steered to the messages that bring it about, and from one such state to the next."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.net.steered import CLIENT_PORT
from tests.net.steered import MEMBER
from tests.net.steered import OLD
from tests.net.steered import PORT
from tests.net.steered import VIP
from tests.net.steered import Version
from tests.net.steered import client
from tests.net.steered import contents
from wsa_proxy.net.nft_messages import delete_elements
from wsa_proxy.net.nft_messages import new_elements
from wsa_proxy.net.ports import Steered
from wsa_proxy.net.steering import Steering
from wsa_proxy.net.steering_state import NOTHING
from wsa_proxy.net.steering_state import State
from wsa_proxy.net.steering_state import group_of
from wsa_proxy.net.steering_state import is_step
from wsa_proxy.net.steering_state import overlap
from wsa_proxy.net.steering_state import state_of
from wsa_proxy.net.steering_state import step

OWN = bytes.fromhex("020000000001")
ONE = Steered("eth0", ("eth0", "carp1"), OWN, frozenset((MEMBER,)), {client(4): OLD}, {})
TWO = Steered("eth0", ("eth0", "carp2"), OWN, frozenset((MEMBER,)), {client(6): OLD}, {})
INDEXES = {"eth0": 2, "carp1": 3, "carp2": 4, "eth1": 5}


def made(*groups: Steered, indexes: dict[str, int] = INDEXES, own_mac: bytes = OWN) -> State:
    return state_of({vhid: group_of(each) for vhid, each in enumerate(groups)}, indexes, {"eth0": own_mac, "eth1": OWN})


def test_whoever_gets_steered_frames_is_a_member() -> None:
    """For each of our addresses, and also if nobody has told us: else a frame might go to and fro for ever."""
    third = bytes.fromhex("020000000004")
    found = group_of(replace(ONE, unknown={(VIP[4].packed, PORT): third, (VIP[6].packed, PORT): OLD})).elements
    for version in VIP:
        assert found["members", version].keys() == {VIP[version].packed + mac for mac in (MEMBER, OLD, third)}
    assert group_of(ONE).elements["members", 6] == {}, "nothing comes in for it"


def test_what_the_elements_are() -> None:
    """The client as it is, with who has it; address and port of those whose unknown go elsewhere."""
    found = group_of(replace(ONE, unknown={(VIP[6].packed, PORT): OLD})).elements
    assert (found["clients", 4], found["clients", 6]) == ({client(4): OLD}, {})
    end = VIP[6].packed + PORT.to_bytes(2)
    assert (found["unknown", 6], found["opening", 6]) == ({end: OLD}, {end: None})
    assert (found["unknown", 4], found["opening", 4]) == ({}, {})


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (made(ONE), True),
        (made(), True),
        (made(ONE, TWO), True),
        (made(replace(ONE, devices=("eth0",))), True),
        (made(TWO, ONE), True),
        (made(ONE, indexes=INDEXES | {"eth0": 9}), False),
        (made(ONE, indexes=INDEXES | {"carp1": 9}), False),
        (made(ONE, own_mac=MEMBER), False),
        (made(replace(ONE, device="eth1")), False),
        (made(replace(ONE, device="eth1", devices=("eth1",))), False),
    ],
)
def test_when_a_step_is_enough(after: State, expected: bool) -> None:
    """Devices may come and go; one that is another than before means a new table."""
    assert is_step(made(ONE), after) == expected


def test_only_what_differs_is_told() -> None:
    """Nothing for the same; of one list two clients; what goes is told before what comes."""
    before = made(ONE, TWO)
    assert step("t", before, before) == []
    port = (CLIENT_PORT + 1).to_bytes(2)
    group = group_of(replace(ONE, targets={client(4): MEMBER, client(4, CLIENT_PORT + 1): OLD}))
    after = replace(before, groups={**before.groups, 0: group})
    padded = client(4)[:6] + bytes(2) + client(4)[6:] + bytes(2)
    assert step("t", before, after) == [
        *delete_elements("t", "clients4-eth0", [padded]),
        *new_elements("t", "clients4-eth0", [(padded, MEMBER), (padded[:-4] + port + bytes(2), OLD)]),
    ]


@pytest.mark.parametrize("version", VIP)
def test_what_is_looked_up_last_goes_last(version: Version) -> None:
    """In between there are the new clients, as they are to be, and all that sends the unknown on still; what is new
    besides is in force as well: whoever gets steered frames from now on must be a member already."""
    third = bytes.fromhex("020000000004")
    stays, goes = (VIP[version].packed, PORT), (VIP[version].packed, PORT + 1)
    ours = [client(version, 2), client(version, 3)]
    first = replace(ONE, targets={client(version, 1): OLD}, unknown={stays: OLD, goes: OLD}, own=frozenset(ours[:1]))
    settled = replace(
        ONE, members=frozenset(), targets={client(version): third}, unknown={stays: third}, own=frozenset(ours[1:])
    )
    meanwhile = overlap(group_of(first), group_of(settled))
    assert meanwhile is not None
    found = {kind: elements for (kind, each), elements in meanwhile.elements.items() if each == version}
    end, other = (address + port.to_bytes(2) for address, port in (stays, goes))
    assert found == {
        "clients": {client(version): third},
        "members": dict.fromkeys(VIP[version].packed + mac for mac in (MEMBER, OLD, third)),
        "opening": dict.fromkeys((end, other)),
        "unknown": {end: third, other: OLD},
        "own": dict.fromkeys(ours),
    }
    assert meanwhile.steered == settled and meanwhile.steered is not settled, "it is not done with that"
    assert overlap(group_of(settled), group_of(first)) is None, "none of the unknown goes"
    assert overlap(group_of(first), group_of(first)) is None


def test_from_nothing() -> None:
    """All that one group needs; what there is for it already is not made for the next one."""
    first = step("t", NOTHING, made(ONE))
    second = step("t", made(ONE), state_of({**made(ONE).groups, 1: group_of(TWO)}, INDEXES, {"eth0": OWN}))
    assert len(first) > 30 > len(second)
    assert sum(b"carp2" in message for message in second) == 3, "a hook, and two rules"


def make_two_lans(lan: Any) -> None:
    lan.ip("link add second type veth peer name unused")
    for device, parent in (("carp1", "left"), ("carp2", "left"), ("carp3", "second")):
        lan.ip(f"link add {device} link {parent} type macvlan mode bridge")


def something(lan: Any, chance: random.Random, vhid: int) -> Steered | None:
    """What one of three groups may want; the third is on a LAN of its own, and the second may move there."""
    if chance.random() < 0.2:
        return None
    device = "second" if vhid == 3 or (vhid == 2 and chance.random() < 0.3) else "left"
    address: dict[int, bytes] = {4: bytes([10, 0, 0, vhid]), 6: bytes([0xFD, *bytes(14), vhid])}
    macs = [bytes([2, 0, 0, 0, 1, number]) for number in range(3)]
    targets = {
        address[version] + PORT.to_bytes(2) + address[version] + chance.randrange(40_000, 40_010).to_bytes(2): mac
        for version in (4, 6)
        for mac in chance.choices(macs, k=chance.randrange(5))
    }
    unknown = {(address[version], PORT): chance.choice(macs) for version in (4, 6) if chance.random() < 0.3}
    devices = (device, f"carp{vhid}") if chance.random() < 0.7 else (device,)
    own_mac = bytes([2, 0, 0, 0, 0, chance.random() < 0.1])
    own = frozenset(chance.sample(sorted(targets), k=len(targets) // 2))
    return Steered(device, devices, own_mac, frozenset(chance.sample(macs, k=2)), targets, unknown, own)


@pytest.mark.parametrize("seed", range(4))
def test_however_it_came_there_the_kernel_has_what_is_wanted(lan: Any, seed: int) -> None:
    """After any number of changes the table is the same as one that is made at once."""
    make_two_lans(lan)
    chance = random.Random(seed)
    steering = Steering()
    wanted: dict[int, Steered] = {}
    own_macs: dict[str, bytes] = {}
    for number in range(30):
        vhid = chance.randrange(1, 4)
        steered_now = something(lan, chance, vhid)
        steering.steer(vhid, steered_now)
        wanted.pop(vhid, None)
        if steered_now is not None:
            wanted[vhid] = steered_now
            own_macs[steered_now.device] = steered_now.own_mac
        if number % 3:
            continue
        at_once = Steering()
        for each, value in wanted.items():
            at_once.steer(each, replace(value, own_mac=own_macs[value.device]))
        found = contents()
        assert found.get(steering.table) == found.get(at_once.table)
        at_once.close()
