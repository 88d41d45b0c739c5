"""The doctor on a real interface: its configuration, a run, what it has found; for tests with the fixture ``lan``."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.watch.packets import configuration
from wsa_proxy import cli
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.lab.certificates import make_authority

SECONDS = "1.3"
"""The shortest time that it listens, and an advertisement each second."""


class Patient:
    """One node that does not run, on the left end of the cable: nothing is wrong with it before a test sees to it."""

    def __init__(self, lan: Any, folder: Path, **keys: Any) -> None:
        self._lan = lan
        self.state_dir = folder / "state"
        self.state_dir.mkdir(mode=0o700)
        self.confdir = folder / "confdir"
        make_authority(self.confdir)
        self.file = configuration(folder, interface=lan.LEFT, **keys)
        self.file.write_text(f"state_dir: {self.state_dir}\n{self.file.read_text()}")
        # A neighbour that is known can be asked whether it hears another hardware address.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.sendto(b"?", ("10.0.0.2", 9))
        lan.until(lambda: "REACHABLE" in lan.ip(f"neighbour show dev {lan.LEFT}"), "the right end is known")

    def examine(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> Report:
        """One run, and what it says."""
        words = ["doctor", str(self.file), "--confdir", str(self.confdir), "--seconds", SECONDS, "--json"]
        status = cli.main([*words, *arguments])
        return Report(status, json.loads(capsys.readouterr().out))


class Report:
    """The document of one run."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        self.document = document
        self.checks = [each["check"] for each in document["findings"]]
        self.findings = [Finding(each["what"], each["evidence"], each["fix"]) for each in document["findings"]]
        self.not_made = {each["check"]: each["why"] for each in document["not_made"]}

    def only(self, check: str) -> Finding:
        """The one finding, which this check has made."""
        assert (self.status, self.checks) == (3, [check]), self.document
        return self.findings[0]


class Chatter:
    """The right end sends these frames ten times a second, as long as the block lasts."""

    def __init__(self, lan: Any, make_frame: Callable[[], bytes]) -> None:
        with lan.on_the_right():
            self._socket = lan.raw_socket(lan.RIGHT)
        self._make_frame = make_frame
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _speak(self) -> None:
        while not self._ended.wait(0.1):
            self._socket.send(self._make_frame())


@contextmanager
def answering(path: Path, status: Mapping[str, Any]) -> Iterator[None]:
    """A node's control socket that answers every request with this document, as long as the block lasts."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    path.chmod(0o600)
    listening.listen()

    def serve() -> None:
        with suppress(OSError):  # shut down: the block has ended
            while True:
                connection, _ = listening.accept()
                with connection:
                    if connection.recv(4096):
                        connection.sendall(json.dumps(status).encode() + b"\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
        listening.close()
