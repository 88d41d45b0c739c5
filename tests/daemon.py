"""Another product's daemon on a host of the lab, in the foreground, with its output as its log."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from wsa_proxy.lab.namespace import inside

PATHS = "/usr/sbin:/usr/local/sbin:/usr/bin"
"""Where Debian puts them, and an ordinary user's shell does not look."""


class Daemon:
    """One process. It is made without having been started."""

    def __init__(self, network: Path, log: Path, command: Sequence[str]) -> None:
        self._network, self._log, self._command = network, log, command
        self._log.touch()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with inside(self._network), self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self) -> None:
        """For whoever runs it where nothing ends with the namespace."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")
