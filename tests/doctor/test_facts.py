from __future__ import annotations

from tests.doctor.patients import node


def test_a_group_that_the_node_does_not_have() -> None:
    """The file may have been changed since it was read."""
    assert node().group(1)["interface"] == "eth0"
    assert node().group(2) == {}
