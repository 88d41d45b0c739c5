"""A period of maintenance ends when it should, whatever happens to the clocks, and is read as it was written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.maintenance_period import DURATION_S_MAX
from wsa_proxy.runtime.maintenance_period import Period
from wsa_proxy.runtime.maintenance_period import begun
from wsa_proxy.runtime.maintenance_period import duration_s
from wsa_proxy.runtime.maintenance_period import period
from wsa_proxy.runtime.maintenance_period import wall
from wsa_proxy.runtime.node_demotion import one_line


@dataclass
class Time:
    """The two clocks of a host."""

    boot_s: float = 1000.0
    wall_s: float = 2e8
    boot: str = "boot"

    @property
    def clocks(self) -> Clocks:
        return Clocks(lambda: self.boot_s, lambda: self.boot_s * 1000, lambda: self.wall_s * 1000, self.boot)

    def go_on(self, seconds: float) -> None:
        self.boot_s += seconds
        self.wall_s += seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("30s", 30),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("7d", DURATION_S_MAX),
        ("168h", DURATION_S_MAX),
        ("604800s", DURATION_S_MAX),
        ("0s", None),
        ("8d", None),
        ("604801s", None),
        ("169h", None),
        ("", None),
        ("30", None),
        ("m", None),
        ("1.5h", None),
        ("-1s", None),
        ("1 h", None),
        ("1h30m", None),
        ("1w", None),
        ("30M", None),
        ("1h\n", None),
        ("\u0663s", None),
        ("9999999999s", None),
    ],
)
def test_durations(text: str, seconds: int | None) -> None:
    """From a second to a week."""
    assert duration_s(text) == seconds


def test_it_lasts_as_long_as_was_asked_for() -> None:
    """By both clocks; it never lasts less than nothing."""
    time = Time()
    ordered = begun("x", 1800, time.clocks)
    assert ordered.since == wall(time.clocks) and ordered.until - ordered.since == timedelta(minutes=30)
    assert ordered.left_s(time.clocks) == 1800
    time.go_on(1799)
    assert ordered.left_s(time.clocks) == 1
    time.go_on(2)
    assert ordered.left_s(time.clocks) == 0


def test_a_wall_clock_that_is_set_back_prolongs_nothing() -> None:
    """Within one boot the other clock knows better."""
    time = Time()
    ordered = begun("x", 1800, time.clocks)
    time.go_on(600)
    time.wall_s -= 86400
    assert ordered.left_s(time.clocks) == 1200
    time.wall_s += 86400 + 1100
    assert ordered.left_s(time.clocks) == 100  # the earlier end counts


def test_after_the_host_was_started_anew_the_wall_clock_counts() -> None:
    """What the other clock says there is of another beginning: before its end or beyond it."""
    time = Time()
    ordered = begun("x", 1800, time.clocks)
    time.go_on(600)
    for boot_s in (3.0, 1e6):
        time.boot, time.boot_s = "another", boot_s
        assert ordered.left_s(time.clocks) == 1200
    time.wall_s -= 86400  # its battery is empty: as long as was asked for, not a day more
    assert ordered.left_s(time.clocks) == 1800


def test_whoever_takes_it_over_into_a_new_boot_holds_it_there_as_well() -> None:
    """From then on a wall clock that is set back prolongs nothing there, either."""
    time = Time()
    ordered = begun("x", 1800, time.clocks)
    assert ordered.in_this_boot(time.clocks) is ordered
    time.go_on(600)
    time.boot, time.boot_s = "another", 3.0
    here = ordered.in_this_boot(time.clocks)
    assert (here.until, here.boot, here.until_s) == (ordered.until, "another", 1203.0)
    time.go_on(600)
    time.wall_s -= 86400
    assert here.left_s(time.clocks) == 600


WRITTEN: dict[str, Any] = {
    "reason": "kernel update",
    "since": "2026-05-01T10:00:00+00:00",
    "until": "2026-05-01T10:30:00.250000+00:00",
    "boot": "boot",
    "until_boottime_s": 2800.25,
}


def test_the_form_of_the_file_is_the_one_that_earlier_versions_wrote() -> None:
    """A node of the next version comes back as its file says."""
    since, until = datetime(2026, 5, 1, 10, tzinfo=UTC), datetime(2026, 5, 1, 10, 30, 0, 250_000, UTC)
    ordered = Period("kernel update", since, until, "boot", 2800.25)
    assert ordered.document() == WRITTEN and period(WRITTEN | {"later": "versions say more"}) == ordered


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2110, 1, 1), timezones=st.just(UTC))
REASONS = st.text(min_size=1).map(one_line).filter(lambda line: line is not None)


@given(
    REASONS,
    MOMENTS,
    st.timedeltas(timedelta(microseconds=1), timedelta(seconds=DURATION_S_MAX)),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.floats(0, 1e10),
)
def test_what_was_written_is_read(reason: str, since: datetime, lasts: timedelta, boot: str, until_s: float) -> None:
    """Exactly, through the JSON of the file."""
    ordered = Period(reason, since, since + lasts, boot, until_s)
    assert period(json.loads(json.dumps(ordered.document()))) == ordered


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(list(WRITTEN.values())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(WRITTEN)), inner, max_size=5),
    max_leaves=8,
)
ONE_WRONG = st.tuples(st.sampled_from(list(WRITTEN)), JSON).map(lambda wrong: WRITTEN | {wrong[0]: wrong[1]})


@given(JSON | ONE_WRONG)
def test_anything_else_in_a_file_is_refused_or_makes_sense(document: Any) -> None:
    """By three errors and no other; what is accepted ends within a week on any clock."""
    time = Time()
    try:
        ordered = period(document)
    except (ValueError, TypeError, KeyError):
        return
    assert 0 <= ordered.left_s(time.clocks) <= DURATION_S_MAX and one_line(ordered.reason) == ordered.reason
    here = ordered.in_this_boot(time.clocks)
    time.wall_s = 0.0
    time.boot_s += DURATION_S_MAX
    assert here.left_s(time.clocks) == 0 or here is ordered


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": ""},
        {"reason": " x"},
        {"reason": ["x"]},
        {"since": "2026-05-01T10:00:00"},
        {"since": "2026-05-01T12:00:00+02:00"},
        {"since": 1},
        {"until": "2026-05-01T10:00:00+00:00"},
        {"until": "2026-05-08T10:00:01+00:00"},
        {"until": "tomorrow"},
        {"boot": None},
        {"until_boottime_s": "2800"},
        {"until_boottime_s": float("nan")},
        {"until_boottime_s": float("inf")},
        {"until_boottime_s": 10**400},
    ],
)
def test_each_value_must_make_sense(wrong: dict[str, Any]) -> None:
    """One wrong value, and nothing of it is believed."""
    with pytest.raises((ValueError, TypeError)):
        period(WRITTEN | wrong)


def test_no_value_may_be_missing() -> None:
    for name in WRITTEN:
        with pytest.raises(KeyError):
            period({other: value for other, value in WRITTEN.items() if other != name})
