"""A session takes frames down, writes those of protocol 112, and ends when it has seen enough."""

from __future__ import annotations

from pathlib import Path

from tests.watch.packets import BEGIN_S
from tests.watch.packets import F1
from tests.watch.packets import captured
from tests.watch.packets import frame
from tests.watch.packets import vrrp_2
from wsa_proxy.watch.capture_file import CaptureReader
from wsa_proxy.watch.capture_file import CaptureWriter
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.session import Session


def test_what_is_taken_and_what_is_written(tmp_path: Path) -> None:
    """Only protocol 112, and nothing after the number that was asked for."""
    writer = CaptureWriter(tmp_path / "kept.pcap", force=False)
    session = Session("eth0", None, writer, count_max=2)
    frames = [captured(F1.packet, 1.0), Captured(BEGIN_S, frame(F1.packet, proto=17)), captured(vrrp_2(), 2.0)]
    entries = [session.take(each) for each in frames]
    writer.close()
    assert [entry is not None for entry in entries] == [True, False, True]
    assert (session.ended, session.ledger.heard, session.unreadable) == (True, 2, 1)
    assert [each.frame for each in CaptureReader(tmp_path / "kept.pcap")] == [frames[0].frame, frames[2].frame]


def test_the_snapshot_before_anything_was_heard() -> None:
    """Is one of silence."""
    snapshot = Session("eth0", None).snapshot(BEGIN_S, [], None)
    assert snapshot.title == "wsa-proxy watch  eth0  0 heard from 0 senders in 0 s"
    assert not snapshot.rows and snapshot.sentences[0].tone == "bad"
