"""SIGHUP in a process of its own: with a terminal, after it was closed, without one, and where it is ignored."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wsa_proxy.proxy.hangup import has_terminal

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 20.0  # a deadline, not a pause

# Its answers go through a pipe: the terminal will be gone.
PROGRAM = """
import asyncio, os, resource, signal, sys
from wsa_proxy.proxy import hangup
async def main():
    said = asyncio.Event()
    def say(what):
        os.write(int(sys.argv[1]), what.encode() + b"\\n")
        said.set()
    hangup.follow(lambda: say("reload"), lambda: say("end"))
    if sys.argv[2:] == ["starved"]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    os.write(int(sys.argv[1]), b"ready\\n")
    await said.wait()
asyncio.run(main())
"""


class Program:
    """The program above; ``begin`` makes its session and, with a terminal, takes this one for its own."""

    def __init__(self, terminal: int | None, *, ignored: bool = False, starved: bool = False) -> None:
        self.answers, answers = os.pipe()
        arguments = [sys.executable, "-c", PROGRAM, str(answers), *(["starved"] if starved else [])]

        def begin() -> None:
            if ignored:
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
            if terminal is not None:
                # The first terminal that the leader of a session opens is its own, credentials(7).
                os.close(os.open(os.ttyname(terminal), os.O_RDWR))

        self.process = subprocess.Popen(
            arguments, cwd=ROOT, pass_fds=[answers], start_new_session=True, stdin=subprocess.DEVNULL, preexec_fn=begin
        )
        os.close(answers)
        assert self.answer() == "ready"

    def answer(self) -> str:
        assert select.select([self.answers], [], [], LIMIT_S)[0], "no answer"
        return os.read(self.answers, 100).decode().strip()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.answers)


def closes_the_terminal(program: Program, ours: int) -> None:
    os.close(ours)


def sends_the_signal(program: Program, ours: int) -> None:
    program.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize(("act", "answer"), [(closes_the_terminal, "end"), (sends_the_signal, "reload")])
def test_a_terminal_that_is_gone_ends_and_a_signal_reloads(act: Callable[[Program, int], None], answer: str) -> None:
    """Of a proxy that somebody has started by hand."""
    ours, theirs = pty.openpty()
    program = Program(theirs)
    os.close(theirs)
    act(program, ours)
    try:
        assert program.answer() == answer
    finally:
        program.end()


def test_out_of_descriptors_the_terminal_is_not_taken_for_gone() -> None:
    """To look at it takes one; a proxy with too many clients that is told to reload must not end."""
    ours, theirs = pty.openpty()
    program = Program(theirs, starved=True)
    os.close(theirs)
    sends_the_signal(program, ours)
    try:
        assert program.answer() == "reload"
    finally:
        program.end()


def test_a_service_reloads() -> None:
    """It has no terminal that could go."""
    program = Program(None)
    program.process.send_signal(signal.SIGHUP)
    try:
        assert program.answer() == "reload"
    finally:
        program.end()


def test_who_is_not_to_be_hung_up_is_left_alone() -> None:
    """nohup: neither ended nor reloaded."""
    program = Program(None, ignored=True)
    program.process.send_signal(signal.SIGHUP)
    program.process.send_signal(signal.SIGTERM)
    try:
        assert program.process.wait(LIMIT_S) == -signal.SIGTERM
        assert program.answer() == ""
    finally:
        program.end()


def test_without_a_terminal_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reason."""
    monkeypatch.setattr("wsa_proxy.proxy.hangup.TERMINAL", "/dev/no-such-terminal")
    assert not has_terminal()
