"""Keeps tornado's remarks about requests out of mitmproxy's log: whoever can connect could fill it."""

from __future__ import annotations

import logging

GENERAL = logging.getLogger("tornado.general")


class _AtDebug(logging.Filter):
    """What comes through is said at level DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        return True


_at_debug = _AtDebug()


def quietly(quiet: bool) -> None:
    """From now on, or no more."""
    if quiet:
        GENERAL.addFilter(_at_debug)
    else:
        GENERAL.removeFilter(_at_debug)
