from __future__ import annotations

import json
from dataclasses import astuple

from wsa_proxy.lab.fates import RECENT_MAX
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import Fates
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.fates import lost_between
from wsa_proxy.lab.fates import read


def fate(at_s: float, state: State, number: int = 1, place: str = "download 1") -> Fate:
    return Fate(at_s, place, number, state, "10.0.0.1", 7, 0.5, "")


def test_a_line_is_read_as_it_was_written() -> None:
    """The state as one of its kind, not as a text that only looks like it."""
    written = fate(1.5, State.RESET)
    again = read(json.dumps(astuple(written)))
    assert again == written and again.state is State.RESET and again.kind == "download"


def test_every_state_is_over_or_not_lost_or_not_and_told_only_if_lost() -> None:
    """What was done, or never open, is over and not lost; a silence is lost, and nobody told."""
    table = {state: (state.over, state.lost, state.told) for state in State}
    assert table == {
        State.OPENING: (False, False, False),
        State.RUNS: (False, False, False),
        State.DONE: (True, False, False),
        State.RESET: (True, True, True),
        State.CUT: (True, True, True),
        State.SILENT: (True, True, False),
        State.WRONG: (True, True, False),
        State.REFUSED: (True, False, False),
    }


def test_a_place_has_one_connection_after_the_other() -> None:
    """The newest news of it, since when it is open, and all that have ended in it."""
    fates = Fates()
    for each in (fate(1, State.OPENING), fate(2, State.RUNS), fate(3, State.CUT), fate(4, State.OPENING, 2)):
        fates.note(each)
    fates.note(fate(5, State.RUNS, place="tunnel 1"))
    assert [each.place for each in fates.newest()] == ["download 1", "tunnel 1"]
    assert fates.newest()[0] == fate(4, State.OPENING, 2)
    assert fates.began_s("download 1") == 4
    assert fates.ended() == [fate(3, State.CUT)]
    assert [each.at_s for each in fates.recent("download 1")] == [1, 2, 3, 4]


def test_what_is_remembered_of_a_place_is_bounded() -> None:
    """The live screen may run for days."""
    fates = Fates()
    for at_s in range(2 * RECENT_MAX):
        fates.note(fate(at_s, State.RUNS))
    assert [each.at_s for each in fates.recent("download 1")] == list(range(RECENT_MAX, 2 * RECENT_MAX))


def test_what_was_lost_belongs_to_the_window_of_its_end() -> None:
    """Its begin excluded, its end included; what was done is not lost."""
    ended = [fate(1, State.RESET), fate(2, State.CUT), fate(2, State.DONE), fate(3, State.SILENT), fate(4, State.RESET)]
    assert [each.at_s for each in lost_between(ended, 1, 3)] == [2, 3]
