"""mitmproxy itself fails in every request, since an addon has made of it what cannot be sent: nobody gets an answer.

No addon raises then, and no hook is left waiting. mitmproxy logs that it has crashed, and leaves the client connected
and without a word. When for the limit of the test ``addons`` every request, and at least its ``fall`` of them, has
ended so, that is a soft failure. A crash may follow the hook ``response``, so a request has passed ``SETTLED_S`` later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from mitmproxy.hooks import Hook

from wsa_proxy.proxy import mitmproxy_addons
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.addon_errors import REQUEST_ENDS
from wsa_proxy.proxy.addon_errors import REQUEST_HOOKS
from wsa_proxy.proxy.addon_errors import said
from wsa_proxy.proxy.addon_fault import AddonFault
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits

NAME = "crashes"
SETTLED_S = 0.2  # after the last hook: mitmproxy sends within that turn of the loop, or the next

type Peer = tuple[object, ...]
"""A client's address and port, as mitmproxy has it."""


class CoreCrashes:
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
        self._log = mitmproxy_addons.CrashLog(self._crashed)
        self._asking: set[Peer] = set()
        """Clients that have asked for something; self-tests are none."""
        self._ended: deque[tuple[float, Peer]] = deque()
        """Their requests whose last hook has just been called, and when."""
        self._run = 0
        """So many requests in a row have met a crash."""
        self._run_since_s = 0.0

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
        now = self._clock()
        self._settle(now)
        self._ended = deque((at_s, each) for at_s, each in self._ended if each != peer)
        if self._run == 0:
            self._run_since_s = now
        self._run += 1
        self._fault.failed()
        for_s, limits = now - self._run_since_s, self._fault.limits
        if self._run >= limits.fall and for_s >= limits.limit:
            self._fault.found(
                f"mitmproxy crashed in each of the last {self._run} requests, for {for_s:.1f} s:"
                f" {said(error)}{_where(traceback)}; limit {limits.fall} in {limits.limit:.1f} s"
            )

    def _settle(self, now: float) -> None:
        """What has ended a while ago has passed."""
        while self._ended and now - self._ended[0][0] >= SETTLED_S:
            self._ended.popleft()
            self._run = 0
            self._fault.passed()

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
        self._settle(now_s)
        if self._fault.other_addons():
            self._run = 0
        return self._fault.verdict(now_s)


def _where(traceback: TracebackType | None) -> str:
    """Where it was raised."""
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f" ({Path(traceback.tb_frame.f_code.co_filename).name} line {traceback.tb_lineno})"
