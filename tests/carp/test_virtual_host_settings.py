"""Other settings for a virtual host that runs: it goes on as what it is, by the new numbers at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase

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
from tests.carp.test_virtual_host_model import RUNS
from tests.carp.test_virtual_host_model import compare
from wsa_proxy.carp import virtual_host
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.virtual_host import VirtualHost

D = 3 * SECOND
T = SECOND


def told(play: Playbook, **changes: Any) -> SettingsChanged:
    """Its settings, with these changes."""
    return SettingsChanged(replace(play.host.settings, **changes))


def test_a_node_in_init_starts_with_what_it_was_told_last() -> None:
    """Nothing is said or awaited before."""
    play = Playbook()
    assert play.at(0, told(play, advskew=100)) == [] and play.deadline is None
    play.at(1, Started("ready"))
    play.host._held_before = True
    assert play.deadline == 1 + D + 100


def test_who_listens_again_has_no_patience_of_an_interval_that_is_none_any_more() -> None:
    """A link was down while the group became faster, or a node in control was told so: 3 s later it is master, not when
    the slow group would have waited long enough."""
    play = Playbook(advbase=255).listening()
    play.at(1, Stopped("link down"))
    play.at(2, told(play, advbase=1))
    play.at(3, Started("ready"))
    assert play.deadline == 3 + D
    play = Playbook(advbase=255).listening()
    assert ACQUIRE in play.at(1, heard(advbase=255, advskew=9))
    play.at(2, told(play, advbase=1))
    assert play.at(3, heard()) == [RELEASE] and play.deadline == 3 + D


def test_the_silence_goes_on_and_only_its_limit_changes() -> None:
    """V2: however often the operator changes his mind, a dead master is replaced one interval after its last word."""
    play = Playbook(advskew=100).listening()
    play.at(100, heard())
    for when, advskew in ((200, 20), (300, 200), (700, 40)):
        assert play.at(when, told(play, advskew=advskew)) == [] and play.deadline == 100 + D + advskew
    assert play.at(100 + D + 40, TICK) == [send(1, 40), ACQUIRE, ANNOUNCE]


def test_what_was_silent_for_the_new_interval_already_is_due_now() -> None:
    """Not before now, though: a deadline of long ago would pass for an overslept one."""
    play = Playbook(advbase=10).listening()
    assert play.at(20 * SECOND, told(play, advbase=1)) == [] and play.deadline == 20 * SECOND
    assert play.follow() == [send(), ACQUIRE, ANNOUNCE] and play.reason() == "master_silent"


def test_before_the_first_acquisition_the_lan_is_asked_by_the_new_times() -> None:
    """Three questions, and what was answered before counts no more: it was long ago by then."""
    play = Playbook()
    play.at(0, Started("ready"))
    assert play.follow() == [PROBE]
    play.at(D - 1, AddressAnswered("mac"))
    play.at(D - 1, told(play, advbase=2))
    assert [play.follow() for _ in range(3)] == [[PROBE]] * 3
    assert play.deadline == 2 * D and play.follow() == [send(2), ACQUIRE, ANNOUNCE]


def test_a_backup_says_nothing_and_compares_from_now_on() -> None:
    """I6: whatever it was told; at the master's next advertisement it takes over if it is the better one now."""
    play = Playbook(advskew=100).listening()
    assert play.at(10, heard(advskew=50)) == [] and play.at(20, told(play, advskew=10)) == []
    assert play.at(30, heard(advskew=50)) == [send(1, 10), ACQUIRE, ANNOUNCE]


def test_a_backup_that_must_not_preempt_any_more_does_not() -> None:
    """Nor one that may now wait for anything but the next advertisement."""
    play = Playbook(advskew=10).listening()
    play.at(10, told(play, preempt=False))
    assert play.at(20, heard(advskew=50)) == [] and play.deadline == 20 + D + 10
    play.at(30, told(play, preempt=True))
    assert play.deadline == 20 + D + 10
    assert play.at(40, heard(advskew=50)) == [send(1, 10), ACQUIRE, ANNOUNCE]


def test_a_takeover_that_the_old_rank_was_due_is_off() -> None:
    """It waits because of a tie a moment ago; meanwhile it has become the worse one."""
    play = Playbook(tie_break=255).master()
    play.at(10, heard())
    assert play.at(20, heard(advskew=9)) == [] and play.state is State.BACKUP
    play.at(21, told(play, advskew=99))
    assert play.at(80, TICK) == []
    assert play.deadline is not None and play.deadline > D


def test_a_bow_out_is_followed_in_its_time() -> None:
    """It is no comparison: nobody else holds the address."""
    play = Playbook(advskew=250).listening()
    play.at(10, BOW_OUT)
    due = play.deadline
    assert play.at(11, told(play, advskew=1)) == [] and play.deadline == due
    assert play.follow() == [send(1, 1), ACQUIRE, ANNOUNCE] and play.reason() == "master_bowed_out"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"advskew": 9}, [send(1, 9)]),
        ({"advbase": 2}, [send(2, 0)]),
        ({"preempt": False}, []),
        ({"tie_break": 7, "says_farewell": True}, []),
        ({"versions": (4, 6)}, []),
    ],
)
def test_a_master_says_its_new_rank_at_once_and_nothing_else(changes: dict[str, Any], said: list[Command]) -> None:
    """I6: one at each change of its own rank; the next one is due an interval of the new length later."""
    play = Playbook().master()
    before = play.deadline
    assert play.at(100, told(play, **changes)) == said and play.state is State.MASTER
    new = changes.get("advbase", 1) * T + changes.get("advskew", 0)
    assert play.deadline == (100 + new if said else before)


def test_a_demoted_master_whose_rank_stays_says_nothing() -> None:
    """It says 240, whatever it would say if it were well."""
    play = Playbook().master()
    play.at(1, DemotionChanged(1, "slow"))
    assert play.at(2, told(play, advskew=100)) == []
    assert play.at(3, DemotionChanged(0, "well")) == [ANNOUNCE, send(1, 100)]


def test_a_master_with_a_shorter_interval_answers_by_the_new_limit() -> None:
    """An inferior that came a moment before is no reason to be silent for a minute."""
    play = Playbook(advbase=200).master()
    assert play.at(10, heard(201))
    play.at(20, told(play, advbase=1))
    assert play.at(20 + T / 4 - 1, heard(advskew=9)) == []
    assert play.at(20 + T / 4, TICK) == [send(), ANNOUNCE]


def test_a_master_that_wakes_up_late_is_no_master_of_the_new_interval() -> None:
    """V7: the rule before all rules is asked with the interval by which it has slept."""
    play = Playbook(says_farewell=True).master()
    assert play.at(T + D / 2 + 1, told(play, advbase=200)) == [RELEASE] and play.state is State.BACKUP
    assert play.deadline is not None and play.reason() == "overslept"


def test_two_ip_versions_that_become_one_are_heard_as_one() -> None:
    """A group that begins to take sealed advertisements: the silence of the version heard last counts."""
    play = Playbook(versions=(4, 6)).listening()
    play.at(100, heard(version=6))
    assert play.deadline == D
    play.at(101, told(play, versions=(4,)))
    assert play.deadline == 100 + D
    play.at(102, told(play, versions=(4, 6)))
    assert play.deadline == 100 + D
    play.at(103, heard(version=4))
    assert play.deadline == 100 + D
    play.at(104, heard(version=6))
    assert play.deadline == 103 + D


def test_a_farewell_is_said_as_soon_as_the_group_understands_it() -> None:
    """The last step to a sealed group: the next defeat is told."""
    play = Playbook(advskew=9).master()
    play.at(1, told(play, says_farewell=True))
    assert play.at(2, heard()) == [SendFarewell(1, 9, 0), RELEASE]


# -- planted bugs: the model of carp(4) must differ --------------------------------------------------------------------

type Cell = Callable[[VirtualHost, SettingsChanged, float], list[Command]]


def silent_master(host: VirtualHost, event: SettingsChanged, now: float) -> list[Command]:
    VirtualHost._master_change(host, event, now)
    return []


def patience_of_before(host: VirtualHost, event: SettingsChanged, now: float) -> list[Command]:
    host._take(event.settings)
    return []


def patience_begun_anew(host: VirtualHost, event: SettingsChanged, now: float) -> list[Command]:
    host._take(event.settings)
    host._listen(now)
    return []


def limit_of_before(host: VirtualHost, event: SettingsChanged, now: float) -> list[Command]:
    before_s = host._answer_after_s
    commands = VirtualHost._master_change(host, event, now)
    host._answer_after_s = before_s
    return commands


@pytest.mark.parametrize(
    ("state", "cell"),
    [
        (State.MASTER, silent_master),
        (State.MASTER, limit_of_before),
        (State.BACKUP, patience_of_before),
        (State.BACKUP, patience_begun_anew),
    ],
)
def test_a_core_that_takes_settings_wrongly_differs_from_the_model(
    state: State, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake is found within as many runs."""
    monkeypatch.setitem(virtual_host.CELLS, (state, SettingsChanged), cell)
    with pytest.raises(AssertionError):
        compare(RUNS, Phase.generate)
