"""Whose clients are told: who is dead, who only seems to be, and that nobody is told twice or while it is served."""

from __future__ import annotations

import pytest

from tests.members.carry_world import STEP_S
from tests.members.carry_world import World
from tests.members.carry_world import served
from tests.members.carry_world import to
from tests.members.clients import client
from tests.members.clients import clients
from wsa_proxy.members import carrying
from wsa_proxy.members.carrying import CLOSED_S
from wsa_proxy.members.lives import AWAITED_S
from wsa_proxy.members.lives import CLOSES_S
from wsa_proxy.members.lives import LOST_S
from wsa_proxy.members.lives import SAYS_S


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


def test_a_member_that_dies_without_end_has_so_many_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one mastership: neither the memory nor the queue of those to be told is anybody's to fill."""
    monkeypatch.setattr(carrying, "TOLD_MAX", 5)
    world = World()
    world["b"].take_over(from_living=False)
    for first in (0, 3, 6):
        world["a"].start()
        world.run(2.0)
        world["a"].drain()
        served(world, "a", first, first + 3)
        world.crash("a")
        world.run(LOST_S + 0.2)
    assert len(world["b"].told) == 5 == len(world["b"].carrying._told)
    assert clients(0, 3) < world["b"].told < clients(0, 6)


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


def test_two_drain_and_one_dies() -> None:
    """The other one steers nothing to it any more, and leaves it to the master to tell its clients."""
    world = World()
    of_a = served(world, "a", 0, 3)
    world.switch("a", "b")
    served(world, "b", 10, 13)
    world.switch("b", "c")
    world.run(2.0)
    assert world["b"].steers_to == to("a", of_a)
    world.crash("a")
    world.run(LOST_S + 0.1)
    assert world["b"].carrying.steering() is None and world["c"].told == of_a and not world["b"].told


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


def test_whoever_comes_back_before_the_word_is_not_told() -> None:
    """Between the takeover and the announcement."""
    world = World()
    known = served(world, "a", 0, 3)
    world.crash("a")
    world.run(3.2)
    b = world["b"].carrying
    b.takes_over(False, world.now_s)
    b.count({client(1)}, world.now_s)
    assert b.is_served(client(1)) and not b.is_served(client(0))
    (tickle,) = b.take_tickles()
    assert (tickle.node, tickle.clients) == ("a", tuple(sorted(known - {client(1)}))) and b.take_tickles() == []


def test_a_client_in_two_lists_of_the_dead_is_told_once() -> None:
    """By the same port of the same client: it has only one connection to lose."""
    world = World()
    served(world, "a", 0, 3)
    world.switch("a", "b")
    served(world, "b", 2, 5)
    world.crash("a")
    world.crash("b")
    world.run(3.2)
    world["c"].take_over(from_living=False)
    told = [one for tickle in world["c"].tickles for one in tickle.clients]
    assert sorted(told) == sorted(clients(0, 5))


def test_who_was_only_frozen_is_steered_again() -> None:
    """What is left of its connections, once it has told them anew; nothing is kept of what was told."""
    world = World()
    known = served(world, "a", 0, 3)
    world.switch("a", "b")
    world.run(3.0)
    world["a"].is_frozen = True
    world.run(2.0)
    assert world["b"].told == known and not world["b"].steers_to
    assert not world["b"].carrying._lives.known[world["a"].roster.life].copy.clients
    world["a"].is_frozen = False
    world.run(2.5)
    assert world["b"].steers_to == to("a", known) and len(world["b"].tickles) == 1


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
