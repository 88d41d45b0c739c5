"""The wait after the kernel has refused something."""

from __future__ import annotations

import math

from wsa_proxy.runtime.retry import RETRY_S
from wsa_proxy.runtime.retry import RETRY_S_MAX
from wsa_proxy.runtime.retry import Retry


def test_each_wait_is_twice_as_long_until_it_works() -> None:
    """Up to five minutes; each is told once."""
    now = 0.0
    retry = Retry(lambda: now)
    assert not retry.due() and retry.at_s == math.inf
    waits = []
    for _ in range(9):
        retry.left()
        waits.append(retry.at_s - now)
        now = retry.at_s - 0.001
        assert not retry.due()
        now += 0.002
        assert retry.due() and not retry.due() and retry.at_s == math.inf
    assert [round(wait) for wait in waits] == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert waits[-1] == RETRY_S_MAX
    retry.well()
    retry.left()
    assert retry.at_s - now == RETRY_S
