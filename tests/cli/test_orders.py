"""What the running node is told to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.test_status_text import STATUS
from wsa_proxy import cli
from wsa_proxy.cli import asking
from wsa_proxy.cli import orders


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

    def ask(path: Path, verb: str, arguments: dict[str, str], *, time_limit_s: float) -> dict[str, Any]:
        asked.append((str(path), verb, arguments, time_limit_s))
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
        *((path, "status", {}, 3.0) for path in (usual, usual, other)),
    ]
    for wrong in (["on"], ["on", "--for", "30m"], ["on", "--reason", "x"], ["sometimes"]):
        with pytest.raises(SystemExit):
            cli.main(["maintenance", *wrong])


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
    assert capsys.readouterr() == (out, err) and asked == [f"reload {asking.DEFAULT_SOCKET}"]


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


def test_switch_waits_for_what_comes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The group must be named; the file and the node may be left out. Refused: status 1 and the reason."""
    asked: list[tuple[str, str, dict[str, str], float]] = []
    answer: dict[str, Any] = {"changes": ["group 5: node b is master"]}

    def ask(path: Path, verb: str, arguments: dict[str, str], *, time_limit_s: float) -> dict[str, Any]:
        asked.append((str(path), verb, arguments, time_limit_s))
        return answer

    monkeypatch.setattr("wsa_proxy.runtime.control.ask", ask)
    (tmp_path / "node").write_text("state_dir: /srv/node\n")
    assert cli.main(["switch", "5"]) == cli.main(["switch", str(tmp_path / "node"), "5", "--to", "b"]) == 0
    assert asked == [
        ("/var/lib/wsa-proxy/control.sock", "switch", {"group": "5", "to": ""}, orders.SWITCH_LIMIT_S),
        ("/srv/node/control.sock", "switch", {"group": "5", "to": "b"}, orders.SWITCH_LIMIT_S),
    ]
    assert capsys.readouterr().out == "group 5: node b is master\n" * 2
    answer = {"error": "group 5: node b: stopped in order"}
    assert cli.main(["switch", "5"]) == 1
    assert capsys.readouterr().err == "wsa-proxy: group 5: node b: stopped in order\n"
    with pytest.raises(SystemExit):
        cli.main(["switch"])
    assert "GROUP" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("200ms", "200"), ("2s", "2000"), ("0.25s", "250"), ("1ms", "1"), ("60s", "60000")]
)
def test_a_drill_prints_its_report(
    text: str, milliseconds: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its verdict is the exit status; what was refused is 1."""
    asked: list[tuple[str, dict[str, str], float]] = []
    answer: dict[str, Any] = {"drill": {"lines": ["drill", "FAIL"], "exit_status": 3}}

    def ask(path: Path, verb: str, arguments: dict[str, str], *, time_limit_s: float) -> dict[str, Any]:
        asked.append((verb, arguments, time_limit_s))
        return answer

    monkeypatch.setattr("wsa_proxy.runtime.control.ask", ask)
    assert cli.main(["drill", "5", "--objective", text]) == 3
    assert capsys.readouterr().out == "drill\nFAIL\n"
    assert asked == [("drill", {"group": "5", "objective_ms": milliseconds}, orders.DRILL_LIMIT_S)]
    answer = {"error": "group 5: no healthy standby"}
    assert cli.main(["drill", "5"]) == 1
    assert capsys.readouterr().err == "wsa-proxy: group 5: no healthy standby\n"


@pytest.mark.parametrize("text", ["200", "ms", "0ms", "61s", "two s", "-1s", "nans"])
def test_a_wrong_objective_is_wrong_use(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["drill", "5", "--objective", text])
    assert ended.value.code == 2 and "--objective" in capsys.readouterr().err
