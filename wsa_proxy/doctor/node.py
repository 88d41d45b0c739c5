"""The running node: its status document, and what the kernel says of its process. It is asked for ``status`` only.

Its command line tells two things that the document does not: the configuration file, and mitmproxy's confdir.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from wsa_proxy.doctor.facts import Node
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.control import ask

CAPABILITIES = {12: "CAP_NET_ADMIN", 13: "CAP_NET_RAW"}
"""Their numbers in linux/capability.h."""
CONFDIR = ".mitmproxy"
"""mitmproxy's own default, in the home folder."""


@dataclass(frozen=True, slots=True)
class Found:
    """Whether a node answers, and with what."""

    node: Node | None = None
    absent: str = ""
    """Why there is none to ask; then nothing is wrong with it either."""
    trouble: str = ""
    """It is there and does not answer, for this reason."""
    file: Path | None = None
    """The configuration that it was started with, where its command line tells."""
    confdir: Path | None = None


def find_node(socket_path: Path) -> Found:
    """Ask, and look at the process that has answered."""
    try:
        status = ask(socket_path, "status")
    except ControlError as error:
        refused = isinstance(error.__cause__, FileNotFoundError | PermissionError)
        return Found(absent=str(error)) if refused else Found(trouble=str(error))
    if "groups" not in status:
        return Found(trouble=f"{socket_path}: no status document, but {str(status)[:200]}")
    process = Path(f"/proc/{int(status.get('pid', 0))}")
    # An id may be another process's where the socket leads into another PID namespace.
    if not _is_ours(process, socket_path):
        return Found(Node(status, missing_rights=None))
    guardian = (status.get("guardian") or {}).get("pid")
    node = Node(
        status,
        missing_rights=_missing(process),
        oom_score_adj=_number(process / "oom_score_adj"),
        guardian_oom_score_adj=_number(Path(f"/proc/{guardian}/oom_score_adj")) if guardian else None,
        user=_owner(process),
        memberships=read_memberships(process),
    )
    words = command_line(process)
    return Found(node, file=configuration_of(words, process), confdir=confdir_of(words, process))


def _is_ours(process: Path, socket_path: Path) -> bool:
    """The kernel's word for whose socket it is, and that /proc speaks of the same process."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            connection.connect(str(socket_path))
            peer = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    except OSError:
        return False
    return str(peer) == process.name and process.exists()


def _missing(process: Path) -> tuple[str, ...] | None:
    try:
        text = (process / "status").read_text().partition("CapEff:")[2].split()[0]
    except (OSError, IndexError):
        return None
    bits = int(text, 16)
    return tuple(name for number, name in CAPABILITIES.items() if not bits >> number & 1)


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _owner(process: Path) -> int | None:
    try:
        return process.stat().st_uid
    except OSError:
        return None


def command_line(process: Path) -> tuple[str, ...]:
    """Empty when /proc does not tell."""
    try:
        return tuple((process / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1])
    except OSError:
        return ()


def configuration_of(words: Sequence[str], process: Path) -> Path | None:
    """Of ``wsa-proxy run FILE`` and of ``--set failover_config=FILE``."""
    named = dict(_options(words)).get("failover_config")
    if named is None and "run" in words[:-1]:
        named = words[words.index("run") + 1]
    return _resolved(named, process) if named else None


def confdir_of(words: Sequence[str], process: Path) -> Path | None:
    """Of ``--set confdir=DIR``, else mitmproxy's default in the home folder of that process."""
    named = dict(_options(words)).get("confdir")
    if named is not None:
        return _resolved(named, process)
    home = _home(process)
    return home / CONFDIR if home else None


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """``--set NAME=VALUE`` and ``--set=NAME=VALUE``; the last one counts."""
    for before, word in zip(("", *words), words, strict=False):
        setting = word if before == "--set" else word.removeprefix("--set=") if word.startswith("--set=") else ""
        name, equals, value = setting.partition("=")
        if equals:
            yield name, value


def _resolved(named: str, process: Path) -> Path | None:
    """As that process would find it."""
    if named.startswith("~/"):
        home = _home(process)
        return home / named[2:] if home else None
    with suppress(OSError):
        return Path(os.readlink(process / "cwd")) / named
    return Path(named) if named.startswith("/") else None


def _home(process: Path) -> Path | None:
    """HOME of its environment, else of its user's entry."""
    with suppress(OSError):
        for entry in (process / "environ").read_bytes().split(b"\0"):
            if entry.startswith(b"HOME=/"):
                return Path(os.fsdecode(entry[5:]))
        return Path(pwd.getpwuid(process.stat().st_uid).pw_dir)
    return None


def read_memberships(process: Path) -> frozenset[tuple[str, str]] | None:
    """Interface and address of the multicast groups that its network has joined, as the kernel lists them."""
    try:
        ipv4 = (process / "net/igmp").read_text()
    except OSError:
        return None
    ipv6 = ""
    with suppress(OSError):  # a kernel without IPv6
        ipv6 = (process / "net/igmp6").read_text()
    return frozenset([*_igmp(ipv4), *_igmp6(ipv6)])


def _igmp(text: str) -> Iterator[tuple[str, str]]:
    """An interface's line begins with its index, its groups' lines are indented, in the host's byte order."""
    interface = ""
    for line in text.splitlines()[1:]:
        words = line.split()
        if line[:1].isdigit():
            interface = words[1].removesuffix(":")
        elif words:
            yield interface, str(IPv4Address(struct.pack("=I", int(words[0], 16))))


def _igmp6(text: str) -> Iterator[tuple[str, str]]:
    for words in map(str.split, text.splitlines()):
        yield words[1], str(IPv6Address(bytes.fromhex(words[2])))


def members_of(node: Node | None, vhid: int) -> Mapping[str, Any]:
    """What its document says of the group's members; empty without a node, and of one of an earlier version."""
    return node.group(vhid).get("members") or {} if node is not None else {}
