"""``wsa-proxy doctor``: its arguments and its help. What a run needs is imported only when there is one.

Every ``wsa-proxy status`` builds this parser, too, and should answer at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = """\
Examines this host, its network and its failover groups, and says of each thing that is wrong what it is, what was seen,
and what helps. It works beside a running node, which it asks for its status, and without one. It changes nothing; it
sends ARP probes and neighbour solicitations, which claim no address, and never an advertisement. A check that could not
be made is named."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.description = DESCRIPTION
    parser.add_argument(
        "file", type=Path, metavar="FILE", nargs="?", help="the node's configuration; else that of the running node"
    )
    parser.add_argument("--json", action="store_true", help="the findings and all checks as one document")
    parser.add_argument(
        "--seconds", type=_seconds, metavar="S", help="listen so long (else three advertisement intervals, 30 at most)"
    )
    parser.add_argument(
        "--confdir", type=Path, metavar="DIR", help="mitmproxy's confdir, with its CA; else that of the running node"
    )


def main(options: argparse.Namespace, socket_path: Path) -> int:
    """Examine, and answer the exit status. ``socket_path``: where the node answers."""
    from wsa_proxy.doctor.run import doctor

    return doctor(options, socket_path)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError("must be more than 0, and 3600 at most")
    return seconds
