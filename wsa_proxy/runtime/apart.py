"""Groups do not touch each other: what is done to all of them goes on when one of them fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)


@contextmanager
def apart(vhid: int, task: str) -> Iterator[None]:
    """A failure in the block is this group's alone, and told."""
    try:
        yield
    except Exception:
        logger.exception("carp vhid=%d failed to %s", vhid, task)
