from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import Case
from tests.config.example import changed
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.config.timers import Timers
from wsa_proxy.config.timers import interval_table
from wsa_proxy.config.timers import is_interval
from wsa_proxy.config.timers import lowest_master_forgiven
from wsa_proxy.config.timers import lowest_priority
from wsa_proxy.config.timers import timers

CASES: list[Case] = [
    (
        "    interface: auto\n",
        "    interface: auto\n    advertisement_interval: 0.05\n",
        (
            "warning 9: groups[0].advertisement_interval: 0.05: below 1 s: only wsa-proxy and OpenBSD nodes can take "
            "part (no FreeBSD, pfSense, WSA or ucarp), and a backup takes over before the kernel of a frozen master "
            "has dropped the virtual IP (1 to 1.3 s)"
        ),
    ),
    (
        "priority: 255\n",
        "priority: 100\n    advertisement_interval: 0.5\n",
        (
            "10: groups[0].advertisement_interval: 0.5: does not fit priority 100: with an interval of 0.5 s the "
            "lowest usable priority is 129; with priority 100 the interval must be at most 0.386 or a whole number "
            "of seconds"
        ),
    ),
    (
        "priority: 255\n",
        "priority: 3\n    advertisement_interval: 0.05\n",
        (
            "10: groups[0].advertisement_interval: 0.05: does not fit priority 3: with an interval of 0.05 s the "
            "lowest usable priority is 14; with priority 3 the interval must be at most 0.007 or a whole number of "
            "seconds"
        ),
    ),
    (
        "priority: 255\n",
        "priority: 1\n    advertisement_interval: 0.01\n",
        (
            "10: groups[0].advertisement_interval: 0.01: does not fit priority 1: with an interval of 0.01 s the "
            "lowest usable priority is 4; with priority 1 the interval must be a whole number of seconds"
        ),
    ),
    (
        "priority: 255\n",
        "priority: 254\n    advertisement_interval: 0.999\n",
        (
            "10: groups[0].advertisement_interval: 0.999: does not fit priority 254: with an interval of 0.999 s no "
            "priority is usable; with priority 254 the interval must be at most 0.988 or a whole number of seconds"
        ),
    ),
    (
        "priority: 255\n",
        "priority: 15\n",
        (
            "warning 9: groups[0].priority: 15: gives advskew 240; 240 and more is what a demoted (unwell) node "
            "sends, and FreeBSD sends no more: such a node cannot be told from it; use a priority of 16 or more"
        ),
    ),
    (
        "handling: preemptive",
        "handling: non-preemptive",
        (
            "warning 9: groups[0].priority: 255: with non-preemptive this node can be the backup of a master of "
            "lower priority, which advertises less often: it takes over after 2 lost advertisements instead of 3"
        ),
    ),
]


@pytest.mark.parametrize(("old", "new", "lines"), CASES)
def test_each_is_told_precisely(tmp_path: Path, old: str, new: str, lines: str) -> None:
    """An interval or priority that does not fit, or is unwise, gives exactly the lines that help."""
    assert told(tmp_path, changed(old, new)) == lines


@pytest.mark.parametrize(
    ("interval_s", "priority", "advbase", "advskew"),
    [(1, 255, 1, 0), (1, 1, 1, 254), (255, 200, 255, 55), (0.05, 255, 0, 13), (0.05, 254, 0, 14), (0.5, 129, 0, 254)],
)
def test_words_become_fields(interval_s: float, priority: int, advbase: int, advskew: int) -> None:
    """advskew = 255 - priority; below one second advbase is 0 and the skew carries the interval too."""
    assert timers(interval_s, priority) == Timers(advbase, advskew)


def test_loading_translates(tmp_path: Path) -> None:
    """The settings have CARP's fields, and priority and port as written."""
    [group] = loaded(
        tmp_path, changed("255", "200") + "    advertisement_interval: 3\n    port: 3128\n"
    ).settings.groups
    assert (group.advbase, group.advskew, group.priority, group.port) == (3, 55, 200, 3128)
    assert loaded(tmp_path, GOOD).settings.groups[0].port == 8080


def test_lowest_priority_is_exact() -> None:
    """For every interval below one second the lowest usable priority fits, and the next lower one does not."""
    for thousandths in range(4, 1000):
        interval_s = thousandths / 1000
        lowest = lowest_priority(interval_s)
        fitting = [priority for priority in range(1, 256) if timers(interval_s, priority)]
        assert lowest == (min(fitting) if fitting else None)
        assert is_interval(interval_s)


def test_master_down_interval() -> None:
    """FreeBSD's formula from one second on, OpenBSD's below: 50 ms with priority 254 gives 164 ms."""
    assert Timers(1, 55).master_down_s == 3 + Fraction(55, 256)
    assert round(Timers(0, 14).master_down_s, 3) == 0.164


def test_losses_needed() -> None:
    """A backup forgives two losses of a fast enough master, and one of a slower one; the third takes it over."""
    assert Timers(1, 55).losses_needed(Timers(1, 0)) == 3
    assert Timers(1, 0).losses_needed(Timers(1, 55)) == 2
    assert lowest_master_forgiven(1, 200) == 237
    assert Timers(1, 55).losses_needed(Timers(1, 255 - 236)) == 2
    assert lowest_master_forgiven(1, 255) is None
    assert lowest_master_forgiven(0.05, 254) == 255


def test_table_of_intervals() -> None:
    """The table names the lowest usable priority for common intervals below one second."""
    assert [line.split() for line in interval_table()][1:4] == [["0.05", "14"], ["0.1", "27"], ["0.2", "52"]]
