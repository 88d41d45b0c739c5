"""A line for each packet: fixed words and numbers, in local time, whatever the network says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests.watch.packets import BOW_OUT
from tests.watch.packets import F1
from tests.watch.packets import MAC_B
from tests.watch.packets import Sender
from tests.watch.packets import captured
from tests.watch.packets import configuration
from tests.watch.packets import vrrp_2
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.groups import read_groups
from wsa_proxy.watch.session import Session
from wsa_proxy.watch.text import line
from wsa_proxy.watch.text import stamp


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def told(session: Session, packet: Captured) -> str:
    entry = session.take(packet)
    assert entry is not None
    return line(entry[0])


def test_lines(tmp_path: Path) -> None:
    """What is said, by whom, and what a node makes of it."""
    session = Session("eth0", read_groups(configuration(tmp_path), None))
    here = replace(captured(Sender().payload(0.0), 0.0), interface="eth0", sent_here=True)
    assert told(session, here) == (
        "2026-09-21 14:13:20.000 eth0 id 1 10.0.0.1 (02:00:00:00:00:0a, sent here) CARP interval 1.000 s advskew 0"
        " priority 255 demotion 0 counter 0c597a6100004005 sealed 2026-09-21 14:13:20.000 (+0.000 s) -> valid"
    )
    assert told(session, captured(BOW_OUT.packet, 1.5, "10.0.0.2", MAC_B)).endswith(
        "CARP bow-out demotion 0 counter 0000000000000001 first"
        " -> bad_secret: signed with another secret, or for other virtual IPs than 10.0.0.3"
    )
    assert told(session, captured(vrrp_2(priority=0), 2.0)).endswith(
        "VRRP 2 gives up, priority 0, interval 1 s, addresses 10.0.0.3, auth none -> VRRP 2: a node counts it as vrrp"
    )
    assert told(session, captured(b"\x21", 2.0)).endswith("? 1 bytes -> short: 1 bytes, 36 expected")
    demoted = told(session, captured(Sender().payload(3.0, 1, 240, 1), 3.0))
    assert " CARP demoted interval 1.938 s advskew 240 demotion 1 " in demoted


@pytest.mark.parametrize("at_s", [1e18, -1e18, 1e30])
def test_impossible_times(at_s: float) -> None:
    """A capture may have any number for a time."""
    assert stamp(at_s).endswith(" s")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.text(max_size=20), st.sampled_from(["10.0.0.1", "fe80::1"]), st.floats(-1e12, 1e12))
def test_no_control_character_comes_through(payload: bytes, interface: str, source: str, at_s: float) -> None:
    """Not of the packet, and not of the interface's name in a capture."""
    session = Session("eth0", None)
    for packet in (payload, F1.packet[:4] + payload):
        text = told(session, replace(captured(packet, at_s, source), interface=interface))
        assert text.isprintable(), repr(text)
