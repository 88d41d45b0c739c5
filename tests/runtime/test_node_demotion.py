"""A demotion of the whole node is told to every group, whatever happens to one of them."""

from __future__ import annotations

import pytest

from tests.runtime.world import MakeHost
from wsa_proxy.runtime.node_demotion import NodeDemotion
from wsa_proxy.runtime.node_demotion import one_line


async def test_every_group_is_told_and_one_that_fails_is_alone(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What the guardian has done is read before; later groups are told as the others were."""
    node = make_host("a", 1, more_vhids=(2, 3)).node
    drained: list[int] = []
    first, second, third = node._drivers()
    told = NodeDemotion("work", lambda: [first, second], lambda: drained.append(first.virtual_host.demotion))

    def fail(*_: object) -> None:
        raise OSError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(first, "set_demotion", fail)
        told.set(True, "somebody works here")
    assert drained == [0] and second.demotions.reasons == {"work": "somebody works here"}
    assert "carp vhid=1 failed to take the demotion 'work'" in caplog.text
    assert "carp vhid=2 demotion=1 reason=somebody works here" in caplog.text
    told.tell(third)
    assert third.demotions.reasons == {"work": "somebody works here"}
    told.set(False, "done")
    told.tell(third)
    assert all(driver.demotions.reasons == {} for driver in (first, second, third))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("kernel update", "kernel update"),
        ("  kernel \n\t update ", "kernel update"),
        ("x" * 200, "x" * 200),
        ("", None),
        (" \n", None),
        ("x" * 201, None),
        ("bell \x07", None),
        ("\ud800", None),
    ],
)
def test_a_reason_is_one_line_of_text(text: str, line: str | None) -> None:
    """It is shown in one, in the log and in the status."""
    assert one_line(text) == line
