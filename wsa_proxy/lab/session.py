"""One run of ``wsa-proxy lab``: checks everything first, enters the namespaces, plays the steps or shows the screen."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import IO

from rich.console import Console

from wsa_proxy.lab import namespace
from wsa_proxy.lab import screen
from wsa_proxy.lab.configuration import STREAMING
from wsa_proxy.lab.configuration import OverrideError
from wsa_proxy.lab.configuration import parse_override
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.faults import NEEDS_NFT
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.faults import find_nft
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.lab import NotBack
from wsa_proxy.lab.node import mitmdump_path
from wsa_proxy.lab.open_connections import DEMONSTRATION_COUNT
from wsa_proxy.lab.open_connections import demonstration
from wsa_proxy.lab.report import make_document
from wsa_proxy.lab.report import make_table
from wsa_proxy.lab.script import TOUR
from wsa_proxy.lab.script import ScriptError
from wsa_proxy.lab.script import Step
from wsa_proxy.lab.script import parse
from wsa_proxy.lab.topology import NODE_NAMES

OPEN_S = 6.0
"""How long each connection lasts that the client keeps open: a node that is stopped has ended when it is started."""
LISTED_S = 2.0
"""A node tells the others once a second what is open there; who is on no list cannot be told that it has ended."""
STATUS_NOT_BACK = 1
STATUS_USAGE = 2


@dataclass(slots=True)
class Outputs:
    """The files that the user wants, open before the namespaces: the lab has a /run of its own, and typing errors
    should not cost a run.
    """

    document: IO[str] | None = None
    logs: dict[str, IO[bytes]] = field(default_factory=dict)

    @classmethod
    def open(cls, arguments: argparse.Namespace) -> Outputs:
        """Raises OSError."""
        outputs = cls()
        if arguments.json:
            outputs.document = Path(arguments.json).open("w")  # noqa: SIM115
        if arguments.logs:
            folder = Path(arguments.logs)
            folder.mkdir(parents=True, exist_ok=True)
            for name in NODE_NAMES[: arguments.nodes]:
                outputs.logs[name] = (folder / f"node-{name}.log").open("wb")
        return outputs

    def write(self, lab: Lab, problem: str | None) -> None:
        """Write what the lab has measured."""
        for name, node in lab.nodes.items():
            if name in self.logs and node.log.exists():
                with self.logs[name] as kept:
                    kept.write(node.log.read_bytes())
        if self.document is not None:
            with self.document as document:
                json.dump(make_document(lab, problem), document, indent=1)


def main(arguments: argparse.Namespace) -> int:
    """Return the exit status. What is wrong is told before anything starts, as far as it can be known."""
    live = arguments.script is None and sys.stdin.isatty() and sys.stdout.isatty()
    try:
        if not 2 <= arguments.nodes <= len(NODE_NAMES):
            raise ScriptError(f"--nodes {arguments.nodes}: 2 to {len(NODE_NAMES)} nodes are possible")
        steps = [] if live else parse(TOUR if arguments.script is None else arguments.script, _names(arguments))
        if any(step.word in NEEDS_NFT for step in steps):
            find_nft()
        mitmdump_path()
        overrides = dict(parse_override(text) for text in arguments.set)
        say = _teller() if not live else lambda line: None
        lab = Lab(arguments.nodes, overrides, say=say, options=STREAMING)
        if (arguments.json or arguments.logs) and (refusal := namespace.refusal()):
            return _tell_problem(refusal, namespace.STATUS_REFUSED)  # before files are made, or emptied
        outputs = Outputs.open(arguments)
    except (ScriptError, OverrideError, NodeFault) as error:
        return _tell_problem(str(error), STATUS_USAGE)
    except OSError as error:
        return _tell_problem(f"{error.filename}: {error.strerror}" if error.filename else str(error), STATUS_USAGE)
    if live:
        return screen.restoring_terminal(lambda: namespace.run(lambda: _run(lab, None, outputs, say)))
    return namespace.run(lambda: _run(lab, steps, outputs, say))


def _names(arguments: argparse.Namespace) -> str:
    return NODE_NAMES[: arguments.nodes]


def _run(lab: Lab, steps: Sequence[Step] | None, outputs: Outputs, say: Callable[[str], None]) -> int:
    """Inside the namespaces: play the steps, or show the live screen when there are none."""
    console = Console()
    problem: str | None = None
    status = 0
    try:
        with lab:
            try:
                if steps is None:
                    screen.run(lab, console)
                else:
                    _play_all(lab, steps, say)
            except NotBack as error:
                problem, status = f"the service did not come back: {error}", STATUS_NOT_BACK
            except NodeFault as error:
                problem, status = str(error), STATUS_USAGE
            finally:
                outputs.write(lab, problem)
            if lab.applied:
                console.print(make_table(lab.rows()))
    except OverrideError as error:
        problem, status = str(error), STATUS_USAGE
    return _tell_problem(problem, status) if problem is not None else 0


def _tell_problem(problem: str, status: int) -> int:
    print(f"wsa-proxy lab: {problem}", file=sys.stderr)
    return status


def _play_all(lab: Lab, steps: Sequence[Step], say: Callable[[str], None]) -> None:
    say(f"nodes {', '.join(lab.nodes)} are starting; their virtual IP is {', '.join(lab.virtual_ips)}")
    lab.settle()
    lab.start_client()
    lab.keep_open(*demonstration(OPEN_S))
    lab.wait_open(DEMONSTRATION_COUNT)
    lab.wait_service()
    time.sleep(LISTED_S)
    play(lab, steps, say)


def play(lab: Lab, steps: Sequence[Step], say: Callable[[str], None]) -> None:
    """Carry out the steps, and a ``wait`` at the end of a script with faults that has none.

    Raises NotBack or NodeFault at the first one that does not end well; the text names it.
    """
    faulted = any(step.word in FAULTS for step in steps)
    closing = [Step("wait")] if faulted and steps[-1].word != "wait" else []
    for number, step in enumerate([*steps, *closing], start=1):
        if step.word not in ("wait", "settle"):  # These say themselves what they wait for.
            say(step.text)
        try:
            _carry_out(lab, step)
        except (NodeFault, NotBack) as error:
            raise type(error)(f"step {number}, {step.text!r}: {error}") from error
        if step.word == "wait" and lab.applied:
            row = lab.rows()[-1]
            say(f"served by {row.served_after} after {row.outage_ms:.0f} ms, {row.failed} requests failed")


def _carry_out(lab: Lab, step: Step) -> None:
    if step.word == "wait":
        lab.wait_service()
    elif step.word == "settle":
        lab.settle()
    elif step.word == "sleep":
        time.sleep(step.sleep_s)
    else:
        lab.apply(FAULTS[step.word], *step.targets)


def _teller() -> Callable[[str], None]:
    """A function that prints a progress line with the seconds since now."""
    begin_s = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begin_s:6.1f} s  {line}", flush=True)

    return say
