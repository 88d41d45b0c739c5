"""Judges the files and folders that a configuration names: who may read the secrets, where state can be kept.

Nothing is created or changed here: `wsa-proxy check` must be harmless. A relative path counts from the folder of the
configuration file.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from wsa_proxy.config.schema import SECRETS_MAX
from wsa_proxy.config.schema import GroupKeys
from wsa_proxy.config.schema import TopKeys
from wsa_proxy.config.schema import secret_problem
from wsa_proxy.config.source import Document
from wsa_proxy.config.source import KeyPath
from wsa_proxy.config.source import printable
from wsa_proxy.settings import Settings

SECRET_BYTES_ADVISED = 12
SECRET_FILE_BYTES_MAX = 4096  # SECRETS_MAX lines of 19 bytes are 160
SAMPLE_SECRET = b"change-this-secret"  # in configs/*.yaml
SOCKET_PATH_BYTES_MAX = 107  # sun_path of a Unix socket holds 108 with its zero, unix(7)


def read_secrets(document: Document, path: KeyPath, group: GroupKeys) -> tuple[bytes, ...]:
    """The secrets of one group, the first signs; empty when there is none or it is wrong and told."""
    inline = (*path, "shared_secret")
    from_file = (*path, "shared_secret_file")
    if inline in document.places and from_file in document.places:
        document.error(from_file, "given beside shared_secret; a group has one of them: remove the other")
    if group.shared_secret_file is not None:
        secrets = _read_secret_file(document, from_file, document.source.parent / group.shared_secret_file)
    else:
        secrets = [secret for secret in group.shared_secret if secret is not None]
    if group.model_fields_set and not secrets and inline not in document.places and from_file not in document.places:
        document.warning(path, "no shared_secret: anyone on the LAN can take the address", value="")
    at = inline if group.shared_secret else from_file
    for n, secret in enumerate(secrets):
        if secret in secrets[:n]:
            document.error((*at, n), "the same secret is given twice; remove one", value="")
        if len(secret) < SECRET_BYTES_ADVISED:
            bytes_text = f"{len(secret)} byte{'s' if len(secret) > 1 else ''}"
            text = f"has only {bytes_text} and can be guessed; {SECRET_BYTES_ADVISED} to 19 are better"
            document.warning((*at, n), text, value="")
        if secret == SAMPLE_SECRET:
            document.warning((*at, n), "is the sample that everybody knows; choose one of your own", value="")
    return tuple(secrets)


def check_own_mode(document: Document, keys: TopKeys) -> None:
    """Warn when others can read a configuration file that holds a secret."""
    places: list[KeyPath] = [("admin", "password")] if keys.admin.password else []
    places += [("groups", n, "shared_secret") for n, group in enumerate(keys.groups or ()) if group.shared_secret]
    at = next(iter(places), None)
    mode = _mode(document.source)
    if at and mode is not None and mode & 0o077:
        name = printable(str(document.source))
        document.warning(at, f"others may use this file (mode {mode:03o}), and it holds a secret: chmod 600 {name}")


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None  # it was readable a moment ago; whoever removed it knows


def _read_secret_file(document: Document, at: KeyPath, path: Path) -> list[bytes]:
    """One secret per line, raw: blanks and quotes belong to it, the line's end does not. Empty when told."""
    try:
        # Judged is the very file that is read. O_NONBLOCK: a pipe would keep us waiting for its writer.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            mode = stat.S_IMODE(status.st_mode)
            if not stat.S_ISREG(status.st_mode):
                document.error(at, "is not a regular file; one secret per line is expected there")
                return []
            if mode & 0o077:
                document.error(at, f"others may use it (mode {mode:03o}); only its owner may: chmod 600 {path}")
            content = file.read(SECRET_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        document.error(at, f"there is no file {path}; make it: install -m 600 /dev/null {path}, then write one secret")
        return []
    except OSError as error:
        document.error(at, f"cannot be read: {error.strerror}; it must belong to the user that runs the proxy")
        return []
    lines = content.removesuffix(b"\n").split(b"\n")
    if len(lines) > SECRETS_MAX or len(content) > SECRET_FILE_BYTES_MAX:
        document.error(at, f"holds more than {SECRETS_MAX} lines; {SECRETS_MAX} secrets at most, one per line")
        return []
    wrong = [(n, text) for n, text in enumerate(map(secret_problem, lines), start=1) if text]
    for n, text in wrong:
        document.error(at, f"line {n} of the file {text}")
    return [] if wrong else lines


def check_state_dir(document: Document, folder: Path) -> None:
    """It must exist or be creatable, be writable, and leave room for the name of the socket in it."""
    at: KeyPath = ("state_dir",)
    shown = str(folder) if at not in document.places else None
    socket_path = Settings(document.source, "", True, folder, ()).socket_path
    length_bytes = len(os.fsencode(socket_path))
    if length_bytes > SOCKET_PATH_BYTES_MAX:
        room = SOCKET_PATH_BYTES_MAX - len(f"/{socket_path.name}")
        length = len(os.fsencode(folder))
        text = f"is {length} bytes long; a Unix socket in it allows {room} at most: choose a shorter path"
        document.error(at, text, value=shown)
        return
    fix = f"create it for the user that runs the proxy: install -d -m 700 -o USER {folder}"
    try:
        nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
        if not nearest.is_dir():
            text = f"{nearest} is not a folder; name another" if nearest != folder else "is not a folder; name another"
            document.error(at, text, value=shown)
        elif not os.access(nearest, os.W_OK | os.X_OK, effective_ids=True):
            doing = "is not writable" if nearest == folder else f"is not there, and {nearest} is not writable"
            document.error(at, f"{doing} for this user; {fix}", value=shown)
        elif nearest == folder and nearest.stat().st_mode & 0o022:
            mode = stat.S_IMODE(nearest.stat().st_mode)
            text = f"others may write there (mode {mode:03o}) and pose as this node; chmod 700 {folder}"
            document.warning(at, text, value=shown)
    except OSError as error:
        document.error(at, f"cannot be used: {error.strerror}; {fix}", value=shown)
