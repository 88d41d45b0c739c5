from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.lab.outage import Gap
from wsa_proxy.lab.outage import Sample
from wsa_proxy.lab.outage import failures
from wsa_proxy.lab.outage import last_server
from wsa_proxy.lab.outage import longest_gap
from wsa_proxy.lab.outage import steady


def success(end_s: float, server: str = "10.0.0.1", start_s: float | None = None) -> Sample:
    start_s = end_s - 0.004 if start_s is None else start_s
    return Sample(start_s, start_s, end_s, ok=True, server=server, error="")


def failure(end_s: float) -> Sample:
    return Sample(end_s - 1, end_s - 1, end_s, ok=False, server="", error="no answer in 1 s")


def test_the_gap_begins_with_the_last_success_before_the_fault() -> None:
    """A fault just after a success does not hide the time since that success."""
    samples = [success(0.99), success(1.0), success(4.5), success(4.51)]
    assert longest_gap(samples, 1.2, 6.0) == Gap(1.0, 4.5, closed=True)


def test_the_gap_ends_with_the_window() -> None:
    """What lasts longer is the next fault's: a kill must not be counted for the start that came before it."""
    assert longest_gap([success(1.0), success(9.0)], 2.0, 6.0) == Gap(1.0, 6.0, closed=True)
    assert longest_gap([success(1.0), success(5.99), success(9.0)], 1.5, 6.0).duration_s == pytest.approx(4.99)
    assert longest_gap([success(5.98), success(5.99), success(9.0)], 5.98, 6.0).duration_s < 0.02


def test_a_service_that_never_came_back_has_an_open_gap() -> None:
    """Without a success after the fault the gap lasts until the end of the window and says that it is open."""
    assert longest_gap([success(1.0)], 1.5, 6.0) == Gap(1.0, 6.0, closed=False)
    assert longest_gap([], 1.5, 6.0) == Gap(1.5, 6.0, closed=False)


def test_a_late_failure_does_not_shorten_a_gap() -> None:
    """Only successes end a gap."""
    assert longest_gap([success(1.0), failure(2.0), success(3.0)], 1.0, 3.0).duration_s == 2.0


def test_order_of_completion_counts_not_order_of_arrival() -> None:
    """Requests overlap, so samples may come in any order."""
    assert longest_gap([success(3.0), success(1.0), success(2.5)], 1.0, 3.0) == Gap(1.0, 2.5, closed=True)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=50))
def test_the_longest_gap_is_the_greatest_difference_of_neighbours(ends: list[float]) -> None:
    """Over a window that holds all successes, the answer equals the plain definition."""
    ends = sorted(ends)
    expected = max(later - earlier for earlier, later in itertools.pairwise(ends))
    assert longest_gap(map(success, ends), ends[0], ends[-1]).duration_s == expected


def test_a_failure_belongs_to_the_window_in_which_it_became_known() -> None:
    """No failure is counted for two faults."""
    samples = [failure(1.0), failure(2.0), success(2.5)]
    assert failures(samples, 0.0, 1.0) == [samples[0]]
    assert failures(samples, 1.0, 2.0) == [samples[1]]


def test_the_last_server_is_the_one_that_completed_last() -> None:
    """Who took over is who serves at the end, not who was quickest."""
    samples = [success(2.0, "10.0.0.2"), success(1.0, "10.0.0.1"), failure(3.0)]
    assert last_server(samples, 0.0, 3.0) == "10.0.0.2"
    assert last_server(samples, 2.0, 3.0) is None


def test_a_service_is_not_back_before_the_fault_can_have_been_noticed() -> None:
    """Right after a fault the last second is still full of successes: they prove nothing."""
    samples = [success(each / 100) for each in range(1000, 1100)]
    assert not steady(samples, since_s=10.9, now_s=11.0, span_s=1.0, successes_min=5)


def test_a_service_is_back_when_for_the_span_nothing_failed_and_enough_succeeded() -> None:
    """One failure within the span, or too few successes, or only requests from before the fault: not yet."""
    samples = [success(each / 100) for each in range(1200, 1300)]
    assert steady(samples, since_s=10.0, now_s=13.0, span_s=1.0, successes_min=20)
    assert not steady([*samples, failure(12.1)], since_s=10.0, now_s=13.0, span_s=1.0, successes_min=20)
    assert not steady(samples[:19], since_s=10.0, now_s=13.0, span_s=1.0, successes_min=20)
    from_before = [success(12.5, start_s=9.9) for _ in range(30)]
    assert not steady(from_before, since_s=10.0, now_s=13.0, span_s=1.0, successes_min=20)
