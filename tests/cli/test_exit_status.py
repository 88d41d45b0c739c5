"""Exit statuses are told in one place; the help of each verb and the README say the same."""

from __future__ import annotations

from pathlib import Path

from wsa_proxy.cli.exit_status import EXIT_STATUSES
from wsa_proxy.cli.exit_status import epilog
from wsa_proxy.cli.exit_status import table
from wsa_proxy.cli.parser import make_parser

README = Path(__file__).parents[2] / "README.md"


def test_every_verb_has_its_statuses_in_its_help() -> None:
    """As the last thing, whatever else its epilog tells."""
    choices = next(each.choices for each in make_parser()._actions if each.dest == "verb")
    assert choices is not None and list(choices) == list(EXIT_STATUSES)
    for verb, parser in dict(choices).items():
        assert parser.epilog.endswith(epilog(verb)), verb
        assert "exit status" not in parser.epilog.removesuffix(epilog(verb)), verb


def test_an_epilog_lists_them_in_order() -> None:
    assert epilog("drill") == (
        "exit status:\n"
        "  0    the objective was met both times\n"
        "  1    the drill was not carried out, or not to its end, and why\n"
        "  2    wrong use\n"
        "  3    the objective was missed"
    )


def test_the_readme_has_the_table() -> None:
    """Word for word; to renew it: python -c 'from wsa_proxy.cli.exit_status import table; print(table())'."""
    assert f"\n{table()}\n" in README.read_text()
