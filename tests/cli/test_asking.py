"""Which node is asked, and what is said when none answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.test_status_text import STATUS
from wsa_proxy import cli
from wsa_proxy.cli import asking
from wsa_proxy.runtime.control import ControlSocket
from wsa_proxy.settings import SOCKET_NAME
from wsa_proxy.settings import STATE_DIR_USUAL


def test_the_node_is_found_by_its_configuration_even_a_wrong_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may have been edited badly since the node started; the node is asked all the same."""
    asked: list[Path] = []

    def ask(path: Path, *_: object, **__: object) -> dict[str, Any]:
        asked.append(path)
        return STATUS

    monkeypatch.setattr("wsa_proxy.runtime.control.ask", ask)
    file = tmp_path / "node.yaml"
    file.write_text("state_dir: elsewhere\ngroups: nonsense\n")
    assert cli.main(["status", str(file)]) == cli.main(["status"]) == 3
    assert asked == [tmp_path / "elsewhere" / "control.sock", Path("/var/lib/wsa-proxy/control.sock")]


def test_the_usual_place_is_that_of_the_settings() -> None:
    """It is written down a second time, for the sake of the milliseconds."""
    assert (STATE_DIR_USUAL, Path(STATE_DIR_USUAL, SOCKET_NAME)) == (asking.STATE_DIR_USUAL, asking.DEFAULT_SOCKET)


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


async def test_a_node_of_an_earlier_version_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The real socket's answer to a verb that it does not have, in words that help."""
    socket = ControlSocket(tmp_path / "control.sock", {"status": dict})
    await socket.start()
    file = tmp_path / "node.yaml"
    file.write_text(f"state_dir: {tmp_path}\n")
    assert await asyncio.to_thread(cli.main, ["why", str(file)]) == 1
    socket.close()
    told = "the running node does not know why: it was started in an earlier version, and wants a restart"
    assert capsys.readouterr().err == f"wsa-proxy: {told}\n"
