"""Says whether this mitmproxy can serve, from the outside of it where that is possible.

All is asked from mitmproxy's own event loop, so that silence is an answer as well:

- ``listener``, ten times a second: every listening socket is there, and somebody accepts from it. If not: a hard
  failure at once; the sockets are replaced, and self-tests that begin afterwards end the failure.
- ``descriptors``, ten times a second: enough are left. If not: soft.
- ``loop``, ten times a second: how late it turns. Told, never judged: a busy proxy is not a sick one, and a loop that
  stands still is the guardian's business.
- ``get``, ``connect`` and ``upstream``, every few seconds: real requests at a loopback port (``rounds.py`` says when,
  ``questions.py`` asks, ``self_tests.py`` answers and hides, ``judge.py`` counts). Soft when they fail.

A node is proven when every ``get`` and the ``connect`` have passed; after a hard failure or a doubt anew, each as often
in a row as its ``rise`` says.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Sequence
from typing import Protocol

from wsa_proxy.proxy import descriptors
from wsa_proxy.proxy.judge import Judge
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.modes import ListenerError
from wsa_proxy.proxy.rounds import ROUND_S
from wsa_proxy.proxy.rounds import Asking
from wsa_proxy.proxy.rounds import Rounds
from wsa_proxy.runtime.health import UNPROVEN
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.health import HealthSource
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import HealthSettings

logger = logging.getLogger(__name__)

WATCH_S = 0.1  # between two looks at the sockets and at the loop's lag
REOPEN_S = 1.0  # between two attempts to replace broken sockets
LAGS_KEPT = 10  # the loop's lag is the greatest of the last second


class Listener(Protocol):
    """What liveness needs of the failover listener."""

    def broken(self, now_s: float) -> str | None: ...
    async def reopen(self) -> None: ...
    def loopback_endpoints(self) -> tuple[LoopbackEndpoint, ...]: ...


class Liveness:
    """Tests for as long as ``run`` runs and tells ``on_health`` after every self-test and at every change."""

    def __init__(
        self,
        listener: Listener,
        asking: Asking,
        on_health: Callable[[Health], None],
        settings: HealthSettings = HealthSettings(),  # noqa: B008 - frozen
        *,
        sources: Sequence[HealthSource] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        descriptors_left: Callable[[], int] = descriptors.left,
    ) -> None:
        self._listener = listener
        self._on_health = on_health
        self._sources = sources
        self._clock = clock
        self._sleep = sleep
        self._descriptors_left = descriptors_left
        self._rounds = Rounds(asking, self._take, settings, clock)
        self._lags_s: deque[float] = deque([0.0], maxlen=LAGS_KEPT)
        self._broken: str | None = None
        self._unproven = UNPROVEN.hard
        self._reopen_at_s = clock()
        self._descriptors = Judge(settings.descriptors, proven=True)
        self._shown: list[SelfTestResult] = []
        self._source_softs: list[str | None] = []
        self._told: tuple[str | None, str | None] = (None, None)

    # --- what others tell and ask -----------------------------------------------------------------------------------

    @property
    def loop_lag_s(self) -> float:
        """How late the loop turned at worst within the last second."""
        return max(self._lags_s)

    @property
    def health(self) -> Health:
        """What ``on_health`` was or will be told."""
        judges = [self._descriptors, *self._rounds.judges.values()]
        softs = [judge.failing for judge in judges] + self._source_softs
        newest = [judge.newest for judge in judges if judge.newest is not None]
        return Health(
            hard=self._broken or self._unproven,
            soft=next((soft for soft in softs if soft is not None), None),
            tests=(*self._shown, *newest),
        )

    def answered(self) -> None:
        """The proxy has answered somebody who is not a self-test."""
        self._rounds.answered()

    def change(self, settings: HealthSettings) -> None:
        """Other limits from now on; what has been seen stays known."""
        self._rounds.settings = settings

    def doubt(self, reason: str) -> None:
        """Something says that the proxy did not work: a hard failure, until self-tests that begin now have passed."""
        self._set_unproven(reason)
        self._tell()

    # --- the loops --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Watch and test until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(), name="failover watch")
                tasks.create_task(self._test_for_ever(tasks), name="failover self-test rounds")
        finally:
            self._unproven = UNPROVEN.hard  # whoever runs this again has proven nothing yet
            self._rounds.forget()

    async def _watch(self) -> None:
        while True:
            before_s = self._clock()
            await self._sleep(WATCH_S)
            self._lags_s.append(max(0.0, self._clock() - before_s - WATCH_S))
            await self._look()

    async def _look(self) -> None:
        now_s = self._clock()
        self._set_broken(self._listener.broken(now_s))
        if self._broken is not None and now_s >= self._reopen_at_s:
            self._reopen_at_s = now_s + REOPEN_S
            await self._reopen()
        self._look_at_descriptors()
        self._look_at_what_is_shown()
        health = self.health
        if (health.hard, health.soft) != self._told:
            self._tell()

    async def _reopen(self) -> None:
        try:
            await self._listener.reopen()
        except ListenerError as error:
            logger.warning("failover: cannot listen again, next attempt in %.1f s: %s", REOPEN_S, error)
        else:
            self._set_broken(self._listener.broken(self._clock()))

    def _set_broken(self, broken: str | None) -> None:
        if broken == self._broken:
            return
        if broken is not None:
            self._set_unproven(broken)
        else:
            self._rounds.doubt()  # what passed meanwhile did not pass through the new sockets
        self._broken = broken
        self._tell()

    def _set_unproven(self, reason: str) -> None:
        self._unproven = f"{reason}; not proven to work again yet"
        self._rounds.doubt()

    def _tell(self) -> None:
        health = self.health
        self._told = (health.hard, health.soft)
        self._on_health(health)

    # --- the cheap tests --------------------------------------------------------------------------------------------

    def _look_at_descriptors(self) -> None:
        left, limits, now_s = self._descriptors_left(), self._rounds.settings.descriptors, self._clock()
        passed = left >= limits.limit
        evidence = "" if passed else f"only {left} file descriptors are left, limit {limits.limit:g}"
        self._descriptors.limits = limits
        self._descriptors.take(SelfTestResult("descriptors", passed, evidence, 0.0, now_s, limits), now_s)

    def _look_at_what_is_shown(self) -> None:
        now_s = self._clock()
        late = f"at most {self.loop_lag_s:.3f} s late within the last second"
        self._shown = [
            SelfTestResult("listener", self._broken is None, self._broken or "", 0.0, now_s),
            SelfTestResult("loop", None, late, self.loop_lag_s, now_s),
        ]
        self._source_softs = []
        for source in self._sources:
            result, soft = source.verdict(now_s)
            self._shown.append(result)
            self._source_softs.append(soft)

    # --- the self-tests ---------------------------------------------------------------------------------------------

    async def _test_for_ever(self, tasks: asyncio.TaskGroup) -> None:
        def start(test: Coroutine[None, None, None]) -> None:
            tasks.create_task(test, name="failover self-test")

        while True:
            started_at_s = self._clock()
            self._rounds.begin(self._listener.loopback_endpoints(), start)
            await self._sleep(max(0.0, started_at_s + ROUND_S - self._clock()))

    def _take(self, result: SelfTestResult) -> None:
        if self._rounds.proven and self._broken is None:
            self._unproven = None
        elif not result.passed and self._unproven == UNPROVEN.hard:
            self._unproven = f"the first self-test failed: {result.evidence}"
        self._tell()
