"""A node's control socket with answers of a test's choice, and a record of what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

type Answer = Callable[[str, dict[str, str]], dict[str, Any]]


class FakeNode:
    """Answers in a thread, from its making until ``stop``; each request is (verb, arguments)."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self.path = path
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._answer = answer
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """As a node that has ended: there is no socket any more."""
        self.path.unlink()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):  # shut down
            while True:
                connection, _ = self._listening.accept()
                with connection:
                    request = json.loads(connection.makefile("rb").readline())
                    arguments = request.get("arguments", {})
                    self.asked.append((request["verb"], arguments))
                    connection.sendall(json.dumps(self._answer(request["verb"], arguments)).encode() + b"\n")


def configuration(folder: Path) -> Path:
    """A file that leads to ``folder/control.sock``."""
    file = folder / "node.yaml"
    file.write_text(f"state_dir: {folder}\n")
    return file
