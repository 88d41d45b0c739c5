"""A JSON file in the node's folder that is the old one or the new one, whatever happens while it is written.

Whoever writes calls this in the thread that writes the node's files: a slow disk must not stop the loop.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW  # root writes here: into no other file
FILE_BYTES_MAX = 64 * 1024


def store(path: Path, document: Any) -> None:
    """Readable by its owner only, and on the disk when this returns. Raises OSError: the old file is still there."""
    beside = path.with_suffix(".new")
    with open(os.open(beside, CREATE, 0o600), "w") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path)


def load(path: Path) -> Any:
    """What the file says. Raises OSError, FileNotFoundError among others, or ValueError when it is no JSON."""
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX)
    try:
        return json.loads(content)
    except RecursionError as error:  # of an array in an array in an array
        raise ValueError("nested too deeply") from error


def remove(path: Path) -> None:
    """Gone from the disk when this returns; harmless when repeated. Raises OSError: it is still there."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        sync_folder(path)


def sync_folder(path: Path) -> None:
    """What has happened to the file is what any process sees from now on; where the folder cannot be synced, a power
    failure may still undo it."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        logger.warning("%s: the folder cannot be synced: %s; a power failure may bring an older file back", path, error)
