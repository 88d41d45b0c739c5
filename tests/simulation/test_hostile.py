"""A hostile host knows no secret: what it sends is captured, rewritten where the HMAC does not look, or refused."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

import pytest

from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation.hostile import Attack
from wsa_proxy.simulation.hostile import Hostile
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather

KEY = key_from_pass_phrase(b"secret")
VIP = ip_address("10.0.0.3")
SENDER = Authenticator([KEY], 1, [VIP], 2**40 + 7)
RECEIVER = Authenticator([KEY], 1, [VIP], 1)
GENUINE = SENDER.sign(1, 50, 0)


class World:
    """A sender at port 0, a receiver at port 1, a hostile host at port 9."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.lan = Lan(self.timeline, Random, Weather())
        self.heard: list[Advertised] = []
        self.lan.attach(0, lambda frame, sender: None)
        self.lan.attach(1, self.hear)
        self.hostile = Hostile(9, self.lan, Random(1))

    def hear(self, frame: Frame, sender: int) -> None:
        assert isinstance(frame, Advertised)
        if sender == 9:
            assert frame.forged
            self.heard.append(frame)

    def run(self, attack: Attack, seconds: float = 5.0) -> list[Advertised]:
        self.lan.send(0, Advertised(4, GENUINE))
        self.hostile.attack(attack, self.timeline.now + seconds, 0)
        self.timeline.run(self.timeline.now + 2 * seconds, lambda: None)
        return self.heard


def test_a_replay_is_the_same_bytes_and_ends_in_time() -> None:
    world = World()
    heard = world.run(Attack.REPLAY)
    assert heard and {frame.payload for frame in heard} == {GENUINE}
    sent = world.hostile.sent
    world.timeline.run(world.timeline.now + 100, lambda: None)
    assert world.hostile.sent == sent


def test_a_rewrite_passes_for_genuine_in_plain_carp() -> None:
    """The HMAC covers neither advbase nor advskew nor demotion."""
    heard = [RECEIVER.accept(frame.payload, frame.ttl, 4) for frame in World().run(Attack.REWRITE, 30.0)]
    believed = [each for each in heard if isinstance(each, Advertisement)]
    assert len(believed) == len(heard) > 20
    said = {(each.advbase, each.advskew, each.demotion) for each in believed}
    assert len(said) == 8 and all(sum(a != b for a, b in zip(each, (1, 50, 0), strict=True)) > 0 for each in said)
    assert {(0, 50, 0), (1, 51, 0), (1, 50, 1)} < said  # each field alone


def test_a_rewrite_takes_another_virtual_hosts_advertisement_too() -> None:
    """Groups with one secret and the same addresses differ in the vhid alone, and the digest covers it."""
    world = World()
    other = Authenticator([KEY], 2, [VIP], 2**40 + 9)
    world.lan.send(0, Advertised(4, other.sign(1, 50, 0)))
    heard = [RECEIVER.accept(frame.payload, frame.ttl, 4) for frame in world.run(Attack.REWRITE, 30.0)]
    assert {each.value for each in heard if isinstance(each, Reject)} == {"other_vhid", "bad_secret"}


def test_a_seal_forgery_has_the_header_that_the_counter_would_ask_for() -> None:
    seen = wire.decode(World().run(Attack.SEAL_FORGERY)[0].payload, 255)
    assert isinstance(seen, Advertisement)
    asked = ((seen.counter >> 14) & 255, (seen.counter >> 6) & 255, (seen.counter >> 4) & 1)
    assert (seen.advbase, seen.advskew, seen.demotion) == asked


def test_a_flood_is_bounded_and_nothing_of_it_is_believed() -> None:
    heard = World().run(Attack.FLOOD)
    assert len(heard) in (30, 300)
    assert all(isinstance(RECEIVER.accept(frame.payload, frame.ttl, 4), Reject) for frame in heard)


@pytest.mark.parametrize("every_s", [0.0, 2.9])
def test_what_was_held_back_is_released_in_its_order(every_s: float) -> None:
    world = World()
    world.hostile.attack(Attack.HOLD_BACK, world.timeline.now + 1, 0)
    payloads = [SENDER.sign(1, advskew, 0) for advskew in range(5)]
    for payload in payloads:
        world.lan.send(0, Advertised(4, payload))
    world.lan.weather.delay_s_max = world.lan.weather.delay_s_min
    world.hostile.release(every_s)
    world.timeline.run(world.timeline.now + 1, lambda: None)
    assert len(world.heard) == (1 if every_s else 5)
    world.timeline.run(world.timeline.now + 5 * every_s, lambda: None)
    assert [frame.payload for frame in world.heard] == payloads
