"""From the answers to the file: asked at a terminal, or all of them given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from wsa_proxy import cli
from wsa_proxy.config import load


def given(folder: Path, *more: str) -> list[str]:
    """Enough for a file without a question."""
    words = ["--virtual-ip", "10.0.0.3", "--hostname", "proxy.example.com", "--state-dir", str(folder / "state")]
    return ["init", str(folder / "node.yaml"), "--defaults", *words, *more]


def test_all_by_options(lan: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The prefix and the interface are found, the secret is made; what is written passes the check, and the way on is
    said without the secret."""
    file = tmp_path / "node.yaml"
    assert cli.main(given(tmp_path, "--node", "b", "--priority", "200")) == 0
    out = capsys.readouterr().out
    assert cli.main(["check", str(file)]) == 0
    assert capsys.readouterr().out.endswith("no errors\n")
    settings = load(file).settings
    (group,) = settings.groups
    assert (settings.node, str(group.virtual_ips[0]), group.interface) == ("b", "10.0.0.3/24", lan.LEFT)
    assert file.stat().st_mode & 0o777 == 0o600
    secret = group.pass_phrases[0].decode()
    assert len(secret) == 19 and secret not in out
    assert out.startswith(f"written: {file} (mode 600; it holds the Shared Secret)\n")
    assert f"  wsa-proxy check {file}\n" in out and "  priority: 255, or another one" in out
    assert f"  wsa-proxy run {file} --set stream_large_bodies=50m\n" in out  # as in docs/two-hosts.md
    assert f"  wsa-proxy test {file} 1 " in out  # this state_dir is not the usual one


def test_a_secret_from_a_file(lan: Any, tmp_path: Path) -> None:
    """Its first line, so that the second host has the same."""
    secret = tmp_path / "secret"
    secret.write_text("correct horse 1\nnot this\n")
    assert cli.main(given(tmp_path, "--secret-file", str(secret))) == 0
    assert load(tmp_path / "node.yaml").settings.groups[0].pass_phrases == (b"correct horse 1",)


def test_a_file_that_is_there(lan: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stays, unless --force is given."""
    file = tmp_path / "node.yaml"
    file.write_text("old")
    assert cli.main(given(tmp_path)) == 1
    told = f"wsa-proxy init: {file} is there already; name another file, or replace it with --force\n"
    assert capsys.readouterr() == ("", told) and file.read_text() == "old"
    assert cli.main(given(tmp_path, "--force")) == 0
    assert file.read_text() != "old"


def test_wrong_use(lan: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing or wrong is named by its option; nothing is written."""
    file = str(tmp_path / "node.yaml")
    no_terminal = "standard input is no terminal to ask at"  # nor is that of a test
    cases = [
        (["init", file], f"give --virtual-ip: {no_terminal}"),
        (["init", file, "--defaults"], "give --virtual-ip: nothing is asked with --defaults"),
        (given(tmp_path, "--virtual-ip", "192.0.2.3/24"), "--virtual-ip: 192.0.2.3/24: no interface of this host"),
        (given(tmp_path, "--priority", "256"), "--priority: 256: must be a whole number from 1 to 255"),
    ]
    for words, said in cases:
        assert cli.main(words) == 2
        assert capsys.readouterr().err.startswith(f"wsa-proxy init: {said}")
    assert cli.main(given(tmp_path, "--state-dir", "/dev/null/state")) == 1
    assert capsys.readouterr().err.startswith("wsa-proxy init: state_dir: ")
    assert list(tmp_path.iterdir()) == []


def test_a_conversation(lan: Any, tmp_path: Path) -> None:
    """A wrong answer is asked for again with what is wrong; a secret is typed twice and never shown."""
    file = tmp_path / "node.yaml"
    words = ("init", str(file), "--node", "a", "--state-dir", str(tmp_path / "state"))
    with Terminal(*words, columns=120) as terminal:
        seen = terminal.read_until("Virtual IP Address and Netmask: ")
        assert b"networks here: left 10.0.0.0/24" in seen and b"Name of this host" not in seen
        terminal.type("192.0.2.3/24\n")
        terminal.read_until("no interface of this host is in its subnet")
        terminal.type("10.0.0.3\n")
        terminal.read_until("Interface [auto]: ")
        terminal.type("\n")
        terminal.read_until("Hostname [10.0.0.3]: ")
        terminal.type("proxy.example.com\n")
        terminal.read_until("Failover Group ID [1]: ")
        terminal.type("7\n")
        terminal.read_until("Priority [255]: ")
        terminal.type("\n")
        for answer in ("mistyped-1", "correct-horse-1"):
            terminal.read_until("a new one is made): ")
            terminal.type("correct-horse-1\n")
            terminal.read_until("Retype Shared Secret: ")
            terminal.type(f"{answer}\n")
        terminal.read_until("Port [8080]: ")
        terminal.type("\n")
        assert terminal.end() == 0
        assert b"written: " in terminal.seen and b"correct-horse" not in terminal.seen
    (group,) = load(file).settings.groups
    assert (group.vhid, group.hostname, str(group.virtual_ips[0])) == (7, "proxy.example.com", "10.0.0.3/24")
    assert group.pass_phrases == (b"correct-horse-1",)


def test_ctrl_c_writes_nothing(lan: Any, tmp_path: Path) -> None:
    """In the middle of the questions, with status 1."""
    with Terminal("init", str(tmp_path / "node.yaml")) as terminal:
        terminal.read_until("Name of this host [")
        terminal.wait_until_it_reads()
        terminal.type("\x03")
        assert terminal.end() == 1
        assert b"wsa-proxy init: nothing was written" in terminal.seen
    assert list(tmp_path.iterdir()) == []
