"""The first of a thousand clients is not served after the last, and nobody waits for a loop that has nothing to do."""

from __future__ import annotations

import pytest

from wsa_proxy.proxy.accept_pace import AT_ONCE
from wsa_proxy.proxy.accept_pace import FIRST_PER_S
from wsa_proxy.proxy.accept_pace import LEAST_PER_S
from wsa_proxy.proxy.accept_pace import TURN_LONG_S
from wsa_proxy.proxy.accept_pace import TURN_SHORT_S
from wsa_proxy.proxy.accept_pace import AcceptPace

ASKS_EACH_TURN = 4


def taken(pace: AcceptPace, from_s: float, to_s: float, turn_s: float) -> int:
    """How many a loop with turns of this length takes of clients that never end, between these moments."""
    count, last_turn_s, now_s = 0, None, from_s
    while now_s < to_s:
        pace.begin_turn(now_s, last_turn_s)
        for _ in range(ASKS_EACH_TURN):
            if pace.allows:
                pace.taken()
                count += 1
        last_turn_s = turn_s
        now_s += turn_s
    return count


def test_what_a_browser_opens_waits_for_nothing() -> None:
    """So many are taken in as many turns as it takes to ask for them."""
    assert taken(AcceptPace(), 100.0, 100.004, 0.001) == AT_ONCE


def test_a_burst_begins_slowly_however_quick_the_loop_is() -> None:
    """Turns are short at first, whatever is to come: those who are taken have not asked for anything yet."""
    assert taken(AcceptPace(), 100.0, 100.1, 0.001) <= AT_ONCE + FIRST_PER_S * 0.1 + 1


def test_a_loop_that_only_waits_takes_everybody() -> None:
    """A thousand who say nothing, or whose servers are slow, are all taken in the first second or two."""
    assert taken(AcceptPace(), 100.0, 101.5, 0.001) > 1000


def test_a_loop_with_enough_to_do_still_takes_some() -> None:
    """No fewer than the least, whatever it is busy with, and not more than a few above it."""
    pace = AcceptPace()
    taken(pace, 100.0, 101.0, 0.2)
    seconds = 20.0
    assert LEAST_PER_S * 0.6 * seconds <= taken(pace, 101.0, 101.0 + seconds, 0.2) <= LEAST_PER_S * 1.1 * seconds


@pytest.mark.parametrize("turn_s", [TURN_SHORT_S * 1.1, TURN_LONG_S * 0.9])
def test_between_short_and_long_the_pace_stays(turn_s: float) -> None:
    """What it has grown to in the first second."""
    pace = AcceptPace()
    taken(pace, 100.0, 100.3, TURN_SHORT_S * 0.9)
    before = taken(pace, 100.3, 102.3, turn_s)
    assert taken(pace, 102.3, 104.3, turn_s) == pytest.approx(before, abs=AT_ONCE + 1)


def test_after_a_quiet_second_it_begins_anew() -> None:
    """What a busy hour has taught says nothing of the next burst, and neither does what an idle one has."""
    for turn_s in (0.001, 0.2):
        pace = AcceptPace()
        taken(pace, 100.0, 105.0, turn_s)
        assert taken(pace, 107.0, 107.1, 0.005) == taken(AcceptPace(), 107.0, 107.1, 0.005)


def test_a_pause_shorter_than_that_is_no_new_beginning() -> None:
    """Clients come and go in every second: what is known of the loop is kept."""
    pace = AcceptPace()
    taken(pace, 100.0, 105.0, 0.2)
    assert taken(pace, 105.5, 105.59, 0.005) < taken(AcceptPace(), 105.5, 105.59, 0.005)


def test_whoever_is_not_taken_knows_when_to_come_back() -> None:
    """Not before, and not later."""
    pace = AcceptPace()
    taken(pace, 100.0, 100.004, 0.001)
    assert not pace.allows
    now_s = 100.004
    pace.begin_turn(now_s, None)
    wait_s = pace.wait_s
    pace.begin_turn(now_s + 0.9 * wait_s, None)
    assert not pace.allows
    pace.begin_turn(now_s + 1.001 * wait_s, None)
    assert pace.allows
