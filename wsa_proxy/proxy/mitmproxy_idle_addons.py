"""Most addons have nothing to do with most hooks, and mitmproxy prepares a call of each one of them all the same.

Of mitmdump's 36 addons a few have a handler for a hook; for each of the others mitmproxy makes a context manager, a
coroutine and a generator before it finds nothing. Here it looks first, each time anew: nothing is remembered, so
addons, scripts and their handlers may come and go as they like. Who may have something to do is called by mitmproxy's
own ``invoke_addon``, in the same order and with the same consequences.

That replaces two methods of mitmproxy's addon manager, which is right only for the code that was read (12.2.3, 12.3.1).
Where it is another one, or somebody else has replaced them, all stays as it is.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Callable
from collections.abc import Iterator

from mitmproxy import addonmanager
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addonmanager import safecall
from mitmproxy.exceptions import AddonHalt
from mitmproxy.hooks import Hook

logger = logging.getLogger(__name__)

READ_SHA256 = "4f283def6c6590d16bb10122e491faf6425e05c57ed850d78082ee67548ac73b"
"""Of the text of what decides which addons are called, in the order of ``_decides``."""


class IdleAddons:
    """Passed over between ``install`` and ``uninstall``."""

    def __init__(self, manager: AddonManager) -> None:
        self._manager = manager
        self._installed = False

    def install(self) -> bool:
        """Whether they are from now on; if not, all of them are asked at each hook, as always."""
        free = not {"trigger_event", "trigger"} & vars(self._manager).keys()
        if type(self._manager) is AddonManager and free and digest() == READ_SHA256:
            self._manager.trigger_event = self._trigger_event  # type: ignore[method-assign]
            self._manager.trigger = self._trigger  # type: ignore[method-assign]
            self._installed = True
        else:
            logger.info("failover: this mitmproxy has a way to its addons that is not known here; it stays as it is")
        return self._installed

    def uninstall(self) -> None:
        """Harmless when repeated."""
        if self._installed:
            self._installed = False
            del self._manager.trigger_event, self._manager.trigger

    async def _trigger_event(self, event: Hook) -> None:
        for addon in self._concerned(event.name):
            try:
                with safecall():
                    await self._manager.invoke_addon(addon, event)
            except AddonHalt:
                return

    def _trigger(self, event: Hook) -> None:
        for addon in self._concerned(event.name):
            try:
                with safecall():
                    self._manager.invoke_addon_sync(addon, event)
            except AddonHalt:
                return

    def _concerned(self, hook: str) -> Iterator[object]:
        """In which, or in those inside of which, mitmproxy may find something to call or to complain of. Each is looked
        at when it is its turn, and without a call: 36 of them at each of eight hooks of a request."""
        for addon in self._manager.chain:
            try:
                if not getattr(addon, hook, None) and not hasattr(addon, "addons"):
                    continue
            except Exception:  # it will raise again where mitmproxy asks, who logs it
                pass
            yield addon


def digest() -> str:
    """SHA-256 of the text of mitmproxy's own way to its addons, as it is now; empty if the text is not to be had."""
    try:
        text = "".join(map(inspect.getsource, _decides()))
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(text.encode()).hexdigest()


def _decides() -> list[Callable[..., object]]:
    calls = [AddonManager.invoke_addon, AddonManager.invoke_addon_sync]
    return [addonmanager.traverse, AddonManager._iter_hooks, *calls, AddonManager.trigger_event, AddonManager.trigger]
