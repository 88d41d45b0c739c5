"""The configuration file of a running node: read, and replaced by a new text or not at all.

A new text is written beside the file, readable by its owner only, and takes the old one's place in one step: whoever
reads finds the old file or the new one, and a process that is killed at any moment leaves one of them. It keeps mode,
owner, group and extended attributes; a symbolic link goes on pointing at it. What somebody else has written meanwhile
is not replaced.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import grp
import os
import pwd
import re
import stat
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from wsa_proxy.config.source import FILE_BYTES_MAX
from wsa_proxy.config.source import printable
from wsa_proxy.runtime.state_file import sync_folder

BOM = "\ufeff"
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
FS_IOC_GETFLAGS = 0x80086601  # linux/fs.h
IMMUTABLE, APPEND_ONLY = 0x10, 0x20
CHANGED_MEANWHILE = "the file was changed by somebody else; abandon or submit again"


class FileError(Exception):
    """The file cannot be read or written; the text says why and what to do."""


class ChangedMeanwhile(FileError):
    """Somebody else has written the file."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held at one moment."""

    raw: bytes = field(repr=False)  # there are secrets in it
    text: str = field(repr=False)
    """Without a byte order mark."""

    def with_text(self, text: str) -> bytes:
        """Another text in the form of this file."""
        return (BOM + text if self.raw.startswith(BOM.encode()) else text).encode()


def read(path: Path) -> Content:
    """Raises FileError."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise FileError(f"{printable(str(path))}: cannot be read: {error.strerror}") from None
    try:
        return Content(raw, raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise FileError(f"{printable(str(path))}: is not UTF-8 text; save it as UTF-8") from None


def why_not_writable(path: Path) -> str | None:
    """Why ``write`` would fail, with the way out, as far as it can be told without writing; None: nothing is seen."""
    try:
        target = _target(path)
        file, folder = target.stat(), target.parent
        if not stat.S_ISREG(file.st_mode):
            return f"{_name(target)} is not a regular file"
        return _why_not_in(folder) or _why_not_kept(target, file) or _why_not_replaced(target, file)
    except OSError as error:
        return f"{_name(path)}: {error.strerror}"


def write(path: Path, content: bytes, expected: bytes) -> None:
    """On the disk when this returns. Raises FileError, ChangedMeanwhile when the file does not hold ``expected``: the
    file that was there is still there."""
    if reason := why_not_writable(path):
        raise FileError(reason)
    try:
        _replace(_target(path), content, expected)
    except OSError as error:
        raise FileError(f"{_name(path)}: cannot be written: {error.strerror}") from None


def _target(path: Path) -> Path:
    """The file itself, where the path is a symbolic link. Raises OSError."""
    return Path(os.path.realpath(path, strict=True))


def _replace(target: Path, content: bytes, expected: bytes) -> None:
    beside = target.with_name(f".{target.name}.wsa-proxy-new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()  # of a process that was killed while it wrote
    with open(os.open(beside, CREATE, 0o600), "wb") as file:
        try:
            file.write(content)
            file.flush()
            _take_after(file.fileno(), target)
            os.fsync(file.fileno())
            if target.read_bytes() != expected:
                raise ChangedMeanwhile(CHANGED_MEANWHILE)
            beside.replace(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    sync_folder(target)


def _take_after(descriptor: int, target: Path) -> None:
    """Owner, group, extended attributes (an access list is one) and mode, in this order: each may undo the next."""
    like, own = target.stat(), os.fstat(descriptor)
    if (like.st_uid, like.st_gid) != (own.st_uid, own.st_gid):
        os.fchown(descriptor, like.st_uid, like.st_gid)
    for name in _attributes(target):
        with contextlib.suppress(OSError):  # those that the kernel or a security module sets by itself
            os.setxattr(descriptor, name, os.getxattr(target, name))
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _attributes(target: Path) -> list[str]:
    try:
        return os.listxattr(target)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return []
        raise


def _why_not_in(folder: Path) -> str | None:
    """In this folder the new file is made."""
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return (
            f"{_name(folder)} is read-only for this process: a read-only file system, or ProtectSystem= of its systemd"
            f" unit, to which ReadWritePaths={_name(folder)} makes an exception"
        )
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return f"{_who()} may not write in {_name(folder)}, where the new file is made: chown {_who()} {_name(folder)}"
    if _flags(folder) & (IMMUTABLE | APPEND_ONLY):
        return f"{_name(folder)} is immutable: chattr -ia {_name(folder)}"
    return None


def _why_not_kept(target: Path, file: os.stat_result) -> str | None:
    """What is the old file's and must be the new one's. Root may give it to anybody."""
    if os.geteuid() == 0:
        return None
    if file.st_uid != os.geteuid():
        owner = _user(file.st_uid)
        return f"{_name(target)} belongs to {owner}, and {_who()} cannot keep that: chown {_who()} {_name(target)}"
    if file.st_gid not in (os.getegid(), *os.getgroups()):
        group, own = _group(file.st_gid), _group(os.getegid())
        return f"{_name(target)} belongs to the group {group}, of which {_who()} is none: chgrp {own} {_name(target)}"
    return None


def _why_not_replaced(target: Path, file: os.stat_result) -> str | None:
    """What keeps another file from taking this name."""
    if _flags(target) & (IMMUTABLE | APPEND_ONLY):
        return f"{_name(target)} is immutable: chattr -ia {_name(target)}"
    if file.st_nlink > 1:
        return f"{_name(target)} has {file.st_nlink} names (hard links), and the others would keep the old text"
    if str(target) in _mount_points():
        return f"{_name(target)} is mounted by itself, as a container's volume is: mount its folder instead"
    return None


def _flags(path: Path) -> int:
    """Of `lsattr`; 0 where the file system has none."""
    flags = array.array("l", [0])
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, flags)
        finally:
            os.close(descriptor)
    except OSError:
        return 0
    return flags[0] & 0xFFFFFFFF  # the kernel writes an int


def _mount_points() -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    return {re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4]) for line in lines}


def _name(path: Path) -> str:
    return printable(str(path))


def _who() -> str:
    return _user(os.geteuid())


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
