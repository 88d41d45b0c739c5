"""The arguments of ``wsa-proxy bench``."""

from __future__ import annotations

import pytest

from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.trials import TRIALS
from wsa_proxy.cli.parser import make_parser


def test_everything_is_measured_unless_said_otherwise() -> None:
    """Slowly, and into the current folder."""
    wanted = make_parser("bench").parse_args(["bench"])
    assert (wanted.quick, wanted.only, wanted.product, wanted.output) == (False, [], None, ".")


def test_faults_and_products_can_be_chosen() -> None:
    """Several of each; a product's name has words in it."""
    words = ["bench", "--only", "kill", "--only", "cable", "--product", "keepalived, 50 ms", "--quick"]
    wanted = make_parser("bench").parse_args(words)
    assert wanted.only == ["kill", "cable"] and wanted.product == ["keepalived, 50 ms"] and wanted.quick


@pytest.mark.parametrize("words", [["--only", "earthquake"], ["--product", "squid"]])
def test_what_there_is_not_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With what there is."""
    with pytest.raises(SystemExit) as ended:
        make_parser("bench").parse_args(["bench", *words])
    assert ended.value.code == 2 and "invalid choice" in capsys.readouterr().err


def test_the_help_lists_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    """They are the words of the tables."""
    with pytest.raises(SystemExit):
        make_parser("bench").parse_args(["bench", "--help"])
    said = capsys.readouterr().out
    assert all(f"  {name}" in said for name in (*TRIALS, *PRODUCTS))
