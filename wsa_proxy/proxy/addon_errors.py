"""An addon that raises in every request: mitmproxy logs it and goes on, and the clients are served wrong.

mitmproxy catches what an addon raises (``safecall``); here it is counted against the request in whose hook it was
raised. When for the limit every request, and at least ``fall`` of them, has met an error, that is a soft failure. One
request in between that met none is a sign that the addon works for others. Errors about the connection itself
(``client_connected``, TLS, CONNECT) count against its next request; those in raw TCP, UDP or WebSocket messages count
against nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType

from mitmproxy.hooks import Hook
from mitmproxy.http import HTTPFlow

from wsa_proxy.proxy import mitmproxy_addons
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.addon_fault import AddonFault
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits

logger = logging.getLogger(__name__)

NAME = "addons"
MARKED_MAX = 10_000  # requests and clients that met an error and have not ended; the oldest is forgotten
ERROR_CHARACTERS_MAX = 120

REQUEST_HOOKS = frozenset({"requestheaders", "request", "responseheaders", "response", "error"})
REQUEST_ENDS = frozenset({"response", "error"})

_current: ContextVar[Hook | None] = ContextVar("hook", default=None)
"""The hook that is being called in this task."""


class AddonErrors:
    """An observer of the hooks, and a test of its own. ``clock`` is monotonic seconds; ``addons`` see AddonFault."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        addons: Callable[[], Sequence[object]] = mitmproxy_addons.loaded_addons,
        limits: Limits = HealthSettings().addons,  # noqa: B008 - frozen
    ) -> None:
        self._clock = clock
        self._fault = AddonFault(NAME, limits, clock=clock, addons=addons)
        self._log = mitmproxy_addons.AddonErrorLog(self._raised)
        self._marked: dict[str, str] = {}
        """The last error of each request, or client, by mitmproxy's id of it."""
        self._run = 0
        """So many requests in a row have met one."""
        self._run_since_s = 0.0

    def install(self) -> None:
        """Hear of errors from now on."""
        self._log.install()

    def uninstall(self) -> None:
        """Hear of none; harmless when repeated."""
        self._log.uninstall()

    # --- the hooks --------------------------------------------------------------------------------------------------

    def began(self, hook: Hook) -> None:
        _current.set(hook)

    def ended(self, hook: Hook) -> None:
        _current.set(None)
        if hook.name in REQUEST_ENDS:
            self._request_ended(hook.args()[0])
        elif hook.name == "client_disconnected" and self._marked:
            self._marked.pop(hook.args()[0].id, None)

    def _raised(self, error: BaseException, traceback: TracebackType | None) -> None:
        hook = _current.get()
        if hook is None:
            return  # of a self-test, or about no connection: load, running, a timer
        if hook.name in REQUEST_HOOKS:
            key = hook.args()[0].id
        else:
            client = mitmproxy_internals.client_of(hook)
            if client is None:
                return
            key = client.id
        self._marked.pop(key, None)
        self._marked[key] = f"{said(error)} in {hook.name}{_where(traceback)}"
        if len(self._marked) > MARKED_MAX:
            del self._marked[next(iter(self._marked))]

    def _request_ended(self, flow: HTTPFlow) -> None:
        error = (self._marked.pop(flow.client_conn.id, None), self._marked.pop(flow.id, None)) if self._marked else ()
        met = next((each for each in reversed(error) if each is not None), None)
        if met is None:
            self._run = 0
            self._fault.passed()
            return
        now = self._clock()
        if self._run == 0:
            self._run_since_s = now
        self._run += 1
        self._fault.failed()
        for_s, limits = now - self._run_since_s, self._fault.limits
        if self._run >= limits.fall and for_s >= limits.limit:
            self._fault.found(
                f"an addon raised in each of the last {self._run} requests, for {for_s:.1f} s: {met};"
                f" limit {limits.fall} in {limits.limit:.1f} s"
            )

    # --- the test ---------------------------------------------------------------------------------------------------

    def change(self, limits: Limits) -> None:
        """Others from now on; a fault that was found by the old ones stays until it ends."""
        self._fault.limits = limits

    def forgive(self, why: str) -> str:
        """Begin anew: the operator says that it is well. The evidence of the fault there was, or nothing."""
        evidence = self._fault.evidence
        self._run = 0
        self._fault.end(why)
        return evidence

    def verdict(self, now_s: float) -> tuple[SelfTestResult, str | None]:
        """See ``HealthSource``."""
        if self._fault.other_addons():
            self._run = 0
        return self._fault.verdict(now_s)


def said(error: BaseException) -> str:
    """One line; what an addon raises may be of the addon's making, and unable to say what it is."""
    try:
        text = " ".join(repr(error).split())
    except Exception as another:
        logger.debug("an addon raised what cannot be shown: %r", type(another))
        text = type(error).__name__
    return text if len(text) <= ERROR_CHARACTERS_MAX else text[:ERROR_CHARACTERS_MAX] + "..."


def _where(traceback: TracebackType | None) -> str:
    """Where in the addon: mitmproxy has cut its own frames off."""
    if traceback is None:
        return ""
    return f" ({Path(traceback.tb_frame.f_code.co_filename).name} line {traceback.tb_lineno})"
