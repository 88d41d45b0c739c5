"""A new file with a secret: it is there whole or not at all, and from its first moment on for its owner only."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_new(file: Path, text: str, *, force: bool) -> None:
    """On the disk when this returns. Raises FileExistsError unless ``force``, and OSError.

    A link gives a file its name only if nobody else has taken it meanwhile; a rename would take it away from him.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 600
    try:
        with open(descriptor, "w", encoding="utf-8") as draft:
            draft.write(text)
            draft.flush()
            os.fsync(draft.fileno())
        if force:
            os.replace(name, file)
        else:
            os.link(name, file)
    finally:
        Path(name).unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
