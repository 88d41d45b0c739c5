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
from collections.abc import Iterator
from fcntl import ioctl
from types import SimpleNamespace
from typing import Any

import pytest

from tests.lab.inside import ROOT
from tests.lab.inside import needs_namespaces
from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import Fates
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.node import News
from wsa_proxy.lab.screen import LEAVE_SCREEN
from wsa_proxy.lab.screen import Controls
from wsa_proxy.lab.screen import quitting_on_signals
from wsa_proxy.lab.topology import NODE_NAMES

COMMAND = "import sys; from wsa_proxy.cli import main; sys.exit(main(['lab']))"
SHELL = f"import subprocess, sys; subprocess.call([sys.executable, '-c', {COMMAND!r}]); sys.stdin.read()"
"""Starts the lab as a shell does: when the lab is killed, the terminal's session goes on."""


def fake_lab(names: str = "ab") -> Any:
    nodes = {
        name: SimpleNamespace(
            name=name, alive=True, ailment="", wanted=True, pid=7, news=None, ended_by_itself=False, done=[]
        )
        for name in names
    }
    lab = SimpleNamespace(
        nodes=nodes,
        began_s=time.monotonic() - 5,
        samples=[],
        virtual_ips=["10.0.0.3"],
        holder_log=SimpleNamespace(holders=lambda: {"b"}, silent_holders=lambda: {"a"}),
        topology=SimpleNamespace(plugged=lambda name: True),
        last_row=lambda: None,
        fates=Fates(),
        servers={"10.0.0.2": "b"},
        transitions=lambda: [],
        done=[],
    )
    lab.apply = lambda fault, *targets: lab.done.append(fault.text(targets))
    return lab


def test_keys_pick_a_node_and_do_the_fault_that_is_possible() -> None:
    """One key stops what runs and starts what does not; unknown keys do nothing; q quits."""
    lab = fake_lab()
    controls = Controls(lab)
    for key in "kbsj?":
        controls.press(key)
    lab.nodes["b"].wanted = lab.nodes["b"].alive = False
    for key in "sk":
        controls.press(key)
    assert lab.done == ["kill a", "stop b", "start b"]
    assert controls.snapshot(24).message == "kill: not possible for node b now"
    assert not controls.quitting
    controls.press("q")
    assert controls.quitting


def test_every_node_of_the_greatest_lab_can_be_picked_and_every_fault_done_to_it() -> None:
    """No letter means a node and a fault."""
    lab = fake_lab(NODE_NAMES)
    controls = Controls(lab)
    for name in NODE_NAMES:
        for key in (name, "u", "x"):
            controls.press(key)
    assert lab.done == [f"{word} {name}" for name in NODE_NAMES for word in ("cable", "deafen")]


def test_a_signal_is_a_q_and_never_an_exception_in_the_middle_of_drawing() -> None:
    """An exception between two instructions of rich would leave the user's terminal on the lab's screen."""
    controls = Controls(fake_lab())
    before = signal.getsignal(signal.SIGTERM)
    with quitting_on_signals(controls):
        signal.raise_signal(signal.SIGTERM)
    assert controls.quitting
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_snapshot_tells_process_and_report_apart() -> None:
    """What the process is comes before what it last said; the holder is the kernel's."""
    lab = fake_lab()
    document = {"groups": [{"state": "master", "priority": 255}]}
    lab.nodes["a"].news = News(time.monotonic(), document)
    first, second = Controls(lab).snapshot(24).nodes
    assert (first.state, first.priority, first.holds_virtual_ip, first.selected) == ("master", "255", False, True)
    assert (second.state, second.news_age_s, second.holds_virtual_ip) == ("starting", None, True)
    assert first.holds_silently and not second.holds_silently
    lab.nodes["a"].ailment = "frozen"
    assert Controls(lab).snapshot(24).nodes[0].state == "frozen"
    lab.nodes["a"].alive = False
    gone = Controls(lab).snapshot(24).nodes[0]
    assert (gone.state, gone.pid) == ("down", None)


def test_the_snapshot_names_the_node_that_serves_each_connection() -> None:
    """By the address from which the origin was asked; all times count from the start of the nodes."""
    lab = fake_lab()
    began_s = lab.began_s
    for at_s, state, server in ((began_s + 1, State.OPENING, ""), (began_s + 2, State.RUNS, "10.0.0.2")):
        lab.fates.note(Fate(at_s, "tunnel 1", 1, state, server, 3, 0.0, ""))
    (tunnel,) = Controls(lab).snapshot(24).connections
    assert (tunnel.node, tunnel.newest.count) == ("b", 3)
    assert [tunnel.began_s, tunnel.newest.at_s] == pytest.approx([1, 2])
    assert [(state, node) for _, state, node in tunnel.recent] == [(State.OPENING, ""), (State.RUNS, "b")]
    assert tunnel.recent[0][0] == pytest.approx(1)


class Terminal:
    """A terminal of 80x24 with the lab's live screen on it."""

    def __init__(self, code: str) -> None:
        self.ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm"},
        )
        self.seen = b""

    def read_until(self, text: bytes, limit_s: float = 30.0) -> None:
        """Read until the text has been written since the last call."""
        new = b""
        deadline = time.monotonic() + limit_s
        while text not in new:
            assert time.monotonic() < deadline, f"{text!r} is not on the screen: {new[-3000:]!r}"
            if select.select([self.ours], [], [], 0.2)[0]:
                new += os.read(self.ours, 65536)
        self.seen += new

    def end(self) -> int:
        """Wait for the end, reading what is still written."""
        deadline = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "the lab did not end in 20 s"
            if select.select([self.ours], [], [], 0.05)[0]:
                self.seen += os.read(self.ours, 65536)
        while select.select([self.ours], [], [], 0.05)[0]:
            self.seen += os.read(self.ours, 65536)
        return self.process.returncode


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    made = Terminal(getattr(request, "param", COMMAND))
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    os.close(made.ours)
    os.close(made.theirs)


@needs_namespaces
def test_the_terminal_is_given_back_after_q(terminal: Terminal) -> None:
    """Bars of what is open, a fault by key, its row in the table that stays on the terminal, and the settings as they
    were."""
    terminal.read_until(b"websocket 1 ")
    os.write(terminal.ours, b"k")
    terminal.read_until(b"kill a")
    os.write(terminal.ours, b"q")
    assert terminal.end() == 0
    after = terminal.seen.rpartition(b"\x1b[?1049l")[2]
    assert b"took over" in after and b"kill a" in after
    assert termios.tcgetattr(terminal.theirs) == terminal.before


@needs_namespaces
@pytest.mark.parametrize("ending", ["ctrl-c", "first process killed", "sigterm"])
def test_the_terminal_is_given_back_however_the_lab_ends(terminal: Terminal, ending: str) -> None:
    """Ctrl-C, SIGTERM, and a screen that is killed while it draws."""
    terminal.read_until(b"pick a node")
    if ending == "ctrl-c":
        os.write(terminal.ours, b"\x03")
    elif ending == "sigterm":
        terminal.process.send_signal(signal.SIGTERM)
    else:
        os.kill(child_of(child_of(terminal.process.pid)), signal.SIGKILL)
    assert terminal.end() == (128 + signal.SIGKILL if ending == "first process killed" else 0)
    assert LEAVE_SCREEN.partition("h")[0].split("\x1b")[1].encode() in terminal.seen  # Back on the normal screen.
    assert termios.tcgetattr(terminal.theirs) == terminal.before


@needs_namespaces
@pytest.mark.parametrize("terminal", [SHELL], indirect=True)
def test_the_terminal_is_given_back_when_the_lab_itself_is_killed(terminal: Terminal) -> None:
    """SIGKILL to ``wsa-proxy lab``, which cannot do anything any more: its guard does, and ends, too."""
    terminal.read_until(b"pick a node")
    lab = child_of(terminal.process.pid)
    family = [lab, child_of(lab), child_of(lab, newest=False)]
    os.kill(lab, signal.SIGKILL)
    terminal.read_until(LEAVE_SCREEN.encode(), 5)
    assert termios.tcgetattr(terminal.theirs) == terminal.before
    deadline = time.monotonic() + 5
    while left := [pid for pid in family if os.path.exists(f"/proc/{pid}")]:
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.01)


def child_of(pid: int, *, newest: bool = True) -> int:
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return int(children.read().split()[-1 if newest else 0])
