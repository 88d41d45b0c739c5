"""So many at once, and so many a second."""

from __future__ import annotations

from wsa_proxy.runtime.allowance import Allowance


def test_an_allowance() -> None:
    """What is not taken is there later, but never more than a second's."""
    now_s = 0.0
    allowance = Allowance(3, lambda: now_s)
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
    now_s = 0.5
    assert [allowance.take() for _ in range(2)] == [True, False]
    now_s = 100.0
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]


def test_several_or_none() -> None:
    """Whoever needs more than there are takes none of them."""
    now_s = 0.0
    allowance = Allowance(3, lambda: now_s)
    assert [allowance.take(count) for count in (2, 2, 1, 1)] == [True, False, True, False]
