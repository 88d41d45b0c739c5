"""``wsa-proxy completion``: scripts for shells, made from the parser, so that they know what it knows.

They are static: completing starts no Python. A FILE is completed by the shell.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from wsa_proxy.cli.exit_status import DONE

DESCRIPTION = """\
Prints the script that completes verbs, options and files.

for all users of this host:
  wsa-proxy completion bash > /etc/bash_completion.d/wsa-proxy
  wsa-proxy completion zsh > /usr/local/share/zsh/site-functions/_wsa-proxy
  wsa-proxy completion fish > /etc/fish/completions/wsa-proxy.fish

in this bash only:
  eval "$(wsa-proxy completion bash)"
"""


def completion(options: argparse.Namespace) -> int:
    print(script(options.shell))
    return DONE


def script(shell: str) -> str:
    """For ``bash``, ``zsh`` or ``fish``."""
    import shtab

    from wsa_proxy.cli.parser import make_parser

    parser = make_parser()
    for action in _actions(parser):
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:  # one line each, as in the list of verbs
                action.choices[choice.dest].description = choice.help
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Of all verbs, and of theirs."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
