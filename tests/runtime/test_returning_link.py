"""Who is asked for again when a cable is back; the real table is in tests/net/test_neighbour_table.py."""

from __future__ import annotations

import logging
from ipaddress import ip_address
from typing import Any

import pytest

from tests.runtime.world import MakeHost
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.runtime.returning_link import ask_neighbours_again

LINK = LinkChanged("eth0", 2, running=True)


async def test_what_was_asked_for_is_told_to_whoever_looks(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = make_host("a", 1)
    monkeypatch.setattr(host, "ask_neighbours_again", lambda index: [ip_address("10.0.0.66")] if index == 2 else [])
    with caplog.at_level(logging.DEBUG):
        ask_neighbours_again(host, LINK)
    assert "carp eth0 is up, asked again for: 10.0.0.66" in caplog.text


async def test_a_kernel_that_cannot_is_no_obstacle(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = make_host("a", 1)

    def refuse(_: int) -> Any:
        raise OSError("no buffer space")

    monkeypatch.setattr(host, "ask_neighbours_again", refuse)
    ask_neighbours_again(host, LINK)
    assert "neighbours could not be asked for again: no buffer space" in caplog.text
