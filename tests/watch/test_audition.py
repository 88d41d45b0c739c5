"""Listening for so long on a real interface: who has spoken for a group, and whether a node would believe it."""

from __future__ import annotations

import time
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.network import Chatter
from tests.watch.packets import BEGIN_S
from tests.watch.packets import F1
from tests.watch.packets import Sender
from tests.watch.packets import configuration
from tests.watch.packets import frame
from wsa_proxy.watch.audition import NoGroup
from wsa_proxy.watch.audition import listen


def test_who_has_spoken(lan: Any, tmp_path: Path) -> None:
    """A believed one, one with another secret, one that has left; nothing of another id, and nothing is sent."""
    believed, of_another_id = Sender(), Sender(vhid=7)
    turns = cycle(range(3))

    def make_frame() -> bytes:
        now_s = time.time() - BEGIN_S
        turn = next(turns)
        if turn == 1:
            return frame(F1.packet, "10.0.0.9", "02:00:00:00:00:09")
        return frame((of_another_id if turn else believed).payload(now_s))

    with Chatter(lan, make_frame):
        (heard,) = listen(configuration(tmp_path), 1, 1.0)
    assert (heard.vhid, heard.hostname, heard.interface) == (1, "proxy.example.com", lan.LEFT)
    assert 1.0 <= heard.heard_for_s < 1.5
    ours, doubted = sorted(heard.speakers, key=lambda each: each.source)
    assert (ours.source, ours.is_believed, ours.advertises, ours.is_here) == (
        "10.0.0.1",
        True,
        True,
        False,
    )
    assert (ours.priority, ours.word) == ("255", "valid") and ours.count >= 2
    assert (doubted.source, doubted.word, doubted.is_believed) == ("10.0.0.9", "bad_secret", False)


def test_a_group_that_the_file_has_not(lan: Any, tmp_path: Path) -> None:
    with pytest.raises(NoGroup, match="the file has no group 9; it has 1"):
        listen(configuration(tmp_path), 9, 1.0)
