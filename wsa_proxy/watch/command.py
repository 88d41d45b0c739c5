"""``wsa-proxy watch``: its arguments and its help. What a run needs is imported only when there is one.

Every ``wsa-proxy status`` builds this parser, too, and should answer at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = """\
Shows everything of IP protocol 112 on an interface or in a capture: who advertises which id, how often, and whether a
node with the given configuration believes it, else why not. It only listens. On a terminal a live table, else a line
for each packet."""
EXAMPLES = """\
on a node: who is master, and whom does this node believe?
  wsa-proxy watch --config /etc/wsa-proxy/node.yaml

on any host of the LAN, and keep what was heard:
  wsa-proxy watch --interface eth0 --write evidence.pcap

afterwards, anywhere:
  wsa-proxy watch --read evidence.pcap --config node.yaml
  ssh node tcpdump -U -w - proto 112 | wsa-proxy watch --read - --lines
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument(
        "--interface", action="append", default=[], metavar="NAME", help="where to listen; may be given several times"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="a node's file: its ids, virtual IPs and secrets")
    parser.add_argument("--lines", action="store_true", help="a line for each packet, also on a terminal")
    parser.add_argument("--write", type=Path, metavar="FILE.pcap", help="keep every packet of protocol 112")
    parser.add_argument("--force", action="store_true", help="let --write replace a file that is there")
    parser.add_argument("--read", type=Path, metavar="FILE", help="a pcap or pcapng file instead; - is standard input")
    parser.add_argument("--count", type=_number, metavar="N", help="end after so many packets of protocol 112")
    parser.add_argument("--seconds", type=_seconds, metavar="S", help="end after so many seconds (of the capture)")


def main(options: argparse.Namespace) -> int:
    """Watch, and answer the exit status: 0 looked, 1 could not and said why, 2 wrong use."""
    from wsa_proxy.watch.run import watch

    return watch(options)


def _number(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return seconds
