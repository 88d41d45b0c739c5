from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from wsa_proxy.net import death_notice

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = (
    "pthread_mutexattr_init",
    "pthread_mutexattr_setpshared",
    "pthread_mutexattr_setrobust",
    "pthread_mutex_init",
    "pthread_mutex_lock",
)


class Owner:
    """A process of the test's that has a mutex. It does what it reads from stdin, line by line, and says so."""

    def __init__(self) -> None:
        program = (
            "import os, subprocess, sys, threading\n"
            "from wsa_proxy.net import death_notice\n"
            "(mine,) = death_notice.descriptors()\n"
            "assert death_notice.descriptors() == (mine,)\n"
            "print(mine, flush=True)\n"
            "for line in sys.stdin:\n"
            "    exec(line)\n"
            "    print('done', flush=True)\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._number = self._said()

    def memory(self) -> int:
        """What a process would pass on: a descriptor of its memory."""
        return os.open(f"/proc/{self.process.pid}/fd/{self._number}", os.O_RDWR)

    def does(self, statement: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(statement + "\n")
        self.process.stdin.flush()
        assert self._said() == "done"

    def _said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def is_told(watching: int, wait_s: float = 0.0) -> bool:
    return bool(select.select([watching], [], [], wait_s)[0])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_death_is_told(number: int) -> None:
    """By whatever signal; and not before."""
    owner = Owner()
    watching = death_notice.watch(owner.memory())
    assert not is_told(watching)
    owner.process.send_signal(number)
    assert is_told(watching, 10)
    owner.process.communicate()
    os.close(watching)


def test_who_merely_belongs_to_the_process_may_end() -> None:
    """Threads, programs that were started, and forked children, also one that has asked for its own."""
    owner = Owner()
    watching = death_notice.watch(owner.memory())
    owner.does("thread = threading.Thread(target=death_notice.descriptors); thread.start(); thread.join()")
    owner.does("subprocess.run(['true'], check=True)")
    owner.does("child = os.fork(); child or os._exit(0); os.waitpid(child, 0)")
    owner.does("child = os.fork(); child or os._exit(len(death_notice.descriptors()))")
    owner.does("assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1")
    assert not is_told(watching)
    owner.process.kill()
    owner.process.communicate()
    assert is_told(watching, 10)
    os.close(watching)


def test_a_thread_other_than_the_first_owns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process would live on when that thread ends."""
    monkeypatch.setattr(death_notice, "_owned", {})
    seen: list[tuple[int, ...]] = []
    thread = threading.Thread(target=lambda: seen.append(death_notice.descriptors()))
    thread.start()
    thread.join()
    assert seen == [()]


@pytest.mark.parametrize("refused", ["pthread_mutexattr_setrobust", "pthread_mutex_init"])
def test_where_there_are_no_such_mutexes_there_is_no_notice_and_nothing_stays_open(
    monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """A kernel that knows no robust futexes; it is asked again with each guardian that is started."""
    libc = {name: getattr(death_notice._LIBC, name) for name in FUNCTIONS} | {refused: lambda *_: errno.ENOTSUP}
    monkeypatch.setattr(death_notice, "_LIBC", SimpleNamespace(**libc))
    monkeypatch.setattr(death_notice, "_owned", {})
    before = os.listdir("/proc/self/fd")
    assert death_notice.descriptors() == ()
    assert os.listdir("/proc/self/fd") == before
