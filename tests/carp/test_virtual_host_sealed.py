"""What a virtual host does in a sealed group beside the rest: it says farewell, hears one, and meets strangers."""

from __future__ import annotations

from dataclasses import replace

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
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.commands import SendIntent
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.events import FirstContact

FAREWELL, STRANGER = FarewellReceived("10.0.0.2"), FirstContact("10.0.0.2")
D = 3 * SECOND


@pytest.mark.parametrize("better", [heard(1, 0), heard(1, 10)], ids=["better", "equal"])
def test_who_is_defeated_says_farewell_while_it_holds_the_addresses(better: object) -> None:
    """With its own values; then the addresses go."""
    play = Playbook(advskew=10, says_farewell=True).master()
    assert play.at(100, better) == [SendFarewell(1, 10, 0), RELEASE]  # type: ignore[arg-type]


def test_a_demoted_master_says_farewell_as_what_it_is() -> None:
    """Or the others would call it rewritten."""
    play = Playbook(advskew=10, says_farewell=True).master()
    play.at(50, DemotionChanged(1, "slow"))
    assert play.at(100, heard(1, 100))[0] == SendFarewell(1, 240, 1)


def test_who_has_overslept_says_nothing() -> None:
    """Others have been master for long."""
    play = Playbook(says_farewell=True).master()
    assert play.at(5 * SECOND, TICK) == [RELEASE] and play.reason() == "overslept"


def test_with_a_virtual_mac_the_others_are_told_before_it_acquires() -> None:
    """By a word of its own values; those who wait for the same takeover hear it some 15 ms sooner. (Four nodes on a
    real LAN: without it three of them followed one bow-out.)"""
    play = Playbook(advskew=10, says_farewell=True, acquires_first=True).listening()
    assert play.at(SECOND, BOW_OUT) == []
    assert play.follow() == [SendIntent(1, 10, 0), ACQUIRE, send(1, 10), ANNOUNCE]


def test_a_demoted_node_says_so_in_its_intent() -> None:
    """Or the others would call it rewritten."""
    play = Playbook(advskew=10, says_farewell=True, acquires_first=True).listening()
    play.at(1, DemotionChanged(1, "slow"))
    play.at(SECOND, BOW_OUT)
    assert play.follow()[0] == SendIntent(1, 240, 1)


@pytest.mark.parametrize("living", [heard(1, 200), heard(1, 0, demotion=1), heard(9, 0)], ids=str)
def test_a_living_master_hears_nothing_before_the_addresses_are_here(living: object) -> None:
    """It would let go of them, and nobody would have them meanwhile."""
    play = Playbook(advskew=10, says_farewell=True, acquires_first=True).listening()
    assert play.at(SECOND, living)[0] == ACQUIRE  # type: ignore[arg-type]


def test_nor_does_one_that_is_only_not_heard() -> None:
    """It may live. And nobody else waits for the same moment: a silence ends at another one for each priority."""
    play = Playbook(advskew=10, says_farewell=True, acquires_first=True).listening()
    assert play.follow()[0] == ACQUIRE


@pytest.mark.parametrize(
    ("sealed", "virtual", "unicast"), [(False, True, False), (True, False, False), (True, True, True)]
)
def test_without_a_virtual_mac_or_a_seal_there_is_no_intent(sealed: bool, virtual: bool, unicast: bool) -> None:
    """Without a virtual MAC the advertisement itself comes first; in plain CARP it would be the same packet twice, and
    named peers could not tell it from the advertisement."""
    play = Playbook(says_farewell=sealed, acquires_first=virtual, unicast=unicast).listening()
    claims = [ACQUIRE, send()] if virtual else [send(), ACQUIRE]
    assert play.at(SECOND, BOW_OUT) == [*claims, ANNOUNCE]


@pytest.mark.parametrize(("waited_s", "left_s"), [(0.0, 0.0042), (0.003, 0.0012), (0.0042, 1e-4), (3.0, 1e-4)])
def test_a_bow_out_that_was_read_late_is_not_followed_late(waited_s: float, left_s: float) -> None:
    """All count from its arrival. But what waits behind it in the socket is read first, for it may be an intent."""
    play = Playbook(advskew=105).listening()
    assert play.at(SECOND, replace(BOW_OUT, waited_s=waited_s)) == []
    assert play.deadline == pytest.approx(SECOND + left_s * SECOND, abs=1e-6)
    assert Playbook(advskew=0).listening().at(SECOND, replace(BOW_OUT, waited_s=waited_s))[0] == send()


def test_a_bow_out_is_answered_after_standbys_that_are_known_to_be_better() -> None:
    """From its arrival as well; no more than what waits behind it is read first when that time is over."""
    play = Playbook(advskew=105).listening()
    play.host.after_better_s = 0.02
    assert play.at(SECOND, replace(BOW_OUT, waited_s=0.003)) == []
    assert play.deadline == pytest.approx(SECOND + 0.0212 * SECOND, abs=1e-6)
    late = Playbook(advskew=105).listening()
    late.host.after_better_s = 0.02
    assert late.at(SECOND, replace(BOW_OUT, waited_s=3.0)) == []
    assert late.deadline == pytest.approx(SECOND + 1e-4 * SECOND, abs=1e-6)


def test_a_backup_that_waits_stops_at_an_intent() -> None:
    """It is an advertisement like any other."""
    play = Playbook(advskew=100).listening()
    assert play.at(SECOND, BOW_OUT) == [] and play.at(SECOND + 0.5, heard(1, 55)) == []
    assert play.deadline == SECOND + 0.5 + D + 100 and play.state is State.BACKUP


def test_a_winner_announces_again_when_the_loser_says_farewell() -> None:
    """The loser's clients may have heard it last; nothing else changes."""
    play = Playbook().master()
    deadline = play.deadline
    assert play.at(100, FAREWELL) == [ANNOUNCE]
    assert play.deadline == deadline and play.state is State.MASTER


def test_a_frozen_master_does_not_answer_the_farewell_that_waited_for_it() -> None:
    """Found by the tunnel: a farewell did not pass the rule that stands before all rules."""
    play = Playbook().master()
    assert play.at(6 * SECOND, FAREWELL) == [RELEASE] and play.state is State.BACKUP


@pytest.mark.parametrize("event", [FAREWELL, STRANGER])
def test_a_node_in_init_does_nothing_about_either(event: object) -> None:
    """As with every advertisement."""
    play = Playbook()
    assert play.at(100, event) == [] and play.state is State.INIT  # type: ignore[arg-type]


def test_a_farewell_moves_no_deadline_of_a_backup() -> None:
    """A winner is there, or its silence counts from what was heard before."""
    play = Playbook().listening()
    deadline = play.deadline
    assert play.at(100, FAREWELL) == [] and play.deadline == deadline


def test_a_first_contact_ends_a_silence_and_means_nothing_to_a_master() -> None:
    """It may be a replay: a bow-out or a better rank in it is not believed."""
    play = Playbook().listening()
    assert play.at(100, STRANGER) == [] and play.deadline == 100 + D
    master = Playbook().master()
    deadline = master.deadline
    assert master.at(100, STRANGER) == [] and master.deadline == deadline
