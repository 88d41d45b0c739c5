"""Healthy standbys: how many there are, and the sentences when there is none, and again one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.members.redundancy import Candidate
from wsa_proxy.members.redundancy import Redundancy

MASTER = Candidate("a", True, "")
SPARE = Candidate("b", False, "")
SICK = Candidate("b", False, "out of descriptors")


@pytest.mark.parametrize(
    ("candidates", "standbys"),
    [
        ([MASTER], 0),
        ([MASTER, SPARE], 1),
        ([MASTER, SPARE, Candidate("c", False, "")], 2),
        ([MASTER, SICK], 0),
        ([MASTER, SICK, Candidate("c", False, "")], 1),
        ([Candidate("a", True, "demoted"), SPARE], 1),
        ([MASTER, Candidate("b", True, "")], 1),
        # Nobody is master yet: one of them will be.
        ([SPARE], 0),
        ([SPARE, Candidate("c", False, "")], 1),
        ([SPARE, Candidate("c", False, "in maintenance")], 0),
        ([SICK], 0),
        ([], 0),
    ],
)
def test_how_many_could_take_over(candidates: list[Candidate], standbys: int) -> None:
    """The master is none of them, a sick node neither."""
    redundancy = Redundancy(0.0)
    redundancy.look(candidates, 0.0)
    assert redundancy.standbys == standbys
    assert (redundancy.lost_since_s is None) is bool(standbys)
    assert bool(redundancy.why) is any(each.unfit and not each.is_master for each in candidates) or not standbys


def test_the_loss_is_said_once_and_the_return_once() -> None:
    """With the reason, and since when; the reason may change without another sentence."""
    redundancy = Redundancy(0.0)
    assert redundancy.look([MASTER, SPARE], 1.0) is None
    assert redundancy.look([MASTER, SICK], 2.0) == "no healthy standby: b: out of descriptors"
    assert redundancy.look([MASTER, Candidate("b", False, "last heard 3.0 s ago")], 3.0) is None
    assert (redundancy.lost_since_s, redundancy.why) == (2.0, "b: last heard 3.0 s ago")
    back = redundancy.look([MASTER, SPARE, Candidate("c", False, "")], 4.0)
    assert back == "there is a healthy standby again: b, c"
    assert (redundancy.lost_since_s, redundancy.why) == (None, "")
    assert redundancy.look([MASTER, SPARE], 5.0) is None
    assert redundancy.look([MASTER], 6.0) == "no healthy standby: no other member has been heard"
    assert redundancy.lost_since_s == 6.0


def test_everybody_has_a_reason() -> None:
    """All that could not take over are named; where there is nobody to name, that is said."""
    redundancy = Redundancy(0.0)
    text = redundancy.look([MASTER, SICK, Candidate("c", False, "never heard")], 1.0)
    assert text == "no healthy standby: b: out of descriptors; c: never heard"
    two = Redundancy(0.0)
    assert two.look([MASTER, Candidate("b", True, "")], 1.0) is None
    assert two.look([MASTER, Candidate("b", True, "")], 2.1) == "no healthy standby: every member is master"
    assert Redundancy(0.0).look([SPARE], 1.0) == "no healthy standby: no other member has been heard"


def test_a_takeover_is_no_loss() -> None:
    """Two masters, for a moment: each of them could follow the other; the next time counts anew."""
    redundancy = Redundancy(0.0)
    both = [MASTER, Candidate("b", True, "")]
    for began_s in (1.0, 5.0):
        assert redundancy.look(both, began_s) is None and redundancy.look(both, began_s + 0.9) is None
        assert redundancy.standbys == 1 and redundancy.lost_since_s is None
        assert redundancy.look([MASTER, SPARE], began_s + 1.0) is None


def test_at_the_start_nobody_is_missed_yet() -> None:
    """The others cannot have been heard; who is there counts at once, and is missed from then on as always."""
    redundancy = Redundancy(10.0)
    assert redundancy.look([MASTER], 9.9) is None and redundancy.lost_since_s is None
    assert redundancy.standbys == 0
    assert redundancy.look([MASTER], 10.0) == "no healthy standby: no other member has been heard"
    early = Redundancy(10.0)
    early.look([MASTER, SPARE], 1.0)
    assert early.standbys == 1 and early.look([MASTER, SPARE], 11.0) is None


@given(st.lists(st.booleans(), max_size=40))
def test_sentences_alternate(healthy: list[bool]) -> None:
    """Lost, back, lost, ... and never twice the same; each at the moment when it became so."""
    redundancy, before = Redundancy(0.0), True
    for now, is_healthy in enumerate(healthy):
        sentence = redundancy.look([MASTER, SPARE if is_healthy else SICK], float(now))
        if is_healthy is before:
            assert sentence is None
        else:
            assert sentence is not None and sentence.startswith("there is" if is_healthy else "no healthy standby")
            assert redundancy.lost_since_s == (None if is_healthy else now)
        before = is_healthy


def test_a_takeover_does_not_bring_it_back() -> None:
    """Two are master for a moment, of whom one may have died just now: who was alone is no better off."""
    redundancy = Redundancy(0.0)
    spare, taken_over = Candidate("a", False, "maintenance"), Candidate("a", True, "maintenance")
    assert redundancy.look([spare, Candidate("c", True, "")], 1.0) == "no healthy standby: a: maintenance"
    assert redundancy.look([taken_over, Candidate("c", True, "")], 2.0) is None
    assert redundancy.look([taken_over, Candidate("c", False, "last heard 2.7 s ago")], 4.0) is None
    assert (redundancy.standbys, redundancy.lost_since_s) == (0, 1.0)
    assert redundancy.look([taken_over, Candidate("c", False, "")], 5.0) == "there is a healthy standby again: c"
