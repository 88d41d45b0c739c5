"""The real addon is told another configuration while it runs: what is not concerned goes on, connections and all."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cable import Lan
from tests.proxy.test_addon import CONFIG
from tests.proxy.test_addon import ROOT
from tests.proxy.test_addon import START_S_MAX
from tests.proxy.test_addon import VIP
from tests.proxy.test_addon import Node
from tests.proxy.test_addon import Origin
from tests.proxy.test_addon import origin

OTHER, THIRD = "10.0.0.5", "10.0.0.7"
BESIDE = """\
  - id: 2
    hostname: proxy.example.com
    virtual_ip: {address}/24
    interface: left
    priority: 255
    shared_secret: twelve-and-more
    advertisement_interval: 0.25
"""


def write(folder: Path, text: str) -> None:
    config = folder / "node.yaml"
    config.write_text(text)
    config.chmod(0o600)


def reload(folder: Path) -> subprocess.CompletedProcess[str]:
    """`wsa-proxy reload FILE`, as an operator calls it."""
    command = [sys.executable, "-m", "wsa_proxy.cli", "reload", str(folder / "node.yaml")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def connected(lan: Lan, address: str) -> socket.socket:
    with lan.on_the_right():
        return socket.create_connection((address, 8080), timeout=10)


def served(client: socket.socket, host: str) -> bool:
    """One request on a connection that stays open."""
    client.sendall(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"origin"):
        received = client.recv(65536)
        if not received:
            return False
        answer += received
    return True


def held(lan: Lan, address: str) -> bool:
    return lan.held(address) is not None


def test_addresses_move_and_the_group_beside_them_does_not_notice(
    lan: Lan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was open before serves on; the address that went is closed to everybody, the new one serves."""
    monkeypatch.setattr(Origin, "protocol_version", "HTTP/1.1")  # connections stay open
    write(tmp_path, CONFIG + BESIDE.format(address=OTHER))
    node = Node(lan, tmp_path)
    lan.until(lambda: node.log.count("-> MASTER") == 2, f"mastery in {node.log}", START_S_MAX)
    with origin(lan) as host, connected(lan, OTHER) as beside, connected(lan, VIP) as client:
        assert served(beside, host) and served(client, host)
        write(tmp_path, CONFIG.replace(VIP, THIRD) + BESIDE.format(address=OTHER))
        ended = reload(tmp_path)
        *warnings, change = ended.stdout.splitlines()  # those of every start: the interval is below one second
        assert change == f"group 1 starts anew: virtual_ip {VIP}/24 -> {THIRD}/24" and ended.returncode == 0, ended
        assert len(warnings) == 2 and not ended.stderr
        assert client.recv(100) == b"" and not held(lan, VIP)
        lan.until(lambda: held(lan, THIRD), "the new address", START_S_MAX)
        with connected(lan, THIRD) as new:
            assert served(new, host)
        assert served(beside, host)
    listening = subprocess.run(["ss", "-ltnH", "sport = :8080"], capture_output=True, text=True, check=True).stdout
    assert {line.split()[3] for line in listening.splitlines()} == {
        *[f"{address}:8080" for address in (OTHER, THIRD, "127.0.0.1")]
    }
    group = node.status()["groups"][1]  # type: ignore[index]
    assert [change["to"] for change in group["transitions"]] == ["backup", "master"]
    log = node.end()
    assert 'MASTER -> INIT reason="the configuration was read again: the group starts anew"' in log
    assert "Traceback" not in log, log


def test_groups_come_and_go_by_a_signal(lan: Lan, tmp_path: Path) -> None:
    """SIGHUP; the last one that asks for the address of a group that has ended is refused."""
    node = Node(lan, tmp_path)
    node.wait_master()
    write(tmp_path, CONFIG + BESIDE.format(address=OTHER))
    node.process.send_signal(signal.SIGHUP)
    lan.until(lambda: held(lan, OTHER), "the second address", START_S_MAX)
    write(tmp_path, CONFIG)
    node.process.send_signal(signal.SIGHUP)
    lan.until(lambda: not held(lan, OTHER), "the end of the second group", START_S_MAX)
    lan.until(lambda: "read again: group 2 ends" in node.log, "the report")
    assert held(lan, VIP) and node.transitions() == 2, node.log
    assert "Traceback" not in node.end()


def test_what_cannot_be_taken_is_refused_and_nothing_changes(lan: Lan, tmp_path: Path) -> None:
    """A wrong file; a place where somebody else listens; the folder of the node: each with its reason, and status 1."""
    node = Node(lan, tmp_path)
    node.wait_master()
    before = node.transitions()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND
        taken.bind((THIRD, 8080))
        taken.listen()
        for text, reason in (
            (
                CONFIG.replace("id: 1", "id: 300"),
                "node.yaml:4: groups[0].id: 300: must be a whole number from 1 to 255",
            ),
            (CONFIG.replace(VIP, THIRD), f"cannot listen on {THIRD} port 8080: Address already in use"),
            (CONFIG.replace("node: a", "node: b"), "node.yaml:1: node: b: the running node is a"),
            ("groups: [", "node.yaml"),
        ):
            write(tmp_path, text)
            ended = reload(tmp_path)
            assert ended.returncode == 1 and reason in ended.stderr, ended
    write(tmp_path, CONFIG)
    assert "nothing has changed" in reload(tmp_path).stdout
    assert node.transitions() == before and held(lan, VIP)
    assert "Traceback" not in node.end()


def test_the_mitmproxy_command_reloads(lan: Lan, tmp_path: Path) -> None:
    """Another addon calls it, as a user of the console would; the log says what has changed."""
    asking = tmp_path / "asking.py"
    asking.write_text(
        "import logging\n"
        "from mitmproxy import ctx\n"
        "def server_connect(data):\n"
        "    logging.warning('ASKED ' + ctx.master.commands.call('failover.reload'))\n"
    )
    node = Node(lan, tmp_path, "-s", str(asking))
    node.wait_master()
    write(tmp_path, CONFIG + "    description: another\n")
    with origin(lan) as host, connected(lan, VIP) as client:
        assert served(client, host)
    lan.until(lambda: 'read again: group 1: description "" -> "another"' in node.log, "the report")
    assert f"ASKED {tmp_path / 'node.yaml'} is being read again" in node.end()
