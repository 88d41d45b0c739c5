"""One run of ``wsa-proxy watch``: opens what was asked for, in the order in which it can go wrong, and shows it."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from wsa_proxy.config import ConfigError
from wsa_proxy.config.source import printable
from wsa_proxy.net.host import read_host
from wsa_proxy.watch import screen
from wsa_proxy.watch.capture_file import CaptureError
from wsa_proxy.watch.capture_file import CaptureReader
from wsa_proxy.watch.capture_file import CaptureWriter
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.groups import WatchedGroup
from wsa_proxy.watch.groups import read_groups
from wsa_proxy.watch.interfaces import NoInterface
from wsa_proxy.watch.interfaces import choose
from wsa_proxy.watch.listener import Listener
from wsa_proxy.watch.session import Session
from wsa_proxy.watch.text import finding_line
from wsa_proxy.watch.text import line
from wsa_proxy.watch.view import render

WAIT_S = 0.25
"""How often a watch that hears nothing looks whether it should end."""
SCREEN_NOTES_MAX = 4


def watch(options: argparse.Namespace) -> int:
    """Carry out the command and answer its exit status."""
    if options.read is not None and options.interface:
        return _refuse("--read and --interface exclude each other: a capture is read, or an interface heard", status=2)
    logging.getLogger("scapy").setLevel(logging.ERROR)  # its warnings about damaged frames are not for the operator
    try:
        _read(options) if options.read is not None else _listen(options)
        sys.stdout.flush()
    except (CaptureError, NoInterface) as error:
        return _refuse(str(error))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:
        # `watch | head` has seen enough. Python would complain about the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        return _refuse(_os_text(error))
    return 0


def _refuse(text: str, status: int = 1) -> int:
    print(f"wsa-proxy watch: {text}", file=sys.stderr)
    return status


def _os_text(error: OSError) -> str:
    text = error.strerror or str(error)
    if isinstance(error, PermissionError):
        return f"{text}: run it as root, or read a capture with --read, which needs no privilege"
    return text


def _groups(options: argparse.Namespace, with_host: bool) -> tuple[WatchedGroup, ...] | None:
    """Of the file, judged by this host only where that decides on the interface."""
    if options.config is None:
        return None
    return read_groups(options.config, read_host() if with_host else None)


def _listen(options: argparse.Namespace) -> None:
    groups = _groups(options, with_host=not options.interface)
    interfaces = choose(options.interface, groups, read_host())
    listener = Listener(interfaces)
    with contextlib.closing(listener), _writer(options) as writer:
        where = ", ".join(printable(each.name) for each in interfaces) + _checked_with(options)
        session = Session(where, groups, writer, options.count)
        console = _console(options)
        until_s = None if options.seconds is None else listener.now_s() + options.seconds
        with screen.ending_on_signals(session):
            if console is not None:
                screen.show(session, console, listener.wait, listener.now_s, lambda: _notes(listener, session), until_s)
                return
            while not session.ended and (until_s is None or listener.now_s() < until_s):
                limit_s = WAIT_S if until_s is None else min(WAIT_S, until_s - listener.now_s())
                for captured in listener.wait(limit_s)[0]:
                    _print_entry(session, captured)
        for note in [*_notes(listener, session), *_silence(session, where)]:
            print(f"wsa-proxy watch: {note}", file=sys.stderr)


def _read(options: argparse.Namespace) -> None:
    groups = _groups(options, with_host=False)
    reader = CaptureReader(options.read, sys.stdin.buffer if str(options.read) == "-" else None)
    with contextlib.closing(reader), _writer(options) as writer:
        where = printable(options.read.name) + _checked_with(options)
        session = Session(where, groups, writer, options.count)
        console = _console(options)
        last_s = 0.0
        # Here Ctrl-C may be an exception: nothing is being drawn, and a pipe that is silent would hold us for ever.
        with contextlib.suppress(KeyboardInterrupt):
            for captured in reader:
                last_s = captured.at_s
                if session.began_s is not None and options.seconds is not None:
                    session.ended = session.ended or last_s - session.began_s > options.seconds
                if session.ended:
                    break
                if console is None:
                    _print_entry(session, captured)
                else:
                    session.take(captured)
        notes = [reader.damage] if reader.damage else []
        if console is not None:
            console.print(render(session.snapshot(last_s, notes, None)))
        for note in [*notes, *_silence(session, where)] if console is None else []:
            print(f"wsa-proxy watch: {note}", file=sys.stderr)


def _print_entry(session: Session, captured: Captured) -> None:
    """Its line, and a line for what is newly wrong. Nothing once the session has ended."""
    entry = None if session.ended else session.take(captured)
    if entry is not None:
        row, news = entry
        print("\n".join([line(row), *map(finding_line, news)]), flush=True)


@contextlib.contextmanager
def _writer(options: argparse.Namespace) -> Iterator[CaptureWriter | None]:
    """The file of ``--write``, closed at the end."""
    if options.write is None:
        yield None
        return
    if options.read is not None and _same_file(options.read, options.write):
        raise CaptureError(f"{printable(str(options.write))} is the file that is read; write to another")
    writer = CaptureWriter(options.write, options.force)
    try:
        yield writer
    finally:
        writer.close()


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _console(options: argparse.Namespace) -> Console | None:
    """A terminal that can show the table; None: lines."""
    console = Console(highlight=False)
    can_draw = sys.stdout.isatty() and console.is_terminal and not console.is_dumb_terminal
    return console if can_draw and not options.lines else None


def _checked_with(options: argparse.Namespace) -> str:
    return f"  checked with {printable(options.config.name)}" if options.config else ""


def _notes(listener: Listener, session: Session) -> list[str]:
    """What this watch has missed."""
    notes = list(listener.notes[-SCREEN_NOTES_MAX:])
    if listener.dropped:
        notes.append(f"{listener.dropped} packets came faster than they could be read, and are not shown")
    if session.unreadable:
        notes.append(f"{session.unreadable} packets were cut or damaged before the end of their IP header")
    return notes


def _silence(session: Session, where: str) -> list[str]:
    """No lines at all would look like a watch that does not work."""
    return [] if session.ledger.heard else [f"nothing of protocol 112 heard, no CARP and no VRRP: {where}"]
