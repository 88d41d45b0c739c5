"""Asks the other addons how the node is: each that implements ``failover_health`` is called, apart from the others."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wsa_proxy.proxy import mitmproxy_addons
from wsa_proxy.proxy.addon_hooks import FailoverHealthData
from wsa_proxy.proxy.addon_hooks import FailoverHealthHook
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.runtime.tasks import create_task

logger = logging.getLogger(__name__)

LIMIT_S = 1.0  # for an answer
NOBODY = "no addon takes part"


class AddonHealth:
    """``clock``: monotonic seconds. ``handlers`` answers name and handler of each addon that has one for a hook."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        handlers: Callable[[str], dict[str, Callable[..., Any]]] = mitmproxy_addons.handlers,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._result = SelfTestResult(FailoverHealthHook.name, None, NOBODY, 0.0, clock())
        self._reasons: list[str] = []
        """Why the node should be demoted."""
        self._clock = clock
        self._handlers = handlers
        self._limit_s = limit_s
        self._questions: dict[str, _Question] = {}
        """Those under way, by the addon's name."""
        self._told: dict[str, str] = {}
        """What an addon's trouble was when the log last had it."""

    async def ask(self) -> None:
        """One round; it takes as long as the slowest addon, and no longer than the limit."""
        handlers, began_at_s = self._handlers(FailoverHealthHook.name), self._clock()
        self._questions = {name: each for name, each in self._questions.items() if not each.task.done()}
        for name, handler in handlers.items():
            if name not in self._questions:
                self._questions[name] = _Question(name, handler)
        if self._questions:
            await asyncio.wait([question.task for question in self._questions.values()], timeout=self._limit_s)
        said = []
        self._reasons = []
        for name in handlers:
            question = self._questions[name]
            trouble = question.trouble(self._limit_s)
            self._tell(name, trouble, question.error)
            title = f"addon {Path(name).name}"  # that of a script is its whole path
            reasons = [] if trouble else [f"{title}: {reason}" for reason in question.data.reasons]
            self._reasons += reasons
            said += [f"{title}: {trouble}, so it counts as nothing"] if trouble else reasons
        now_s = self._clock()
        passed, evidence = (not said, "; ".join(said)) if handlers else (None, NOBODY)
        self._result = SelfTestResult(FailoverHealthHook.name, passed, evidence, now_s - began_at_s, now_s)

    def verdict(self, now_s: float) -> tuple[SelfTestResult, str | None]:
        """See ``HealthSource``. Who does not answer has not passed, and gives no reason either."""
        return self._result, "; ".join(self._reasons) or None

    def close(self) -> None:
        """Wait for nobody any more."""
        for question in self._questions.values():
            question.task.cancel()

    def _tell(self, name: str, trouble: str, error: Exception | None) -> None:
        """The log has it once, and again when it is another."""
        if trouble and trouble != self._told.get(name):
            logger.warning("failover: failover_health of the addon %s: %s", name, trouble, exc_info=error)
        self._told[name] = trouble


class _Question:
    """One call of one addon's handler, begun at once."""

    def __init__(self, name: str, handler: Callable[..., Any]) -> None:
        self.data = FailoverHealthData()
        self.error: Exception | None = None
        self._late = False
        self._handler = handler
        self.task = create_task(self._call(), name=f"failover_health of {name}")

    async def _call(self) -> None:
        try:
            answer = self._handler(self.data)
            if inspect.isawaitable(answer):
                await answer
        except Exception as error:  # the addon's own; it is told with its name
            self.error = error

    def trouble(self, limit_s: float) -> str:
        """Why it is no answer; empty if it is one. What needs longer than the limit is cancelled."""
        if not self.task.done():
            self._late = True
            self.task.cancel()
        if self._late:
            return f"no answer in {limit_s:.1f} s"
        return f"it raised {type(self.error).__name__}" if self.error else ""
