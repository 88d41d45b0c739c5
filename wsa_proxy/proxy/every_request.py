"""A fault that is met in every request: what ``addon_errors.py`` and ``core_crashes.py`` count in the same way.

It is found when for the limit every request, and at least ``fall`` of them, has met an error. One request in between
that met none is a sign that the proxy works for others.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NotRequired
from typing import TypedDict

from wsa_proxy.proxy import mitmproxy_addons
from wsa_proxy.proxy.addon_fault import AddonFault
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits

ERROR_CHARACTERS_MAX = 120

REQUEST_HOOKS = frozenset({"requestheaders", "request", "responseheaders", "response", "error"})
REQUEST_ENDS = frozenset({"response", "error"})


class Known(TypedDict):
    """What an EveryRequest is made with."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    addons: NotRequired[Callable[[], Sequence[object]]]
    """See AddonFault."""
    limits: NotRequired[Limits]


class EveryRequest:
    """A test of its own; see ``Known``."""

    NAME = ""
    """In the status."""
    MEETS = ""
    """What has happened in each request, for the evidence: ``an addon raised``."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        addons: Callable[[], Sequence[object]] = mitmproxy_addons.loaded_addons,
        limits: Limits = HealthSettings().addons,  # noqa: B008 - frozen
    ) -> None:
        self._clock = clock
        self._fault = AddonFault(self.NAME, limits, clock=clock, addons=addons)
        self._run = 0
        """So many requests in a row have met an error."""
        self._run_since_s = 0.0

    def _passed(self) -> None:
        self._run = 0
        self._fault.passed()

    def _met(self, error: str) -> None:
        now = self._clock()
        if self._run == 0:
            self._run_since_s = now
        self._run += 1
        self._fault.failed()
        for_s, limits = now - self._run_since_s, self._fault.limits
        if self._run >= limits.fall and for_s >= limits.limit:
            self._fault.found(
                f"{self.MEETS} in each of the last {self._run} requests, for {for_s:.1f} s: {error};"
                f" limit {limits.fall} in {limits.limit:.1f} s"
            )

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
    except Exception:
        text = type(error).__name__
    return text if len(text) <= ERROR_CHARACTERS_MAX else text[:ERROR_CHARACTERS_MAX] + "..."


def where(traceback: TracebackType | None) -> str:
    """The place that this entry of a traceback names, for a sentence."""
    if traceback is None:
        return ""
    return f" ({Path(traceback.tb_frame.f_code.co_filename).name} line {traceback.tb_lineno})"
