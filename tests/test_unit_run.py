"""The systemd unit's command lines, run as its user, with the rights that it gives, on a network of their own."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.unit_run import CAP_NET_ADMIN
from tests.unit_run import CAP_NET_RAW
from tests.unit_run import Service
from tests.unit_run import UnitHost
from tests.unit_run import rights_of

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


@pytest.fixture
def lan(tmp_path: Path) -> UnitHost:
    """Built in the child of the test, as every ``lan``."""
    return UnitHost(tmp_path)


def prepare(lan: UnitHost, mac: str = "virtual", more: str = "") -> Path:
    """The folders and the file that an operator makes. Answers the file."""
    state, file = lan.folder / "state", lan.folder / "a.yaml"
    state.mkdir(mode=0o700)
    file.write_text(CONFIGURATION.format(state=state, mac=mac) + more)
    file.chmod(0o600)
    lan.give(state)
    lan.give(file)
    return file


def holder(lan: UnitHost) -> str | None:
    """The interface that has the virtual IP."""
    found = [link["ifname"] for link in lan.all_addresses() for each in link["addr_info"] if each.get("local") == VIP]
    return found[0] if found else None


def start_and_serve(lan: UnitHost, more: str = "") -> Service:
    """A master that is asked for nothing yet."""
    prepare(lan, more=more)
    service = Service(lan, WATCHDOG_S)
    assert service.hears(STARTED_S_MAX) == "READY=1", service.log.read_text()
    lan.until(lambda: holder(lan) == "carp7", "the virtual IP is held", 15)
    return service


def test_an_ordinary_user_with_the_units_rights_serves(lan: UnitHost) -> None:
    """Ready, alive in time, master, with two rights and no way to others; the guardian, too, and nobody else whom the
    node starts. Then an orderly stop."""
    told = lan.folder / "state" / "told"
    service = start_and_serve(lan, f'notify: [/bin/sh, -c, "cat /proc/$$/status >{told}"]\n')
    two, none = f"{1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW:016x}", f"{0:016x}"
    rights = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), two) | {"NoNewPrivs": "1"}
    guardian = service.guardian
    assert rights_of(guardian) == identity(lan) | rights
    assert rights_of(service.process.pid) == identity(lan) | rights | {"CapAmb": none}
    lan.until(lambda: told.exists() and "CapAmb" in told.read_text(), "the command of notify has run", 15)
    assert {f"{name}:\t{none}" for name in ("CapPrm", "CapEff", "CapAmb")} <= set(told.read_text().splitlines())
    who_may_ask(lan)
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
    left = list((lan.folder / "state").iterdir())
    assert {each.name for each in left} >= {"seal-7.json", "mitmproxy", "told"}
    assert {(each.stat().st_uid, each.stat().st_mode & 0o077) for each in left} == {(lan.user, 0)}


def identity(lan: UnitHost) -> dict[str, str]:
    """Whom the kernel takes the unit's processes for: with another user, nobody else and in no group of root's."""
    user = " ".join([str(lan.user)] * 4)
    if lan.has_another_user:
        return {"Uid": user, "Gid": user, "Groups": ""}
    ours = rights_of(os.getpid())
    return {"Uid": user, "Gid": ours["Gid"], "Groups": ours["Groups"]}


def who_may_ask(lan: UnitHost) -> None:
    """Root, of a node that is not root's. An ordinary user who is not the node's may not, and is told who may."""
    wsa_proxy, copy = lan.command_line("ExecStart")[0], lan.folder / "copy.yaml"
    copy.write_text((lan.folder / "a.yaml").read_text())
    status, output, errors = lan.run([wsa_proxy, "status", str(copy)])
    assert errors == "" and "\n  MASTER for " in output and status in (0, 3)
    if lan.has_another_user:
        refused = lan.run(lan.as_user(lan.user + 1, [wsa_proxy, "status", str(copy)]))
        place = lan.folder / "state" / "control.sock"
        sentence = f"wsa-proxy: {place}: permission denied; ask as root or as the proxy's own user\n"
        assert refused == (1, "", sentence)


def stop_post(lan: UnitHost) -> tuple[int, list[str], str]:
    """Exit status, lines and errors of the unit's ExecStopPost."""
    status, output, errors = lan.run(lan.with_rights(lan.command_line("ExecStopPost")))
    return status, output.splitlines(), errors


def test_what_a_killed_unit_leaves_is_removed_with_the_units_rights(lan: UnitHost) -> None:
    """Proxy and guardian at once. The lease would end by itself, the interface would stay."""
    service = start_and_serve(lan)
    service.kill()
    lan.ip(f"address replace {VIP}/32 dev carp7 valid_lft 30 preferred_lft 30")  # or it may end while cleanup starts
    assert (lan.folder / "state" / "control.sock").exists() and lan.operating("carp7")
    assert stop_post(lan) == (0, [f"removed the virtual IP {VIP}", "removed the interface carp7"], "")
    assert holder(lan) is None and [link["ifname"] for link in lan.all_addresses()] == ["lo", "left"]
    assert stop_post(lan) == (0, ["nothing was left behind"], "")


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
    lan: UnitHost, mac: str, more: str, capabilities: str, lacking: list[str]
) -> None:
    """One sentence, whatever the groups are: each kind needs both. Nothing is bound, made, or left."""
    prepare(lan, mac, more)
    service = Service(lan, WATCHDOG_S, capabilities)
    assert service.process.wait(STARTED_S_MAX) == 1
    log = service.log.read_text().splitlines()
    sentences = [line for line in log if line.startswith("wsa-proxy: ")]
    assert len(sentences) == 1 and re.findall(r"(CAP_\w+) \(", sentences[0]) == lacking
    assert not [line for line in log if "Traceback" in line or "rror" in line], log
    assert not service.hears_at_last("READY=1", 0.01) and [link["ifname"] for link in lan.all_addresses()] == [
        "lo",
        "left",
    ]
    assert not (lan.folder / "state" / "control.sock").exists()


def test_the_other_verbs_without_rights(lan: UnitHost) -> None:
    """`check` changes nothing, so it needs none; `cleanup` says which one it lacks."""
    file = prepare(lan)
    wsa_proxy = lan.command_line("ExecStart")[0]
    status, output, errors = lan.run(lan.with_rights([wsa_proxy, "check", str(file)], ""))
    assert (status, errors) == (0, "") and output.endswith("no errors\n")
    for capabilities in ("", "CAP_NET_RAW"):
        status, output, errors = lan.run(lan.with_rights(lan.command_line("ExecStopPost"), capabilities))
        assert (status, output) == (1, "")
        (sentence,) = errors.splitlines()
        assert sentence.startswith("wsa-proxy: the process lacks CAP_NET_ADMIN (") and "CAP_NET_RAW (" not in sentence
