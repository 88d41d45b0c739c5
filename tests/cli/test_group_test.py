"""``wsa-proxy test GROUP`` on a real interface, beside a node that answers and without one."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.fake_node import FakeNode
from tests.doctor.network import Chatter
from tests.watch.packets import BEGIN_S
from tests.watch.packets import SECRET
from tests.watch.packets import Sender
from tests.watch.packets import configuration
from tests.watch.packets import frame
from wsa_proxy import cli
from wsa_proxy.cli import asking

GROUP: dict[str, Any] = {
    "id": 1, "state": "backup", "age_s": 100.0, "reason": "better_advertisement_received", "evidence": "from=10.0.0.1",
    "obstacles": {}, "last_master": "10.0.0.1", "priority": 200, "demotion": 0,
}  # fmt: skip
STATUS: dict[str, Any] = {"failover_handling": "preemptive", "groups": [GROUP]}


NODE = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[3])
listening.listen()
print("ready", flush=True)
while True:
    connection, _ = listening.accept()
    if connection.recv(4096):
        connection.sendall(sys.argv[4].replace("PID", str(os.getpid())).encode())
    connection.close()
"""
"""A process whose command line is that of a node: ``run FILE``."""


def node_file(folder: Path, **keys: Any) -> Path:
    """With its state_dir in the folder; ``keys`` are those of the group."""
    file = configuration(folder, **keys)
    file.write_text(f"state_dir: {folder}\n{file.read_text()}")
    return file


def master(lan: Any) -> Chatter:
    """On the right end, of priority 255."""
    sender = Sender()
    return Chatter(lan, lambda: frame(sender.payload(time.time() - BEGIN_S)))


def test_a_master_that_the_node_follows(lan: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0 if all say the same; 3 if the node says that it is master itself, or if nobody advertises."""
    file = node_file(tmp_path)
    says = {"state": "backup"}
    node = FakeNode(tmp_path / "control.sock", lambda *_: STATUS | {"groups": [GROUP | says]})
    with master(lan):
        assert cli.main(["test", str(file), "1", "--seconds", "0.6"]) == 0
        assert "\nas it should be: 10.0.0.1 advertises, and nobody else\n" in capsys.readouterr().out
        says = {"state": "master"}
        assert cli.main(["test", str(file), "all", "--seconds", "0.6"]) == 3
        assert "says that it is master, and does not advertise" in capsys.readouterr().out
    says = {"state": "backup"}
    assert cli.main(["test", str(file), "-1", "--seconds", "0.6"]) == 3
    out = capsys.readouterr().out
    node.stop()
    assert "  nobody was heard\n" in out and "no node advertises that this file believes" in out


def test_without_a_node_three_intervals_are_listened(
    lan: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Long enough for a node of this file to take over; it is judged by the file."""
    with master(lan):
        assert cli.main(["test", str(node_file(tmp_path, advertisement_interval=0.25)), "1"]) == 0
    out = capsys.readouterr().out
    listened = re.search(r"listened for ([0-9.]+) s\n", out)
    assert listened is not None and 1.6 <= float(listened[1]) < 3.2, "a busy machine is late"
    assert "no node answers on this host: judged by the file alone" in out


def test_what_cannot_be(
    lan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file, a wrong one, a group that is not in it, no right: why, what helps, and no secret."""
    file = node_file(tmp_path)
    monkeypatch.setattr(asking, "DEFAULT_SOCKET", tmp_path / "nowhere" / "control.sock")
    wrong = configuration(tmp_path, "wrong.yaml", virtual_ip="192.0.2.3/24")
    lacking = "name its configuration: wsa-proxy test FILE 1"
    tried = [([], lacking), ([str(wrong)], "no interface of this host is in its subnet")]
    for words, text in tried:
        assert cli.main(["test", *words, "1", "--seconds", "0.1"]) == 1
        assert text in (error := capsys.readouterr().err) and SECRET not in error
    assert cli.main(["test", str(file), "9", "--seconds", "0.1"]) == 1
    assert capsys.readouterr().err == f"wsa-proxy test: {file}: the file has no group 9; it has 1\n"
    assert cli.main(["test", str(file), "one"]) == 2
    assert capsys.readouterr().err == "wsa-proxy test: one: give the id of a group, 1 to 255, or all\n"
    lan.lose_privileges()
    assert cli.main(["test", str(file), "1", "--seconds", "0.1"]) == 1
    error = capsys.readouterr().err
    assert "CAP_NET_RAW" in error and error.endswith(": run it as root\n") and error.count("\n") == 1


def test_the_file_of_the_running_node_is_found(
    lan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command line of the process that answers."""
    file = node_file(tmp_path)
    path = tmp_path / "control.sock"
    monkeypatch.setattr(asking, "DEFAULT_SOCKET", path)
    status = '{"pid": PID, "failover_handling": "preemptive", "groups": []}'
    words = [sys.executable, "-c", NODE, "run", str(file), str(path), status]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as node, master(lan):
        assert node.stdout is not None and node.stdout.readline() == b"ready\n"
        assert cli.main(["test", "1", "--seconds", "0.6"]) == 0
        node.kill()
    assert "as it should be: 10.0.0.1 advertises" in capsys.readouterr().out
