"""Wrong use, the version, and an end that is quiet."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wsa_proxy import __version__
from wsa_proxy import cli


def test_who_has_read_enough_ends_it_quietly() -> None:
    """`simulate ... | head`: no complaint, and the status of a program that SIGPIPE has ended."""
    command = [sys.executable, "-m", "wsa_proxy.cli", "simulate", "--seed", "1", "--trace"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 141)


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
