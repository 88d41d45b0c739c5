"""Says whether this mitmproxy can serve, from the outside of it where that is possible.

Three questions, all asked from mitmproxy's own event loop, so that silence is an answer as well:

- Is every listening socket there and accepting? Ten times a second. If not: a hard failure at once; the sockets are
  replaced, and the next self-test that passes ends the failure.
- Does a real request get an answer? Once a second, over TCP and accept(), at the loopback port of every mode (the
  virtual IP would lead a backup to its master). The answer is made inside the proxy: no upstream connection, no DNS
  query. Three failures in a row are a soft failure.
- How late does the loop turn? ``loop_lag_s``.

A self-test is answered and hidden by ``self_tests.py``.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import deque
from collections.abc import Awaitable
from collections.abc import Callable
from typing import Protocol

from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.modes import ListenerError
from wsa_proxy.proxy.self_tests import SelfTests
from wsa_proxy.runtime.health import UNPROVEN
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.health import SelfTestResult

logger = logging.getLogger(__name__)

WATCH_S = 0.1  # between two looks at the sockets and at the loop's lag
TEST_S = 1.0  # between the starts of two rounds of self-tests
REOPEN_S = 1.0  # between two attempts to replace broken sockets
LIMIT_S = 2.0  # a self-test that takes longer has failed, unless others were answered meanwhile
FALL = 3  # failures in a row that make a soft failure; one success ends it
LAGS_KEPT = 10  # loop_lag_s is the greatest of the last second
ANSWER_SIZE_MAX = 4096

QUESTIONS = {"regular": "GET", "upstream": "GET", "socks5": "SOCKS greeting", "reverse": "connection"}

SOCKS_GREETING = b"\x05\x02\x00\x02"  # RFC 1928: version 5, no authentication or user name and password
SOCKS_VERSION = b"\x05"


class Listener(Protocol):
    """What liveness needs of the failover listener."""

    def broken(self) -> str | None: ...
    async def reopen(self) -> None: ...
    def loopback_endpoints(self) -> tuple[LoopbackEndpoint, ...]: ...


type Ask = Callable[[LoopbackEndpoint], Awaitable[None]]
"""One self-test. Raises TimeoutError when nothing came in time, OSError with the reason when it failed otherwise."""


class Liveness:
    """Tests for as long as ``run`` runs and tells ``on_health`` after every round and at every change."""

    def __init__(
        self,
        listener: Listener,
        on_health: Callable[[Health], None],
        self_tests: SelfTests,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        ask: Ask | None = None,
    ) -> None:
        self._listener = listener
        self._on_health = on_health
        self._clock = clock
        self._sleep = sleep
        self._ask = ask or self._ask_over_tcp
        self._self_tests = self_tests
        self._signs = 0
        self._lags_s: deque[float] = deque([0.0], maxlen=LAGS_KEPT)
        self._broken: str | None = None
        self._unproven = UNPROVEN.hard
        self._doubts = 0
        self._reopen_at_s = clock()
        self._results: dict[str, SelfTestResult] = {}
        self._failures: dict[str, int] = {}

    # --- what others tell and ask -----------------------------------------------------------------------------------

    @property
    def loop_lag_s(self) -> float:
        """How late the loop turned at worst within the last second."""
        return max(self._lags_s)

    @property
    def health(self) -> Health:
        """What ``on_health`` was or will be told."""
        return Health(hard=self._broken or self._unproven, soft=self._soft(), tests=tuple(self._results.values()))

    def sign_of_life(self) -> None:
        """The proxy has answered somebody who is not a self-test."""
        self._signs += 1

    def doubt(self, reason: str) -> None:
        """Something says that the proxy did not work: a hard failure, until a self-test that begins now has passed."""
        self._doubts += 1
        self._unproven = f"{reason}; not proven to work again yet"
        self._on_health(self.health)

    # --- the loops --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Watch and test until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(), name="failover watch")
                tasks.create_task(self._test_for_ever(), name="failover self-test rounds")
        finally:
            self._unproven = UNPROVEN.hard  # whoever runs this again has proven nothing yet

    async def _watch(self) -> None:
        while True:
            before_s = self._clock()
            await self._sleep(WATCH_S)
            self._lags_s.append(max(0.0, self._clock() - before_s - WATCH_S))
            await self._look_at_listener()

    async def _look_at_listener(self) -> None:
        self._set_broken(self._listener.broken())
        if self._broken is None or self._clock() < self._reopen_at_s:
            return
        self._reopen_at_s = self._clock() + REOPEN_S
        try:
            await self._listener.reopen()
        except ListenerError as error:
            logger.warning("failover: cannot listen again, next attempt in %.1f s: %s", REOPEN_S, error)
        else:
            self._set_broken(self._listener.broken())

    def _set_broken(self, broken: str | None) -> None:
        if broken == self._broken:
            return
        if broken is not None:
            self._unproven = f"{broken}; not proven to work again yet"
        self._broken = broken
        self._on_health(self.health)

    async def _test_for_ever(self) -> None:
        while True:
            started_at_s = self._clock()
            await self._test_round()
            await self._sleep(max(0.0, started_at_s + TEST_S - self._clock()))

    async def _test_round(self) -> None:
        endpoints = self._listener.loopback_endpoints()
        broken_before, doubts_before = self._broken, self._doubts
        results = await asyncio.gather(*[self._test(endpoint) for endpoint in endpoints])
        self._results = {result.name: result for result in results}
        self._failures = {name: count for name, count in self._failures.items() if name in self._results}
        failed = next((result for result in results if not result.passed), None)
        if failed is not None and self._unproven == UNPROVEN.hard:
            self._unproven = f"the first self-test failed: {failed.evidence}"
        elif failed is None and results and self._broken is broken_before is None and self._doubts == doubts_before:
            self._unproven = None
        self._on_health(self.health)

    async def _test(self, endpoint: LoopbackEndpoint) -> SelfTestResult:
        """One self-test, judged. A slow one among answered others is no failure, and no success either."""
        name, question = endpoint.spec, QUESTIONS[endpoint.mode]
        signs_before, started_at_s = self._signs, self._clock()
        evidence, excused = "", False
        try:
            await self._ask(endpoint)
        except TimeoutError:
            evidence = f"no answer to {question} in {LIMIT_S:.1f} s"
            excused = self._signs != signs_before
        except OSError as error:
            evidence = f"{question} failed: {error.strerror or error}"
        if not evidence:
            self._failures[name] = 0
        elif excused:
            evidence += f", but {self._signs - signs_before} others were answered"
        else:
            self._failures[name] = self._failures.get(name, 0) + 1
        finished_at_s = self._clock()
        return SelfTestResult(name, not evidence, evidence, finished_at_s - started_at_s, finished_at_s)

    def _soft(self) -> str | None:
        for name, count in self._failures.items():
            if count >= FALL:
                return f"{self._results[name].evidence}, {FALL} times"
        return None

    # --- the self-test itself ---------------------------------------------------------------------------------------

    async def _ask_over_tcp(self, endpoint: LoopbackEndpoint) -> None:
        async with asyncio.timeout(LIMIT_S):
            with self._self_tests.own_socket(endpoint.host) as (client, token):
                answer = await _converse(client, endpoint, token)
                seen = self._self_tests.was_seen(token)
        if endpoint.mode == "reverse" and not seen:
            raise OSError("the connection was closed before the proxy had taken it")
        if endpoint.mode == "socks5" and not answer.startswith(SOCKS_VERSION):
            raise OSError(f"unexpected answer {answer[:40]!r}")
        if endpoint.mode in ("regular", "upstream") and token.encode() not in answer:
            raise OSError(f"unexpected answer {answer[:40]!r}" if answer else "the connection was closed")


async def _converse(client: socket.socket, endpoint: LoopbackEndpoint, token: str) -> bytes:
    """Ask in the mode's own language; answers what came until the end of the connection. Raises OSError."""
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (endpoint.host, endpoint.port))
    answer = b""
    try:
        await loop.sock_sendall(client, _question(endpoint.mode, token))
        while len(answer) < ANSWER_SIZE_MAX:
            received = await loop.sock_recv(client, ANSWER_SIZE_MAX)
            answer += received
            if not received or endpoint.mode == "socks5":
                break
    except ConnectionError:
        # A reverse proxy without a target (refuse_upstream) closes before it has read: that is its whole answer.
        if endpoint.mode != "reverse":
            raise
    return answer


def _question(mode: str, token: str) -> bytes:
    if mode == "socks5":
        return SOCKS_GREETING
    target = f"/{token}" if mode == "reverse" else f"http://{token}.invalid/{token}"
    return f"GET {target} HTTP/1.1\r\nHost: {token}.invalid\r\nConnection: close\r\n\r\n".encode()
