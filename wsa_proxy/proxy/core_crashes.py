"""mitmproxy itself fails in every request, since an addon has made of it what cannot be sent: nobody gets an answer.

No addon raises then, and no hook is left waiting. mitmproxy logs that it has crashed, and leaves the client connected
and without a word. It has the limits of the test ``addons`` (``every_request.py``). A crash may follow the hook
``response``, so a request has passed ``SETTLED_S`` later.
"""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Unpack

from mitmproxy.hooks import Hook

from wsa_proxy.proxy import mitmproxy_addons
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.every_request import REQUEST_ENDS
from wsa_proxy.proxy.every_request import REQUEST_HOOKS
from wsa_proxy.proxy.every_request import EveryRequest
from wsa_proxy.proxy.every_request import Known
from wsa_proxy.proxy.every_request import said
from wsa_proxy.proxy.every_request import where
from wsa_proxy.runtime.health import SelfTestResult

SETTLED_S = 0.2  # after the last hook: mitmproxy sends within that turn of the loop, or the next

type Peer = tuple[object, ...]
"""A client's address and port, as mitmproxy has it."""


class CoreCrashes(EveryRequest):
    """An observer of the hooks as well."""

    NAME = "crashes"
    MEETS = "mitmproxy crashed"

    def __init__(self, **known: Unpack[Known]) -> None:
        super().__init__(**known)
        self._log = mitmproxy_addons.CrashLog(self._crashed)
        self._asking: set[Peer] = set()
        """Clients that have asked for something; self-tests are none."""
        self._ended: deque[tuple[float, Peer]] = deque()
        """Their requests whose last hook has just been called, and when."""

    def install(self) -> None:
        """Hear of crashes from now on."""
        self._log.install()

    def uninstall(self) -> None:
        """Hear of none; harmless when repeated."""
        self._log.uninstall()

    # --- the hooks --------------------------------------------------------------------------------------------------

    def began(self, hook: Hook) -> None:
        if hook.name in REQUEST_HOOKS and (client := mitmproxy_internals.client_of(hook)) is not None:
            self._asking.add(client.peername)

    def ended(self, hook: Hook) -> None:
        if hook.name in REQUEST_ENDS and (client := mitmproxy_internals.client_of(hook)) is not None:
            self._ended.append((self._clock(), client.peername))
        elif hook.name == "client_disconnected":
            self._asking.discard(hook.args()[0].peername)

    def _crashed(self, peer: Peer, error: BaseException, traceback: TracebackType | None) -> None:
        if peer not in self._asking:
            return  # a self-test's is its own failure; and one for each request is enough
        self._asking.discard(peer)
        self._settle(self._clock())
        self._ended = deque((at_s, each) for at_s, each in self._ended if each != peer)
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        self._met(f"{said(error)}{where(traceback)}")

    def _settle(self, now: float) -> None:
        """What has ended a while ago has passed."""
        while self._ended and now - self._ended[0][0] >= SETTLED_S:
            self._ended.popleft()
            self._passed()

    # --- the test ---------------------------------------------------------------------------------------------------

    def verdict(self, now_s: float) -> tuple[SelfTestResult, str | None]:
        """See ``HealthSource``."""
        self._settle(now_s)
        return super().verdict(now_s)
