"""Frames come with the interface, the direction and a time that does not step; trouble on the way is noted."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from tests.watch.packets import F1
from tests.watch.packets import frame
from wsa_proxy.net.host import read_host
from wsa_proxy.net.tap import TappedFrame
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.listener import Listener


def left(lan: Any) -> list[Any]:
    return [each for each in read_host().interfaces if each.name == lan.LEFT]


def busy(seconds: float) -> None:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        pass


def dated_by_the_kernel(lan: Any, listener: Listener) -> bool:
    """It begins to stamp frames some time after it was asked to (net_enable_timestamp leaves that to a work queue)."""
    lan.send_from_the_right(frame(F1.packet))
    lan.until(lambda: lan.readable([listener._taps[0].fileno()], 0), "a frame")
    busy(0.02)
    (found,) = listener.wait(5.0)[0]
    return listener.now_s() - found.at_s > 0.015


def test_frames_with_their_place_and_time(lan: Any) -> None:
    """In the order in which they passed, dated by the kernel and not by when they were read."""
    listener = Listener(left(lan))
    lan.until(lambda: dated_by_the_kernel(lan, listener), "stamps")
    lan.send_from_the_right(frame(F1.packet))
    lan.until(lambda: lan.readable([listener._taps[0].fileno()], 0), "a frame")
    sent_s = listener.now_s()
    busy(0.3)
    (found,) = listener.wait(5.0)[0]
    assert (found.frame, found.interface, found.sent_here, found.link) == (frame(F1.packet), "left", False, 1)
    assert abs(found.at_s - sent_s) < 0.2 and listener.now_s() - found.at_s > 0.25
    listener.close()


def test_waiting_ends(lan: Any) -> None:
    """After the time that was given, and as soon as another descriptor is readable."""
    listener = Listener(left(lan))
    assert listener.wait(0.01) == ([], [])
    with lan.on_the_right():
        other = lan.raw_socket(lan.RIGHT, 3)
    lan.raw_socket(lan.LEFT).send(frame(F1.packet))
    found, readable = listener.wait(5.0, [other.fileno()])
    assert [each.sent_here for each in found] == [True]
    lan.until(lambda: listener.wait(5.0, [other.fileno()])[1] == [other.fileno()], "the other one")
    assert readable in ([], [other.fileno()])


def test_an_interface_that_goes_down_is_noted(lan: Any) -> None:
    """And the watch goes on."""
    listener = Listener(left(lan))
    for _ in range(2):
        lan.ip(f"link set {lan.LEFT} down")
        assert listener.wait(5.0)[0] == []
        lan.ip(f"link set {lan.LEFT} up")
    assert listener.notes == ["left: Network is down; what comes after it is up again is heard"]
    lan.wait_up(lan.LEFT)
    with lan.on_the_right():
        lan.wait_up(lan.RIGHT)
    lan.send_from_the_right(frame(F1.packet))
    lan.until(lambda: listener.wait(0.1)[0], "a frame")
    assert listener.dropped == 0


def test_a_step_of_the_wall_clock_changes_nothing(monkeypatch: Any) -> None:
    """Neither the clock of the watch nor the date of a frame follows it for more than a minute."""
    listener = Listener([])
    before_s = listener.now_s()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= listener.now_s() - before_s < 5
    passed = [TappedFrame(b"x", 1, False, at_s=9e9)]
    tap: Any = SimpleNamespace(interface="eth0", trouble="", receive=lambda: passed)
    (found,) = listener._read(tap)
    assert isinstance(found, Captured) and abs(found.at_s - before_s) < 5
