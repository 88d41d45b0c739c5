"""What becomes of the clients of another life: every case, and its time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import pytest

from tests.members.clients import ADDRESSES
from tests.members.clients import client
from tests.members.reports import life
from wsa_proxy.members.lives import AWAITED_S
from wsa_proxy.members.lives import CLOSES_S
from wsa_proxy.members.lives import FLOODED_S_MAX
from wsa_proxy.members.lives import LOST_INTERVALS
from wsa_proxy.members.lives import LOST_S
from wsa_proxy.members.lives import RETURNED_S
from wsa_proxy.members.lives import SAYS_S
from wsa_proxy.members.lives import TOLD_BY_ANOTHER_S
from wsa_proxy.members.lives import Fate
from wsa_proxy.members.lives import Life
from wsa_proxy.members.lives import Lives
from wsa_proxy.members.report import Report
from wsa_proxy.members.roster import Member
from wsa_proxy.members.roster import Roster

MAC = bytes((2, 0, 0, 0, 0, 1))
MASTER, BACKUP, LEAVES = {"state": "master"}, {"state": "backup"}, {"state": "backup", "leaves": True}
DRAINS = {"state": "backup", "carry": {"drains": True, "mac": MAC}}
T = 100.0


@dataclass
class Here:
    is_master: bool = True
    drains: bool = False
    mac: bytes = field(default=b"", init=False)
    flooded_at_s: float = field(default=-math.inf, init=False)


class Seen:
    """One node, and what it hears of life 1."""

    def __init__(self, **here: bool) -> None:
        self.here = Here(**here)
        self.roster = Roster(bytes)
        self.lives = Lives(self.here, self.roster, ADDRESSES)
        self.number = 0

    def hear(self, now_s: float, said: dict[str, Any], *, of: int = 1) -> None:
        self.number += 1
        report = Report(node="a", life=life(of), number=self.number, challenge=bytes(16), **{"interval_s": 1.0} | said)
        member = Member(1, report, now_s, report, now_s)
        self.roster.members[life(of)] = member
        self.lives.hear(member, now_s)

    @property
    def life(self) -> Life:
        return self.lives.known[life(1)]

    def fate(self) -> Fate:
        return self.life.fate

    def is_dead(self) -> bool:
        return self.life in self.lives.take_dead()


@pytest.mark.parametrize(
    ("said", "heard_s", "from_living", "fate", "until_s"),
    [
        (MASTER, 0.1, True, Fate.AWAITED, AWAITED_S),
        (MASTER, 0.1, False, Fate.AWAITED, SAYS_S),
        (MASTER, 2.6, False, Fate.AWAITED, SAYS_S),
        (MASTER, 2.8, False, Fate.NONE, None),
        (DRAINS, 0.1, False, Fate.DRAINS, LOST_S - 0.1),
        (DRAINS | {"interval_s": 0.05}, 1.4, False, Fate.DRAINS, LOST_S - 1.4),
        (DRAINS, 1.6, False, Fate.NONE, None),
        (BACKUP, 0.1, False, Fate.NONE, None),
    ],
)
def test_at_a_takeover(
    said: dict[str, Any], heard_s: float, from_living: bool, fate: Fate, until_s: float | None
) -> None:
    """By what was heard last, and when. Who served and is not there any more is dead; who did not serve is not."""
    seen = Seen(is_master=False)
    seen.hear(T - heard_s, said)
    seen.here.is_master = True
    seen.lives.takes_over(T, from_living=from_living)
    assert seen.fate() is fate
    assert seen.is_dead() == (fate is Fate.NONE and said is not BACKUP)
    if until_s is not None:
        assert seen.lives.next_s() == pytest.approx(T + until_s)
        seen.lives.step(T + until_s - 0.01)
        assert seen.fate() is fate
        seen.lives.step(T + until_s + 0.01)
        assert seen.fate() is Fate.NONE and seen.is_dead()


@pytest.mark.parametrize(
    ("before", "said", "fate"),
    [
        (MASTER, DRAINS, Fate.DRAINS),
        (MASTER, MASTER, Fate.AWAITED),
        (MASTER, BACKUP, Fate.CLOSES),
        (MASTER, LEAVES, Fate.CLOSES),
        (MASTER, MASTER | {"leaves": True}, Fate.CLOSES),
        (DRAINS, DRAINS, Fate.DRAINS),
        (DRAINS, BACKUP, Fate.NONE),
        (DRAINS, LEAVES, None),
        (DRAINS, MASTER, Fate.RETURNED),
        (BACKUP, DRAINS, Fate.DRAINS),
        (BACKUP, MASTER, Fate.NONE),
        (BACKUP, LEAVES, None),
    ],
)
def test_what_it_says_then(before: dict[str, Any], said: dict[str, Any], fate: Fate | None) -> None:
    """To whoever took over. Nobody dies of what it says itself; who leaves and owes nothing is forgotten."""
    seen = Seen()
    seen.hear(T - 0.1, before)
    seen.lives.takes_over(T, from_living=True)
    seen.hear(T + 0.1, said)
    assert not seen.lives.take_dead()
    assert (seen.fate() if fate is not None else seen.lives.known.get(life(1))) is fate


def test_what_is_missing_in_a_flood_may_have_been_said() -> None:
    """Reports that were passed over unread are no sign of a death, until three are missing after that."""
    seen = Seen()
    seen.hear(T, DRAINS)
    seen.here.flooded_at_s = T + LOST_S - 0.1
    seen.lives.step(T + LOST_S + 0.1)
    assert seen.fate() is Fate.DRAINS and seen.lives.next_s() == T + 2 * LOST_S - 0.1
    seen.lives.takes_over(T + LOST_S + 0.1, from_living=False)
    assert seen.fate() is Fate.DRAINS
    seen.lives.step(T + 2 * LOST_S)
    assert seen.is_dead()


def test_in_a_flood_the_word_that_it_drains_is_waited_for() -> None:
    """As in any other silence; who has said that it closes has nothing more to say."""
    seen = Seen()
    seen.hear(T, MASTER)
    seen.lives.takes_over(T + 0.1, from_living=True)
    seen.here.flooded_at_s = T + AWAITED_S
    seen.lives.step(T + AWAITED_S + LOST_S - 0.1)
    assert seen.fate() is Fate.AWAITED and seen.lives.next_s() == T + AWAITED_S + LOST_S
    seen.hear(T + 2.0, BACKUP)
    seen.here.flooded_at_s = T + 2.0 + CLOSES_S
    seen.lives.step(T + 2.0 + CLOSES_S)
    assert seen.is_dead()


def test_a_flood_hides_a_death_for_so_long_at_most() -> None:
    """Its clients wait meanwhile."""
    seen = Seen()
    seen.hear(T, DRAINS)
    for since_s in (FLOODED_S_MAX - 0.1, FLOODED_S_MAX + 0.1):
        seen.here.flooded_at_s = T + since_s
        seen.lives.step(T + since_s)
        assert seen.is_dead() == (since_s > FLOODED_S_MAX)


def test_the_last_answers_have_their_time() -> None:
    """Closing, and then dead if its list does not say that it has none."""
    seen = Seen()
    seen.hear(T, MASTER)
    seen.lives.takes_over(T, from_living=False)
    seen.hear(T + 0.1, BACKUP)
    seen.hear(T + 0.9, BACKUP)  # does not begin anew
    seen.lives.step(T + 0.1 + CLOSES_S - 0.01)
    assert seen.fate() is Fate.CLOSES
    seen.lives.step(T + 0.1 + CLOSES_S)
    assert seen.is_dead()
    seen.hear(T + 3.0, DRAINS)
    assert seen.fate() is Fate.DRAINS and not seen.is_dead()


@pytest.mark.parametrize(("interval_s", "patience_s"), [(0.05, LOST_S), (1.0, LOST_S), (10.0, LOST_INTERVALS * 10)])
def test_a_master_that_says_that_it_is_one_still(interval_s: float, patience_s: float) -> None:
    """Has until its next report is missing."""
    seen = Seen()
    seen.hear(T, MASTER | {"interval_s": interval_s})
    seen.lives.takes_over(T, from_living=False)
    seen.hear(T + 0.1, MASTER | {"interval_s": interval_s})
    assert seen.lives.next_s() == pytest.approx(T + 0.1 + patience_s)


def test_a_life_that_the_roster_has_forgotten_is_dead() -> None:
    """Another one of the same node has begun."""
    seen = Seen()
    seen.hear(T, DRAINS)
    seen.lives.takes_over(T, from_living=False)
    del seen.roster.members[life(1)]
    seen.lives.step(T + 0.1)
    assert seen.is_dead()


def test_whoever_is_back_is_steered_as_long_as_this_node_drains() -> None:
    """And is there; and a moment longer, as this node may not know yet that it has to yield."""
    seen = Seen()
    seen.hear(T, DRAINS)
    seen.hear(T + 1.0, MASTER)
    assert seen.fate() is Fate.RETURNED
    seen.here.is_master, seen.here.drains = False, True
    seen.lives.step(T + 1.0 + RETURNED_S)
    assert seen.fate() is Fate.RETURNED and seen.lives.next_s() == T + 1.0 + 2 * RETURNED_S
    seen.hear(T + 2.9, BACKUP)
    assert seen.fate() is Fate.NONE
    for drains, heard_s, stays in ((False, 1.0, False), (True, 1.0, True), (True, 3.0, False)):
        seen = Seen(is_master=False, drains=True)
        seen.hear(T, DRAINS)
        seen.hear(T, MASTER)
        seen.here.drains = drains
        seen.life.until_s = T + heard_s
        seen.lives.step(T + heard_s)
        assert (seen.fate() is Fate.RETURNED) is stays and not seen.is_dead()


def test_who_drains_tells_nobody() -> None:
    """The master does; and if this node is to follow it, what it owes is not forgotten."""
    seen = Seen(is_master=False, drains=True)
    seen.hear(T, DRAINS)
    seen.lives.step(T + LOST_S + 0.1)
    assert seen.fate() is Fate.NONE and not seen.is_dead()
    seen.here.is_master = True
    seen.lives.takes_over(T + 5.0, from_living=False)
    assert seen.is_dead()


def test_what_another_master_has_told_is_forgotten() -> None:
    """Of whoever was silent for longer than that needs; not by who is master itself."""
    for is_master, heard_s, knows in ((False, TOLD_BY_ANOTHER_S + 0.1, False), (False, 4.9, True), (True, 9.0, True)):
        seen = Seen(is_master=is_master)
        seen.hear(T, MASTER)
        seen.life.copy.clients.add(client(1))
        seen.hear(T + heard_s, BACKUP, of=2)
        assert seen.life.copy.clients
        seen.hear(T + heard_s, MASTER, of=2)
        assert bool(seen.life.copy.clients) is knows
    seen = Seen(is_master=False)
    seen.hear(T, MASTER | {"interval_s": 10.0})
    seen.life.copy.clients.add(client(1))
    for heard_s, knows in ((26.9, True), (27.1, False)):  # its own interval says when it is silent
        seen.hear(T + heard_s, MASTER, of=2)
        assert bool(seen.life.copy.clients) is knows


def test_whose_clients_are_not_to_be_told() -> None:
    """Of everybody who is steered, or is master or drains and is there; not of a backup, nor of the dead. A backup that
    still lists some may be about to end them: so long, and no longer, it is waited for."""
    seen = Seen()
    for number, said, heard_s in ((1, MASTER, 0.0), (2, DRAINS, 0.0), (3, BACKUP, 0.0), (4, MASTER, 5.0)):
        seen.hear(T - heard_s, said, of=number)
        seen.lives.of(life(number)).copy.clients.add(client(number))
    assert seen.lives.living_clients(T) == {client(1), client(2)}
    seen.lives.takes_over(T, from_living=False)
    assert seen.lives.living_clients(T) == {client(1), client(2), client(3)} and len(seen.lives.take_dead()) == 1
    seen.lives.step(T + CLOSES_S)
    assert seen.lives.living_clients(T + CLOSES_S) == {client(2)}
    assert [each.node for each in seen.lives.take_dead()] == [seen.lives.of(life(each)).node for each in (1, 3)]
    seen.lives.step(T + 9.0)
    assert seen.lives.living_clients(T + 9.0) == set() and len(seen.lives.take_dead()) == 1


def test_who_lists_some_and_neither_serves_nor_drains_could_not_tell_them() -> None:
    """Its link was down when it ended them. Who is there has CLOSES_S to say that they have ended; who is not is dead
    at once; who leaves in order has ended them."""
    for heard_s, fate, dead in ((0.0, Fate.CLOSES, 0), (5.0, Fate.NONE, 1)):
        seen = Seen()
        seen.hear(T - heard_s, BACKUP)
        seen.life.copy.clients.add(client(1))
        seen.lives.takes_over(T, from_living=False)
        assert seen.life.fate is fate and len(seen.lives.take_dead()) == dead
    for said, knows, fate in ((BACKUP, True, Fate.CLOSES), (BACKUP, False, Fate.NONE)):
        seen = Seen()
        seen.hear(T, DRAINS)
        if knows:
            seen.life.copy.clients.add(client(1))
        seen.hear(T + 1.0, said)
        assert seen.life.fate is fate
    seen = Seen()
    seen.hear(T, DRAINS)
    seen.life.copy.clients.add(client(1))
    seen.hear(T + 1.0, BACKUP | {"leaves": True})
    assert life(1) not in seen.lives.known and not seen.lives.take_dead()


def test_whoever_was_master_last_comes_last() -> None:
    """Its word counts where two list the same client; who does not say where it is cannot be steered to."""
    seen = Seen()
    for number, said in ((2, MASTER), (1, MASTER), (2, DRAINS), (1, DRAINS), (3, {"carry": {"drains": True}})):
        seen.hear(T + seen.number, said, of=number)
    assert [seen.lives.known[life(number)] for number in (2, 1)] == seen.lives.steered()
