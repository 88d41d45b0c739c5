"""A terminal of 24 lines with a ``wsa-proxy`` on it, or with another program."""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from fcntl import ioctl
from pathlib import Path
from typing import Self

WSA_PROXY = (sys.executable, "-m", "wsa_proxy.cli")


class Terminal:
    """``environment`` is added to that of the test. Left, it ends what still runs."""

    def __init__(
        self,
        *arguments: str,
        program: Sequence[str] = WSA_PROXY,
        environment: dict[str, str] | None = None,
        columns: int = 80,
    ) -> None:
        self.ours, self.theirs = pty.openpty()
        ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.seen = b""
        self._unread = b""
        ordinary = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
        self.process = subprocess.Popen(
            [*program, *arguments],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            start_new_session=True,
            preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
            env=ordinary | {"TERM": "xterm"} | (environment or {}),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def read_until(self, text: str) -> bytes:
        """Read until this text has come since the last call; answers what has, to its end."""
        deadline = time.monotonic() + 30
        while text.encode() not in self._unread:
            assert time.monotonic() < deadline, f"{text!r} is not on the screen: {self._unread[-3000:]!r}"
            if select.select([self.ours], [], [], 0.1)[0]:
                self._read()
        before, found, self._unread = self._unread.partition(text.encode())
        return before + found

    def wait_until_it_reads(self) -> None:
        """It sleeps by then: a Ctrl-C between its question and its read would only be seen at the next key."""
        deadline = time.monotonic() + 30
        while Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            assert time.monotonic() < deadline, "it does not wait for anything"
            time.sleep(0.01)

    def _read(self) -> None:
        new = os.read(self.ours, 65536)
        self.seen += new
        self._unread += new

    def end(self) -> int:
        """Wait for the end, reading what is still written."""
        deadline = time.monotonic() + 20
        while (ended := self.process.poll()) is None or select.select([self.ours], [], [], 0.05)[0]:
            assert time.monotonic() < deadline, f"it did not end: {self.seen[-3000:]!r}"
            if select.select([self.ours], [], [], 0.05)[0]:
                self._read()
        return ended
