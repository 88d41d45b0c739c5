"""The live table on a real terminal: it shows what is heard, ends with Ctrl-C or q, leaves the terminal as it was."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from tests.watch.packets import BEGIN_S
from tests.watch.packets import F1
from tests.watch.packets import Sender
from tests.watch.packets import configuration
from tests.watch.packets import frame
from wsa_proxy.watch import screen
from wsa_proxy.watch.session import Session

ENTER_SCREEN, LEAVE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """A terminal of 80x24 with a watch on it."""

    def __init__(self, *arguments: str, term: str = "xterm") -> None:
        self.ours, self.theirs = pty.openpty()
        ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        self.seen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wsa_proxy.cli", "watch", *arguments],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": term},
        )

    def read_until(self, text: bytes) -> None:
        """Read until the text has been written since the last call."""
        new, deadline = b"", time.monotonic() + 30
        while text not in new:
            assert time.monotonic() < deadline, f"{text!r} is not on the screen: {new[-3000:]!r}"
            if select.select([self.ours], [], [], 0.1)[0]:
                new += os.read(self.ours, 65536)
        self.seen += new

    def end(self) -> int:
        """Wait for the end, reading what is still written."""
        deadline = time.monotonic() + 20
        while (ended := self.process.poll()) is None or select.select([self.ours], [], [], 0.05)[0]:
            assert time.monotonic() < deadline, "the watch did not end"
            if select.select([self.ours], [], [], 0.05)[0]:
                self.seen += os.read(self.ours, 65536)
        return ended


@pytest.mark.parametrize("ending", ["ctrl-c", "q", "sigterm"])
def test_the_table_and_the_terminal_afterwards(lan: Any, tmp_path: Path, ending: str) -> None:
    """A master is named within a moment; whatever ends it, the screen is left, and the table stands on the terminal."""
    terminal = Terminal("--config", str(configuration(tmp_path)))
    terminal.read_until(b"nothing heard yet")
    assert termios.tcgetattr(terminal.theirs) != terminal.before
    lan.send_from_the_right(frame(Sender().payload(time.time() - BEGIN_S)))
    terminal.read_until(b"master 10.0.0.1, priority 255")
    if ending == "sigterm":
        terminal.process.send_signal(signal.SIGTERM)
    else:
        os.write(terminal.ours, b"\x03" if ending == "ctrl-c" else b"xq")
    assert terminal.end() == 0
    on_screen, _, after = terminal.seen.rpartition(LEAVE_SCREEN)
    assert ENTER_SCREEN in on_screen and b"\x1b[?25h" in terminal.seen
    assert b"master 10.0.0.1, priority 255" in after and b"valid" in after
    assert termios.tcgetattr(terminal.theirs) == terminal.before


def test_lines_where_no_table_can_be(lan: Any) -> None:
    """When they are asked for, and on a terminal that cannot draw."""
    for arguments, term in (["--lines"], "xterm"), ([], "dumb"):
        terminal = Terminal("--count", "1", *arguments, term=term)
        lan.until(lambda: "120000E0" in Path("/proc/net/igmp").read_text(), "the watch listens", within_s=20)
        lan.send_from_the_right(frame(F1.packet))
        assert terminal.end() == 0
        assert b"-> unverified" in terminal.seen and ENTER_SCREEN not in terminal.seen


def test_a_capture_is_a_table_on_a_terminal() -> None:
    """Printed once; there is nothing to wait for."""
    capture = Path(__file__).parents[1] / "interop" / "captures" / "we_preempt.pcap"
    terminal = Terminal("--read", str(capture))
    assert terminal.end() == 0
    assert b"takes over from 10.0.0.20, which has left" in terminal.seen and ENTER_SCREEN not in terminal.seen


def test_it_is_drawn_four_times_a_second_at_most(lan: Any) -> None:
    """However many packets arrive: a storm must not become one of the terminal."""
    terminal = Terminal("--seconds", "2")
    terminal.read_until(b"nothing of protocol 112")
    with lan.on_the_right():
        sender = lan.raw_socket(lan.RIGHT)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        sender.send(frame(F1.packet))
        time.sleep(0.002)
    assert terminal.end() == 0
    assert 3 <= terminal.seen.count(b"Ctrl-C or q ends") <= 2 * 4 + 2


def test_a_signal_ends_the_session_and_is_given_back() -> None:
    """It is no exception, which would come in the middle of drawing."""
    session, before = Session("eth0", None), signal.getsignal(signal.SIGTERM)
    with screen.ending_on_signals(session):
        signal.raise_signal(signal.SIGTERM)
    assert session.ended and signal.getsignal(signal.SIGTERM) == before
