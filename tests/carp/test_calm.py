"""How long a better backup endures an inferior master: the reckoning by itself, by the rules in ``calm.py``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from wsa_proxy.carp.calm import Calm
from wsa_proxy.carp.commands import ReportWait
from wsa_proxy.carp.host_settings import VirtualHostSettings


def settings_of(delay_s: float, most_s: float = 60.0) -> VirtualHostSettings:
    """Of a node with this delay."""
    return VirtualHostSettings(1, 1, 0, True, (4,), preempt_delay_s=delay_s, preempt_delay_max_s=most_s)


def test_the_delay_doubles_with_each_role_change_but_the_first() -> None:
    """2, 2, 4, 8, 16, 32, and then the limit."""
    reckoning, delays_s = Calm(settings_of(2.0, 40.0)), []
    for now in range(8):
        delays_s.append(reckoning.delay_s(now))
        assert reckoning.role_changes(now) == now
        reckoning.role_changed(now)
    assert delays_s == [2, 2, 4, 8, 16, 32, 40, 40]


def test_what_follows_after_a_minute_is_no_succession() -> None:
    """At 60 s to the moment; then everything begins anew."""
    reckoning = Calm(settings_of(2.0))
    for now in (0.0, 59.75, 119.5):
        reckoning.role_changed(now)
    assert reckoning.role_changes(179.25) == 3 and reckoning.delay_s(179.25) == 8
    assert reckoning.role_changes(179.5) == 0 and reckoning.delay_s(179.5) == 2
    reckoning.role_changed(179.5)
    assert reckoning.role_changes(180.0) == 1 and reckoning.delay_s(180.0) == 2


def test_four_delays_are_quick_where_they_are_longer_than_a_minute() -> None:
    """A node that fails a while after each return was not calm while it waited for that."""
    reckoning = Calm(settings_of(30.0, 100.0))
    reckoning.role_changed(0.0)
    reckoning.role_changed(119.9)
    assert reckoning.delay_s(119.9 + 239.9) == 60
    reckoning.role_changed(119.9 + 239.9)
    assert reckoning.delay_s(359.8 + 399.9) == 100
    assert reckoning.delay_s(359.8 + 400.1) == 30


def test_the_succession_may_end_within_a_wait() -> None:
    """Five changes at 0 make 32 s, and quick is 128 s then. Who comes back late waits until that has passed, if it is
    sooner; but for ``preempt_delay`` at least."""
    reckoning = Calm(settings_of(2.0))
    for _ in range(5):
        reckoning.role_changed(0.0)
    for came_s, due_s in ((57.0, 89.0), (96.0, 128.0), (110.0, 128.0), (126.0, 128.0), (127.0, 129.0), (500.0, 502.0)):
        reckoning.begin(came_s)
        assert reckoning.due_s == due_s


def test_a_delay_of_nothing_stays_nothing() -> None:
    """However often the roles change."""
    reckoning = Calm(settings_of(0.0))
    for now in range(3000):
        reckoning.role_changed(now)
        reckoning.begin(now)
        assert reckoning.due_s == now and reckoning.delay_s(now) == 0.0


def test_thousands_of_role_changes_are_no_more_than_the_limit() -> None:
    """Doubling has an end before floats have one."""
    reckoning = Calm(settings_of(0.001, 3600.0))
    for now in range(3000):
        reckoning.role_changed(now)
    assert reckoning.delay_s(3000) == 3600


def test_a_limit_below_the_delay_does_not_shorten_it() -> None:
    assert Calm(settings_of(100.0, 60.0)).delay_s(0.0) == 100


@settings(max_examples=300, derandomize=True, database=None)
@given(
    delay_s=st.floats(0.001, 3600.0),
    most_s=st.floats(0.001, 3600.0),
    changes_s=st.lists(st.floats(0.0, 1000.0), max_size=30).map(sorted),
    came_s=st.floats(0.0, 2000.0),
)
def test_no_wait_is_shorter_than_the_delay_or_longer_than_the_limit(
    delay_s: float, most_s: float, changes_s: list[float], came_s: float
) -> None:
    """Whatever has happened; and the wait that is told is one that ends."""
    reckoning = Calm(settings_of(delay_s, most_s))
    for at_s in changes_s:
        reckoning.role_changed(at_s)
    now = max([came_s, *changes_s])
    reckoning.begin(now)
    told = reckoning.endure(now)
    assert isinstance(told[0], ReportWait) and told[0].wait_s == reckoning.due_s - now
    assert delay_s - 1e-9 <= told[0].wait_s <= max(delay_s, most_s) + 1e-9
    assert told[0].role_changes <= len(changes_s)
