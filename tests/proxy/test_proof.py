"""The proof before a planned switch: every mode is asked now, and what fails is the reason."""

from __future__ import annotations

import asyncio

import pytest

from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.proof import LIMIT_S
from wsa_proxy.proxy.proof import SharedProof
from wsa_proxy.proxy.proof import prove

REGULAR = LoopbackEndpoint("regular", "regular", "127.0.0.1", 8080)
SOCKS = LoopbackEndpoint("socks5", "socks5@1080", "127.0.0.1", 1080)


class Proxy:
    """Notes what it is asked, and fails one of it."""

    def __init__(self, fails: str = "", error: Exception | None = None) -> None:
        self.asked: list[str] = []
        self.fails, self.error = fails, error

    async def get(self, endpoint: LoopbackEndpoint, limit_s: float) -> None:
        self._ask(f"get {endpoint.spec}", limit_s)

    async def connect(self, endpoint: LoopbackEndpoint, limit_s: float) -> None:
        self._ask(f"connect {endpoint.spec}", limit_s)

    def _ask(self, what: str, limit_s: float) -> None:
        assert limit_s == LIMIT_S
        self.asked.append(what)
        if what == self.fails and self.error is not None:
            raise self.error


async def test_each_mode_is_asked() -> None:
    """SOCKS takes no CONNECT of HTTP."""
    proxy = Proxy()
    assert await prove(proxy, lambda: [SOCKS, REGULAR]) == ""
    assert proxy.asked == ["get socks5@1080", "get regular", "connect regular"]


@pytest.mark.parametrize(
    ("proxy", "why_not"),
    [
        (Proxy("get regular", TimeoutError()), f"no answer to GET within {LIMIT_S:g} s"),
        (Proxy("connect regular", TimeoutError()), f"no answer to CONNECT within {LIMIT_S:g} s"),
        (Proxy("get socks5@1080", OSError(111, "Connection refused")), "SOCKS greeting failed: Connection refused"),
        (Proxy("connect regular", OSError("TLS: bad")), "CONNECT failed: TLS: bad"),
    ],
)  # fmt: skip
async def test_the_first_that_fails_is_the_reason(proxy: Proxy, why_not: str) -> None:
    """No second chance, unlike in a self-test."""
    assert await prove(proxy, lambda: [SOCKS, REGULAR]) == why_not


async def test_a_proxy_that_serves_nothing_proves_nothing() -> None:
    """Its modes all have a host of their own, or are gone."""
    assert await prove(Proxy(), list) == "nothing is served on the virtual IPs"


async def test_many_groups_ask_at_once() -> None:
    """One proof for all that have asked before it began; who asks in the middle of one waits for the next."""
    begun: list[asyncio.Event] = []

    async def proof() -> str:
        begun.append(asyncio.Event())
        await begun[-1].wait()
        return f"proof {len(begun)}"

    shared = SharedProof(proof)
    first = [asyncio.ensure_future(shared()) for _ in range(255)]  # noqa: TID251 - awaited below
    await asyncio.sleep(0.001)
    later = [asyncio.ensure_future(shared()) for _ in range(255)]  # noqa: TID251 - awaited below
    await asyncio.sleep(0.001)
    later[0].cancel()
    assert len(begun) == 1 and not any(each.done() for each in first)
    begun[0].set()
    assert set(await asyncio.gather(*first)) == {"proof 1"}
    await asyncio.sleep(0.001)
    begun[1].set()
    assert set(await asyncio.gather(*later[1:])) == {"proof 2"} and len(begun) == 2


async def test_a_proof_that_fails_fails_for_all_and_the_next_is_another() -> None:
    """Whoever asks says why."""
    errors = [OSError("no descriptors")]

    async def proof() -> str:
        if errors:
            raise errors.pop()
        return ""

    shared = SharedProof(proof)
    with pytest.raises(OSError, match="no descriptors"):
        await shared()
    assert await shared() == ""
