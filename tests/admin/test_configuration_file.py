"""The file is the old one or the new one, with all that it had, and what somebody else wrote is never lost."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import another_user
from wsa_proxy.admin import configuration_file
from wsa_proxy.admin.configuration_file import ChangedMeanwhile
from wsa_proxy.admin.configuration_file import FileError
from wsa_proxy.admin.configuration_file import read
from wsa_proxy.admin.configuration_file import why_not_writable
from wsa_proxy.admin.configuration_file import write

OTHER, GROUP = another_user.USER, 61_235
OLD, NEW = b"old: 1\n", b"new: 2\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "node.yaml"
    path.write_bytes(OLD)
    path.chmod(0o640)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_another_text_takes_the_files_place(file: Path) -> None:
    """Its mode stays, and nothing is left beside it."""
    write(file, NEW, OLD)
    assert file.read_bytes() == NEW and stat.S_IMODE(file.stat().st_mode) == 0o640
    assert names(file.parent) == ["node.yaml"]


def test_a_power_failure_does_not_bring_the_old_text_back(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is on the disk before it takes its place, and then its name."""
    done: list[str] = []
    real = Path.replace

    def replace(path: Path, target: Path) -> Path:
        done.append("replace")
        return real(path, target)

    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append("file"))
    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(configuration_file, "sync_folder", lambda path: done.append("folder"))
    write(file, NEW, OLD)
    assert done == ["file", "replace", "folder"]


def test_a_byte_order_mark_stays(file: Path) -> None:
    """It is no part of the text."""
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    content = read(file)
    assert content.text == "a: 1\n" and content.with_text("b: 2\n") == b"\xef\xbb\xbfb: 2\n"
    file.write_bytes(OLD)
    assert read(file).with_text("b: 2\n") == b"b: 2\n"


def test_a_files_content_is_in_no_representation(file: Path) -> None:
    """A traceback may show one, and there are secrets in it."""
    assert "old" not in repr(read(file))


def test_line_ends_are_what_they_are(file: Path) -> None:
    """Windows' among them."""
    file.write_bytes(b"a: 1\r\nb: 2")
    assert read(file).text == "a: 1\r\nb: 2"


def test_what_somebody_else_wrote_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it comes while the new text is being written."""
    with pytest.raises(ChangedMeanwhile, match="changed by somebody else; abandon or submit again"):
        write(file, NEW, b"older: 0\n")
    assert file.read_bytes() == OLD and names(file.parent) == ["node.yaml"]
    monkeypatch.setattr(os, "fsync", lambda descriptor: file.write_bytes(b"late: 3\n"))
    with pytest.raises(ChangedMeanwhile):
        write(file, NEW, OLD)
    assert file.read_bytes() == b"late: 3\n" and names(file.parent) == ["node.yaml"]


def test_a_symbolic_link_goes_on_pointing_at_the_file(file: Path) -> None:
    """Through another one, from another folder."""
    folder = file.parent / "elsewhere"
    folder.mkdir()
    link, further = folder / "link.yaml", folder / "further.yaml"
    link.symlink_to("../node.yaml")
    further.symlink_to(link)
    write(further, NEW, OLD)
    assert link.is_symlink() and further.is_symlink() and file.read_bytes() == NEW
    assert names(folder) == ["further.yaml", "link.yaml"]


def test_extended_attributes_stay(file: Path) -> None:
    """An access list is one."""
    try:
        os.setxattr(file, "user.note", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    write(file, NEW, OLD)
    assert os.getxattr(file, "user.note") == b"mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_and_group_stay(file: Path) -> None:
    """Root writes for whoever runs the proxy."""
    os.chown(file, OTHER, GROUP)
    write(file, NEW, OLD)
    status = file.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (OTHER, GROUP, 0o640)


# Runs until the new text is beside the file, not yet in its place; then waits to be killed.
KILLED = """
import os, sys, time
from pathlib import Path
from wsa_proxy.admin import configuration_file
os.fsync = lambda descriptor: (print("written", flush=True), time.sleep(60))
configuration_file.write(Path(sys.argv[1]), b"shared_secret: new\\n", b"old: 1\\n")
"""


def test_a_kill_in_the_middle_leaves_the_old_file_whole(file: Path) -> None:
    """The new text is readable by whoever may read the file, and gone with the next write."""
    file.chmod(0o600)
    command = [sys.executable, "-c", KILLED, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=another_user.ROOT) as process:
        assert process.stdout is not None and process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    [left] = [path for path in file.parent.iterdir() if path != file]
    assert file.read_bytes() == OLD and stat.S_IMODE(left.stat().st_mode) == 0o600
    write(file, NEW, OLD)
    assert file.read_bytes() == NEW and names(file.parent) == ["node.yaml"]


def test_the_new_text_is_never_readable_by_more_than_the_old_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first byte to its last."""
    modes: list[int] = []
    real = configuration_file._take_after

    def look(descriptor: int, target: Path) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor, target)

    monkeypatch.setattr(configuration_file, "_take_after", look)
    mask = os.umask(0)
    try:
        write(file, NEW, OLD)
    finally:
        os.umask(mask)
    assert modes == [0o600]


def test_a_full_disk_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing beside it."""

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(FileError, match=r"node\.yaml: cannot be written: No space left on device"):
        write(file, NEW, OLD)
    assert file.read_bytes() == OLD and names(file.parent) == ["node.yaml"]


def test_hard_links_are_told(file: Path) -> None:
    """The other name would keep the old text."""
    os.link(file, file.parent / "other")
    assert "has 2 names (hard links)" in str(why_not_writable(file))


def test_what_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    """In words."""
    assert str(why_not_writable(tmp_path / "none")).endswith("none: No such file or directory")
    assert str(why_not_writable(tmp_path)).endswith("is not a regular file")
    with pytest.raises(FileError, match="none: cannot be read: No such file or directory"):
        read(tmp_path / "none")
    (tmp_path / "latin").write_bytes(b"\xe4")
    with pytest.raises(FileError, match="latin: is not UTF-8 text"):
        read(tmp_path / "latin")
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert "Too many levels of symbolic links" in str(why_not_writable(loop))


def test_an_immutable_file_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the flags that `lsattr` shows: of the file, or of its folder, which may be one that only grows."""
    flags = {file: 0x10, file.parent: 0}

    def ioctl(descriptor: int, request: int, answer: list[int]) -> int:
        assert request == 0x80086601
        answer[0] = flags[Path(os.readlink(f"/proc/self/fd/{descriptor}"))]
        return 0

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    assert why_not_writable(file) == f"{file} is immutable: chattr -ia {file}"
    flags.update({file: 0, file.parent: 0x20})
    assert why_not_writable(file) == f"{file.parent} is immutable: chattr -ia {file.parent}"
    with pytest.raises(FileError, match="is immutable"):
        write(file, NEW, OLD)
    flags.update({file.parent: 0x80000})  # extents, which every file of ext4 has
    assert why_not_writable(file) is None


# Arguments: the folders of the files; in two of them something is mounted.
IN_NAMESPACE = """
import subprocess, sys
from pathlib import Path
from wsa_proxy.admin.configuration_file import why_not_writable
plain, read_only, volume = map(Path, sys.argv[1:])
def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)
mount("--bind", read_only, read_only)
mount("-o", "remount,bind,ro", read_only)
mount("--bind", volume / "node.yaml", volume / "node.yaml")
for folder in plain, read_only, volume:
    print(why_not_writable(folder / "node.yaml"))
"""


def test_a_mount_in_the_way_is_told(tmp_path: Path) -> None:
    """A blank in a name is written in its own way in the kernel's table."""
    folders = [tmp_path / name for name in ("plain", "read only", "a volume")]
    for folder in folders:
        folder.mkdir()
        (folder / "node.yaml").write_bytes(OLD)
    unshare = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("the kernel refuses user namespaces")
    command = [*unshare, sys.executable, "-c", IN_NAMESPACE, *map(str, folders)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=another_user.ROOT)
    assert ended.stdout.splitlines() == [
        "None",
        f"{folders[1]} is read-only for this process: a read-only file system, or ProtectSystem= of its systemd unit,"
        f" to which ReadWritePaths={folders[1]} makes an exception",
        f"{folders[2]}/node.yaml is mounted by itself, as a container's volume is: mount its folder instead",
    ], ended.stderr


# Arguments: user and group of the process, and the files.
AS_ANOTHER = """
import os, sys
from pathlib import Path
from wsa_proxy.admin.configuration_file import why_not_writable
user, group, *files = sys.argv[1:]
os.setgroups([])
os.setgid(int(group))
os.setuid(int(user))
for file in files:
    print(why_not_writable(Path(file)))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_a_file_that_is_not_ours_is_told() -> None:
    """With who we are, and what would give it to us."""
    cases = {
        ((0, 0), (0, 0)): "{user} may not write in {folder}, where the new file is made: chown {user} {folder}",
        ((OTHER, 0), (0, 0)): "{file} belongs to root, and {user} cannot keep that: chown {user} {file}",
        ((OTHER, 0), (OTHER, 0)): "{file} belongs to the group root, of which {user} is none: chgrp {group} {file}",
        ((OTHER, 0), (OTHER, GROUP)): "None",
    }
    expected = []
    with tempfile.TemporaryDirectory() as name:  # pytest's folders are closed to others
        Path(name).chmod(0o755)
        for n, ((folder_of, file_of), text) in enumerate(cases.items()):
            folder = Path(name) / str(n)
            folder.mkdir(mode=0o755)
            file = folder / "node.yaml"
            file.write_bytes(OLD)
            os.chown(folder, *folder_of)
            os.chown(file, *file_of)
            expected.append(text.format(folder=folder, file=file, user=OTHER, group=GROUP))
        files = [f"{name}/{n}/node.yaml" for n in range(len(cases))]
        command = [sys.executable, "-c", AS_ANOTHER, str(OTHER), str(GROUP), *files]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=another_user.ROOT)
    assert ended.stdout.splitlines() == expected, ended.stderr
