"""An addon that raises in every request: mitmproxy logs it and goes on, and the clients are served wrong.

mitmproxy catches what an addon raises (``safecall``); here it is counted against the request in whose hook it was
raised (``every_request.py``). Errors about the connection itself (``client_connected``, TLS, CONNECT) count against its
next request; those in raw TCP, UDP or WebSocket messages count against nothing.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import Unpack

from mitmproxy.hooks import Hook
from mitmproxy.http import HTTPFlow

from wsa_proxy.proxy import mitmproxy_addons
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.every_request import REQUEST_ENDS
from wsa_proxy.proxy.every_request import REQUEST_HOOKS
from wsa_proxy.proxy.every_request import EveryRequest
from wsa_proxy.proxy.every_request import Known
from wsa_proxy.proxy.every_request import said
from wsa_proxy.proxy.every_request import where

MARKED_MAX = 10_000  # requests and clients that met an error and have not ended; the oldest is forgotten

_current: ContextVar[Hook | None] = ContextVar("hook", default=None)
"""The hook that is being called in this task."""


class AddonErrors(EveryRequest):
    """An observer of the hooks as well."""

    NAME = "addons"
    MEETS = "an addon raised"

    def __init__(self, **known: Unpack[Known]) -> None:
        super().__init__(**known)
        self._log = mitmproxy_addons.AddonErrorLog(self._raised)
        self._marked: dict[str, str] = {}
        """The last error of each request, or client, by mitmproxy's id of it."""

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
        # mitmproxy has cut its own frames off.
        self._marked[key] = f"{said(error)} in {hook.name}{where(traceback)}"
        if len(self._marked) > MARKED_MAX:
            del self._marked[next(iter(self._marked))]

    def _request_ended(self, flow: HTTPFlow) -> None:
        error = (self._marked.pop(flow.client_conn.id, None), self._marked.pop(flow.id, None)) if self._marked else ()
        met = next((each for each in reversed(error) if each is not None), None)
        if met is None:
            self._passed()
            return
        self._met(met)
