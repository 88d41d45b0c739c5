"""The end of a log that grows: each call reads what has come since the last one, in whole lines."""

from __future__ import annotations

from pathlib import Path


class LogTail:
    """Of one file, from its end of now on if ``from_end``, else from its beginning."""

    def __init__(self, path: Path, *, from_end: bool = False) -> None:
        self._path = path
        self._at = path.stat().st_size if from_end else 0
        self._rest = b""

    def lines(self) -> list[str]:
        """Those that are complete and have not been read yet; none while there is no file."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._at)
            read = file.read()
        self._at += len(read)
        *whole, self._rest = (self._rest + read).split(b"\n")
        return [line.decode(errors="replace") for line in whole]
