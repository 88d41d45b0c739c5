"""The clocks: two that nobody sets, one that everybody may, and the name of the boot that they belong to."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from wsa_proxy.runtime import clocks


def test_the_clocks_go_on_and_agree_about_a_moment() -> None:
    """Read one after the other, each is between two readings of the kernel's own."""
    now = clocks.host_clocks()
    before_s, before_ms = time.clock_gettime(time.CLOCK_BOOTTIME), clocks.seal_ms()
    assert before_s <= now.now_s() <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before_ms <= now.seal_ms() <= clocks.seal_ms()


def test_the_seals_clock_is_the_raw_one_and_counts_suspend(monkeypatch: pytest.MonkeyPatch) -> None:
    """CLOCK_MONOTONIC_RAW, and what CLOCK_BOOTTIME has more than CLOCK_MONOTONIC."""
    readings = {time.CLOCK_MONOTONIC_RAW: 5_000_000, time.CLOCK_BOOTTIME: 109_000_000, time.CLOCK_MONOTONIC: 9_000_000}
    monkeypatch.setattr(time, "clock_gettime_ns", readings.__getitem__)
    assert clocks.seal_ms() == 105.0


def test_the_wall_clock_counts_from_2020(monkeypatch: pytest.MonkeyPatch) -> None:
    """1577836800 is 2020-01-01 UTC (date --utc --date=2020-01-01 +%s)."""
    monkeypatch.setattr(time, "time", lambda: 1577836800.5)
    assert clocks.wall_ms() == 500.0


def test_a_boot_has_a_name_and_an_unknown_one_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for every process of this boot; where the kernel does not tell, times of a file mean nothing."""
    assert clocks.boot() == clocks.boot() and len(clocks.boot()) > 30
    monkeypatch.setattr(clocks, "_BOOT_ID", Path("/nowhere"))
    assert clocks.boot() != clocks.boot()
