"""How often somebody may be wrong."""

from __future__ import annotations

from wsa_proxy.admin.attempts import AT_ONCE
from wsa_proxy.admin.attempts import ONE_MORE_AFTER_S
from wsa_proxy.admin.attempts import SOURCES_MAX
from wsa_proxy.admin.attempts import Attempts


def used_up(address: str, now_s: float = 0.0) -> Attempts:
    attempts = Attempts()
    assert [attempts.take(address, now_s) for _ in range(AT_ONCE + 1)] == [True] * AT_ONCE + [False]
    return attempts


def test_a_few_at_once_and_then_one_in_a_while() -> None:
    """And not more after a long rest than at the beginning."""
    attempts = used_up("10.0.0.9")
    assert attempts.wait_s("10.0.0.9", 0.0) == ONE_MORE_AFTER_S
    assert not attempts.take("10.0.0.9", ONE_MORE_AFTER_S - 0.1)
    assert attempts.take("10.0.0.9", ONE_MORE_AFTER_S)
    assert not attempts.take("10.0.0.9", ONE_MORE_AFTER_S)
    later_s = 1000 * ONE_MORE_AFTER_S
    assert [attempts.take("10.0.0.9", later_s) for _ in range(AT_ONCE + 1)] == [True] * AT_ONCE + [False]


def test_addresses_do_not_hinder_each_other() -> None:
    """But in IPv6 a host has the addresses of its whole network."""
    attempts = used_up("10.0.0.9")
    assert attempts.take("10.0.0.8", 0.0)
    attempts = used_up("2001:db8:0:1::1")
    assert not attempts.take("2001:db8:0:1:ffff::2", 0.0)
    assert attempts.take("2001:db8:0:2::1", 0.0)
    attempts = used_up("fe80::1%eth0")
    assert not attempts.take("fe80::2%eth1", 0.0)


def test_who_was_right_has_used_none() -> None:
    """However often he comes."""
    attempts = Attempts()
    for n in range(10 * AT_ONCE):
        assert attempts.take("10.0.0.9", n / 100)
        attempts.give_back("10.0.0.9", n / 100)
    assert attempts.wait_s("10.0.0.9", 10.0) == 0.0
    attempts = used_up("10.0.0.9")
    attempts.give_back("10.0.0.9", 0.0)
    assert attempts.take("10.0.0.9", 0.0) and not attempts.take("10.0.0.9", 0.0)


def test_it_remembers_a_bounded_number() -> None:
    """Those who were wrong first are forgotten first."""
    attempts = used_up("10.0.0.9")
    for n in range(SOURCES_MAX - 1):
        attempts.take(f"10.1.{n // 256}.{n % 256}", 0.0)
    assert not attempts.take("10.0.0.9", 0.0)
    attempts.take("10.2.0.0", 0.0)
    assert attempts.take("10.0.0.9", 0.0)
