"""The arguments: what is wrong use is said with the usage, and a parser costs no import of scapy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wsa_proxy import cli


@pytest.mark.parametrize(
    "arguments",
    [["--count", "0"], ["--count", "x"], ["--seconds", "0"], ["--seconds", "inf"], ["--seconds", "nan"], ["a.pcap"]],
)
def test_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["watch", *arguments])
    assert ended.value.code == 2 and "usage: wsa-proxy" in capsys.readouterr().err


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """For the operator at three in the morning."""
    with pytest.raises(SystemExit):
        cli.main(["watch", "--help"])
    assert "wsa-proxy watch --config /etc/wsa-proxy/node.yaml" in capsys.readouterr().out


def test_the_parser_imports_nothing_slow() -> None:
    """Every ``wsa-proxy status`` builds it."""
    code = "import sys; from wsa_proxy.cli.parser import make_parser; make_parser(); sys.exit('scapy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
