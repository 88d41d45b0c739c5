"""From the arguments to the exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from wsa_proxy.cli.exit_status import UNREAD
from wsa_proxy.cli.parser import parser_for


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one verb and answer the exit status, see ``exit_status.py``. Raises SystemExit on wrong use."""
    try:
        status = _carry_out(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head` has seen enough. Python would complain about the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return status


def _carry_out(arguments: Sequence[str]) -> int:
    parser = parser_for(arguments)
    options, rest = parser.parse_known_args(arguments)
    if options.verb == "run":
        options.mitmdump_options = rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return int(options.call(options))
