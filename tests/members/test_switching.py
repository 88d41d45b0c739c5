"""A planned switch among members, without a network: what is asked first, what moves when, and what undoes it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests.members.switch_world import STEP_S
from tests.members.switch_world import World
from wsa_proxy.members.decision import PENDING_S
from wsa_proxy.members.switching import ALL_S_MAX
from wsa_proxy.members.switching import CONFIRMED_S
from wsa_proxy.members.switching import OUTCOME_CHARACTERS_MAX
from wsa_proxy.members.switching import PASSED_ON_S
from wsa_proxy.members.switching import PROOF_S


def test_the_phases() -> None:
    """Asked, ready; the others hold to it, all of them, before the master is demoted; and only then it moves."""
    world = World()
    world["a"].switching.order("c", world.now_s)
    seen: list[Any] = []
    for _ in range(12):
        world.step()
        phase = world["a"].switching.says().phase
        holders = "".join(peer.node for peer in world.peers if peer.switching.decision is not None)
        seen.append((phase.value if phase else None, holders, world.master))
    order = list(dict.fromkeys(seen))
    assert order == [
        ("ask", "", "a"),
        ("abstain", "", "a"),
        ("abstain", "b", "a"),
        ("move", "ab", "c"),
        ("move", "abc", "c"),
        (None, "abc", "c"),
    ]
    assert world["c"].proofs == 1 and world["b"].proofs == 0
    assert [each.done for each in world["a"].outcomes] == [True]


def test_an_order_given_anywhere_is_carried_out_once() -> None:
    """Passed on until it is taken up; who has passed it on hears what came of it."""
    world = World()
    world["c"].switching.order("", world.now_s)
    world.run(2.0)
    assert world.master == "b" and [each.text for each in world["c"].outcomes] == ["node b is master"]
    assert world["a"].proofs + world["b"].proofs + world["c"].proofs == 1
    world.run(20.0)
    assert world.master == "b" and len(world["a"].outcomes) == len(world["c"].outcomes) == 1
    assert [peer.node for peer in world.peers if peer.is_demoted] == ["a"]  # c would not take over from b anyway


def test_an_order_that_is_repeated_is_the_same() -> None:
    """Whoever has passed it on does not hear that it was taken up; it is carried out once, and refused never."""
    world = World()
    world.carries = lambda sender, receiver: (sender, receiver) != ("a", "c")
    world["c"].switching.order("b", world.now_s)
    world.run(3 * STEP_S)
    world.carries = lambda sender, receiver: True
    world.run(2.0)
    assert world.master == "b" and [each.text for each in world["a"].outcomes] == ["node b is master"]
    assert world["b"].outcomes == []


def test_switched_back_nobody_is_demoted() -> None:
    """The best one is master again, and would be without a word."""
    world = World()
    for to in ("c", "a"):
        world["b"].switching.order(to, world.now_s)
        world.run(3.0)
        assert world.master == to
    assert not any(peer.is_demoted for peer in world.peers)


@pytest.mark.parametrize(
    ("to", "change", "reason"),
    [
        ("a", {}, "node a is master already"),
        ("x", {}, "no member is called x"),
        ("b", {"is_unfit": True}, "not ready: node b: unwell"),
        ("b", {"is_dead": True}, "not ready: node b: silent"),
        ("b", {"is_master": True}, "not ready: node b: is master as well"),
        ("b", {"why_not": "no answer to GET"}, "node b cannot serve: no answer to GET; a goes on"),
        ("b", {"why_not": "x" * 500}, "node b cannot serve: " + "x" * (OUTCOME_CHARACTERS_MAX - 21)),
    ],
)
def test_what_is_refused(to: str, change: dict[str, Any], reason: str) -> None:
    """In so many words, and nobody is demoted."""
    world = World()
    for name, value in change.items():
        setattr(world["b"], name, value)
    if "is_master" in change:
        world["a"].hear(world["b"].report())
    else:
        world.run(4.0 if "is_dead" in change else 0.2)
    world["a"].switching.order(to, world.now_s)
    world["a"].act()
    if "why_not" in change:
        world.run(0.5)
    assert [each.text for each in world["a"].outcomes] == [reason] and not world["a"].outcomes[0].done
    assert world["a"].is_master and not any(peer.switching.decision for peer in world.peers)


def test_without_reports_nothing_is_ordered() -> None:
    """Neither here nor elsewhere."""
    world = World()
    world["a"].trouble = world["b"].trouble = "Network is down"
    for name in "ab":
        world[name].switching.order("c", world.now_s)
        world[name].act()
        assert "Network is down" in world[name].outcomes[0].text


@pytest.mark.parametrize(
    ("blocked", "within_s", "reason"),
    [
        (("c", "a"), PROOF_S, f"node c has not said within {PROOF_S:g} s that it is ready; a goes on"),
        (("b", "a"), CONFIRMED_S, f"node b has not confirmed it within {CONFIRMED_S:g} s; a goes on"),
    ],
)
def test_what_is_not_heard_ends_it_in_time(blocked: tuple[str, str], within_s: float, reason: str) -> None:
    """Nobody has moved by then, and whoever had confirmed is free again."""
    world = World()
    world["a"].switching.order("c", world.now_s)
    world.carries = lambda sender, receiver: (sender, receiver) != blocked
    world.run(within_s + 10 * STEP_S)
    text = [each.text for each in world["a"].outcomes]
    # Who is not heard for 2.7 intervals is silent before the three seconds have passed.
    assert text in ([reason], ["node c: silent; a goes on"])
    world.run(PENDING_S + 0.5)
    assert world.master == "a" and not any(peer.switching.decision for peer in world.peers)


def test_nobody_takes_the_order_up() -> None:
    """It ends after its time, as does one of which nobody tells the end."""
    world = World()
    world.carries = lambda sender, receiver: False
    world["b"].switching.order("c", world.now_s)
    world.run(PASSED_ON_S + 2 * STEP_S)
    assert [each.text for each in world["b"].outcomes] == [f"no master has taken it up within {PASSED_ON_S:g} s"]
    world = World()
    world["b"].switching.order("c", world.now_s)
    world.run(3 * STEP_S)
    world["a"].is_dead = True
    world.run(ALL_S_MAX + PROOF_S + 1)
    within_s = ALL_S_MAX + PROOF_S
    assert world["b"].outcomes[0].text == f"nobody has said what came of it within {within_s:g} s"


def test_who_becomes_master_carries_its_own_order_out() -> None:
    """Its master has not heard of it, and died."""
    world = World()
    world.carries = lambda sender, receiver: "a" not in (sender, receiver)
    world["b"].switching.order("c", world.now_s)
    world.run(3.0)
    world["a"].is_dead = True
    world.run(1.5)
    assert world.master == "c" and world["b"].outcomes[0].done


def test_one_at_a_time() -> None:
    """The second one hears of the first."""
    world = World()
    world["b"].switching.order("b", world.now_s)
    world["c"].switching.order("c", world.now_s)
    world["c"].switching.order("c", world.now_s)
    world.run(3.0)
    assert world["c"].outcomes[0].text == "another order is under way from this node"
    both = [*world["b"].outcomes, *world["c"].outcomes[1:]]
    assert sorted(each.done for each in both) == [False, True]
    assert any("is under way" in each.text for each in both)


@pytest.mark.parametrize("steps", range(1, 14))
@pytest.mark.parametrize("who", "abc")
def test_somebody_dies_in_the_middle(who: str, steps: int) -> None:
    """Whoever is left has one master, and in the end nobody holds to a decision for a dead node."""
    world = World()
    world["b"].switching.order("c", world.now_s)
    world.run(steps * STEP_S)
    world[who].is_dead, world[who].is_master = True, False
    world.run(12.0)
    living = [peer for peer in world.peers if not peer.is_dead]
    assert len(world.master) == 1
    for peer in living:
        decision = peer.switching.decision
        assert decision is None or (world.master == decision.node and decision.is_settled)
        assert not peer.switching.is_active


ORDERS = st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 0.5), ORDERS)
def test_whatever_is_lost(seed: int, loss: float, orders: list[str]) -> None:
    """There is a master at every moment; a master is demoted for another's sake only while all that are left hold to
    the same; an order that was carried out has moved it; and in the end all is settled."""
    world, random = World(seed), Random(seed)
    world.carries = lambda sender, receiver: random.random() >= loss
    for to in orders:
        giver = random.choice(world.peers)
        before = len(giver.outcomes)
        giver.switching.order(to, world.now_s)
        for _ in range(random.randrange(20, 80)):
            world.step()
            assert len(world.master) == 1
            moving = [peer for peer in world.peers if peer.is_master and peer.is_demoted]
            for decision in (peer.switching.decision for peer in moving):
                free = [each.roster.life for each in world.peers if not each.is_demoted]
                assert decision is None or free in ([], [decision.life])
        if to and len(giver.outcomes) > before and giver.outcomes[-1].done:
            assert any(each.text == f"node {to} is master" for each in giver.outcomes)
    world.carries = lambda sender, receiver: True
    world.run(15.0)
    assert len(world.master) == 1 and not any(peer.switching.is_active for peer in world.peers)
    held = {peer.switching.decision.id for peer in world.peers if peer.switching.decision is not None}
    assert len(held) <= 1 and not world[world.master].is_demoted


@pytest.mark.parametrize("to", "bc")
def test_what_the_old_master_has_said_ends_nothing(to: str) -> None:
    """It advertises that it is demoted until it has heard its successor, and others may have heard of that one by then:
    nobody is free to take over from it, and the successor holds to the decision."""
    world = World()
    world["a"].switching.order(to, world.now_s)
    while world.master != to:
        world.step()
    world.step()
    assert world["a"].is_demoted and all(peer.switching.decision for peer in world.peers)
    for peer in world.peers[1:]:
        peer.switching.advertised(world.now_s, is_bow_out=False, is_demoted=True)
        peer.act()
    assert [peer.node for peer in world.peers if not peer.is_demoted] == [to]
    world.run(3.0)
    assert world.master == to and [each.text for each in world["a"].outcomes] == [f"node {to} is master"]


def test_what_the_new_master_says_later_ends_it() -> None:
    """When the order is not repeated any more, whoever is demoted is the node that is master."""
    world = World()
    world["a"].switching.order("c", world.now_s)
    world.run(3.0)
    world["b"].switching.advertised(world.now_s, is_bow_out=False, is_demoted=False)
    assert world["b"].switching.decision is not None
    world["b"].switching.advertised(world.now_s, is_bow_out=False, is_demoted=True)
    assert world["b"].switching.decision is None and world["b"].switching.last_ended == "node c is demoted"


def test_why_a_decision_has_ended_is_not_why_an_earlier_one_has() -> None:
    """Whoever is switched back to is held back no more, for a reason of now."""
    world = World()
    for to in "cabca":
        world["b"].switching.order(to, world.now_s)
        world.run(3.0)
    assert world.master == "a" and world["a"].switching.last_ended == "node a is to be master"
