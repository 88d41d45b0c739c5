"""tornado's remarks about requests."""

from __future__ import annotations

import logging

import pytest

from wsa_proxy.admin.quiet import GENERAL
from wsa_proxy.admin.quiet import quietly


def test_remarks_are_said_at_debug_while_the_server_runs(caplog: pytest.LogCaptureFixture) -> None:
    """Not seen in the log of a proxy; afterwards everything is as it was."""
    caplog.set_level(logging.INFO)
    caplog.handler.setLevel(logging.INFO)
    quietly(True)
    GENERAL.warning("a malformed request")
    quietly(False)
    GENERAL.warning("of somebody else")
    assert caplog.messages == ["of somebody else"]
