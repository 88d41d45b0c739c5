"""``wsa-proxy init``: its arguments and its help. What a run needs is imported only when there is one."""

from __future__ import annotations

import argparse
from pathlib import Path

DEFAULT_FILE = Path("/etc/wsa-proxy/node.yaml")
DESCRIPTION = """\
Asks for what the configuration of a node needs, explains each question in a line, judges each answer as check would,
and writes the file with comments, for its owner only. A file that is there is never overwritten without --force.

An option answers its question beforehand. With --defaults nothing is asked."""
EXAMPLES = """\
for a script:
  wsa-proxy init --defaults --virtual-ip 10.0.0.3/24 --node b --priority 200
      --secret-file secret
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLES
    parser.add_argument(
        "file", type=Path, metavar="FILE", nargs="?", default=DEFAULT_FILE, help=f"to write; {DEFAULT_FILE} if left out"
    )
    parser.add_argument("--node", metavar="NAME", help="the name of this host; its host name if left out")
    parser.add_argument("--virtual-ip", metavar="ADDRESS/PREFIX", help="a free address of the LAN; several with commas")
    parser.add_argument("--interface", metavar="NAME", help="auto if left out: the one in the virtual IP's subnet")
    parser.add_argument("--hostname", metavar="NAME", help="the proxy's name; an IPv4 virtual IP itself if left out")
    parser.add_argument("--id", metavar="N", help="of the failover group, 1 to 255; 1 if left out")
    parser.add_argument("--priority", metavar="N", help="255 is the master, 1 to 254 are backups; 255 if left out")
    parser.add_argument(
        "--secret-file", type=Path, metavar="FILE", help="its first line is the Shared Secret; generated if left out"
    )
    parser.add_argument("--port", metavar="N", help="of the proxy on the virtual IP; 8080 if left out")
    parser.add_argument("--state-dir", metavar="DIR", help="the folder of this node's state; /var/lib/wsa-proxy")
    parser.add_argument("--defaults", action="store_true", help="ask nothing")
    parser.add_argument("--force", action="store_true", help="overwrite the file if it is there")


def main(options: argparse.Namespace) -> int:
    """Ask and write, and answer the exit status: 0 written, 1 not and why, 2 wrong use."""
    from wsa_proxy.init.run import init

    return init(options)
