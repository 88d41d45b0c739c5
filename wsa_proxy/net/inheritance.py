"""Which programs have the rights of this process: its guardian, and no other that it starts.

A unit gives a node its two rights as ambient capabilities (capabilities(7)): an ordinary user has no other way to get
them. Whatever the node starts would have them as well: the command of ``notify``, what another addon runs. So the node
gives up what is inherited, not what it may do, and takes it back for the moment in which the guardian is started. What
root starts has root's rights all the same.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_LIBC = ctypes.CDLL(None)
_PR_CAP_AMBIENT = 47  # from linux/prctl.h, as these
_IS_SET, _RAISE, _LOWER = 1, 2, 3
_CAPABILITIES_MAX = 64

_kept: list[int] = []
"""By number: what was ambient."""


def keep_rights() -> None:
    """From now on, in this thread and in those that it begins. Harmless when repeated, and without such rights."""
    for capability in range(_CAPABILITIES_MAX):
        # What could not be raised again (a securebit says so) stays: the guardian needs it more.
        if _ambient(_IS_SET, capability) == 1 and _ambient(_RAISE, capability) == 0:
            _ambient(_LOWER, capability)
            _kept.append(capability)


@contextmanager
def handed_on() -> Iterator[None]:
    """What this thread starts inside has the rights that were there before ``keep_rights``."""
    for capability in _kept:
        _ambient(_RAISE, capability)
    try:
        yield
    finally:
        for capability in _kept:
            _ambient(_LOWER, capability)


def _ambient(operation: int, capability: int) -> int:
    """What prctl(2) answers; -1: refused, or no such capability."""
    return int(_LIBC.prctl(_PR_CAP_AMBIENT, operation, capability, 0, 0))
