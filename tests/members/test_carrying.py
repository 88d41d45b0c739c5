"""Whose connections go on and whose clients are told, in every order of events."""

from __future__ import annotations

import math
from typing import Any

from tests.members.carry_world import DRAIN_S
from tests.members.carry_world import STEP_S
from tests.members.carry_world import World
from tests.members.carry_world import served
from tests.members.carry_world import to
from tests.members.clients import client
from tests.members.clients import clients
from wsa_proxy.members.carrying import GAP_S_MAX
from wsa_proxy.members.drain import COUNTED_S
from wsa_proxy.members.lives import LOST_S


def test_a_planned_switch() -> None:
    """From the takeover on the old node's clients are steered to it; what is not known as well, until its list is
    settled, which ends the gap and brings what was missing at the same time; with its last connection it is over."""
    world = World()
    known = served(world, "a", 0, 200)
    a, b = world["a"], world["b"]
    a.connections |= clients(200, 205)  # since the last count
    world.switch("a", "b")
    assert b.steers_to == to("a", clients(0, 205)) and b.gap == "a"
    a.connections |= clients(205, 210)  # by caches that were not told yet
    steerings = []
    for _ in range(40):
        world.step()
        steerings.append((b.gap, len(b.steers_to)))
    seen = list(dict.fromkeys(steerings))
    assert seen[0][0] == "a" and seen[-1] == ("", 210) and set(seen) <= {("a", 205), ("a", 210), ("", 210)}
    assert 0.9 <= steerings.index(("", 210)) * STEP_S <= 1.3
    assert a.carrying.status(world.now_s)["drains"]["connections"] == 210
    assert b.carrying.status(world.now_s)["steers"] == [{"node": "a", "connections": 210, "settled": True}]
    a.connections -= known
    world.run(0.6)
    assert b.steers_to == to("a", clients(200, 210))
    a.connections.clear()
    world.run(0.7)
    assert b.carrying.steering() is None and not a.carrying.drains and not b.told
    assert a.carrying.status(world.now_s)["drains"] is None and b.carrying.status(world.now_s)["steers"] == []


def test_what_is_steered_is_the_same_object_until_it_changes() -> None:
    """It is asked after each event; members' frames are never steered, nor is anything where nothing drains."""
    world = World()
    served(world, "a", 0, 3)
    assert all(peer.carrying.steering() is None for peer in world.peers)
    world.switch("a", "b")
    world.run(2.0)
    steering = world["b"].carrying.steering()
    world["b"].connections = set(clients(50, 60))
    world.run(3.0)
    assert steering is world["b"].carrying.steering() and steering is not None
    assert steering.members == {world[name].carrying.mac for name in "ac"}
    assert world["a"].carrying.steering() is None and world["c"].carrying.steering() is None


def test_the_time_of_a_drain_has_an_end() -> None:
    """Whatever is left is reset by the old node itself; nobody is told twice."""
    world = World()
    served(world, "a", 0, 3)
    world.switch("a", "b")
    world.run(DRAIN_S - 0.5)
    assert world["a"].carrying.left == 3 and world["b"].steers_to
    world.run(0.6)
    assert not world["a"].carrying.drains and world["b"].carrying.steering() is None and not world["b"].told
    assert world["a"].carrying.left == 0
    known = world["b"].carrying._lives.known[world["a"].roster.life]
    assert known.copy.clients == set()


def test_a_drain_in_vain_ends_with_the_connections_as_they_are() -> None:
    """Nobody takes over: the node goes on as master, and its list is what it was."""
    world = World()
    known = served(world, "a", 0, 3)
    world["a"].drain()
    world.run(0.5)
    world["a"].carrying.end_drain()
    assert world["a"].carrying.left == 3
    world.run(2.0)
    world.crash("a")
    world["b"].take_over(from_living=False)
    world.run(1.0)
    assert world["b"].told == known


def test_several_switches_in_a_row() -> None:
    """The third steers straight to both; so does whoever drains, for what caches send it still."""
    world = World()
    of_a = served(world, "a", 0, 3)
    world.switch("a", "b")
    of_b = served(world, "b", 10, 13)
    world.switch("b", "c")
    assert world["c"].gap == "b"
    world.run(2.5)
    assert world["c"].steers_to == to("a", of_a) | to("b", of_b) and world["c"].gap == ""
    assert world["b"].steers_to == to("a", of_a) and world["a"].steers_to == to("b", of_b)
    world["a"].connections.clear()
    world.run(1.0)
    assert world["c"].steers_to == world["a"].steers_to | to("b", of_b) == to("b", of_b)
    assert world["b"].carrying.steering() is None and not world["c"].told


def test_two_switches_at_once() -> None:
    """Who drains sends nobody what it does not know: it is its own. Nor does who follows send it what it does not know,
    if it was master for a moment and has no clients."""
    world = World()
    served(world, "a", 0, 3)
    world.switch("a", "b")
    world.switch("b", "c")
    assert world["b"].gap == "" and world["c"].gap == "a" and world["b"].steers_to == to("a", clients(0, 3))


def test_when_to_look_again() -> None:
    """While it drains: at the next count, and when its time is up; after that nothing is waited for."""
    world = World()
    a = world["a"].carrying
    a.drain(world.now_s + 0.7, world.now_s)
    assert a.wants_count(world.now_s) and a.next_step_s(world.now_s) < world.now_s
    a.count(clients(0, 3), world.now_s)
    assert not a.wants_count(world.now_s) and a.next_step_s(world.now_s) <= world.now_s + COUNTED_S
    a.count(clients(0, 3), world.now_s + 0.5)
    a.pages(world.now_s + 0.5)
    world["b"].carrying.copies = lambda: {world["a"].roster.life: 3}  # type: ignore[method-assign]
    world["b"].say()
    world["c"].carrying.copies = world["b"].carrying.copies  # type: ignore[method-assign]
    world["c"].say()
    world.deliver()
    a.pages(world.now_s + 0.5)
    assert a.next_step_s(world.now_s + 0.5) == world.now_s + 0.7
    a.end_drain()
    assert math.isinf(a.next_step_s(world.now_s))


def test_who_drains_after_it_has_yielded() -> None:
    """In whatever order it is told: nothing is said to have ended."""
    world = World()
    known = served(world, "a", 0, 3)
    world["b"].take_over(from_living=True)
    world["a"].carrying.left_master(world.now_s)
    world["a"].is_master = False
    world.run(0.2)
    world["a"].drain()
    world["a"].carrying.silent(world.now_s)
    for _ in range(20):
        world.step()
        assert world["b"].steers_to == to("a", known)


def test_switched_back_before_the_end() -> None:
    """The first node is master again with its own connections, which are none of those that it does not know. Who
    drains now steers those back that caches send it, and ends that with its drain."""
    world = World()
    of_a = served(world, "a", 0, 3)
    world.switch("a", "b")
    of_b = served(world, "b", 10, 13)
    world.switch("b", "a")
    steering = world["a"].carrying.steering()
    assert steering is not None and steering.own == frozenset(of_a)
    assert world["a"].gap == "b" and world["a"].steers_to == to("b", of_b)
    world.run(4.0)
    assert world["a"].steers_to == to("b", of_b) and world["b"].steers_to == to("a", of_a)
    assert world["a"].gap == ""
    world["b"].connections.clear()
    world.run(1.0)
    assert world["a"].carrying.steering() is None and world["b"].carrying.steering() is None
    assert world["a"].connections == of_a and not world["a"].told and not world["b"].told


def test_a_better_master_that_comes_back() -> None:
    """Preempted: it takes over from a living one, which drains when it yields."""
    world = World()
    world.crash("a")
    world.run(3.2)
    world["b"].take_over(from_living=False)
    known = served(world, "b", 0, 3)
    world["a"].start()
    world.run(3.0)
    world["a"].take_over(from_living=True)
    world["b"].drain()
    world["b"].yield_to_another()
    world.run(3.0)
    assert world["a"].steers_to == to("b", known) and not world["a"].told


def test_two_masters_meet() -> None:
    """Who yields drains; who stays steers, without a gap: what it does not know is its own."""
    world = World()
    of_a = served(world, "a", 0, 3)
    world["b"].take_over(from_living=False)
    world.carries = lambda sender, receiver: ()
    world["b"].connections = set(clients(10, 13))
    world.run(1.0)
    world.carries = lambda sender, receiver: (0.0,)
    world.run(2.0)
    world["b"].drain()
    world["b"].yield_to_another()
    world.run(2.0)
    assert world["a"].steers_to == to("b", clients(10, 13)) and world["a"].gap == "" and not world["a"].told
    assert world["b"].told == of_a  # in their time apart they were its clients, as far as it knew


def test_a_client_in_two_lists() -> None:
    """This node's own first, then of whoever was master last. Nobody who is listed by the living is told."""
    world = World()
    served(world, "a", 0, 3)
    world.switch("a", "b")
    world.run(1.5)
    world.run(3.0)
    assert world["b"].steers_to == to("a", clients(0, 3))
    assert world["b"].carrying.is_served(client(2)) and not world["b"].carrying.is_served(client(10))
    world["b"].connections = {client(2), client(10)}  # the same port of the same client, later
    world.run(1.5)
    assert world["b"].steers_to == to("a", clients(0, 2))
    world.switch("b", "c")
    world.run(2.5)
    assert world["c"].steers_to == to("a", clients(0, 2)) | to("b", {client(2), client(10)})
    world.crash("b")
    world.run(LOST_S + 0.5)
    assert world["c"].told == {client(10)} and world["c"].steers_to == to("a", clients(0, 3))


def test_a_host_that_cannot_steer() -> None:
    """Nothing is in force; nobody is told whose node is there: it tells them itself."""
    world = World()
    served(world, "a", 0, 3)
    b = world["b"]
    b.carrying.steers, b.carrying.why_not = False, "no nf_tables"
    world.switch("a", "b")
    world.run(3.0)
    assert b.carrying.steering() is None and not b.told and b.carrying.status(world.now_s)["steers"] == []
    assert b.carrying.says()["why_not"] == "no nf_tables"


def test_a_host_that_can_steer_no_more() -> None:
    """And can again: it is asked each time."""
    world = World()
    known = served(world, "a", 0, 3)
    world.switch("a", "b")
    b = world["b"]
    for able in (True, False, True):
        b.carrying.steers = able
        assert b.steers_to == (to("a", known) if able else {})


def test_nobody_is_steered_to_an_unknown_address() -> None:
    """A node that does not say where it is is waited for all the same, and its clients are not told."""
    world = World()
    world["a"].start()
    world["a"].carrying.mac = b""
    world.run(3.0)
    world["a"].take_over(from_living=False)
    served(world, "a", 0, 3)
    world.switch("a", "b")
    world.run(3.0)
    assert world["b"].carrying.steering() is None and not world["b"].told and world["a"].carrying.drains


def test_a_member_has_no_say_over_other_addresses() -> None:
    """What it lists of another group's virtual IP, or of the host's own address, is neither steered nor told."""
    world = World()
    known = served(world, "a", 0, 3)
    foreign = {bytes((10, 0, 0, 4)) + one[4:] for one in known}
    world["a"].connections |= foreign
    world.run(2.0)
    world.switch("a", "b")
    assert world["b"].steers_to == to("a", known)
    world.crash("a")
    world.run(3.0)
    assert world["b"].told == known


def test_nobody_is_steered_to_this_node_itself() -> None:
    """A member with our own hardware address, a clone of this host: what is sent there reaches nobody."""
    world = World()
    served(world, "a", 0, 3)
    world["a"].carrying.mac = world["b"].carrying.mac
    world["a"].say()
    world.switch("a", "b")
    assert world["b"].carrying.steering() is None
    world["a"].carrying.mac = world["c"].carrying.mac
    world["a"].say()
    world.run(0.5)
    assert set(world["b"].steers_to.values()) == {"c"}


def test_the_gap_has_an_end_of_its_own() -> None:
    """The old node never says that its list is settled: what is not known is refused from then on."""
    world = World()
    known = served(world, "a", 0, 3)
    world["a"].yield_to_another = lambda: None  # type: ignore[method-assign]
    world.switch("a", "b")
    world.run(GAP_S_MAX - 0.2)
    assert world["b"].gap == "a" and world["b"].carrying.next_step_s(world.now_s) <= world.now_s + 0.2
    world.run(0.3)
    assert world["b"].gap == "" and world["b"].steers_to == to("a", known)


def test_an_idle_group_waits_for_nothing() -> None:
    """No pages, no copies, no step; it says that it could."""
    world = World()
    for peer in world.peers:
        carrying = peer.carrying
        assert carrying.pages(world.now_s) == [] and carrying.copies() == {} and carrying.take_tickles() == []
        assert math.isinf(carrying.next_step_s(world.now_s)) and carrying.steering() is None
        assert carrying.says() is carrying.says() and carrying.says() == {"steers": True, "mac": carrying.mac}
    empty: dict[str, Any] = {"drains": None, "steers": [], "told": None}
    assert world["b"].carrying.status(world.now_s) == empty
