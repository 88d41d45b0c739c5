"""The table, alive on a terminal: redrawn at most four times a second, until Ctrl-C or ``q``, then put away."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from types import FrameType

from rich.console import Console
from rich.live import Live

from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.session import Session
from wsa_proxy.watch.view import render

FRAME_S = 0.25
NO_KEY = b"\0"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KEYS_MAX = 64
FOOTER = "Ctrl-C or q ends"


@contextlib.contextmanager
def ending_on_signals(session: Session) -> Iterator[None]:
    """Make Ctrl-C and its like the end of the session: an exception while rich draws would cost the terminal."""

    def end_soon(_number: int, _frame: FrameType | None) -> None:
        session.ended = True

    before = {number: signal.signal(number, end_soon) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def show(
    session: Session,
    console: Console,
    wait: Callable[[float, Sequence[int]], tuple[list[Captured], list[int]]],
    clock: Callable[[], float],
    notes: Callable[[], list[str]],
    until_s: float | None,
) -> None:
    """Draw until the session ends; afterwards the table stands on the terminal."""
    session.began_s = clock()
    drawn_s = 0.0
    with single_keys() as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:
        while not session.ended and (until_s is None or clock() < until_s):
            if clock() - drawn_s >= FRAME_S:
                drawn_s = clock()
                size = (console.size.width, console.size.height)
                live.update(render(session.snapshot(drawn_s, notes(), size, FOOTER)), refresh=True)
            frames, keys = wait(drawn_s + FRAME_S - clock(), keyboard)
            for captured in frames:
                if not session.ended:
                    session.take(captured)
            if keys and _quits(keyboard):
                session.ended = True
    console.print(render(session.snapshot(clock(), notes(), None)))


@contextlib.contextmanager
def single_keys() -> Iterator[list[int]]:
    """The keyboard's descriptor, with keys at once and unseen; no Ctrl-Z, which would leave the shell this screen."""
    if not sys.stdin.isatty():
        yield []
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        tty.setcbreak(keyboard)
        settings = termios.tcgetattr(keyboard)
        settings[6][termios.VSUSP] = NO_KEY
        termios.tcsetattr(keyboard, termios.TCSADRAIN, settings)
        yield [keyboard]
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _quits(keyboard: list[int]) -> bool:
    """A ``q``; a keyboard that is gone asks nothing any more."""
    try:
        keys = os.read(keyboard[0], KEYS_MAX)
    except OSError:
        keys = b""
    if not keys:
        keyboard.clear()
    return b"q" in keys
