"""``wsa-proxy lab``: its arguments, and the choice between script, tour and live screen."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from rich.console import Console

from wsa_proxy.lab import namespace
from wsa_proxy.lab import screen
from wsa_proxy.lab.configuration import OverrideError
from wsa_proxy.lab.configuration import parse_override
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.lab import NotBack
from wsa_proxy.lab.report import make_document
from wsa_proxy.lab.report import make_table
from wsa_proxy.lab.script import TOUR
from wsa_proxy.lab.script import WAITS
from wsa_proxy.lab.script import ScriptError
from wsa_proxy.lab.script import Step
from wsa_proxy.lab.script import StepFailed
from wsa_proxy.lab.script import parse
from wsa_proxy.lab.script import play
from wsa_proxy.lab.topology import NODE_NAMES

STATUS_NOT_BACK = 1
STATUS_USAGE = 2

DESCRIPTION = """\
Two or more real mitmproxy nodes, a client and a web server on a LAN of their own inside this machine, and faults to
try on them. It needs no root, touches nothing, and vanishes when it ends."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _words_help()
    parser.add_argument("--nodes", type=int, default=2, metavar="N", help="number of nodes, 2 to 5 (default 2)")
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
    """Run the lab; 0 when the service came back after every fault."""
    try:
        if not 2 <= arguments.nodes <= len(NODE_NAMES):
            raise ScriptError(f"--nodes {arguments.nodes}: 2 to {len(NODE_NAMES)} nodes are possible")
        live = arguments.script is None and sys.stdin.isatty() and sys.stdout.isatty()
        steps = [] if live else parse(arguments.script or TOUR, NODE_NAMES[: arguments.nodes])
        overrides = dict(parse_override(text) for text in arguments.set)
        # Opened here: the lab has a /run and a /tmp of its own view, and a typing error should not cost a run.
        document = Path(arguments.json).open("w") if arguments.json else None  # noqa: SIM115
        logs = _log_files(arguments)
        lab = Lab(arguments.nodes, overrides, say=_teller() if not live else lambda line: None)
    except (ScriptError, OverrideError, OSError) as error:
        print(f"wsa-proxy lab: {error}", file=sys.stderr)
        return STATUS_USAGE
    if live:
        return screen.restoring_terminal(lambda: namespace.run(lambda: _run(lab, None, document, logs)))
    return namespace.run(lambda: _run(lab, steps, document, logs))


def _run(lab: Lab, steps: list[Step] | None, document: IO[str] | None, logs: dict[str, IO[bytes]]) -> int:
    """Inside the namespaces: play the steps, or show the live screen when there are none."""
    console = Console()
    problem: str | None = None
    say = _teller()
    try:
        with lab:
            try:
                if steps is None:
                    screen.run(lab, console)
                else:
                    say(f"nodes {', '.join(lab.nodes)} are starting; their virtual IP is {', '.join(lab.virtual_ips)}")
                    lab.settle()
                    lab.start_client()
                    lab.wait_service()
                    play(lab, steps, say)
            except (StepFailed, NotBack) as error:
                problem = str(error)
            finally:
                _keep_logs(lab, logs)
            if lab.applied:
                console.print(make_table(lab.rows()))
            if document is not None:
                with document:
                    json.dump(make_document(lab, problem), document, indent=1)
    except FileNotFoundError as error:
        problem = str(error)
    if problem is not None:
        print(f"wsa-proxy lab: the service did not come back: {problem}", file=sys.stderr)
        return STATUS_NOT_BACK
    return 0


def _teller() -> Callable[[str], None]:
    """A function that prints a progress line with the seconds since now."""
    begin_s = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begin_s:6.1f} s  {line}", flush=True)

    return say


def _log_files(arguments: argparse.Namespace) -> dict[str, IO[bytes]]:
    """Open where the nodes' logs will be kept. Raises OSError."""
    if arguments.logs is None:
        return {}
    folder = Path(arguments.logs)
    folder.mkdir(parents=True, exist_ok=True)
    return {name: (folder / f"node-{name}.log").open("wb") for name in NODE_NAMES[: arguments.nodes]}


def _keep_logs(lab: Lab, logs: dict[str, IO[bytes]]) -> None:
    for name, node in lab.nodes.items():
        if name in logs and node.log.exists():
            with logs[name] as kept:
                kept.write(node.log.read_bytes())


def _words_help() -> str:
    """The words of a script, from the tables that the script itself is read with."""
    lines = ["the words of --script, separated by ';':"]
    lines += [f"  {f'{fault.word} {fault.takes.value}'.strip():15} {fault.help}" for fault in FAULTS.values()]
    lines += [f"  {word:15} {text}" for word, text in WAITS.items()]
    lines += ["", "without --script: the live screen on a terminal, else this tour:"]
    lines += textwrap.wrap(TOUR, 78, initial_indent="  ", subsequent_indent="  ")
    return "\n".join(lines)
