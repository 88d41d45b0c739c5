"""The arithmetic of the election, against the numbers that the BSDs and ucarp show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.carp import election
from wsa_proxy.carp.election import Rank
from wsa_proxy.carp.election import outranks

ranks = st.builds(Rank, st.integers(0, 255), st.integers(1, 65535))


@given(ranks, ranks, ranks)
def test_outranks_is_a_strict_total_order(one: Rank, two: Rank, three: Rank) -> None:
    """Irreflexive, asymmetric, transitive, and of two different ranks one is better: an election always ends."""
    assert not outranks(one, one)
    assert outranks(one, two) + outranks(two, one) == (one != two)
    if outranks(one, two) and outranks(two, three):
        assert outranks(one, three)


def test_health_counts_before_speed() -> None:
    """A well node of the lowest priority relieves an unwell one of the highest (OpenBSD)."""
    assert outranks(Rank(0, 256 + 254), Rank(1, 256))
    assert outranks(Rank(1, 65535), Rank(2, 1))


def test_the_faster_advertiser_is_the_better_master() -> None:
    """Whether by advskew or by advbase: they are one number."""
    assert outranks(Rank(0, election.interval_256ths(1, 0)), Rank(0, election.interval_256ths(1, 1)))
    assert outranks(Rank(0, election.interval_256ths(1, 254)), Rank(0, election.interval_256ths(2, 0)))


@pytest.mark.parametrize(
    ("advbase", "advskew", "interval_s", "master_down_s"),
    [
        (1, 0, 1.0, 3.0),  # ucarp's first start alone: 3.00 s
        (1, 100, 1.390625, 3.390625),  # FreeBSD's default backup: 3.39 s
        (1, 55, 1.21484375, 3.21484375),
        (3, 240, 3.9375, 9.9375),
        (255, 254, 255.9921875, 765.9921875),
        (0, 64, 0.25, 0.75),  # below one second the factor 3 covers advskew, too (OpenBSD)
        (0, 13, 13 / 256, 39 / 256),
        (0, 0, 1 / 256, 3 / 256),
    ],
)
def test_intervals(advbase: int, advskew: int, interval_s: float, master_down_s: float) -> None:
    """Exact: 1/256 s is exact in binary."""
    assert election.interval_s(advbase, advskew) == interval_s
    assert election.master_down_s(advbase, advskew) == master_down_s


@given(st.integers(0, 255), st.integers(0, 254))
def test_three_advertisements_fit_into_the_master_down_interval_of_equals(advbase: int, advskew: int) -> None:
    """At advskew 0 exactly three; never fewer than two and a bit."""
    ratio = election.master_down_s(advbase, advskew) / election.interval_s(advbase, advskew)
    assert 2.0 < ratio <= 3.0


@pytest.mark.parametrize(("advskew", "expected"), [(0, 240), (100, 240), (240, 240), (241, 241), (254, 254)])
def test_a_demoted_node_says_at_least_240(advskew: int, expected: int) -> None:
    """And never less than what it says in health."""
    assert election.effective_advskew(1, advskew, 1) == election.effective_advskew(1, advskew, 255) == expected
    assert election.effective_advskew(1, advskew, 0) == advskew
    assert election.effective_advskew(0, advskew, 1) == advskew, "below one second the demotion byte alone says it"


def test_a_hopeless_master_is_slower_than_our_patience() -> None:
    """3 * advbase + advskew/256 is the last interval that is not hopeless."""
    limit = 3 * 256 + 100
    assert not election.is_hopeless(1, 100, limit)
    assert election.is_hopeless(1, 100, limit + 1)
    assert election.is_hopeless(85, 0, 255 * 256 + 255)  # the bow-out, by the same rule, up to advbase 85
    assert not election.is_hopeless(86, 0, 255 * 256 + 255)
    assert not election.is_hopeless(0, 13, 65535)


@pytest.mark.parametrize(
    ("interval_256ths", "tie_break", "again", "wait_s"),
    [
        (256, 0, False, 0.0),
        (256, 0, True, 0.0),
        (256, 128, False, 0.1),
        (256, 128, True, 2.1),
        (512, 64, False, 0.1),
        (306, 20, True, 2 * 306 / 256 + 306 / 256 / 64),
    ],
)
def test_the_wait_after_a_tie(interval_256ths: int, tie_break: int, again: bool, wait_s: float) -> None:
    """A share of a fifth of the interval, by the address; after a second tie in a row, two intervals more."""
    assert election.tie_wait_s(interval_256ths, tie_break, again=again) == pytest.approx(wait_s)
