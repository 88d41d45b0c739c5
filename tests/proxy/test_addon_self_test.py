"""The addon's self-tests go on, whatever befalls them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from wsa_proxy.proxy import addon
from wsa_proxy.proxy.addon import CarpFailover
from wsa_proxy.runtime.tasks import create_task


class Dying:
    """Self-tests that die twice, and then run."""

    def __init__(self) -> None:
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        if self.runs <= 2:
            raise ExceptionGroup("of a task group", [KeyError("mitmproxy changed")])
        await asyncio.Event().wait()


async def test_self_tests_that_have_died_begin_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Meanwhile the node stays out: nobody looks. But one error that nobody has foreseen is not its end."""
    monkeypatch.setattr(addon, "TEST_AGAIN_S", 0)
    failover, liveness = CarpFailover(), Dying()
    told: list[Any] = []
    monkeypatch.setattr(failover, "_set_health", told.append)
    test = create_task(failover._test(liveness), name="self-test")  # type: ignore[arg-type]
    for _ in range(10):
        await asyncio.sleep(0)
    assert liveness.runs == 3 and not test.done()
    assert len(told) == 2 and "the self-tests have died" in told[0].hard
    assert caplog.text.count("begin anew") == 2
    test.cancel()
