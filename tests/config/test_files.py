from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import changed
from tests.config.example import loaded
from tests.config.example import told

FROM_FILE = changed("shared_secret: twelve-bytes!", "shared_secret_file: keys")


def write_keys(content: bytes, mode: int = 0o600) -> None:
    Path("keys").write_bytes(content)
    Path("keys").chmod(mode)


def test_secrets_are_raw(tmp_path: Path) -> None:
    """Blanks and quotes belong to a secret; only the line's end does not. The first line signs."""
    write_keys(b" 'blanks and'  \nsecond secret!\n")
    assert loaded(tmp_path, FROM_FILE).settings.groups[0].pass_phrases == (b" 'blanks and'  ", b"second secret!")


def test_list_of_secrets(tmp_path: Path) -> None:
    """A list keeps its order: the first signs, all are accepted."""
    text = changed("twelve-bytes!", "[new-secret-2026, ' old-secret-2025']")
    assert loaded(tmp_path, text).settings.groups[0].pass_phrases == (b"new-secret-2026", b" old-secret-2025")


@pytest.mark.parametrize(
    ("content", "mode", "line"),
    [
        (b"twelve-bytes!\n", 0o640, "others may use it (mode 640); only its owner may: chmod 600 keys"),
        (b"", 0o600, "line 1 of the file is empty; write one of 12 to 19 bytes"),
        (b"twelve-bytes!\n\nx\n", 0o600, "line 2 of the file is empty; write one of 12 to 19 bytes"),
        (b"twelve-bytes!\r\n", 0o600, "line 1 of the file holds a control character (a Windows line end?); remove it"),
        (
            b"more-than-nineteen-bytes\n",
            0o600,
            "line 1 of the file has 24 bytes; CARP uses 19, and peers cut the rest silently;"
            " shorten it to 19 bytes on all nodes",
        ),
        (b"secret\n" * 9, 0o600, "holds more than 8 lines; 8 secrets at most, one per line"),
        (b"x" * 9999, 0o600, "holds more than 8 lines; 8 secrets at most, one per line"),
    ],
)
def test_wrong_secret_files(tmp_path: Path, content: bytes, mode: int, line: str) -> None:
    """What is wrong with a file of secrets is told at its key, without a secret."""
    write_keys(content, mode)
    assert told(tmp_path, FROM_FILE) == f"10: groups[0].shared_secret_file: keys: {line}"


def test_secret_file_not_there(tmp_path: Path) -> None:
    """A missing file comes with the command that makes it; a folder or a pipe is not waited for."""
    assert told(tmp_path, FROM_FILE) == (
        "10: groups[0].shared_secret_file: keys: there is no file keys;"
        " make it: install -m 600 /dev/null keys, then write one secret"
    )
    os.mkfifo("keys", 0o600)
    assert "is not a regular file" in told(tmp_path, FROM_FILE)


def test_two_kinds_of_secret(tmp_path: Path) -> None:
    """A group has a secret or a file of secrets, not both."""
    write_keys(b"twelve-bytes!\n")
    assert told(tmp_path, GOOD + "    shared_secret_file: keys\n") == (
        "11: groups[0].shared_secret_file: keys: given beside shared_secret; a group has one of them: remove the other"
    )


def test_weak_secrets_are_warnings(tmp_path: Path) -> None:
    """No secret, a short one and the sample's are told, and accepted."""
    assert told(tmp_path, changed("    shared_secret: twelve-bytes!\n", "")) == (
        "warning 5: groups[0]: no shared_secret: anyone on the LAN can take the address"
    )
    assert told(tmp_path, changed("twelve-bytes!", "eleven-byte")) == (
        "warning 10: groups[0].shared_secret: has only 11 bytes and can be guessed; 12 to 19 are better"
    )
    assert told(tmp_path, changed("twelve-bytes!", "change-this-secret")) == (
        "warning 10: groups[0].shared_secret: is the sample that everybody knows; choose one of your own"
    )
    assert told(tmp_path, changed("twelve-bytes!", "[twelve-bytes!, twelve-bytes!]")) == (
        "10: groups[0].shared_secret[1]: the same secret is given twice; remove one"
    )


def test_readable_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration with a secret that others can read is worth a word."""
    original = Path.chmod
    monkeypatch.setattr(Path, "chmod", lambda self, _mode: original(self, 0o644))
    assert told(tmp_path, GOOD) == (
        "warning 10: groups[0].shared_secret: others may use this file (mode 644), and it holds a secret:"
        " chmod 600 f.yaml"
    )


def test_state_dir_is_not_created(tmp_path: Path) -> None:
    """A folder that can be created is right, and is not created; a relative one counts from the file's folder."""
    assert told(tmp_path, changed("state_dir: state", "state_dir: not/yet/there")) == ""
    assert not Path("not").exists()
    assert loaded(tmp_path, GOOD).settings.state_dir == tmp_path / "state"


def test_state_dir_wrong(tmp_path: Path) -> None:
    """A file in the way, a path too long for the socket, a folder that others may write: told with the limit."""
    Path("file").touch()
    assert told(tmp_path, changed("state_dir: state", "state_dir: file")) == (
        "3: state_dir: file: is not a folder; name another"
    )
    assert told(tmp_path, changed("state_dir: state", "state_dir: file/in")) == (
        f"3: state_dir: file/in: {tmp_path}/file is not a folder; name another"
    )
    assert told(tmp_path, changed("state_dir: state", f"state_dir: /{'x' * 94}")) == (
        f"3: state_dir: /{'x' * 59}...: is 95 bytes long; a Unix socket in it allows 94 at most: choose a shorter path"
    )
    Path("open").mkdir()
    Path("open").chmod(0o777)
    assert told(tmp_path, changed("state_dir: state", "state_dir: open")) == (
        "warning 3: state_dir: open: others may write there (mode 777) and pose as this node;"
        f" chmod 700 {tmp_path}/open"
    )


@pytest.mark.parametrize("there", [True, False])
def test_state_dir_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    """A folder in which this user may not write comes with the command that makes a right one."""
    # As root every folder is writable: the kernel's answer for an ordinary user is told by the mode's own bits.
    monkeypatch.setattr(os, "access", lambda path, _mode, **_ids: bool(stat.S_IMODE(os.stat(path).st_mode) & 0o200))
    Path("locked").mkdir(mode=0o500)
    name, wrong = (
        ("locked", "is not writable")
        if there
        else ("locked/in", f"is not there, and {tmp_path}/locked is not writable")
    )
    assert told(tmp_path, changed("state_dir: state", f"state_dir: {name}")) == (
        f"3: state_dir: {name}: {wrong} for this user;"
        f" create it for the user that runs the proxy: install -d -m 700 -o USER {tmp_path}/{name}"
    )
