"""A host lets advertisements out, or refuses them and says so."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from random import Random

import pytest

from wsa_proxy.carp.wire import Version
from wsa_proxy.net.ports import NoWay
from wsa_proxy.net.ports import PartlySent
from wsa_proxy.simulation.lan import SWITCH
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.outlet import Outlet
from wsa_proxy.simulation.outlet import Tally

PAYLOAD = bytes([0x21, 1]) + bytes(34)


class World:
    """One outlet, and a neighbour that hears."""

    def __init__(self, virtual: bool = False, peers: Mapping[int, Version] | None = None) -> None:
        self.lan = Lan(Timeline(), Random, Weather())
        self.heard: list[Frame] = []
        self.told: list[tuple[str, object]] = []
        self.lan.attach(0, lambda *_: None)
        self.lan.attach(1, lambda frame, _: self.heard.append(frame))
        self.lan.attach(2, lambda *_: None)
        self.outlet = Outlet(0, self.lan, virtual, peers or {}, lambda kind, what: self.told.append((kind, what)))

    def send(self, version: Version, from_own_mac: bool = False) -> bool:
        try:
            self.outlet.send(version, PAYLOAD, from_own_mac=from_own_mac)
        except OSError:
            return False
        finally:
            self.lan.timeline.run(self.lan.timeline.now + 1, lambda: None)
        return True


def test_a_refused_version_is_told_and_lost_for_everybody_and_the_other_one_leaves() -> None:
    world = World()
    world.outlet.refused = {4: 1.0}
    assert not world.send(4) and world.send(6)
    assert world.heard == [Advertised(6, PAYLOAD)]
    assert world.told == [("the host refused to send", 4)]
    assert +world.lan.lost == {(0, 1): 1, (0, 2): 1} and world.lan.lost[0, SWITCH] == 0


def test_a_share_of_the_copies_is_refused_by_a_chance_of_its_own() -> None:
    """Nobody else's chance is asked for it."""
    world = World()
    before = world.lan.chance(0, 1).getstate()
    world.outlet.refused = {4: 0.5}
    sent = sum(world.send(4) for _ in range(100))
    assert 30 < sent < 70 and len(world.heard) == sent
    world.lan._randoms[0, 1] = Random()
    world.lan._randoms[0, 1].setstate(before)
    assert len(world.told) == 100 - sent


@pytest.mark.parametrize("virtual", [True, False])
def test_the_virtual_mac_is_its_source_where_there_is_one(virtual: bool) -> None:
    """But for what is sent from the own."""
    world = World(virtual)
    world.send(4)
    world.send(4, from_own_mac=True)
    assert world.heard == [Advertised(4, PAYLOAD, from_virtual_mac=virtual), Advertised(4, PAYLOAD)]


@pytest.mark.parametrize(
    ("no_way", "refused", "kind"),
    [
        ({1}, {}, PartlySent),
        ({1, 2}, {}, NoWay),
        ({3}, {}, None),
        ({1}, {4: 1.0}, OSError),
        ((), {4: 1.0}, PermissionError),
        ((), {6: 1.0}, None),
    ],
)
def test_each_peer_has_a_copy_and_an_error_of_its_own(
    no_way: Collection[int], refused: dict[Version, float], kind: type[OSError] | None
) -> None:
    """In the IP version in which it is named; from the host's own MAC."""
    world = World(virtual=True, peers={1: 4, 2: 4, 3: 6})
    world.lan.attach(3, lambda *_: pytest.fail("it is named in IPv6"))
    world.outlet.no_way, world.outlet.refused = frozenset(no_way), refused
    error: OSError | None = None
    try:
        world.outlet.send(4, PAYLOAD)
    except OSError as raised:
        error = raised
    assert (type(error) if error else None) is kind
    world.lan.timeline.run(world.lan.timeline.now + 1, lambda: None)
    reached = 1 not in no_way and 4 not in refused
    assert world.heard == [Advertised(4, PAYLOAD)] * reached and world.lan.lost[0, 1] == (not reached)
    assert world.lan.lost[0, 3] == 0 and world.lan.believed == {}
    assert world.outlet.failed == (2 if 4 in refused else len(set(no_way) & {1, 2}))


def test_the_ways_to_a_peer() -> None:
    world = World(peers={1: 4, 2: 6})
    assert (world.outlet.ways_to(1), world.outlet.ways_to(2), World().outlet.ways_to(1)) == ((4,), (6,), ())


def test_the_tally_counts_what_failed() -> None:
    tally = Tally()
    tally.send_failed("IPv4: operation not permitted")
    assert (tally.sent, tally.failed) == (0, 1)
