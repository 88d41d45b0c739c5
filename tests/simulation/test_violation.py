"""A violation has the name of the promise, alone and in its text."""

from __future__ import annotations

from wsa_proxy.simulation.violation import Violation


def test_the_name_comes_first() -> None:
    violation = Violation("I5", "node 1 holds what it should not")
    assert violation.invariant == "I5" and str(violation) == "I5: node 1 holds what it should not"
