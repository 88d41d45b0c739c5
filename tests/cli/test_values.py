"""Numbers and times on the command line: what is taken, and what is said to what is not."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest

from wsa_proxy import cli
from wsa_proxy.cli.values import duration_s
from wsa_proxy.cli.values import milliseconds
from wsa_proxy.cli.values import number
from wsa_proxy.cli.values import seconds


def test_what_is_taken() -> None:
    """In the unit that is wanted."""
    assert [duration_s(text) for text in ("90s", "30m", "2h", "7d")] == [90.0, 1800.0, 7200.0, 604_800.0]
    assert (number("1"), number("1000000"), seconds("0.5"), seconds("3600")) == (1, 1_000_000, 0.5, 3600.0)
    assert [milliseconds(text) for text in ("200ms", "0.25s", "1ms", "60s")] == ["200", "250", "1", "60000"]


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (duration_s, ("", "2", "h", "-1h", "0s", "1.5h", "1w", "1234567s")),
        (number, ("", "0", "-1", "1.5", "1000001", "x", "²", "9" * 5000)),
        (seconds, ("", "0", "-1", "nan", "inf", "3601", "x")),
        (milliseconds, ("", "200", "ms", "0ms", "61s", "two s", "-1s", "nans")),
    ],
)
def test_nothing_else_is_taken(read: Callable[[str], object], wrong: tuple[str, ...]) -> None:
    """Whole numbers with their unit; nothing that is nothing."""
    for text in wrong:
        with pytest.raises(ArgumentTypeError):
            read(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["history", "--since", "5x"], "--since: 5x: give a whole number and s, m, h or d, such as 90s, 30m, 2h or 7d"),
        (["history", "--limit", "0"], "--limit: 0: give a whole number from 1 to 1000000"),
        (["test", "1", "--seconds", "0"], "--seconds: 0: give seconds, more than 0 and 3600 at most"),
        (["drill", "1", "--objective", "5"], "--objective: 5: give a time from 1ms to 60s, such as 200ms, 0.5s or 2s"),
    ],
)
def test_wrong_use_says_what_is_right(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, in words that name no function of ours."""
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2 and capsys.readouterr().err.endswith(f": error: argument {said}\n")
