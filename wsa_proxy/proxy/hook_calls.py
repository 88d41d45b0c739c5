"""The one way by which every hook of every connection reaches the addons.

Three things stand there: the hooks of a self-test are answered and shown to nobody (``self_tests.py``), so are those of
a request for the PAC file (``pac_requests.py``), and observers are told of all the others, before and after the addons.
A hook that a person holds (mitmweb's intercept) has ended for them: mitmproxy waits after the addons. Addons that have
nothing to do with a hook are passed over (``mitmproxy_idle_addons.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from mitmproxy import ctx
from mitmproxy.hooks import Hook

from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.mitmproxy_idle_addons import IdleAddons
from wsa_proxy.proxy.mitmproxy_internals import HandleHook
from wsa_proxy.proxy.self_tests import SelfTests

logger = logging.getLogger(__name__)


class HookObserver(Protocol):
    """Told of each hook of every client that is no self-test. Called some thousand times a second: microseconds."""

    def began(self, hook: Hook) -> None:
        """Before the first addon."""

    def ended(self, hook: Hook) -> None:
        """After the last one, also when one of them raised or was cancelled. The same object as in ``began``."""


class HookCalls:
    """In force between ``install`` and ``uninstall``."""

    def __init__(self, self_tests: SelfTests) -> None:
        self.observers: list[HookObserver] = []
        """Told in this order. May be changed at any time: who misses a ``began`` may still get its ``ended``."""
        self.answers: Callable[[Hook], bool] | None = None
        """Does itself what there is to do at a hook, and says so; then nobody else sees that hook."""
        self._self_tests = self_tests
        self._call_addons: HandleHook | None = None
        self._idle_addons: IdleAddons | None = None

    def install(self) -> None:
        """Stand there from now on. Raises RuntimeError when somebody does already."""
        self._call_addons = mitmproxy_internals.take_over_hooks(self.handle)
        self._self_tests.install()
        self._idle_addons = IdleAddons(ctx.master.addons)
        self._idle_addons.install()

    def uninstall(self) -> None:
        """Give mitmproxy its own way back; harmless when repeated."""
        if self._call_addons is not None:
            mitmproxy_internals.give_back_hooks()
            if self._idle_addons is not None:
                self._idle_addons.uninstall()
            self._self_tests.uninstall()

    async def handle(self, hook: Hook) -> None:
        """Called by mitmproxy. What the addons raise passes through."""
        client = mitmproxy_internals.client_of(hook)
        if client is not None and self._self_tests.is_self_test(client, first=hook.name == "client_connected"):
            await self._self_tests.handle(hook, client)
            return
        if self.answers is not None and self._is_answered(self.answers, hook):
            return
        for observer in self.observers:
            self._tell(observer.began, hook)
        assert self._call_addons is not None
        try:
            await self._call_addons(hook)
        finally:
            for observer in self.observers:
                self._tell(observer.ended, hook)

    @staticmethod
    def _is_answered(answers: Callable[[Hook], bool], hook: Hook) -> bool:
        try:
            return answers(hook)
        except Exception:  # the request goes on as any other
            logger.exception("failover: the PAC file failed at %s", hook.name)
            return False

    @staticmethod
    def _tell(tell: Callable[[Hook], None], hook: Hook) -> None:
        try:
            tell(hook)
        except Exception:  # a client's request does not fail because somebody looks on
            logger.exception("failover: an observer of the hooks failed at %s", hook.name)
