"""The live screen: reads keys, does faults, draws what view.py makes of the lab ten times a second."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import Any
from typing import NoReturn

from rich.console import Console
from rich.live import Live

from wsa_proxy.lab.bars import ConnectionView
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.namespace import SIGNALS_FORWARDED
from wsa_proxy.lab.node import Node
from wsa_proxy.lab.open_connections import demonstration
from wsa_proxy.lab.view import SLICE_S
from wsa_proxy.lab.view import SLICES
from wsa_proxy.lab.view import NodeView
from wsa_proxy.lab.view import Snapshot
from wsa_proxy.lab.view import render

FRAME_S = 0.1
OPEN_S = 20.0
"""How long each connection lasts that the client keeps open: longer than its bar."""
KEYS_PER_FRAME_MAX = 64
TRANSITIONS_SHOWN_MAX = 100
LEAVE_SCREEN = "\x1b[?1049l\x1b[?25h"
"""Back to the normal screen, cursor on."""
NO_KEY = b"\0"
"""Of a terminal's setting: no key does this."""
STATUS_KILLED = 128
"""From here on a status is that of a process that a signal ended, as a shell counts."""


def restoring_terminal(work: Callable[[], int]) -> int:
    """Call ``work``, which runs the screen in another process, and return its status.

    A process that was killed cannot give the terminal back: then it is done here, or by a guard when this process
    was the one.
    """
    before = termios.tcgetattr(sys.stdin)
    reading, writing = os.pipe()
    if (guard := os.fork()) == 0:
        os.close(writing)
        _guard_terminal(reading, before)
    os.close(reading)
    status = work()
    if status >= STATUS_KILLED:
        _restore_terminal(before)
    os.write(writing, b"done")
    os.close(writing)
    os.waitpid(guard, 0)
    return status


def _guard_terminal(reading: int, before: list[Any]) -> NoReturn:
    """Wait until the lab says that it is done, or until all its processes are dead: the pipe's other end is theirs."""
    try:
        os.setsid()  # No signal of the terminal's is for the guard.
        if not os.read(reading, 1):
            _restore_terminal(before)
    finally:
        os._exit(0)


def _restore_terminal(before: list[Any]) -> None:
    """Give the terminal back, unless it is gone; settings that a shell has made since then stay."""
    with contextlib.suppress(OSError, termios.error):
        if termios.tcgetattr(sys.stdin)[6][termios.VSUSP] == NO_KEY:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        os.write(sys.stdout.fileno(), LEAVE_SCREEN.encode())


def run(lab: Lab, console: Console) -> None:
    """Show the lab until ``q`` or Ctrl-C. The client starts as soon as a node holds the virtual IP."""
    controls = Controls(lab)
    live = Live(console=console, screen=True, auto_refresh=False)
    with quitting_on_signals(controls), _single_keys(), live:
        client_started = False
        while not controls.quitting:
            if not client_started and lab.holder_log.holders():
                lab.start_client()
                lab.keep_open(*demonstration(OPEN_S))
                client_started = True
            live.update(render(controls.snapshot(console.size.height)), refresh=True)
            for key in _keys_within(FRAME_S):
                controls.press(key)


class Controls:
    """What the keys have chosen, and the lab as it looks now."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._selected = next(iter(lab.nodes))
        self._message = ""
        self.quitting = False

    def press(self, key: str) -> None:
        """Do what the key stands for; an impossible fault is a message."""
        if key == "q":
            self.quitting = True
        elif key in self._lab.nodes:
            self._selected = key
            self._message = ""
        else:
            self._do_fault(key)

    def _do_fault(self, key: str) -> None:
        faults = [fault for fault in FAULTS.values() if key and fault.key == key]
        if not faults:
            return
        words = " or ".join(fault.word for fault in faults)
        possible = [fault for fault in faults if fault.possible(self._lab, self._selected)]
        if not possible:
            self._message = f"{words}: not possible for node {self._selected} now"
            return
        try:
            self._lab.apply(possible[0], self._selected)
            self._message = f"{possible[0].text([self._selected])}: {possible[0].help}"
        except (NodeFault, OSError) as error:
            self._message = str(error)

    def snapshot(self, rows: int) -> Snapshot:
        """The lab now; times in seconds since its start."""
        lab = self._lab
        origin_s = lab.began_s
        now = time.monotonic()
        newest = itertools.takewhile(
            lambda sample: sample.end_s > now - SLICE_S * (SLICES + 2), reversed(list(lab.samples))
        )
        ended = next((node.name for node in lab.nodes.values() if node.ended_by_itself), None)
        return Snapshot(
            now_s=now - origin_s,
            virtual_ips=lab.virtual_ips,
            nodes=[self._view(node, now) for node in lab.nodes.values()],
            samples=[replace(each, end_s=each.end_s - origin_s) for each in newest],
            connections=self._connections(origin_s),
            last_fault=lab.last_row(),
            transitions=[
                replace(each, at_s=each.at_s - origin_s) for each in lab.transitions()[-TRANSITIONS_SHOWN_MAX:]
            ],
            message=f"node {ended} ended by itself: {lab.nodes[ended].log_tail()[-60:]!r}" if ended else self._message,
            rows=rows,
        )

    def _connections(self, origin_s: float) -> list[ConnectionView]:
        fates, servers = self._lab.fates, self._lab.servers
        views = []
        for newest in fates.newest():
            recent = fates.recent(newest.place)
            views.append(
                ConnectionView(
                    newest=replace(newest, at_s=newest.at_s - origin_s),
                    node=servers.get(newest.server, ""),
                    began_s=fates.began_s(newest.place) - origin_s,
                    recent=[(each.at_s - origin_s, each.state, servers.get(each.server, "")) for each in recent],
                )
            )
        return views

    def _view(self, node: Node, now: float) -> NodeView:
        groups = node.news.groups if node.news else []
        state = str(groups[0]["state"]) if groups else "starting"
        if not node.alive:
            state = "down"
        elif node.ailment:
            state = node.ailment
        return NodeView(
            name=node.name,
            selected=node.name == self._selected,
            state=state,
            priority=str(groups[0]["priority"]) if groups else "",
            holds_virtual_ip=node.name in self._lab.holder_log.holders(),
            holds_silently=node.name in self._lab.holder_log.silent_holders(),
            news_age_s=now - node.news.at_s if node.news else None,
            pid=node.pid if node.alive else None,
            plugged=self._lab.topology.plugged(node.name),
        )


@contextlib.contextmanager
def quitting_on_signals(controls: Controls) -> Iterator[None]:
    """Make Ctrl-C and its like a ``q``: an exception in the middle of rich's drawing would cost the terminal."""

    def quit_soon(_number: int, _frame: FrameType | None) -> None:
        controls.quitting = True

    before = {number: signal.signal(number, quit_soon) for number in SIGNALS_FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _single_keys() -> Iterator[None]:
    """Get keys at once and unseen. Ctrl-C still works; Ctrl-Z is off, since only the caller would stop, not the lab."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        settings = termios.tcgetattr(sys.stdin)
        settings[6][termios.VSUSP] = NO_KEY
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _keys_within(limit_s: float) -> str:
    """The keys pressed within that time; a closed terminal is ``q``."""
    if not select.select([sys.stdin], [], [], limit_s)[0]:
        return ""
    keys = os.read(sys.stdin.fileno(), KEYS_PER_FRAME_MAX)
    return keys.decode(errors="replace") if keys else "q"
