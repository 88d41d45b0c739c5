"""``wsa-proxy lab``: its arguments and its help. What a run needs is imported only when there is one.

Every ``wsa-proxy status`` builds this parser, too, and should answer at once.
"""

from __future__ import annotations

import argparse
import textwrap

from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.script import TOUR
from wsa_proxy.lab.script import WAITS

DESCRIPTION = """\
Two or more real mitmproxy nodes, a client and a web server on a LAN of their own inside this machine, and faults to
try on them. It needs no root, touches nothing, and vanishes when it ends."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.description = DESCRIPTION
    parser.epilog = _words_help()
    parser.add_argument("--nodes", type=int, default=2, metavar="N", help="number of nodes, 2 to 8 (default 2)")
    parser.add_argument("--script", metavar="STEPS", help='faults and waits: "kill a; wait; start a; cable b"')
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    parser.add_argument("--logs", metavar="FOLDER", help="keep each node's log there")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a key of every node's file, or NODE.KEY=VALUE of one",
    )


def main(arguments: argparse.Namespace) -> int:
    """Run the lab, and answer the exit status."""
    from wsa_proxy.lab import session

    return session.main(arguments)


def _words_help() -> str:
    """The words of a script, from the tables that the script itself is read with."""
    lines = ["the words of --script, separated by ';':"]
    texts = {f"{fault.word} {fault.takes.value}".strip(): fault.help for fault in FAULTS.values()} | WAITS
    lines += [f"  {form:{max(map(len, texts))}} {text}" for form, text in texts.items()]
    lines += ["", "without --script: the live screen on a terminal, else this tour:"]
    lines += textwrap.wrap(TOUR, 78, initial_indent="  ", subsequent_indent="  ")
    return "\n".join(lines)
