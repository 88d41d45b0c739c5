"""The command line: each verb does one thing, wrong use is said, and the status reads like an answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.test_status_text import STATUS
from wsa_proxy import __version__
from wsa_proxy import cli
from wsa_proxy import config
from wsa_proxy.net.claims import Served
from wsa_proxy.runtime import cleanup


def test_the_status_says_what_since_when_and_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an operator reads first; only what is not zero is listed."""
    monkeypatch.setattr("wsa_proxy.runtime.control.ask", lambda path, verb: STATUS)
    assert cli.main(["status"]) == 3
    assert capsys.readouterr().out == (
        "node a  preemptive  wsa-proxy 0.1.0  pid 4711\n"
        "\n"
        "group 1  proxy.example.com  10.0.0.3/24 port 8080  on eth0\n"
        "  BACKUP for 3 min 20 s: better_advertisement_received from=10.0.0.1\n"
        "  virtual IP held here: none    master heard: 10.0.0.1\n"
        "  priority 200 (advskew 240, demotion 1)    sent 3  received 90\n"
        "  rejected: bad_secret 2, last 4.0 s ago from 10.0.0.9 (unverified), 02:00:00:00:00:09\n"
        "    it differs\n"
        "  rejected: replay 1, last 5.0 s ago from 10.0.0.9 (unverified), 02:00:00:00:00:09\n"
        "  the network seems to refuse the virtual MAC 00:00:5e:00:01:01; see the log\n"
        "  out because link: eth0 is down\n"
        "\n"
        "proxy: no answer to GET in 2.0 s, 3 times\n"
        "  FAILED 0.4 s ago  get  no answer to GET for 2.0 s\n"
        "  passed 4.0 s ago  connect\n"
        "  seen   0.1 s ago  loop  at most 0.01 s late\n"
        "guardian: process 4712, gives the virtual IPs up when the proxy's loop stands still for 1 s\n"
    )


def test_demote_and_restore_ask_the_running_node(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a reason; what has changed is said, and what was refused is an error."""
    asked: list[tuple[str, dict[str, str]]] = []
    answer: dict[str, Any] = {"changes": ["demoted: kernel update"]}

    def ask(path: Path, verb: str, arguments: dict[str, str], **_: float) -> dict[str, Any]:
        asked.append((verb, arguments))
        return answer

    monkeypatch.setattr("wsa_proxy.runtime.control.ask", ask)
    assert cli.main(["demote", "--reason", "kernel update"]) == 0
    assert capsys.readouterr().out == "demoted: kernel update\n"
    answer = {"error": "give the reason"}
    assert cli.main(["restore"]) == 1
    assert capsys.readouterr().err == "wsa-proxy: give the reason\n"
    assert asked == [("demote", {"reason": "kernel update"}), ("restore", {})]
    with pytest.raises(SystemExit):
        cli.main(["demote"])
    assert "--reason" in capsys.readouterr().err


def test_preempt_asks_for_one_group_or_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A number alone is a group; the file may be left out."""
    asked: list[tuple[str, dict[str, str]]] = []

    def ask(path: Path, verb: str, arguments: dict[str, str], **_: float) -> dict[str, Any]:
        asked.append((str(path), arguments))
        return {"changes": [f"group {len(asked)}: waits no longer before it preempts"]}

    monkeypatch.setattr("wsa_proxy.runtime.control.ask", ask)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "7").write_text("state_dir: /srv/seven\n")
    usual = "/var/lib/wsa-proxy/control.sock"
    for arguments in (["preempt"], ["preempt", "5"], ["preempt", "7"], ["preempt", "7", "5"]):
        assert cli.main(arguments) == 0
    assert asked == [
        (usual, {}),
        (usual, {"group": "5"}),
        ("/srv/seven/control.sock", {}),
        ("/srv/seven/control.sock", {"group": "5"}),
    ]
    assert capsys.readouterr().out.splitlines()[0] == "group 1: waits no longer before it preempts"


def test_maintenance_is_ordered_with_an_end_and_a_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The node has more time to answer than for other verbs; alone the verb tells what holds."""
    asked: list[tuple[str, str, dict[str, str], float]] = []

    def ask(
        path: Path, verb: str, arguments: dict[str, str] | None = None, *, time_limit_s: float = 0.0
    ) -> dict[str, Any]:
        asked.append((str(path), verb, arguments or {}, time_limit_s))
        return STATUS if verb == "status" else {"changes": [f"{verb} is done"]}

    monkeypatch.setattr("wsa_proxy.runtime.control.ask", ask)
    file = tmp_path / "node.yaml"
    file.write_text("state_dir: /srv/seven\n")
    order = ["maintenance", "on", "--for", "30m", "--reason", "kernel update"]
    for arguments in (order, [*order, str(file)], ["maintenance", "off"]):
        assert cli.main(arguments) == 0
    assert capsys.readouterr().out == "maintenance_on is done\nmaintenance_on is done\nmaintenance_off is done\n"
    for arguments in (["maintenance"], ["maintenance", "status"], ["maintenance", "status", str(file)]):
        assert cli.main(arguments) == 0
    assert capsys.readouterr().out == "not in maintenance\n" * 3
    usual, other = "/var/lib/wsa-proxy/control.sock", "/srv/seven/control.sock"
    said = {"reason": "kernel update", "duration": "30m"}
    assert asked == [
        (usual, "maintenance_on", said, 15.0),
        (other, "maintenance_on", said, 15.0),
        (usual, "maintenance_off", {}, 15.0),
        *((path, "status", {}, 0.0) for path in (usual, usual, other)),
    ]
    for wrong in (["on"], ["on", "--for", "30m"], ["on", "--reason", "x"], ["sometimes"]):
        with pytest.raises(SystemExit):
            cli.main(["maintenance", *wrong])


WELL = {
    **STATUS,
    "health": {"hard": None, "soft": None, "tests": []},
    "groups": [{**STATUS["groups"][0], "obstacles": {}, "demotion": 0}, {**STATUS["groups"][0], "obstacles": {}}],
}
WELL["groups"][1] |= {"state": "master", "demotion": 0}


def with_members(lost_s: float | None, *findings: str) -> list[dict[str, Any]]:
    """One group, and what its members make of each other."""
    redundancy = {"healthy_standbys": 0, "lost_s": lost_s, "why": None if lost_s is None else "b: slow"}
    members = {"reports": "sent", "port": 8112, "redundancy": redundancy, "findings": [*findings], "list": []}
    return [{**WELL["groups"][0], "members": members}]


MAINTAINED: dict[str, Any] = {"maintenance": {"reason": "x", "since": "", "until": "", "left_s": 1.0}}


@pytest.mark.parametrize(
    ("wrong", "exit_status"),
    [
        ({}, 0),
        ({"guardian": {"pid": None, "stall_limit_s": 1.0}}, 3),
        ({"health": {"hard": "not proven yet", "soft": None, "tests": []}}, 3),
        ({"health": {"hard": None, "soft": "slow", "tests": []}}, 3),
        ({"groups": [*WELL["groups"][:1], {**WELL["groups"][1], "state": "init"}]}, 3),
        ({"groups": [*WELL["groups"][:1], {**WELL["groups"][1], "demotion": 1}]}, 3),
        ({"groups": [{**WELL["groups"][0], "obstacles": {"kernel": "refused"}}, *WELL["groups"][1:]]}, 3),
        ({"groups": [{**WELL["groups"][0], "demotion": 1, "demoted_by": {"maintenance": "x"}}]}, 0),
        ({"groups": [{**WELL["groups"][0], "demotion": 1, "demoted_by": {"maintenance": "x", "sending": "y"}}]}, 3),
        ({"groups": with_members(None)}, 0),
        ({"groups": with_members(4.0)}, 3),
        ({"groups": with_members(None, "VIP 10.0.0.4/24, here 10.0.0.3/24")}, 3),
        (MAINTAINED | {"groups": with_members(4.0)}, 0),
        (MAINTAINED | {"groups": with_members(4.0, "VIP 10.0.0.4/24, here 10.0.0.3/24")}, 3),
    ],
)
def test_a_script_can_ask_whether_all_is_well(
    wrong: dict[str, Any], exit_status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every group takes part, the proxy is well, and there is a guardian; else 3, as systemctl says it. Maintenance is
    intended, and hides nothing else."""
    monkeypatch.setattr("wsa_proxy.runtime.control.ask", lambda path, verb: WELL | wrong)
    assert cli.main(["status"]) == cli.main(["status", "--json"]) == exit_status


def test_a_node_of_an_earlier_version_has_no_guardian_to_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = {name: value for name, value in WELL.items() if name != "guardian"}
    monkeypatch.setattr("wsa_proxy.runtime.control.ask", lambda path, verb: earlier)
    assert cli.main(["status"]) == 0


def test_who_has_read_enough_ends_it_quietly() -> None:
    """`simulate ... | head`: no complaint, and the status of a program that SIGPIPE has ended."""
    command = [sys.executable, "-m", "wsa_proxy.cli", "simulate", "--seed", "1", "--trace"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 141)


def test_the_whole_document_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts."""
    monkeypatch.setattr("wsa_proxy.runtime.control.ask", lambda path, verb: STATUS)
    assert cli.main(["status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == STATUS


def test_the_node_is_found_by_its_configuration_even_a_wrong_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may have been edited badly since the node started; the node is asked all the same."""
    asked: list[Path] = []

    def ask(path: Path, verb: str) -> dict[str, Any]:
        asked.append(path)
        return STATUS

    monkeypatch.setattr("wsa_proxy.runtime.control.ask", ask)
    file = tmp_path / "node.yaml"
    file.write_text("state_dir: elsewhere\ngroups: nonsense\n")
    assert cli.main(["status", str(file)]) == cli.main(["status"]) == 3
    assert asked == [tmp_path / "elsewhere" / "control.sock", Path("/var/lib/wsa-proxy/control.sock")]


def test_nobody_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1 and the reason on stderr."""
    file = tmp_path / "node.yaml"
    file.write_text("state_dir: nowhere\n")
    assert cli.main(["status", str(file)]) == 1
    assert "no node runs with this state_dir" in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Named, with exit status 1."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["status", str(tmp_path / "none.yaml")])
    assert ended.value.code == 1 and "none.yaml" in capsys.readouterr().err


REPORTS: list[tuple[dict[str, Any], int, str, str]] = [
    (
        {"changes": ["group 1: priority 255 -> 200"], "warnings": [], "errors": []},
        0,
        "group 1: priority 255 -> 200\n",
        "",
    ),
    (
        {"changes": [], "warnings": ["f:3: priority: 1: is low"], "errors": ["f:4: id: 300: wrong"], "refused": True},
        1,
        "warning: f:3: priority: 1: is low\n",
        "f:4: id: 300: wrong\nwsa-proxy: nothing has changed, the node goes on with its old settings\n",
    ),
    (
        {"changes": [], "warnings": [], "errors": ["the reload has failed, see the log"], "refused": False},
        1,
        "",
        "the reload has failed, see the log\n",
    ),
    (
        {"error": "expected one of the verbs status"},
        1,
        "",
        "expected one of the verbs status\nwsa-proxy: nothing has changed, the node goes on with its old settings\n",
    ),
]


@pytest.mark.parametrize(
    ("report", "code", "out", "err"), REPORTS, ids=["taken", "refused", "failed", "of an older node"]
)
def test_a_reload_says_what_has_changed_or_why_nothing(
    report: dict[str, Any],
    code: int,
    out: str,
    err: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A script looks at the exit status."""
    asked: list[str] = []

    def ask(path: Path, verb: str, *, time_limit_s: float) -> dict[str, Any]:
        asked.append(f"{verb} {path}")
        return report

    monkeypatch.setattr("wsa_proxy.runtime.control.ask", ask)
    assert cli.main(["reload"]) == code
    assert capsys.readouterr() == (out, err) and asked == [f"reload {cli.DEFAULT_SOCKET}"]


@pytest.mark.parametrize("given", ["node.yaml", "other.yaml"])
def test_a_node_that_was_started_with_another_file_says_so(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever has written a new file hears that it is not the one that counts."""
    (tmp_path / given).write_text("state_dir: state\n")
    monkeypatch.chdir(tmp_path)
    read = str(tmp_path / "node.yaml")
    report = {"changes": ["nothing has changed"], "warnings": [], "errors": [], "file": read}
    monkeypatch.setattr("wsa_proxy.runtime.control.ask", lambda *_, **__: report)
    assert cli.main(["reload", given]) == 0
    told = f"wsa-proxy: the running node was started with {read}, and has read that one\n"
    assert capsys.readouterr() == ("nothing has changed\n", told if given == "other.yaml" else "")


def test_nobody_is_there_to_reload(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1 and the reason on stderr."""
    file = tmp_path / "node.yaml"
    file.write_text("state_dir: nowhere\n")
    assert cli.main(["reload", str(file)]) == 1
    assert "no node runs with this state_dir" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["check"], ["status", "--yaml"], ["check", "a", "--mode", "x"]])
def test_wrong_use_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With the usage on stderr."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2 and "usage: wsa-proxy" in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """One place says it."""
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"wsa-proxy {__version__}\n"


@pytest.mark.parametrize(
    ("lines", "out"),
    [(["removed the interface carp1"], "removed the interface carp1\n"), ([], "nothing was left behind\n")],
)
def test_a_cleanup_says_what_it_has_removed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lines: list[str], out: str
) -> None:
    monkeypatch.setattr(config, "load", lambda file: SimpleNamespace(settings=f"those of {file}"))
    monkeypatch.setattr(cleanup, "clean_up", lambda settings: lines if settings == "those of node.yaml" else None)
    assert cli.main(["cleanup", "node.yaml"]) == 0
    assert capsys.readouterr().out == out


def test_a_cleanup_that_may_not_be_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A wrong file; a group that is being served."""
    file = tmp_path / "node.yaml"
    file.write_text("prioriti: 1\n")
    assert cli.main(["cleanup", str(file)]) == 1
    assert "prioriti" in capsys.readouterr().err

    def served(_: object) -> list[str]:
        raise Served(("eth0", 1), [4711])

    monkeypatch.setattr(config, "load", lambda _: SimpleNamespace(settings=None))
    monkeypatch.setattr(cleanup, "clean_up", served)
    assert cli.main(["cleanup", str(file)]) == 1
    sentence = "failover group 1 on eth0 is served by another wsa-proxy of this host (process 4711)"
    assert capsys.readouterr().err == f"wsa-proxy: {sentence}\n"
