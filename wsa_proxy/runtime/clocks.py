"""The clocks of this host, read here and nowhere else; everybody is given a ``Clocks``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

EPOCH_2020_S = 1_577_836_800
"""2020-01-01 UTC, from which a seal counts."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_NAMESPACE = "/proc/self/ns/time"


@dataclass(frozen=True, slots=True)
class Clocks:
    """What a node needs to know of the time."""

    now_s: Callable[[], float]
    """Monotonic seconds that go on during suspend."""
    seal_ms: Callable[[], float]
    """Monotonic milliseconds of a clock that nobody slews and that goes on during suspend."""
    wall_ms: Callable[[], float]
    """Milliseconds since 2020-01-01 UTC, as right as the host's clock."""
    boot: str
    """Another one whenever the monotonic clocks have started anew."""


def boottime_s() -> float:
    """Monotonic seconds that count suspend too: a laptop lid or a paused host must not look like a short moment."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def seal_ms() -> float:
    """CLOCK_BOOTTIME without the slewing: chrony may run CLOCK_MONOTONIC and CLOCK_BOOTTIME 8 % faster or slower, and
    every advertisement of the others would soon be too old."""
    suspended_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return (time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW) + suspended_ns) / 1e6


def wall_ms() -> float:
    """The wall clock, from 2020 on."""
    return (time.time() - EPOCH_2020_S) * 1000


def boot() -> str:
    """The kernel's name for this boot, with the time namespace: a container may have clocks of its own. Where the
    kernel does not tell, each process has a boot of its own."""
    try:
        return f"{_BOOT_ID.read_text().strip()} {os.readlink(_TIME_NAMESPACE)}"
    except OSError:
        return f"unknown {os.getpid()} {time.time_ns()}"


def host_clocks() -> Clocks:
    """Those of this host."""
    return Clocks(boottime_s, seal_ms, wall_ms, boot())
