"""The verbs of planned switches and drills, as the command line has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wsa_proxy import cli


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
        ("/var/lib/wsa-proxy/control.sock", "switch", {"group": "5", "to": ""}, cli.SWITCH_LIMIT_S),
        ("/srv/node/control.sock", "switch", {"group": "5", "to": "b"}, cli.SWITCH_LIMIT_S),
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
    assert asked == [("drill", {"group": "5", "objective_ms": milliseconds}, cli.DRILL_LIMIT_S)]
    answer = {"error": "group 5: no healthy standby"}
    assert cli.main(["drill", "5"]) == 1
    assert capsys.readouterr().err == "wsa-proxy: group 5: no healthy standby\n"


@pytest.mark.parametrize("text", ["200", "ms", "0ms", "61s", "two s", "-1s", "nans"])
def test_a_wrong_objective_is_wrong_use(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["drill", "5", "--objective", text])
    assert ended.value.code == 2 and "--objective" in capsys.readouterr().err
