"""Every cell of the machine, every deadline to 1/256 of a second, and the order of every list of commands."""

from __future__ import annotations

import itertools
import typing

import pytest

from tests.carp.playbook import ACQUIRE
from tests.carp.playbook import ANNOUNCE
from tests.carp.playbook import BOW_OUT
from tests.carp.playbook import PROBE
from tests.carp.playbook import RELEASE
from tests.carp.playbook import SECOND
from tests.carp.playbook import TICK
from tests.carp.playbook import Playbook
from tests.carp.playbook import heard
from tests.carp.playbook import send
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.virtual_host import CELLS

D = 3 * SECOND
T = SECOND
UNWELL = DemotionChanged(1, "slow")
WELL = DemotionChanged(0, "well")
SAME_EVENTS = [Started("ready"), Stopped("stop"), heard(advskew=200), heard(), TICK, UNWELL, AddressAnswered("mac")]


def test_the_table_has_every_cell() -> None:
    """Three states and every event: an absent pair would be an accident, not a decision."""
    every = typing.get_args(Event.__value__)
    assert set(CELLS) == set(itertools.product(State, every)) and len(every) == 10


# INIT


@pytest.mark.parametrize("event", [*SAME_EVENTS[1:5], SAME_EVENTS[6], BOW_OUT])
def test_a_node_in_init_knows_nothing_and_says_nothing(event: Event) -> None:
    """Whatever it hears; it has no deadline either."""
    play = Playbook()
    assert play.at(5000, event) == [] and play.state is State.INIT and play.deadline is None


def test_a_start_is_a_whole_interval_of_listening() -> None:
    """INIT to BACKUP, silently, with the master-down deadline a whole D away."""
    play = Playbook(advskew=100).listening()
    assert play.deadline == D + 100 and play.reasons == ["ready"]


def test_a_node_that_is_demoted_before_it_starts_remembers_it() -> None:
    """Its first advertisement says so; its own patience is that of its configured values (FreeBSD)."""
    play = Playbook(advskew=10)
    assert play.at(0, UNWELL) == []
    play.listening()
    assert play.deadline == D + 10
    assert play.at(D + 10, TICK) == [send(1, 240, 1), ACQUIRE, ANNOUNCE]


# BACKUP: silence


@pytest.mark.parametrize(("advbase", "advskew"), [(1, 0), (1, 55), (1, 254), (3, 100), (255, 0)])
def test_silence_makes_a_master_exactly_at_the_deadline(advbase: int, advskew: int) -> None:
    """3 * advbase + advskew/256; one 256th before, nothing. Then: advertise, acquire, announce, in this order."""
    play = Playbook(advbase, advskew).listening()
    silence = 3 * advbase * SECOND + advskew
    assert play.at(silence - 1, TICK) == [] and play.deadline == silence
    assert play.at(silence, TICK) == [send(advbase, advskew), ACQUIRE, ANNOUNCE]
    assert play.state is State.MASTER and play.reason() == "master_silent"
    assert play.deadline == silence + advbase * SECOND + advskew


def test_below_one_second_three_whole_intervals_are_waited() -> None:
    """advbase 0, advskew 13: about 50 ms (OpenBSD's formula)."""
    play = Playbook(0, 13).listening()
    assert play.at(38, TICK) == []
    assert play.at(39, TICK) == [send(0, 13), ACQUIRE, ANNOUNCE]


@pytest.mark.parametrize("advskew", [0, 54, 55])
def test_an_accepted_advertisement_moves_the_deadline(advskew: int) -> None:
    """Of a better master or an equal: a whole interval from its arrival."""
    play = Playbook(advskew=55).listening()
    for when in (100, 700, 1300):
        assert play.at(when, heard(advskew=advskew)) == []
        assert play.deadline == when + D + 55
    assert play.state is State.BACKUP and play.host.last_master == "10.0.0.9"


def test_a_worse_master_is_endured_without_preemption() -> None:
    """Non-preemptive: the host in control stays."""
    play = Playbook(preempt=False).listening()
    assert play.at(100, heard(advskew=200)) == [] and play.deadline == 100 + D


def test_a_worse_master_is_preempted_at_once() -> None:
    """Preemptive: on the first advertisement that is heard."""
    play = Playbook(advskew=10).listening()
    assert play.at(100, heard(advskew=11)) == [send(1, 10), ACQUIRE, ANNOUNCE]
    assert play.reason() == "preempted_inferior_master"


def test_the_two_ip_versions_have_deadlines_of_their_own() -> None:
    """Hearing only IPv4 does not help: either silence makes a master (FreeBSD ip_carp.c)."""
    play = Playbook(versions=(4, 6), preempt=False).listening()
    play.at(10, heard(advskew=0, version=6))
    for when in range(0, D, 100):
        assert play.at(when + 10, heard(version=4)) == []
    assert play.at(10 + D - 1, TICK) == []
    assert play.at(10 + D, TICK) == [send(), ACQUIRE, ANNOUNCE]


# BACKUP: bow-out, hopeless, demoted


def test_the_best_backup_answers_a_bow_out_at_once() -> None:
    """advskew 0 waits for nobody; at any advbase, preemptive or not."""
    for advbase in (1, 86, 255):
        play = Playbook(advbase, preempt=False).listening()
        assert play.at(50, BOW_OUT) == [send(advbase), ACQUIRE, ANNOUNCE]
        assert play.reason() == "master_bowed_out"


@pytest.mark.parametrize(("advskew", "wait_s"), [(1, 40e-6), (200, 0.008), (250, 0.010), (254, 0.010)])
def test_the_others_wait_for_the_best_one(advskew: int, wait_s: float) -> None:
    """40 microseconds for each 256th of advskew, 10 ms at most, if it knows of nobody better."""
    play = Playbook(advskew=advskew).listening()
    assert play.at(50, BOW_OUT) == []
    assert play.deadline == pytest.approx(50 + wait_s * SECOND, abs=1e-6)
    deadline = play.deadline
    assert deadline is not None and play.at(deadline - 0.001, TICK) == []
    assert play.at(deadline, TICK) == [send(1, advskew), ACQUIRE, ANNOUNCE]
    assert play.reason() == "master_bowed_out"


def test_the_best_ones_advertisement_stops_the_others() -> None:
    """They go on listening, for a whole interval, and the bow-out is forgotten."""
    play = Playbook(advskew=200).listening()
    play.at(50, BOW_OUT)
    assert play.at(51, heard(advskew=100)) == [] and play.deadline == 51 + D + 200
    play.at(51 + D + 200, TICK)
    assert play.reason() == "master_silent"


def test_a_bow_out_ends_the_questions_about_the_address() -> None:
    """Its owner has just said that it leaves."""
    play = Playbook(advskew=100)
    play.at(0, Started("ready"))
    play.at(1, AddressAnswered("somebody"))
    play.at(2, BOW_OUT)
    deadline = play.deadline
    assert deadline is not None and deadline < 5
    assert play.at(deadline, TICK) == [send(1, 100), ACQUIRE, ANNOUNCE]


def test_a_hopelessly_slow_master_counts_as_timed_out() -> None:
    """Its interval is longer than our patience; exactly as long is endured."""
    play = Playbook(advskew=10, preempt=False).listening()
    assert play.at(1, heard(3, 10)) == []
    assert play.at(2, heard(3, 11)) == [send(1, 10), ACQUIRE, ANNOUNCE]
    assert play.reason() == "master_hopeless"


def test_a_demoted_master_is_relieved_regardless_of_preemption_and_priority() -> None:
    """Its own health counts before its speed (OpenBSD)."""
    play = Playbook(advskew=254, preempt=False).listening()
    assert play.at(1, heard(1, 240, demotion=1)) == [send(1, 254), ACQUIRE, ANNOUNCE]
    assert play.reason() == "master_demoted"


def test_a_demoted_node_does_not_preempt_a_well_one() -> None:
    """However slow that is."""
    play = Playbook().listening()
    play.at(0, UNWELL)
    assert play.at(1, heard(1, 254)) == [] and play.state is State.BACKUP


def test_of_two_demoted_nodes_the_better_one_preempts() -> None:
    """The last nodes standing still have an order."""
    play = Playbook(2, 0).listening()
    play.at(0, UNWELL)
    assert play.at(1, heard(2, 241, demotion=1)) == [send(2, 240, 1), ACQUIRE, ANNOUNCE]


def test_a_stop_of_a_backup_is_silent() -> None:
    """Nobody has to know."""
    play = Playbook().listening()
    assert play.at(1, Stopped("eth0 is down")) == []
    assert play.state is State.INIT and play.deadline is None and play.reason() == "eth0 is down"


# BACKUP: is the address free?


def test_before_the_first_acquisition_the_lan_is_asked_three_times() -> None:
    """0.6, 0.4 and 0.2 s before the deadline, so it costs no time."""
    play = Playbook()
    play.at(0, Started("ready"))
    asked = []
    while play.state is State.BACKUP:
        when = play.deadline
        if play.follow() == [PROBE] and when is not None:
            asked.append(when / SECOND)
    assert asked == pytest.approx([2.4, 2.6, 2.8]) and play.reason() == "master_silent"
    play.at(D + 1, Stopped("stop"))
    play.at(D + 2, Started("ready"))
    assert play.deadline == 2 * D + 2  # no questions the second time


def test_short_intervals_ask_in_their_last_quarter() -> None:
    """The lead is a quarter of D at most."""
    play = Playbook(0, 16)
    play.at(0, Started("ready"))
    assert play.deadline == pytest.approx(48 * 3 / 4)


def test_an_answer_keeps_the_node_in_backup_for_a_whole_interval_with_the_mac() -> None:
    """Then it asks again, and if nobody answers, takes over."""
    play = Playbook()
    play.at(0, Started("ready"))
    assert [play.follow() for _ in range(3)] == [[PROBE]] * 3
    assert play.at(2.9 * SECOND, AddressAnswered("02:00:00:00:00:99")) == []
    assert play.follow() == [] and play.state is State.BACKUP
    assert play.reason() == "address_answered_by_another_host"
    assert play.deadline == pytest.approx(D + 2.4 * SECOND)
    assert [play.follow() for _ in range(3)] == [[PROBE]] * 3
    assert play.deadline == pytest.approx(2 * D)
    assert play.follow() == [send(), ACQUIRE, ANNOUNCE]


def test_an_advertisement_makes_an_answer_old() -> None:
    """There is a master: the question is asked anew in the next silence."""
    play = Playbook(advskew=1)
    play.at(0, Started("ready"))
    play.at(100, AddressAnswered("mac"))
    play.at(101, heard())
    assert [play.follow() for _ in range(3)] == [[PROBE]] * 3
    assert play.deadline == pytest.approx(101 + D + 1)
    assert play.follow() == [send(1, 1), ACQUIRE, ANNOUNCE]


def test_a_late_question_still_gets_its_time_for_an_answer() -> None:
    """A loop that turned late must not ask and take over in one breath."""
    play = Playbook()
    play.at(0, Started("ready"))
    late = D + 50
    assert play.at(late, TICK) == [PROBE] and play.state is State.BACKUP
    assert play.deadline == pytest.approx(late + 0.2 * SECOND)
    assert play.at(late + 0.2 * SECOND + 0.001, TICK) == [PROBE]
    assert play.at(late + 0.4 * SECOND + 0.002, TICK) == [PROBE]
    assert play.at(late + 0.6 * SECOND + 0.003, TICK) == [send(), ACQUIRE, ANNOUNCE]


# MASTER


def test_a_master_advertises_every_interval_exactly() -> None:
    """advbase + advskew/256; one 256th before, nothing."""
    play = Playbook(1, 55).master()
    first = play.deadline
    assert first is not None
    assert play.at(first - 1, TICK) == []
    assert play.at(first, TICK) == [send(1, 55)] and play.deadline == first + T + 55


def test_the_addresses_are_announced_again_and_then_refreshed() -> None:
    """With the second periodic advertisement (OpenBSD's delayed ARP) and with every tenth.

    Before it: a better node that takes over on the advertisement must have the last word about the addresses.
    """
    play = Playbook().master()
    announced = []
    for number in range(2, 42):
        commands = play.follow()
        if commands == [ANNOUNCE, send()]:
            announced.append(number)
        else:
            assert commands == [send()]
    assert announced == [3, 10, 20, 30, 40]


def test_a_better_master_makes_us_step_down() -> None:
    """The address goes; no farewell (FreeBSD); then a whole interval of listening."""
    play = Playbook(advskew=10).master()
    assert play.at(100, heard(advskew=9)) == [RELEASE]
    assert play.state is State.BACKUP and play.reason() == "better_advertisement_received"
    assert play.deadline == 100 + D + 10


def test_equals_step_down_too_and_wait_by_their_address() -> None:
    """Nothing else ends a tie with a BSD; T/5 * (last byte)/256 keeps them from meeting again."""
    play = Playbook(tie_break=128).master()
    assert play.at(100, heard()) == [RELEASE]
    assert play.reason() == "equal_advertisement_received"
    assert play.deadline == pytest.approx(100 + D + T / 5 / 2)


def test_an_inferior_master_is_answered_but_not_for_every_packet() -> None:
    """An advertisement and an announcement, once per T/4 at most; two advertisements later one more announcement."""
    play = Playbook().master()
    for _ in range(3):
        play.follow()  # the announcements after the promotion are over
    now = 3 * T + 10
    assert play.at(now, heard(advskew=1)) == [send(), ANNOUNCE]
    assert play.deadline == now + T
    assert play.at(now + 1, heard(advskew=1)) == []
    assert play.at(now + T / 4 - 1, heard(advskew=1)) == []
    assert play.deadline == now + T / 4, "the next advertisement comes as soon as the limit allows"
    assert play.at(now + T / 4, heard(advskew=1)) == [send(), ANNOUNCE]
    assert play.state is State.MASTER and play.deadline == now + T / 4 + T
    assert play.follow() == [send()]
    assert play.follow() == [ANNOUNCE, send()]
    assert play.follow() == [send()]


def test_a_bow_out_means_nothing_to_a_master() -> None:
    """Somebody else leaves: nothing changes, nobody is announced against."""
    play = Playbook().master()
    assert play.at(10, BOW_OUT) == [] and play.deadline == T


def test_a_stop_bows_out_before_it_releases() -> None:
    """255/255, then the address: the successor may have it already."""
    play = Playbook(advskew=7).master()
    assert play.at(20, Stopped("orderly stop")) == [send(255, 255), RELEASE]
    assert play.state is State.INIT and play.deadline is None and play.reason() == "orderly stop"


def test_a_change_of_health_is_advertised_at_once() -> None:
    """Better nodes react within one packet (FreeBSD), and the next advertisement is a whole interval away."""
    play = Playbook().master()
    assert play.at(20, UNWELL) == [send(1, 240, 1)] and play.deadline == 20 + T + 240
    assert play.at(30, WELL)[-1] == send() and play.deadline == 30 + T


def test_a_demoted_master_yields_to_a_well_one_of_lower_priority() -> None:
    """It has heard that there is one; otherwise it serves on."""
    play = Playbook().master()
    play.at(20, UNWELL)
    assert play.at(21, heard(1, 254)) == [RELEASE] and play.state is State.BACKUP


@pytest.mark.parametrize("event", [Started("ready"), AddressAnswered("mac")])
def test_what_comes_too_late_for_a_master_is_ignored(event: Event) -> None:
    """It is serving already; an answer to an old question is the election's business now."""
    play = Playbook().master()
    assert play.at(10, event) == [] and play.state is State.MASTER


# waking up late


@pytest.mark.parametrize("event", SAME_EVENTS, ids=lambda event: type(event).__name__)
def test_a_master_that_overslept_releases_before_anything_else(event: Event) -> None:
    """Half a master-down interval late, and whatever event comes first: it was master, it is no more."""
    late = T + D / 2
    play = Playbook(preempt=False).master()
    play.at(late, event)
    assert "overslept" not in play.reasons
    play = Playbook(preempt=False).master()
    commands = play.at(late + 1, event)
    assert commands == [RELEASE] and "overslept" in play.reasons
    if play.state is State.BACKUP:
        assert play.deadline == late + 1 + D


def test_a_preferred_node_may_preempt_what_it_hears_on_waking() -> None:
    """The rule forbids to speak into silence, not to take over from a worse master that is there."""
    play = Playbook().master()
    assert play.at(5000, heard(advskew=100)) == [RELEASE, send(), ACQUIRE, ANNOUNCE]
    assert play.reasons[-2:] == ["overslept", "preempted_inferior_master"]


@pytest.mark.parametrize("event", [TICK, UNWELL, AddressAnswered("mac")], ids=lambda event: type(event).__name__)
def test_a_backup_that_overslept_listens_again(event: Event) -> None:
    """It does not know what it missed: a whole interval, silently."""
    play = Playbook(preempt=False).listening()
    assert play.at(D + D / 2, TICK) != []  # late, but awake enough
    play = Playbook(preempt=False).listening()
    assert play.at(D + D / 2 + 1, event) == []
    assert play.state is State.BACKUP and play.deadline == D + D / 2 + 1 + D


def test_a_master_that_is_stopped_on_waking_does_not_bow_out() -> None:
    """Somebody else is master by now; a bow-out would take the title from them."""
    play = Playbook().master()
    assert play.at(5000, Stopped("orderly stop")) == [RELEASE]
    assert play.state is State.INIT
