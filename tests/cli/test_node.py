"""A check and a cleanup, as the command line has them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from wsa_proxy import cli
from wsa_proxy import config
from wsa_proxy.net.claims import Served
from wsa_proxy.runtime import cleanup


def test_a_check_for_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is that of the words."""
    assert cli.main(["check", str(tmp_path / "none.yaml"), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert "none.yaml" in said["file"] and len(said["errors"]) == 1 and said["warnings"] == []


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
