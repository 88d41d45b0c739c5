"""The model of the kernel: a lease ends by itself, a refusal changes nothing."""

from __future__ import annotations

from random import Random

from wsa_proxy.simulation.kernel import LEASE_S_MAX
from wsa_proxy.simulation.kernel import LEASE_S_MIN
from wsa_proxy.simulation.kernel import Kernel


def test_a_lease_ends_by_itself_and_is_prolonged_by_a_renewal() -> None:
    kernel = Kernel(Random(1))
    assert not kernel.holds(10.0) and kernel.take(10.0)
    assert kernel.holds(10.0 + LEASE_S_MIN - 0.01) and not kernel.holds(10.0 + LEASE_S_MAX)
    assert kernel.take(10.9) and kernel.holds(11.8)
    kernel.release()
    assert not kernel.holds(10.9)


def test_a_refusal_leaves_the_lease_as_it_was() -> None:
    kernel = Kernel(Random(1))
    kernel.take(10.0)
    until_s, kernel.refuses = kernel.lease_until_s, True
    assert not kernel.take(10.5) and kernel.lease_until_s == until_s


def test_what_is_not_let_go_stays_until_the_lease_ends_or_the_machine_is_off() -> None:
    kernel = Kernel(Random(1))
    kernel.take(10.0)
    kernel.refuses = True
    kernel.release()
    assert kernel.kept and kernel.holds(10.5) and not kernel.holds(10.0 + LEASE_S_MAX)
    kernel.end()
    assert not kernel.kept and not kernel.holds(10.5)


def test_a_refusal_is_not_slow() -> None:
    kernel = Kernel(Random(1))
    assert not kernel.is_slow
    kernel.operation_s = 0.1
    assert kernel.is_slow
    kernel.refuses = True
    assert not kernel.is_slow
