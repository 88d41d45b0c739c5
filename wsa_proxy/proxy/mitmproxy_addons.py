"""What we use of mitmproxy's addon manager beyond its public API; the rest is in ``mitmproxy_internals.py``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any

from mitmproxy import ctx


def loaded_addons() -> list[object]:
    """All that are loaded now; a script that is loaded again is another object."""
    return list(ctx.master.addons.lookup.values())


def handlers(hook: str) -> dict[str, Callable[..., Any]]:
    """Name and handler of each addon that has one for this hook, as mitmproxy would find them."""
    found = {name: getattr(addon, hook, None) for name, addon in ctx.master.addons.lookup.items()}
    return {name: handler for name, handler in found.items() if callable(handler)}


class AddonErrorLog(logging.Filter):
    """Tells of each exception of an addon that mitmproxy has caught: the exception, and its traceback from the addon's
    own function on. Called where it was raised, in the same task; the record goes on to the log as it is."""

    def __init__(self, tell: Callable[[BaseException, TracebackType | None], None]) -> None:
        super().__init__()
        self._tell = tell

    def install(self) -> None:
        logging.getLogger("mitmproxy.addonmanager").addFilter(self)

    def uninstall(self) -> None:
        logging.getLogger("mitmproxy.addonmanager").removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            self._tell(record.exc_info[1], record.exc_info[2])
        return True


class CrashLog(logging.Filter):
    """Tells of each exception that mitmproxy's own layers have raised and that it has caught: the client's address and
    port, the exception, its traceback. Called where it was caught; the record goes on to the log as it is."""

    def __init__(self, tell: Callable[[tuple[Any, ...], BaseException, TracebackType | None], None]) -> None:
        super().__init__()
        self._tell = tell

    def install(self) -> None:
        logging.getLogger("mitmproxy.proxy.server").addFilter(self)

    def uninstall(self) -> None:
        logging.getLogger("mitmproxy.proxy.server").removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        client = getattr(record, "client", None)
        if client is not None and isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            self._tell(client, record.exc_info[1], record.exc_info[2])
        return True
