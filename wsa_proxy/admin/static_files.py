"""The page's own files, read once into memory: no request reaches the disk, and no path can leave the folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/vnd.microsoft.icon",
}
FOR_THE_LOGIN = (".css", ".svg", ".png", ".ico")  # how the page looks is no secret


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One of them, as it is sent."""

    body: bytes
    kind: str
    """Its media type."""
    etag: str
    open: bool
    """It is sent to those who have not logged in: the login page, and what any page is painted with."""


def read_static_files(folder: Path) -> dict[str, StaticFile]:
    """All that lie in the folder itself and are of a known type, by name; empty when there is no folder."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: _read(path) for path in paths if path.suffix in TYPES and path.is_file()}


def _read(path: Path) -> StaticFile:
    body = path.read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return StaticFile(body, TYPES[path.suffix], etag, path.stem == "login" or path.suffix in FOR_THE_LOGIN)
