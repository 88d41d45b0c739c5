"""What a virtual host remembers from one event to the next, and what it forgets. Each was a planted bug nobody saw."""

from __future__ import annotations

import pytest

from tests.carp.playbook import ACQUIRE
from tests.carp.playbook import ANNOUNCE
from tests.carp.playbook import BEGIN_S
from tests.carp.playbook import BOW_OUT
from tests.carp.playbook import RELEASE
from tests.carp.playbook import SECOND
from tests.carp.playbook import TICK
from tests.carp.playbook import Playbook
from tests.carp.playbook import heard
from tests.carp.playbook import send
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped

D = 3 * SECOND
T = SECOND
UNWELL = DemotionChanged(1, "slow")


def test_a_bow_out_never_makes_the_wait_longer() -> None:
    """It comes in the last instant of our patience: the old deadline stands."""
    play = Playbook(advskew=254).listening()
    deadline = D + 254
    assert play.at(deadline - 0.5, BOW_OUT) == [] and play.deadline == deadline


def test_a_second_bow_out_does_not_start_the_wait_again() -> None:
    """Each IP version brings one, and so may a node that repeats itself."""
    play = Playbook(advskew=200, versions=(4, 6)).listening()
    play.at(50, BOW_OUT)
    deadline = play.deadline
    play.at(51, heard(255, 255, version=6))
    assert play.deadline == deadline


def test_equally_demoted_nodes_leave_each_other_alone() -> None:
    """Relief is for a master in worse health than ours, not for one that is merely unwell."""
    play = Playbook(preempt=False).listening()
    play.at(0, UNWELL)
    assert play.at(1, heard(1, 240, demotion=1)) == [] and play.state is State.BACKUP


def tie(play: Playbook) -> float:
    """A master yields to an equal just before its next advertisement; its patience in 1/256 s."""
    assert play.state is State.MASTER and play.deadline is not None
    tied = play.deadline - 1
    assert play.at(tied, heard()) == [RELEASE]
    return play.deadline - tied


def test_who_ties_again_lets_the_other_one_be_heard_first() -> None:
    """A ucarp hears a second late: it takes over beside us and yields at once, each time in the same instant."""
    play = Playbook(tie_break=128).master()
    assert tie(play) == pytest.approx(D + T / 10)
    play.follow()
    assert tie(play) == pytest.approx(D + T / 10 + 2 * T)
    patience = play.deadline
    assert patience is not None
    play.at(patience - D - T, heard())  # what a ucarp says when it yields does not shorten it
    assert play.deadline == patience


def test_a_tie_that_is_long_over_is_no_first_of_two() -> None:
    """After two master-down intervals it is forgotten."""
    play = Playbook(tie_break=128).master()
    tie(play)
    for _ in range(4):  # a promotion after D, and three intervals
        play.follow()
    assert tie(play) == pytest.approx(D + T / 10)


def test_only_an_equal_makes_the_wait_longer() -> None:
    """A better master is no tie: a backup's patience with it is the ordinary one."""
    play = Playbook(advskew=10, tie_break=255).master()
    assert play.deadline is not None
    now = play.deadline - 1
    assert play.at(now, heard(advskew=9)) == [RELEASE]
    assert play.deadline == now + D + 10


def test_who_made_us_step_down_is_the_last_master() -> None:
    """The next takeover's log line must name it."""
    play = Playbook(advskew=10).master()
    play.host.last_master = None
    play.at(20, heard(advskew=9))
    assert play.host.last_master == "10.0.0.9"


def test_the_log_line_says_how_long_the_master_was_silent_and_who_it_was() -> None:
    """Counted from its last advertisement; nobody is blamed when nobody was heard."""
    play = Playbook(advskew=64).listening()
    play.at(100, heard())
    commands = play.host.handle(TICK, BEGIN_S + (100 + D + 64) / SECOND)
    assert [each.evidence for each in commands if isinstance(each, ReportTransition)] == [
        "silent_s=3.25 last_master=10.0.0.9"
    ]
    play = Playbook().listening()
    commands = play.host.handle(TICK, BEGIN_S + D / SECOND)
    assert [each.evidence for each in commands if isinstance(each, ReportTransition)] == ["last_master=none"]


def test_a_new_master_answers_the_loser_at_once() -> None:
    """Even if it had answered another one a moment before, in an earlier time as master."""
    play = Playbook(advskew=0).master()
    assert play.at(10, heard(advskew=1)) == [send(), ANNOUNCE]
    assert play.at(11, heard()) == [RELEASE]
    assert play.at(12, BOW_OUT) == [send(), ACQUIRE, ANNOUNCE]
    assert play.at(13, heard(advskew=1)) == [send(), ANNOUNCE]


def test_announcements_are_counted_from_the_latest_promotion() -> None:
    """A second time as master announces again as the first did: with the second later advertisement."""
    play = Playbook().master()
    for _ in range(5):
        play.follow()
    assert play.at(5 * T + 1, heard()) == [RELEASE]
    assert play.at(5 * T + 2, BOW_OUT) == [send(), ACQUIRE, ANNOUNCE]
    assert [ANNOUNCE in play.follow() for _ in range(2, 11)] == [number in (3, 10) for number in range(2, 11)]


def test_a_bow_out_says_how_unwell_the_node_was() -> None:
    """The value of its other advertisements: an OpenBSD backup compares that byte before anything else."""
    play = Playbook().master()
    play.at(10, DemotionChanged(3, "slow"))
    assert play.at(20, Stopped("orderly stop")) == [send(255, 255, 3), RELEASE]


def test_a_late_answer_does_not_hold_back_who_follows_a_bow_out() -> None:
    """The question was asked while the master that has left still had the addresses."""
    play = Playbook(advskew=100)
    play.at(0, Started("ready"))
    play.follow()
    play.at(2.9 * SECOND, heard(255, 255))
    assert play.at(2.901 * SECOND, AddressAnswered("the master's mac")) == []
    assert play.follow() == [send(1, 100), ACQUIRE, ANNOUNCE] and play.reason() == "master_bowed_out"


def test_the_bow_out_of_an_unwell_master_is_followed_after_the_same_wait() -> None:
    """Its demotion is no reason to come all at once."""
    play = Playbook(advskew=100)
    play.at(0, Started("ready"))
    assert play.at(10, heard(255, 255, 2)) == []
    assert play.deadline == pytest.approx(10 + 100 * 40e-6 * SECOND)


def test_a_tie_is_one_of_the_whole_rank() -> None:
    """Two demoted nodes have the same interval, and one is worse all the same: it is outranked, and waits no longer."""
    play = Playbook(tie_break=255).master()
    play.at(10, DemotionChanged(2, "slower still"))
    play.at(20, heard(1, 240, 1))
    assert play.reason() == "better_advertisement_received" and play.deadline == 20 + D
