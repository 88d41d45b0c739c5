"""A node that endures an inferior master for a while: every cell, exact moments, and what is never waited for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.carp.playbook import ACQUIRE
from tests.carp.playbook import ANNOUNCE
from tests.carp.playbook import BOW_OUT
from tests.carp.playbook import RELEASE
from tests.carp.playbook import SECOND
from tests.carp.playbook import TICK
from tests.carp.playbook import Playbook
from tests.carp.playbook import heard
from tests.carp.playbook import send
from wsa_proxy.carp.commands import ReportWait
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact
from wsa_proxy.carp.events import PreemptionReleased
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped

D = 3 * SECOND
RELEASED = PreemptionReleased()
WORSE = heard(advskew=9)


def waiting(delay_s: float = 10.0, **more: Any) -> Playbook:
    """BACKUP since 0, which has heard an inferior master at 100/256 s."""
    play = Playbook(preempt_delay_s=delay_s, **more).listening()
    (told,) = play.at(100, WORSE)
    assert told == ReportWait(delay_s - 100 / SECOND, 0, 0.0) and play.state is State.BACKUP
    return play


def endures(play: Playbook, until: float, said: Event = WORSE) -> None:
    """It hears the master each second; nothing follows."""
    now = play.host._heard_at_s[4]
    when = (now - 1000.0) * SECOND + SECOND
    while when < until:
        assert play.at(when, said) == [] and play.state is State.BACKUP
        when += SECOND


def test_a_better_node_preempts_at_the_first_advertisement_after_the_wait() -> None:
    """Not one 256th before it; exactly at it; and it is no deadline of its own."""
    play = waiting()
    endures(play, 10 * SECOND - 1)
    assert play.at(10 * SECOND - 1, WORSE) == [] and play.deadline == 10 * SECOND - 1 + D
    assert play.at(10 * SECOND, WORSE) == [send(), ACQUIRE, ANNOUNCE]
    assert play.reason() == "preempted_inferior_master"


def test_the_wait_is_told_once() -> None:
    """However many advertisements are heard; after the next role change it is another one."""
    play = waiting()
    endures(play, 9 * SECOND)
    play.at(10 * SECOND, WORSE)
    assert play.at(11 * SECOND, heard()) == [RELEASE]
    assert play.at(12 * SECOND, WORSE) == [ReportWait(19.0, 2, 2.0)]
    assert play.at(13 * SECOND, WORSE) == []


def test_silence_is_followed_in_its_time() -> None:
    """V11: the master that is endured dies, and its address is not without an owner for longer than D."""
    play = waiting()
    assert play.deadline == 100 + D
    assert play.follow() == [send(), ACQUIRE, ANNOUNCE] and play.reason() == "master_silent"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (heard(advskew=9, demotion=1), "master_demoted"),
        (heard(advbase=4), "master_hopeless"),
        (BOW_OUT, "master_bowed_out"),
    ],
)
def test_only_a_healthy_master_in_time_is_endured(said: AdvertisementReceived, reason: str) -> None:
    """V3, V9: these are followed at once, whatever is waited for."""
    play = waiting()
    assert play.at(200, said) == [send(), ACQUIRE, ANNOUNCE] and play.reason() == reason


def test_an_unwell_pair_is_calm_too() -> None:
    """Demoted alike they are equals in that; the better one waits."""
    play = Playbook(preempt_delay_s=10.0).listening()
    play.at(1, DemotionChanged(1, "slow"))
    (told,) = play.at(2, heard(advskew=250, demotion=1))
    assert isinstance(told, ReportWait)
    assert play.at(3, heard(advskew=250, demotion=2)) == [send(1, 240, 1), ACQUIRE, ANNOUNCE]


def test_who_does_not_preempt_does_not_wait() -> None:
    """Non-preemptive: nothing to wait for, and nothing to tell."""
    play = Playbook(preempt=False, preempt_delay_s=10.0).listening()
    assert play.at(100, WORSE) == [] and not play.host.calm.waits
    play.at(200, SettingsChanged(replace(play.host.settings, preempt=True)))
    (told,) = play.at(300, WORSE)
    assert told == ReportWait(10 - 300 / SECOND, 0, 0.0)


def test_the_operator_ends_the_wait() -> None:
    """At the next advertisement, within an interval. A wait later is as long as it would have been."""
    play = waiting()
    assert play.at(200, RELEASED) == [] and not play.host.calm.waits
    assert play.at(356, WORSE) == [send(), ACQUIRE, ANNOUNCE]
    assert play.at(400, heard()) == [RELEASE]
    assert play.at(500, WORSE) == [ReportWait(20 - 100 / SECOND, 2, 144 / SECOND)]


@pytest.mark.parametrize("before", ["in INIT", "as MASTER"])
def test_a_release_is_of_the_present_wait_only(before: str) -> None:
    """Asked for where nothing is waited for, it does not end a wait that begins later."""
    play = Playbook(preempt_delay_s=10.0)
    if before == "in INIT":
        assert play.at(0, RELEASED) == []
        play.listening()
    else:
        play.master()
        assert play.at(1, RELEASED) == [] and play.at(2, heard()) == [RELEASE]
    (told,) = play.at(100, WORSE)
    assert isinstance(told, ReportWait) and told.wait_s > 9


def test_nothing_but_the_operator_ends_the_wait() -> None:
    """What nobody has signed, or is old perhaps, the clock, a farewell: all of them leave it as it is."""
    play = waiting()
    before = replace(play.host.calm)
    for event in (FirstContact("10.0.0.7"), FarewellReceived("10.0.0.7"), TICK, DemotionChanged(0, "well")):
        play.at(200, event)
        assert play.host.calm == before


def test_a_node_that_comes_back_waits_anew() -> None:
    """Its link was down for an hour: since it is back it has not proven anything yet."""
    play = waiting()
    play.at(200, Stopped("link down"))
    play.at(3600 * SECOND, Started("ready"))
    assert play.at(3600 * SECOND + 100, WORSE) == [ReportWait(10 - 100 / SECOND, 0, 0.0)]


def test_a_node_that_is_well_again_waits_from_then_on() -> None:
    """Being unwell for long is no proof of health; getting worse, or no better, begins nothing."""
    play = waiting()
    play.at(5 * SECOND, DemotionChanged(2, "slow"))
    assert play.at(5 * SECOND + 1, WORSE) == [] and not play.host.calm.waits
    play.at(7 * SECOND, DemotionChanged(2, "slow still"))
    play.at(8 * SECOND, DemotionChanged(0, "well"))
    assert play.at(9 * SECOND, WORSE) == [ReportWait(9.0, 0, 0.0)]
    endures(play, 18 * SECOND)
    assert play.at(18 * SECOND, WORSE)[0] == send()


def test_a_fenced_master_is_two_changes_from_being_one_again() -> None:
    """Fenced, back, waits; and the second time twice as long as its two changes in between have made it."""
    play = Playbook(preempt_delay_s=4.0).master()
    waits_s = []
    for round_s in (10, 30, 70):
        play.at(round_s * SECOND, Stopped("fenced"))
        play.at((round_s + 1) * SECOND, Started("ready"))
        (told,) = play.at((round_s + 2) * SECOND, WORSE)
        assert isinstance(told, ReportWait)
        waits_s.append((told.wait_s + 1, told.role_changes, told.within_s))
        when = (round_s + 2 + told.wait_s) * SECOND
        endures(play, when)
        assert play.at(when, WORSE)[0] == send()
        assert play.deadline is not None
        while play.deadline < (round_s + 20) * SECOND:
            play.follow()
    assert waits_s == [(8.0, 2, 12.0), (32.0, 4, 32.0), (60.0, 6, 72.0)]


def test_sleep_counts_as_waiting_for_what_is_heard_then() -> None:
    """It overslept; only its silence is not believed."""
    play = waiting()
    assert play.at(60 * SECOND, WORSE) == [send(), ACQUIRE, ANNOUNCE]
    play = waiting()
    assert play.at(60 * SECOND, TICK) == [] and play.deadline == 60 * SECOND + D


def test_an_overslept_master_has_changed_its_role_and_waits() -> None:
    """V7 is a role change as any other."""
    play = Playbook(preempt_delay_s=10.0).master()
    assert play.at(20 * SECOND, WORSE) == [RELEASE, ReportWait(20.0, 2, 20.0)]


def test_other_settings_count_at_once_and_the_wait_goes_on() -> None:
    """From where it began; what it has been long enough by now is over."""
    play = waiting()
    play.at(200, SettingsChanged(replace(play.host.settings, preempt_delay_s=30.0)))
    assert play.at(356, WORSE) == [ReportWait(30 - 356 / SECOND, 0, 0.0)]
    play.at(600, SettingsChanged(replace(play.host.settings, preempt_delay_s=2.0)))
    assert play.at(612, WORSE) == [send(), ACQUIRE, ANNOUNCE]


def test_role_changes_are_remembered_when_the_settings_change() -> None:
    """A group that begins to be calm after a quarrel."""
    play = Playbook().master()
    play.at(10, heard())
    play.at(20, SettingsChanged(replace(play.host.settings, preempt_delay_s=3.0)))
    (told,) = play.at(30, WORSE)
    assert told == ReportWait(6 - 20 / SECOND, 2, 30 / SECOND)


def test_both_ip_versions_are_waited_for_together_and_neither_is_silent_unheard() -> None:
    """The wait is the node's; each version's patience is its own, as ever."""
    play = Playbook(versions=(4, 6), preempt_delay_s=2.0).listening()
    assert len(play.at(100, heard(advskew=9, version=4))) == 1
    assert play.at(101, heard(advskew=9, version=6)) == [] and play.deadline == 100 + D
    assert play.at(2 * SECOND - 1, heard(advskew=9, version=4)) == [] and play.deadline == 101 + D
    assert play.at(2 * SECOND, heard(advskew=9, version=6)) == [send(), ACQUIRE, ANNOUNCE]


def test_after_a_tie_the_longer_wait_comes_on_top() -> None:
    """Both waits have their reasons."""
    play = Playbook(tie_break=255, preempt_delay_s=1.0).master()
    assert play.at(10, heard()) == [RELEASE]
    assert isinstance(play.at(20, WORSE)[0], ReportWait)
    due = 10 + 2 * SECOND
    endures(play, due)
    assert play.at(due, WORSE) == [] and play.deadline == due + 51
    assert play.follow() == [send(), ACQUIRE, ANNOUNCE] and play.reason() == "preempted_inferior_master"


def test_a_master_that_is_not_inferior_ends_the_waiting_but_not_the_wait() -> None:
    """What the status shows as waiting is one for a living inferior master."""
    play = waiting()
    assert play.host.calm.waits
    assert play.at(200, heard()) == [] and not play.host.calm.waits
    assert play.at(300, WORSE) == [] and play.host.calm.waits
