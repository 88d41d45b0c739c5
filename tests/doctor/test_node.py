from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.network import answering
from tests.doctor.patients import node
from wsa_proxy.doctor import node as node_module
from wsa_proxy.doctor.node import command_line
from wsa_proxy.doctor.node import confdir_of
from wsa_proxy.doctor.node import configuration_of
from wsa_proxy.doctor.node import find_node
from wsa_proxy.doctor.node import members_of
from wsa_proxy.doctor.node import read_memberships
from wsa_proxy.net.packet_socket import join_group

SELF = Path("/proc/self")


def test_nobody_there_is_no_trouble(tmp_path: Path) -> None:
    found = find_node(tmp_path / "control.sock")
    assert (found.node, found.trouble) == (None, "") and "no such socket" in found.absent


def test_a_node_that_was_killed_is_trouble(tmp_path: Path) -> None:
    """Its socket is still there, and nobody answers."""
    path = tmp_path / "control.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    found = find_node(path)
    assert (found.node, found.absent) == (None, "") and "nobody answers" in found.trouble


def test_another_program_at_that_socket_is_trouble(tmp_path: Path) -> None:
    with answering(tmp_path / "control.sock", {"error": "who are you?"}):
        assert "no status document" in find_node(tmp_path / "control.sock").trouble


def test_a_node_and_its_process(tmp_path: Path) -> None:
    """Looked at is the process that has answered: here the test itself."""
    document = {**node().status, "pid": os.getpid(), "guardian": {"pid": os.getppid()}}
    with answering(tmp_path / "control.sock", document):
        found = find_node(tmp_path / "control.sock")
    assert found.node is not None and found.trouble == found.absent == ""
    assert found.node.oom_score_adj == int((SELF / "oom_score_adj").read_text())
    assert found.node.guardian_oom_score_adj == int(Path(f"/proc/{os.getppid()}/oom_score_adj").read_text())
    assert found.node.user == os.geteuid()
    assert found.node.memberships is not None
    assert found.confdir == Path.home() / ".mitmproxy"


def test_an_id_of_another_pid_namespace_says_nothing(tmp_path: Path) -> None:
    """Who has answered is not the process of that number here: nothing is said of a stranger."""
    with answering(tmp_path / "control.sock", {**node().status, "pid": 1}):
        found = find_node(tmp_path / "control.sock")
    assert found.node is not None and found.file is None
    assert (found.node.missing_rights, found.node.user, found.node.memberships) == (None, None, None)


@pytest.mark.parametrize(
    ("bits", "missing"),
    [
        ("0000000000003000", ()),
        ("0000000000001000", ("CAP_NET_RAW",)),
        ("0000000000002000", ("CAP_NET_ADMIN",)),
        ("0000000000000000", ("CAP_NET_ADMIN", "CAP_NET_RAW")),
        ("no number", None),
    ],
)
def test_the_rights_of_a_process(tmp_path: Path, bits: str, missing: tuple[str, ...] | None) -> None:
    """Bits 12 and 13 of CapEff (linux/capability.h)."""
    text = f"Name:\tmitmdump\nCapPrm:\t0000000000003000\nCapEff:\t{bits}\nCapBnd:\t0000000000003000\n"
    (tmp_path / "status").write_text(text if missing is not None else "Name:\tmitmdump\n")
    assert node_module._missing(tmp_path) == missing


def process(folder: Path, *words: str, home: str = "/var/lib/proxy") -> Path:
    (folder / "cmdline").write_bytes("".join(f"{word}\0" for word in words).encode())
    (folder / "environ").write_bytes(f"LANG=C\0HOME={home}\0".encode())
    (folder / "cwd").symlink_to("/srv/proxy")
    return folder


@pytest.mark.parametrize(
    ("words", "file", "confdir"),
    [
        (["wsa-proxy", "run", "/etc/a.yaml"], "/etc/a.yaml", "/var/lib/proxy/.mitmproxy"),
        (["python", "wsa-proxy", "run", "a.yaml", "--set", "confdir=ca"], "/srv/proxy/a.yaml", "/srv/proxy/ca"),
        (["mitmdump", "--set", "failover_config=/etc/a.yaml"], "/etc/a.yaml", "/var/lib/proxy/.mitmproxy"),
        (["mitmdump", "--set=failover_config=a.yaml", "--set=confdir=~/ca"], "/srv/proxy/a.yaml", "/var/lib/proxy/ca"),
        (["mitmdump", "--set", "confdir=/one", "--set", "confdir=/two"], None, "/two"),
        (["mitmdump", "run"], None, "/var/lib/proxy/.mitmproxy"),
    ],
)
def test_what_the_command_line_tells(tmp_path: Path, words: list[str], file: str | None, confdir: str) -> None:
    """As that process would find it, relative or at home."""
    there = process(tmp_path, *words)
    read = command_line(there)
    assert read == tuple(words)
    assert configuration_of(read, there) == (Path(file) if file else None)
    assert confdir_of(read, there) == Path(confdir)


def test_a_process_that_does_not_tell(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert command_line(gone) == ()
    assert confdir_of((), gone) is None
    assert configuration_of(("wsa-proxy", "run", "a.yaml"), gone) is None
    assert configuration_of(("wsa-proxy", "run", "/etc/a.yaml"), gone) == Path("/etc/a.yaml")
    assert read_memberships(gone) is None


def test_memberships_as_the_kernel_lists_them(lan: Any) -> None:
    """Before and after joining, of both IP versions."""
    assert {("left", "224.0.0.18"), ("left", "ff02::12")} & (read_memberships(SELF) or frozenset()) == set()
    members = [join_group(lan.LEFT, lan.index, version) for version in (4, 6)]
    assert {("left", "224.0.0.18"), ("left", "ff02::12")} <= (read_memberships(SELF) or frozenset())
    for each in members:
        each.close()


def test_members_of_nobody() -> None:
    """Without a node, of an unknown group, and of a node of an earlier version."""
    assert members_of(None, 1) == members_of(node(), 2) == members_of(node(members=None), 1) == {}
    assert members_of(node(), 1)["reports"] == "sent"
