"""A process as another user than root, with what it needs within its reach: the interpreter and the checkout.

Root's folders are often closed to all others, and so are pytest's. In a mount namespace of the test's own each folder
that stands in the way is covered by an empty one that is open, and what is needed below it is shown there again.
Outside nothing changes: nothing gets another mode or owner, and the mounts end with the test's processes.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import mitmproxy

USER = 61_234  # in no list of users: of those that systemd hands out to services (DynamicUser=), and not to others
ROOT = Path(__file__).resolve().parents[1]
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18  # from linux/mount.h
LIBC = ctypes.CDLL(None, use_errno=True)


def possible() -> bool:
    """Whether this process is root among other users, may mount, and what the other one needs is open in itself."""
    if os.geteuid() != 0 or not _known(USER) or any(_closed_inside(tree) for tree in needed()):
        return False
    return subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, check=False).returncode == 0


def _known(user: int) -> bool:
    """In a user namespace there may be nobody but root."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first <= user < first + count:
            return True
    return False


def needed() -> set[Path]:
    """The installation of Python, the virtual environment, the checkout's folders; by the names that are used for them
    and by their real ones."""
    named = {Path(sys.base_prefix), Path(sys.prefix), *(each for each in ROOT.iterdir() if each.is_dir())}
    return named | {each.resolve() for each in named}


def _closed_inside(tree: Path) -> bool:
    """A umask that closes one file to others has closed all of a tree: those that everything needs stand for it."""
    samples = (Path(os.__file__), Path(mitmproxy.__file__), ROOT / "wsa_proxy" / "__init__.py")
    found = [each for each in samples if each.is_relative_to(tree)]
    return any(not each.stat().st_mode & 0o004 or in_the_way(each, below=tree.parent) for each in found)


def in_the_way(path: Path, below: Path = Path("/")) -> Path | None:
    """The first folder on the way from there to ``path`` that others may not enter; ``path`` itself is not on it."""
    ways = [each for each in reversed(path.parents) if each != below and each.is_relative_to(below)]
    return next((each for each in ways if not each.stat().st_mode & 0o001), None)


def open_the_way(folder: Path) -> None:
    """Move this process into a mount namespace in which the other user can enter what it needs, and ``folder``, which
    is empty there and as fleeting as the namespace. Raises OSError when the kernel refuses."""
    os.unshare(os.CLONE_NEWNS)
    _mount("/", flags=MS_REC | MS_PRIVATE)
    os.umask(0o022)
    hidden = {path: blocking for path in (*needed(), folder) if (blocking := in_the_way(path))}
    # Opened before they are covered. A tree that others may not enter at its own top is refused by ``possible``.
    opened = {path: os.open(path, os.O_PATH) for path in hidden if path != folder}
    for each in _outermost(set(hidden.values())):
        _mount(str(each), "tmpfs", "tmpfs", data="mode=755")
    for path, descriptor in opened.items():
        path.mkdir(parents=True, exist_ok=True)
        _mount(str(path), f"/proc/self/fd/{descriptor}", flags=MS_BIND | MS_REC)
        os.close(descriptor)
    folder.mkdir(parents=True, exist_ok=True)
    _mount(str(folder), "tmpfs", "tmpfs", data="mode=755")


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """Those that lie in no other."""
    found = set(folders)
    return [each for each in found if not found & set(each.parents)]


def _mount(target: str, source: str = "none", kind: str = "none", flags: int = 0, data: str = "") -> None:
    texts = [each.encode() for each in (source, target, kind)]
    if LIBC.mount(*texts, ctypes.c_ulong(flags), data.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)
