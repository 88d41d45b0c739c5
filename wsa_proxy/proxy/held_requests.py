"""Requests that an addon holds for ever: the proxy accepts and never answers, while its loop turns.

A self-test does not see it, since it is shown to no other addon. But hooks that have begun and not ended can be seen.
When they have waited longer than the limit, on at least ``fall`` connections, while no hook of that kind has ended and
nobody was answered, that is a soft failure. A slow origin is none: mitmproxy waits for it between hooks; so it does for
a flow that a person has intercepted. Nor are hooks in which to wait for the network is usual (``NOT_JUDGED``).

A slow addon is none either. Two nodes that run the same one would demote each other for ever, and end everybody's
connections each time, before anything could come through. So what did come through says how long an addon takes:
a kind of hook gets at least twice the longest of its last ``KEPT``, up to ``PATIENCE_S_MAX``.

The time that counts is that in which the loop turned: a process that stood still for ten seconds has held nobody.
"""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence

from mitmproxy.hooks import Hook

from wsa_proxy.proxy import mitmproxy_addons
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.addon_fault import AddonFault
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits

NAME = "held"
LOOK_S_MAX = 0.2  # between two looks: what lies between is counted for at most so long
KEPT = 100  # so many of the last hooks of a kind are remembered; a fault that is over is soon forgotten
PATIENCE_S_MAX = 60.0  # a client that can make an addon slow must not blind us for longer

ANSWERS = frozenset({"response", "http_connected", "tcp_message", "udp_message", "websocket_message", "dns_response"})
"""After these somebody has got something."""
NOT_JUDGED = frozenset({"server_connect", "server_connected", "server_connect_error", "server_disconnected"})
"""Our own addon asks the name server in the first one."""


class HeldRequests:
    """An observer of the hooks, and a test of its own. ``addons`` see AddonFault."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        addons: Callable[[], Sequence[object]] = mitmproxy_addons.loaded_addons,
        limits: Limits = HealthSettings().held,  # noqa: B008 - frozen
    ) -> None:
        self._fault = AddonFault(NAME, limits, clock=clock, addons=addons)
        self._held_in = ""
        """The kind of hook that the fault is about."""
        self._looked_at_s = clock()
        self._turned_s = 0.0
        """So long the loop has turned, by the looks."""
        self._waiting: dict[int, tuple[Hook, float]] = {}
        """Hooks that have begun, by identity, the oldest first, and when: in the seconds of ``_turned_s``."""
        self._came_through_s: dict[str, float] = {}
        """When the last hook of each kind ended."""
        self._took_s: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        """How long the last ones of each kind took."""
        self._answered_s = 0.0
        self._forgiven_s = 0.0
        """What has begun until then counts no more."""

    # --- the hooks --------------------------------------------------------------------------------------------------

    def began(self, hook: Hook) -> None:
        self._waiting[id(hook)] = hook, self._turned_s + LOOK_S_MAX  # at the next look at the latest

    def ended(self, hook: Hook) -> None:
        _, began_s = self._waiting.pop(id(hook), (hook, self._turned_s))
        name = hook.name
        if isinstance(sys.exception(), asyncio.CancelledError):
            return  # it was ended from outside, and nobody came through
        self._came_through_s[name] = self._turned_s
        self._took_s[name].append(self._turned_s - began_s)
        if name in ANSWERS:
            self._answered_s = self._turned_s
        if name == self._held_in and self._fault.passed():
            self._begin_anew()

    # --- the test ---------------------------------------------------------------------------------------------------

    def change(self, limits: Limits) -> None:
        """Others from now on; a fault that was found by the old ones stays until it ends."""
        self._fault.limits = limits

    def forgive(self, why: str) -> str:
        """Begin anew: the operator says that it is well. The evidence of the fault there was, or nothing."""
        evidence = self._fault.evidence
        self._begin_anew()
        self._fault.end(why)
        return evidence

    def _begin_anew(self) -> None:
        self._held_in, self._forgiven_s = "", self._turned_s + LOOK_S_MAX

    def verdict(self, now_s: float) -> tuple[SelfTestResult, str | None]:
        """See ``HealthSource``: to be asked ten times a second, since only time between two such looks counts, and of
        each such time at most ``LOOK_S_MAX``."""
        self._turned_s += min(max(now_s - self._looked_at_s, 0.0), LOOK_S_MAX)
        self._looked_at_s = now_s
        if self._fault.other_addons():
            self._begin_anew()
            self._took_s.clear()
        if not self._fault.evidence and self._turned_s - self._answered_s >= self._fault.limits.limit:
            self._look()
        return self._fault.verdict(now_s)

    def _look(self) -> None:
        limits, waits = self._fault.limits, dict[str, list[tuple[str, float]]]()
        for hook, began_s in self._waiting.values():
            waited_s = self._turned_s - began_s
            if waited_s < limits.limit:
                break  # and so have all that began later
            client = mitmproxy_internals.client_of(hook)
            if began_s > self._forgiven_s and client is not None and hook.name not in NOT_JUDGED:
                waits.setdefault(hook.name, []).append((client.id, waited_s))
        for name, those in waits.items():
            limit_s = self._limit_s(name)
            those = [(client, waited_s) for client, waited_s in those if waited_s >= limit_s]
            came_through_s = self._came_through_s.get(name, -limit_s)
            connections = len({client for client, _ in those})
            if connections >= limits.fall and self._turned_s - came_through_s >= limit_s:
                self._held_in = name
                self._fault.found(self._evidence(name, connections, [waited_s for _, waited_s in those], limit_s))
                return

    def _limit_s(self, name: str) -> float:
        """An addon that takes its time has shown how much."""
        shown_s = min(2 * max(self._took_s[name], default=0.0), PATIENCE_S_MAX)
        return max(self._fault.limits.limit, shown_s)

    @staticmethod
    def _evidence(name: str, connections: int, waited_s: Sequence[float], limit_s: float) -> str:
        return (
            f"{len(waited_s)} hooks `{name}` of {connections} connections wait for an addon, for {min(waited_s):.1f} to"
            f" {max(waited_s):.1f} s, and none came through; limit {limit_s:.1f}"
        )
