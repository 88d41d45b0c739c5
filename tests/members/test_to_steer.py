"""Who must be steered one by one before the addresses are taken, and who goes the right way for being unknown."""

from __future__ import annotations

import pytest

from wsa_proxy.members.to_steer import ToSteer

OLD, OLDER = bytes.fromhex("020000000002"), bytes.fromhex("020000000003")
TARGETS = {bytes([number]): OLD if number % 2 else OLDER for number in range(10)}


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (OLD, [0, 1, 2, 3, 4, 6, 8]),
        (OLDER, [0, 1, 2, 3, 5, 7, 9]),
        (b"", range(10)),
        (bytes(6), range(10)),
    ],
)
def test_only_who_goes_where_the_unknown_go_can_wait(gap: bytes, expected: list[int]) -> None:
    """Of that node the first two here; of a node that gets no unknown all, or they would meet this one's kernel."""
    found = ToSteer(TARGETS, gap, frozenset()).at_once(2)
    assert found == {bytes([number]): TARGETS[bytes([number])] for number in expected}


def test_a_few_are_all_at_once() -> None:
    """As many as may be."""
    assert ToSteer(TARGETS, OLD, frozenset()).at_once(5) == TARGETS
