"""Whom the kernel ends first if memory runs out: this process, whose guardian then gives the addresses up.

A process begins with the score of the one that starts it. So this process has the score that it was given while it
starts a guardian, and a higher one otherwise. Neither takes a privilege: the kernel refuses only a score below the last
that a privileged process has set (proc_pid_oom_score_adj(5)).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

OOM_SCORE_ADJ = Path("/proc/self/oom_score_adj")
ABOVE = 100
ADJ_MAX = 1000


class OomScore:
    """Of this process; what it was given counts from here on."""

    def __init__(self) -> None:
        self._given = self._present()

    @contextmanager
    def given(self) -> Iterator[None]:
        """A process that is started in this block is ended after this one; the log says what the kernel refuses."""
        self._set(self._given)
        try:
            yield
        finally:
            if self._given is not None:
                self._set(min(max(0, self._given + ABOVE), ADJ_MAX))

    def _present(self) -> int | None:
        try:
            return int(OOM_SCORE_ADJ.read_text())
        except (OSError, ValueError) as error:
            _warn(error)
            return None

    def _set(self, score: int | None) -> None:
        if score is None:
            return
        try:
            OOM_SCORE_ADJ.write_text(str(score))
        except OSError as error:
            _warn(error)


def _warn(error: Exception) -> None:
    logger.warning("failover: the guardian may be ended before the proxy if memory runs out: %s", error)
