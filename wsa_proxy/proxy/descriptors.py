"""File descriptors: how many this process has left, and as many as it may have."""

from __future__ import annotations

import contextlib
import os
import resource


def raise_limit() -> None:
    """Allow this process as many as the system lets it have. mitmproxy calls epoll, which has no limit of its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a filter of system calls forbids it: then with what there is
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def left() -> int:
    """How many more can be opened. 1.5 microseconds, however many there are."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, soft - (_count() or _lowest_free(soft)))


def _count() -> int:
    """The size of this folder is the number of open descriptors from Linux 6.2 on, and 0 before."""
    try:
        return os.stat("/proc/self/fd").st_size
    except OSError:
        return 0


def _lowest_free(soft: int) -> int:
    """A new descriptor gets the lowest free number; what is open above it, after many were closed, is not counted."""
    try:
        probe = os.dup(0)
    except OSError:
        return soft
    os.close(probe)
    return probe
