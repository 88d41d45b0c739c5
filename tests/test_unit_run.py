"""The systemd unit's command lines, run with the rights that it gives, on a network of their own."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit_run import CAP_NET_ADMIN
from tests.unit_run import CAP_NET_RAW
from tests.unit_run import Service
from tests.unit_run import command_line
from tests.unit_run import rights_of
from tests.unit_run import with_rights

VIP = "10.0.0.3"
PORT = 8080
WATCHDOG_S = 1.2
STARTED_S_MAX = 30.0

CONFIGURATION = f"""
node: a
state_dir: {{state}}
groups:
  - id: 7
    hostname: {VIP}
    virtual_ip: {VIP}/24
    interface: left
    priority: 255
    shared_secret: a good secret
    mac: {{mac}}
    port: {PORT}
"""


def prepare(folder: Path, mac: str = "virtual", more: str = "") -> Path:
    """The folders and the file that an operator makes."""
    (folder / "state").mkdir()
    file = folder / "a.yaml"
    file.write_text(CONFIGURATION.format(state=folder / "state", mac=mac) + more)
    file.chmod(0o600)
    return folder


def holder(lan: Any) -> str | None:
    """The interface that has the virtual IP."""
    found = [link["ifname"] for link in lan.all_addresses() for each in link["addr_info"] if each.get("local") == VIP]
    return found[0] if found else None


def start_and_serve(lan: Any, folder: Path) -> Service:
    """A master that is asked for nothing yet."""
    service = Service(folder, WATCHDOG_S)
    assert service.hears(STARTED_S_MAX) == "READY=1", service.log.read_text()
    lan.until(lambda: holder(lan) == "carp7", "the virtual IP is held", 15)
    return service


def test_an_ordinary_user_with_the_units_rights_serves(lan: Any, tmp_path: Path) -> None:
    """Ready, alive in time, master, with two rights and no way to others; the guardian, too. Then an orderly stop."""
    service = start_and_serve(lan, prepare(tmp_path))
    two = f"{1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW:016x}"
    rights = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), two) | {"NoNewPrivs": "1"}
    guardian = service.guardian
    assert rights_of(service.process.pid) == rights_of(guardian) == rights
    while service.hears(0.001):  # what was said before
        pass
    for _ in range(4):
        assert service.hears(WATCHDOG_S) == "WATCHDOG=1"
    with socket.create_connection((VIP, PORT), 5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: 10.0.0.3:8080\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 ")
    service.process.send_signal(signal.SIGTERM)
    assert service.hears_at_last("STOPPING=1", 5)
    assert service.process.wait(10) == 0, service.log.read_text()
    lan.until(lambda: not Path(f"/proc/{guardian}").exists(), "the guardian has ended")
    assert holder(lan) is None and "Traceback" not in service.log.read_text()
    assert {each.name for each in (tmp_path / "state").iterdir()} >= {"seal-7.json", "mitmproxy"}


def stop_post(folder: Path) -> tuple[int, list[str], str]:
    """Exit status, lines and errors of the unit's ExecStopPost."""
    command = with_rights(command_line("ExecStopPost", folder))
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout.splitlines(), ended.stderr


def test_what_a_killed_unit_leaves_is_removed_with_the_units_rights(lan: Any, tmp_path: Path) -> None:
    """Proxy and guardian at once. The lease would end by itself, the interface would stay."""
    service = start_and_serve(lan, prepare(tmp_path))
    service.kill()
    lan.ip(f"address replace {VIP}/32 dev carp7 valid_lft 30 preferred_lft 30")  # or it may end while cleanup starts
    assert (tmp_path / "state" / "control.sock").exists() and lan.operating("carp7")
    assert stop_post(tmp_path) == (0, [f"removed the virtual IP {VIP}", "removed the interface carp7"], "")
    assert holder(lan) is None and [link["ifname"] for link in lan.all_addresses()] == ["lo", "left"]
    assert stop_post(tmp_path) == (0, ["nothing was left behind"], "")


PEERS = "    peers: [10.0.0.2]\n"


@pytest.mark.parametrize(
    ("mac", "more", "capabilities", "lacking"),
    [
        ("virtual", "", "CAP_NET_RAW", ["CAP_NET_ADMIN"]),
        ("interface", "", "CAP_NET_ADMIN", ["CAP_NET_RAW"]),
        ("interface", PEERS, "CAP_NET_ADMIN", ["CAP_NET_RAW"]),
        ("interface", PEERS, "", ["CAP_NET_ADMIN", "CAP_NET_RAW"]),
    ],
)
def test_without_a_right_it_says_so_and_does_not_begin(
    lan: Any, tmp_path: Path, mac: str, more: str, capabilities: str, lacking: list[str]
) -> None:
    """One sentence, whatever the groups are: each kind needs both. Nothing is bound, made, or left."""
    service = Service(prepare(tmp_path, mac, more), WATCHDOG_S, capabilities)
    assert service.process.wait(STARTED_S_MAX) == 1
    log = service.log.read_text().splitlines()
    sentences = [line for line in log if line.startswith("wsa-proxy: ")]
    assert len(sentences) == 1 and re.findall(r"(CAP_\w+) \(", sentences[0]) == lacking
    assert not [line for line in log if "Traceback" in line or "rror" in line], log
    assert not service.hears_at_last("READY=1", 0.01) and [link["ifname"] for link in lan.all_addresses()] == [
        "lo",
        "left",
    ]
    assert not (tmp_path / "state" / "control.sock").exists()


def test_the_other_verbs_without_rights(lan: Any, tmp_path: Path) -> None:
    """`check` changes nothing, so it needs none; `cleanup` says which one it lacks."""
    file = prepare(tmp_path) / "a.yaml"
    wsa_proxy = command_line("ExecStart", tmp_path)[0]
    checked = subprocess.run(
        with_rights([wsa_proxy, "check", str(file)], ""), capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "") and checked.stdout.endswith("no errors\n")
    for capabilities in ("", "CAP_NET_RAW"):
        command = with_rights(command_line("ExecStopPost", tmp_path), capabilities)
        cleaned = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (cleaned.returncode, cleaned.stdout) == (1, "")
        (sentence,) = cleaned.stderr.splitlines()
        assert sentence.startswith("wsa-proxy: the process lacks CAP_NET_ADMIN (") and "CAP_NET_RAW (" not in sentence
