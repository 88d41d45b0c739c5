"""Foreign peers beside one of ours: one master, the better one, whoever it is; and what each is known for."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

import pytest

from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import Signature
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.peers import PEERS
from wsa_proxy.simulation.peers import Peer

KEY = key_from_pass_phrase(b"secret")
VIP = ip_address("10.0.0.3")


class World:
    """A peer at port 1, one of ours at port 0, and what the peer sends."""

    def __init__(self, dialect: str, peer_skew: int, our_skew: int, preempt: bool = True) -> None:
        self.timeline = Timeline()
        self.sent: list[Advertisement] = []
        lan = Lan(self.timeline, Random, Weather())
        lan.tap(9, self.see)
        settings = [VirtualHostSettings(1, 1, skew, preempt, (4,), 9) for skew in (our_skew, peer_skew)]
        signer = Authenticator([KEY], 1, [VIP], 2**50)
        self.ours = Node(0, settings[0], signer, lan, Random(1), lambda *_: None)
        self.peer: Peer = PEERS[dialect](1, settings[1], Signature(KEY, 1, [VIP]), lan, Random(2), lambda *_: None)

    def see(self, frame: Frame, sender: int) -> None:
        if sender == 1 and isinstance(frame, Advertised):
            heard = Authenticator([KEY], 1, [VIP], 1).accept(frame.payload, frame.ttl, 4)
            assert isinstance(heard, Advertisement), heard
            self.sent.append(heard)

    def run(self, seconds: float) -> None:
        self.timeline.run(self.timeline.now + seconds, lambda: None)


@pytest.mark.parametrize("dialect", PEERS)
@pytest.mark.parametrize(("peer_skew", "our_skew"), [(0, 100), (100, 0)])
def test_the_better_one_is_master(dialect: str, peer_skew: int, our_skew: int) -> None:
    """Whoever came first."""
    for first in (0, 1):
        world = World(dialect, peer_skew, our_skew)
        (world.peer if first else world.ours).start()
        world.run(6.0)
        world.peer.start()
        world.ours.start()
        world.run(8.0)
        assert (world.peer.state is State.MASTER) is (peer_skew < our_skew)
        assert (world.ours.state is State.MASTER) is (our_skew < peer_skew)


@pytest.mark.parametrize(("dialect", "interval_s", "down_s"), [("FreeBSD", 1.25, 3.25), ("OpenBSD", 1.25, 3.75)])
def test_how_long_they_wait(dialect: str, interval_s: float, down_s: float) -> None:
    """FreeBSD: 3 * advbase + advskew/256; OpenBSD: three whole intervals."""
    world = World(dialect, 64, 0)
    world.peer.start()
    world.run(down_s - 0.01)
    assert not world.sent
    world.run(0.02 + 2 * interval_s)
    assert world.peer.state is State.MASTER and len(world.sent) == 3


def test_only_openbsd_bows_out_and_keeps_its_counter() -> None:
    for dialect in PEERS:
        world = World(dialect, 0, 0)
        world.peer.start()
        world.run(8.0)
        world.peer.stop()
        assert world.sent[-1].is_bow_out is (dialect == "OpenBSD")
        assert (len({each.counter for each in world.sent}) == 1) is (dialect == "OpenBSD")


@pytest.mark.parametrize(("dialect", "said"), [("FreeBSD", (240, 0)), ("OpenBSD", (10, 1)), ("ucarp", (240, 0))])
def test_a_demoted_master_says_so_and_the_bsds_at_once(dialect: str, said: tuple[int, int]) -> None:
    world = World(dialect, 10, 0)
    world.peer.start()
    world.run(8.0)
    count = len(world.sent)
    world.peer.demote(1)
    assert len(world.sent) == count + (dialect != "ucarp")
    world.run(2.1)
    assert (world.sent[-1].advskew, world.sent[-1].demotion) == said


def test_openbsd_tells_at_once_that_it_is_demoted_but_not_that_it_is_no_longer() -> None:
    """Only where its group goes from 0 to 1 (carp_group_demote_adj)."""
    world = World("OpenBSD", 10, 0)
    world.peer.start()
    world.run(8.0)
    world.peer.demote(1)
    count = len(world.sent)
    world.peer.demote(2)
    world.peer.demote(0)
    assert len(world.sent) == count


@pytest.mark.parametrize("dialect", PEERS)
def test_without_a_carrier_a_peer_takes_no_part(dialect: str) -> None:
    world = World(dialect, 10, 0)
    world.peer.start()
    world.run(8.0)
    assert world.peer.due_s is not None
    world.peer.plug(False)
    world.peer.start()
    assert not world.peer.awake
    world.peer.plug(True)
    assert world.peer.awake
    world.peer.crash()
    world.peer.plug(True)
    assert not world.peer.awake
