"""What no self-test can see, since none is shown to other addons: how these treat the clients, and what they know.

Three tests, all of them soft: ``addons`` (one raises in every request), ``held`` (one lets nobody through) and one for
each addon that takes part by the hook ``failover_health``. They are joined with what the self-tests say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from collections.abc import Callable
from dataclasses import replace

from wsa_proxy.proxy.addon_errors import AddonErrors
from wsa_proxy.proxy.addon_health import AddonHealth
from wsa_proxy.proxy.held_requests import HeldRequests
from wsa_proxy.proxy.hook_calls import HookObserver
from wsa_proxy.runtime.health import Health

LOOK_S = 0.1  # between two looks at the requests; HeldRequests wants it so
ASK_S = 1.0  # between two questions to the addons


class AddonTests:
    """Looks for as long as ``run`` runs. ``on_change`` is called when the reason to demote the node has changed.
    ``clock``: monotonic seconds."""

    def __init__(
        self,
        on_change: Callable[[], None],
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        errors: AddonErrors | None = None,
        held: HeldRequests | None = None,
        asked: AddonHealth | None = None,
    ) -> None:
        self._errors = errors or AddonErrors(clock=clock)
        self._held = held or HeldRequests(clock=clock)
        self._asked = asked or AddonHealth(clock=clock)
        self._on_change = on_change
        self._clock = clock
        self._sleep = sleep
        self._results = [self._errors.result(clock()), self._held.result(clock())]
        self._told: str | None = None

    @property
    def observers(self) -> list[HookObserver]:
        """Of the hooks."""
        return [self._errors, self._held]

    def forgive(self, why: str) -> list[str]:
        """The operator says that the proxy serves well; what is found afterwards counts again. What has changed."""
        failed = [result for result in self._results if not result.passed]
        self._errors.forgive(why)
        self._held.forgive(why)
        self._look()
        return [f"{result.name} counts as well again: it was {result.evidence}" for result in failed]

    def join(self, health: Health) -> Health:
        """The whole proxy's health, when the self-tests say this."""
        return replace(
            health, soft=health.soft or self._soft(), tests=(*health.tests, *self._results, *self._asked.results)
        )

    async def run(self) -> None:
        """Look and ask until cancelled."""
        self._errors.install()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._look_for_ever(), name="failover look at the addons")
                tasks.create_task(self._ask_for_ever(), name="failover ask the addons")
        finally:
            self._errors.uninstall()
            self._asked.close()

    async def _look_for_ever(self) -> None:
        while True:
            await self._sleep(LOOK_S)
            self._look()

    async def _ask_for_ever(self) -> None:
        while True:
            asked_at_s = self._clock()
            await self._asked.ask()
            self._tell()
            await self._sleep(max(0.0, asked_at_s + ASK_S - self._clock()))

    def _look(self) -> None:
        now = self._clock()
        self._results = [self._errors.result(now), self._held.result(now)]
        self._tell()

    def _tell(self) -> None:
        if self._soft() != self._told:
            self._told = self._soft()
            self._on_change()

    def _soft(self) -> str | None:
        found = [result.evidence for result in self._results if not result.passed]
        return next(iter([*found, *self._asked.reasons]), None)
