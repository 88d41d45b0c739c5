from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from tests.lab.inside import ROOT
from wsa_proxy import cli
from wsa_proxy.lab import command
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.script import WAITS


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="wsa-proxy lab")
    command.add_arguments(made)
    return made


def test_the_help_has_every_word_of_a_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is made from the tables that scripts are read with."""
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.main(["lab", "--help"])
    text = capsys.readouterr().out
    for word in [*FAULTS, *WAITS]:
        assert f"\n  {word}" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--script", "kil a"], "did you mean kill?"),
        (["--script", "kill c"], "there is no node 'c'; the nodes are a, b"),
        (["--script", ""], "the script has no steps"),
        (["--nodes", "1"], "2 to 8 nodes are possible"),
        (["--nodes", "9"], "2 to 8 nodes are possible"),
        (["--set", "priority"], "is not KEY=VALUE"),
        (["--set", "state_dir=/tmp"], "the lab sets state_dir by itself"),
        (["--script", "wait", "--json", "/nowhere/at/all.json"], "/nowhere/at/all.json"),
    ],
)
def test_wrong_use_is_told_before_anything_starts(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and one clear sentence."""
    assert command.main(parser().parse_args(arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("wsa-proxy lab: ")
    assert told in error


def test_the_parser_is_cheap() -> None:
    """Every ``wsa-proxy status`` builds it: it loads neither mitmproxy nor pyroute2 nor the screen."""
    code = "import sys, wsa_proxy.lab.command; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"mitmproxy", "pyroute2", "rich", "asyncio"} & set(loaded.split())
