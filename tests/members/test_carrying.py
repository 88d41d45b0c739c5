"""Whose connections go on and whose clients are told, in every order of events."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pytest

from tests.members.carry_world import DRAIN_S
from tests.members.carry_world import STEP_S
from tests.members.carry_world import World
from tests.members.clients import client
from tests.members.clients import clients
from wsa_proxy.members.carrying import CLOSED_S
from wsa_proxy.members.carrying import GAP_S_MAX
from wsa_proxy.members.lives import AWAITED_S
from wsa_proxy.members.lives import CLOSES_S
from wsa_proxy.members.lives import LOST_S
from wsa_proxy.members.lives import SAYS_S


def served(world: World, name: str, first: int, last: int) -> frozenset[bytes]:
    """The master has these clients, and all know it."""
    given = clients(first, last)
    world[name].connections = set(given)
    world.run(2.5)
    return given


def to(name: str, whose: Iterable[bytes]) -> dict[bytes, str]:
    """As ``Peer.steers_to`` has it."""
    return dict.fromkeys(whose, name)


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


def test_a_drain_in_vain_ends_with_the_connections_as_they_are() -> None:
    """Nobody takes over: the node goes on as master, and its list is what it was."""
    world = World()
    known = served(world, "a", 0, 3)
    world["a"].drain()
    world.run(0.5)
    world["a"].carrying.end_drain()
    world.run(2.0)
    world.crash("a")
    world["b"].take_over(from_living=False)
    world.run(1.0)
    assert world["b"].told == known


def test_a_crash_tells_each_client_once() -> None:
    """As soon as it is clear that the master does not drain; a master that was silent long enough, at once."""
    world = World()
    known = served(world, "a", 0, 300)
    world.crash("a")
    world.run(3.2)
    world["b"].take_over(from_living=False)
    assert world["b"].told == known and [tickle.node for tickle in world["b"].tickles] == ["a"]
    assert world["b"].carrying.steering() is None
    world.run(10.0)
    assert sum(len(tickle.clients) for tickle in world["b"].tickles) == 300
    assert world["b"].carrying.status(world.now_s)["told"] == {"node": "a", "clients": 300, "age_s": 10.0}


def test_a_bow_out_may_be_a_dead_mans_will() -> None:
    """The master was heard just now: it has a moment to say that it drains, and is steered meanwhile."""
    world = World()
    known = served(world, "a", 0, 3)
    world.crash("a")
    world["b"].take_over(from_living=False)
    assert world["b"].steers_to == to("a", known) and world["b"].gap == "a"
    world.run(SAYS_S - STEP_S)
    assert not world["b"].told
    world.run(2 * STEP_S)
    assert world["b"].told == known and world["b"].carrying.steering() is None


def test_a_stop_whose_word_is_lost_once() -> None:
    """The report that says that it drains is repeated: nobody is told who is served."""
    world = World()
    known = served(world, "a", 0, 3)
    world.carries = lambda sender, receiver: ()
    world["a"].drain()
    world["b"].take_over(from_living=False)
    world["a"].yield_to_another()
    world.run(0.05)
    world.carries = lambda sender, receiver: (0.0,)
    world["a"].say()
    world.run(1.0)
    assert not world["b"].told and world["b"].steers_to == to("a", known)


def test_a_living_master_that_never_says_that_it_drains() -> None:
    """It has a second; then it has closed them."""
    world = World()
    known = served(world, "a", 0, 3)
    world["b"].take_over(from_living=True)
    world.carries = lambda sender, receiver: ()
    world.run(AWAITED_S - STEP_S)
    assert not world["b"].told and world["b"].steers_to == to("a", known)
    world.run(2 * STEP_S)
    assert world["b"].told == known and world["b"].carrying.steering() is None


def test_a_living_master_that_says_that_it_closes() -> None:
    """It has a moment for its last answers: a client that is told sooner would not read them. No gap meanwhile; then
    its list says that it has none, and nobody is told."""
    world = World()
    known = served(world, "a", 0, 3)
    world["b"].take_over(from_living=True)
    world["a"].yield_to_another()
    world.step()
    assert world["b"].steers_to == to("a", known) and world["b"].gap == "" and not world["b"].told
    world.run(CLOSED_S - 2 * STEP_S)
    assert world["b"].steers_to == to("a", known)
    world.run(CLOSES_S)
    assert not world["b"].told and world["b"].carrying.steering() is None


def test_a_living_master_that_dies_while_it_closes() -> None:
    """Its list does not say that it has none: they are told."""
    world = World()
    known = served(world, "a", 0, 3)
    world["b"].take_over(from_living=True)
    world["a"].yield_to_another()
    world.step()
    world.crash("a")
    world.run(CLOSES_S - 2 * STEP_S)
    assert not world["b"].told
    world.run(3 * STEP_S)
    assert world["b"].told == known and world["b"].carrying.steering() is None


def test_a_master_that_says_that_it_is_one_still_is_not_dead() -> None:
    """Two that do not hear each other's advertisements, and ask each other by reports: its clients are steered to it as
    long as it says so."""
    world = World()
    known = served(world, "a", 0, 3)
    world["b"].take_over(from_living=False)
    world["a"].say()
    world.run(5.0)
    assert not world["b"].told and world["b"].steers_to == to("a", known)
    world.crash("a")
    world.run(LOST_S + STEP_S)
    assert world["b"].told == known and world["b"].carrying.steering() is None


def test_the_old_node_dies_while_it_drains() -> None:
    """Three of its reports are missing: nothing is steered any more, and its clients are told."""
    world = World()
    known = served(world, "a", 0, 3)
    world.switch("a", "b")
    world.run(3.0)
    world.crash("a")
    world.run(LOST_S - 0.6)
    assert world["b"].steers_to == to("a", known)
    world.run(0.7)
    assert world["b"].told == known and world["b"].carrying.steering() is None


def test_the_old_node_starts_anew_while_it_drains() -> None:
    """Another life of the same node is not the one that had the connections."""
    world = World()
    known = served(world, "a", 0, 3)
    world.switch("a", "b")
    world.run(3.0)
    world.crash("a")
    world["a"].start()
    world.run(LOST_S + 0.5)
    assert world["b"].told == known and world["b"].carrying.steering() is None


@pytest.mark.parametrize("successor", ["a", "c"])
def test_the_new_node_dies_while_it_steers(successor: str) -> None:
    """Whoever follows steers those that drain, and tells those that are dead; the old node goes on with its own."""
    world = World()
    known = served(world, "a", 0, 3)
    world.switch("a", "b")
    world.run(3.0)
    new = served(world, "b", 10, 13)
    world.crash("b")
    world.run(3.2)
    follower = world[successor]
    follower.take_over(from_living=False)
    world.run(1.0)
    assert follower.told == new
    assert follower.steers_to == ({} if successor == "a" else to("a", known))
    assert world["a"].connections == known and world["a"].carrying.drains == (successor == "c")


def test_several_switches_in_a_row() -> None:
    """The third steers straight to both; so does whoever drains, for what caches send it still."""
    world = World()
    of_a = served(world, "a", 0, 3)
    world.switch("a", "b")
    of_b = served(world, "b", 10, 13)
    world.switch("b", "c")
    world.run(2.5)
    assert world["c"].steers_to == to("a", of_a) | to("b", of_b) and world["c"].gap == ""
    assert world["b"].steers_to == to("a", of_a) and world["a"].steers_to == to("b", of_b)
    world["a"].connections.clear()
    world.run(1.0)
    assert world["c"].steers_to == world["a"].steers_to | to("b", of_b) == to("b", of_b)
    assert world["b"].carrying.steering() is None and not world["c"].told


def test_switched_back_before_the_end() -> None:
    """The first node is master again with its own connections; what it does not know is not sent on, as it may be its
    own. Who drains now steers those back that caches send it, and ends that with its drain."""
    world = World()
    of_a = served(world, "a", 0, 3)
    world.switch("a", "b")
    of_b = served(world, "b", 10, 13)
    world.switch("b", "a")
    assert world["a"].gap == "" and world["a"].steers_to == to("b", of_b)
    world.run(4.0)
    assert world["a"].steers_to == to("b", of_b) and world["b"].steers_to == to("a", of_a)
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
    world["b"].connections = {client(2), client(10)}  # the same port of the same client, later
    world.run(1.5)
    assert world["b"].steers_to == to("a", clients(0, 2))
    world.switch("b", "c")
    world.run(2.5)
    assert world["c"].steers_to == to("a", clients(0, 2)) | to("b", {client(2), client(10)})
    world.crash("b")
    world.run(LOST_S + 0.5)
    assert world["c"].told == {client(10)} and world["c"].steers_to == to("a", clients(0, 3))


def test_whoever_has_come_back_already_is_not_told() -> None:
    """By the same port: the connection is this node's own when the time comes."""
    world = World()
    known = served(world, "a", 0, 3)
    world.crash("a")
    world["b"].take_over(from_living=False)
    world["b"].connections = {client(1)}
    world["b"].carrying.count(world["b"].connections, world.now_s)
    world.run(1.0)
    assert world["b"].told == known - {client(1)}


def test_a_host_that_cannot_steer() -> None:
    """Nothing is in force; nobody is told whose node is there: it tells them itself."""
    world = World()
    served(world, "a", 0, 3)
    b = world["b"]
    b.carrying.steers, b.carrying.why_not = False, "no nf_tables"
    world.switch("a", "b")
    world.run(3.0)
    assert b.carrying.steering() is None and not b.told and b.carrying.status(world.now_s)["steers"] == []
    assert b.carrying.says()["why_not"] == b.carrying.status(world.now_s)["why_not"] == "no nf_tables"
    assert b.carrying.status(world.now_s)["possible"] is False


def test_nobody_is_steered_to_an_unknown_address() -> None:
    """A node that does not know its own, or says none, is waited for all the same."""
    world = World()
    served(world, "a", 0, 3)
    world["a"].carrying.mac = b""
    world.run(1.5)
    world["b"]._count_at_s = math.inf
    world.peers[2].carrying.mac = b""
    world.crash("c")
    world["c"].start()
    world["c"].carrying.mac = b""
    world.run(3.0)
    world.switch("a", "c")
    assert not world["c"].told


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


def test_a_node_that_is_not_master_tells_nobody() -> None:
    """What it was to tell is off when it yields before it has announced itself; and its list is empty then."""
    world = World()
    served(world, "a", 0, 3)
    world.crash("a")
    world.run(3.2)
    b = world["b"].carrying
    b.takes_over(False, world.now_s)
    b.left_master(world.now_s)
    assert b.take_tickles() == [] and b.steering() is None
    world["b"].connections = set(clients(5, 9))
    world["b"].take_over(from_living=False)
    world.run(1.5)
    assert b.left == 4
    world["b"].yield_to_another()
    world.run(CLOSED_S + STEP_S)
    assert b.left == 0


def test_another_master_has_told_them() -> None:
    """Who follows on that one does not tell them a second time."""
    world = World()
    served(world, "a", 0, 3)
    world.crash("a")
    world.run(3.2)
    world["b"].take_over(from_living=False)
    new = served(world, "b", 10, 13)
    world.run(6.0)
    world.crash("b")
    world.run(3.2)
    world["c"].take_over(from_living=False)
    world.run(1.0)
    assert world["c"].told == new


def test_an_orderly_end_is_no_death() -> None:
    """A process that has drained, or closed, and leaves: nothing is steered, and nobody is told."""
    world = World()
    served(world, "a", 0, 3)
    world.switch("a", "b")
    world.run(2.0)
    world["a"].leave()
    world.run(0.1)
    assert world["b"].carrying.steering() is None
    world.run(5.0)
    assert not world["b"].told


def test_an_idle_group_waits_for_nothing() -> None:
    """No pages, no copies, no step; it says that it could."""
    world = World()
    for peer in world.peers:
        carrying = peer.carrying
        assert carrying.pages(world.now_s) == [] and carrying.copies() == {} and carrying.take_tickles() == []
        assert math.isinf(carrying.next_step_s(world.now_s)) and carrying.steering() is None
        assert carrying.says() is carrying.says() and carrying.says() == {"steers": True, "mac": carrying.mac}
    empty: dict[str, Any] = {"drains": None, "steers": [], "told": None, "possible": True, "why_not": None}
    assert world["b"].carrying.status(world.now_s) == empty
