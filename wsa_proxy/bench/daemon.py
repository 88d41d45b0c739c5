"""A peer's daemon on a host of the lab: one program, whatever processes it makes of itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.namespace import inside

STOP_S = 10.0
"""ucarp sleeps for some seconds in its only thread, now and then."""


class Daemon:
    """Made without having been started. All raise NodeFault when they make no sense in its present state."""

    def __init__(self, name: str, network: Path, log: Path, command: Sequence[str]) -> None:
        self._name, self._network, self._log, self._command = name, network, log, command
        self._process: subprocess.Popen[bytes] | None = None
        self.wanted = False
        """True from start until kill or stop: an end in between is the daemon's own."""

    @property
    def ended_by_itself(self) -> bool:
        """It did not like its configuration, or crashed."""
        return self.wanted and not self.alive

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """All that it has printed."""
        with contextlib.suppress(FileNotFoundError):
            return self._log.read_text(errors="replace")
        return ""

    def start(self) -> None:
        """In the foreground, as systemd does it."""
        if self.alive:
            raise NodeFault(f"{self._name} is running already")
        with inside(self._network), self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.wanted = True

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        process = self._running()
        self.wanted = False
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise NodeFault(f"{self._name} has not ended {STOP_S:g} s after SIGTERM") from None

    def kill(self) -> None:
        """SIGKILL for all its processes: first its children, which would take its end for an orderly one."""
        process, children = self._running(), self._children()
        self.wanted = False
        self._signal(signal.SIGKILL)
        process.wait()
        for child in children:
            # In a PID namespace of its own the lab is init, to whom orphans fall. keepalived does not start beside a
            # process of its own that nobody has waited for.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)

    def freeze(self) -> None:
        """SIGSTOP for all its processes."""
        self._running()
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT for all its processes."""
        self._running()
        self._signal(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """For the daemon alone."""
        self._running().send_signal(number)

    def _signal(self, number: signal.Signals) -> None:
        for pid in (*self._children(), self._running().pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _children(self) -> list[int]:
        pid = self._running().pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or not self.alive:
            raise NodeFault(f"{self._name} is not running")
        return self._process
