from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wsa_proxy import cli

ROOT = Path(__file__).resolve().parents[2]


def test_the_help_says_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.endswith("  1    it could not be run, and why\n  2    wrong use\n  3    something was found\n")


@pytest.mark.parametrize("seconds", ["0", "-1", "3601", "nan", "soon"])
def test_wrong_use(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "node.yaml", "--seconds", seconds])
    assert ended.value.code == 2 and "--seconds" in capsys.readouterr().err


def test_other_verbs_do_not_load_what_a_doctor_needs() -> None:
    """``status`` should answer at once, and scapy alone takes half a second."""
    program = "import sys; from wsa_proxy.cli.parser import make_parser; make_parser(); print('scapy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
