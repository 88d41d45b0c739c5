"""Which self-tests begin when, and what came of them.

- ``get``, once a second, for every mode: a real request over TCP and accept(), started whether or not the one before
  has ended.
- ``connect``, every fifth second, at once after a slow or failed ``get``, and every second while it is not settled: a
  real CONNECT, a TLS handshake with the proxy's own certificate, and a request inside. In the first mode that takes a
  CONNECT: they all lead to the same code.
- ``upstream``, every tenth second, if there is a URL: it is fetched from its real server through the proxy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterable
from typing import Protocol

from wsa_proxy.proxy.judge import Judge
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.questions import ASKED
from wsa_proxy.proxy.questions import TUNNELLING
from wsa_proxy.runtime.health import SelfTestResult
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits

ROUND_S = 1.0  # between two rounds
CONNECT_S = 5.0  # between two CONNECTs when nothing is wrong
UPSTREAM_S = 10.0
SLOW_SHARE = 0.5  # a GET that takes more than this share of its limit is looked into by a CONNECT
OPEN_MAX = 3  # of one mode's GETs at a time: one begins each second, and each ends after its limit
CONNECT, UPSTREAM = "connect", "upstream"


class Asking(Protocol):
    """Each question raises TimeoutError when nothing came in time, OSError with the reason when it failed otherwise."""

    async def get(self, endpoint: LoopbackEndpoint, limit_s: float) -> None: ...
    async def connect(self, endpoint: LoopbackEndpoint, limit_s: float) -> None: ...
    async def upstream(self, endpoint: LoopbackEndpoint, url: str, limit_s: float) -> None: ...
    def others_answered(self, within_s: float) -> bool: ...


type Start = Callable[[Coroutine[None, None, None]], object]
"""Lets one self-test run in the background."""


class Rounds:
    """All self-tests that ask something."""

    def __init__(
        self,
        asking: Asking,
        on_result: Callable[[SelfTestResult], None],
        settings: HealthSettings,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        """May be set anew at any time."""
        self.judges: dict[str, Judge] = {}
        self._asking = asking
        self._on_result = on_result
        self._clock = clock
        self._answered = 0
        self._open: Counter[str] = Counter()
        self._due_s: dict[str, float] = {}
        self._was_proven = False

    @property
    def proven(self) -> bool:
        """Whether all that the proxy serves has been seen to work, since the last doubt."""
        return bool(self.judges) and all(judge.proven for judge in self.judges.values())

    def answered(self) -> None:
        """The proxy has answered somebody who is not a self-test."""
        self._answered += 1

    def doubt(self) -> None:
        """Only self-tests that begin from now on are a proof."""
        for name, judge in self.judges.items():
            if name != UPSTREAM:  # a server that does not answer keeps no proxy from serving
                judge.doubt(self._clock())

    def forget(self) -> None:
        """Nothing is under way any more, and nothing is known."""
        self.judges, self._open, self._was_proven = {}, Counter(), False

    def begin(self, endpoints: Iterable[LoopbackEndpoint], start: Start) -> None:
        """Start what is due now."""
        endpoints = list(endpoints)
        tunnel = next((endpoint for endpoint in endpoints if endpoint.mode in TUNNELLING), None)
        self._set_judges(endpoints, tunnel)
        for endpoint in endpoints:
            if self._open[_name_of(endpoint)] < OPEN_MAX:
                self._begin(_name_of(endpoint), self._get(endpoint, tunnel, start), start)
        if tunnel is None:
            return
        if self.judges[CONNECT].unsettled or self._is_due(CONNECT):
            self._begin_connect(tunnel, start)
        if self.settings.upstream and self._is_due(UPSTREAM) and not self._open[UPSTREAM]:
            self._due_s[UPSTREAM] = self._clock() + UPSTREAM_S
            self._begin(UPSTREAM, self._upstream(tunnel, self.settings.upstream), start)

    def _set_judges(self, endpoints: Iterable[LoopbackEndpoint], tunnel: LoopbackEndpoint | None) -> None:
        limits = {_name_of(endpoint): self.settings.get for endpoint in endpoints}
        if tunnel is not None:
            limits[CONNECT] = self.settings.connect
            if self.settings.upstream:
                limits[UPSTREAM] = self.settings.upstream_limits
        self._was_proven = self._was_proven or self.proven
        before, self.judges = self.judges, {}
        for name, each in limits.items():
            # A mode that is added later does not take back what the others have proven.
            self.judges[name] = before.get(name) or Judge(each, proven=self._was_proven or name == UPSTREAM)
            self.judges[name].limits = each

    def _is_due(self, name: str) -> bool:
        return self._clock() >= self._due_s.get(name, float("-inf"))

    def _begin(self, name: str, test: Coroutine[None, None, None], start: Start) -> None:
        self._open[name] += 1
        start(test)

    def _begin_connect(self, tunnel: LoopbackEndpoint, start: Start) -> None:
        if not self._open[CONNECT]:
            self._due_s[CONNECT] = self._clock() + CONNECT_S
            self._begin(CONNECT, self._connect(tunnel), start)

    # --- one self-test ----------------------------------------------------------------------------------------------

    async def _get(self, endpoint: LoopbackEndpoint, tunnel: LoopbackEndpoint | None, start: Start) -> None:
        limits = self.settings.get
        asked = self._asking.get(endpoint, limits.limit)
        result = await self._test(_name_of(endpoint), ASKED[endpoint.mode], limits, asked)
        if tunnel and (not result.passed or result.duration_s > limits.limit * SLOW_SHARE):
            self._begin_connect(tunnel, start)

    async def _connect(self, endpoint: LoopbackEndpoint) -> None:
        limits = self.settings.connect
        await self._test(CONNECT, "CONNECT", limits, self._asking.connect(endpoint, limits.limit))

    async def _upstream(self, endpoint: LoopbackEndpoint, url: str) -> None:
        limits = self.settings.upstream_limits
        await self._test(UPSTREAM, f"GET {url}", limits, self._asking.upstream(endpoint, url, limits.limit))

    async def _test(self, name: str, question: str, limits: Limits, asked: Awaitable[None]) -> SelfTestResult:
        """Ask and judge. A slow one among answered others is no failure, and no success either."""
        answered_before, started_at_s = self._answered, self._clock()
        evidence, excused = "", False
        try:
            await asked
        except TimeoutError:
            evidence = f"no answer to {question} for {self._clock() - started_at_s:.1f} s, limit {limits.limit:.1f}"
            answered = self._answered != answered_before or self._asking.others_answered(self._clock() - started_at_s)
            # A server far away may be slow while others are answered: that is what this test is for.
            if answered and name != UPSTREAM:
                excused = True
                evidence += ", but others were answered"
        except OSError as error:
            evidence = f"{question} failed: {error.strerror or error}"
        finally:
            self._open[name] -= 1
        now_s = self._clock()
        result = SelfTestResult(name, not evidence, evidence, now_s - started_at_s, now_s, limits)
        if name in self.judges:  # its mode may be gone
            self.judges[name].take(result, started_at_s, excused=excused)
        self._on_result(result)
        return result


def _name_of(endpoint: LoopbackEndpoint) -> str:
    return f"get {endpoint.spec}"
