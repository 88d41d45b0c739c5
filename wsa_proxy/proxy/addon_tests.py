"""What no self-test can see, since none is shown to other addons: how these treat the clients, and what they know.

Four tests, all of them soft: ``addons`` (one raises in every request), ``crashes`` (one makes mitmproxy itself fail in
every request), ``held`` (one lets nobody through) and ``failover_health`` (one that takes part by this hook says that
the node should be demoted).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from collections.abc import Callable

from wsa_proxy.proxy.addon_errors import AddonErrors
from wsa_proxy.proxy.addon_health import AddonHealth
from wsa_proxy.proxy.core_crashes import CoreCrashes
from wsa_proxy.proxy.held_requests import HeldRequests
from wsa_proxy.proxy.hook_calls import HookObserver
from wsa_proxy.runtime.health import HealthSource
from wsa_proxy.settings import HealthSettings

ASK_S = 1.0  # between two questions to the addons


class AddonTests:
    """``clock``: monotonic seconds. Whoever asks ``sources`` ten times a second knows what was found."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        errors: AddonErrors | None = None,
        crashes: CoreCrashes | None = None,
        held: HeldRequests | None = None,
        asked: AddonHealth | None = None,
    ) -> None:
        self._errors = errors or AddonErrors(clock=clock)
        self._crashes = crashes or CoreCrashes(clock=clock)
        self._held = held or HeldRequests(clock=clock)
        self._asked = asked or AddonHealth(clock=clock)
        self._clock = clock
        self._sleep = sleep

    @property
    def observers(self) -> list[HookObserver]:
        """Of the hooks."""
        return [self._errors, self._held, self._crashes]

    @property
    def sources(self) -> list[HealthSource]:
        """Of the proxy's health."""
        return [self._errors, self._crashes, self._held, self._asked]

    def change(self, settings: HealthSettings) -> None:
        """Other limits from now on."""
        self._errors.change(settings.addons)
        self._crashes.change(settings.addons)
        self._held.change(settings.held)

    def forgive(self, why: str) -> list[str]:
        """The operator says that the proxy serves well; what is found afterwards counts again. What has changed."""
        forgiven = [each.forgive(why) for each in (self._errors, self._crashes, self._held)]
        return [f"it counts no more that {evidence}" for evidence in forgiven if evidence]

    async def run(self) -> None:
        """Hear of errors, and ask, until cancelled."""
        self._errors.install()
        self._crashes.install()
        try:
            while True:
                asked_at_s = self._clock()
                await self._asked.ask()
                await self._sleep(max(0.0, asked_at_s + ASK_S - self._clock()))
        finally:
            self._errors.uninstall()
            self._crashes.uninstall()
            self._asked.close()
