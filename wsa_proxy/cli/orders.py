"""What the running node is told to do, at its control socket."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from wsa_proxy.cli.asking import answer
from wsa_proxy.cli.asking import socket_path
from wsa_proxy.cli.asking import sort_out_group
from wsa_proxy.cli.asking import status_of
from wsa_proxy.cli.asking import tell
from wsa_proxy.cli.exit_status import DONE
from wsa_proxy.cli.exit_status import FAILED

SWITCH_LIMIT_S = 30.0  # the node itself waits for 20
DRILL_LIMIT_S = 150.0  # two switches, and one back if need be, each of them as long as it may take
RELOAD_LIMIT_S = 120.0  # a slow key is made from each new secret, and reloads wait for each other
MAINTENANCE_LIMIT_S = 15.0  # it is on the disk before it is answered, and then another node has a second to take over


def reload(options: argparse.Namespace) -> int:
    """The node reads the file that it was started with; what it says of it is what `check` would say."""
    from wsa_proxy.runtime.control import ControlError
    from wsa_proxy.runtime.control import ask

    try:
        report = ask(socket_path(options.file), "reload", time_limit_s=RELOAD_LIMIT_S)
    except ControlError as error:
        print(f"wsa-proxy: {error}", file=sys.stderr)
        return FAILED
    read = report.get("file")
    if options.file is not None and read is not None and Path(read).resolve() != options.file.resolve():
        print(f"wsa-proxy: the running node was started with {read}, and has read that one", file=sys.stderr)
    # A node of an earlier version does not know the verb, and says so.
    errors = [*report.get("errors", []), *([report["error"]] if "error" in report else [])]
    for line in errors:
        print(line, file=sys.stderr)
    for line in report.get("warnings", []):
        print(f"warning: {line}")
    for line in report.get("changes", []):
        print(line)
    if report.get("refused") or "error" in report:
        print("wsa-proxy: nothing has changed, the node goes on with its old settings", file=sys.stderr)
    return FAILED if errors else DONE


def demote(options: argparse.Namespace) -> int:
    return tell(options, "demote", {"reason": options.reason})


def restore(options: argparse.Namespace) -> int:
    return tell(options, "restore", {})


def preempt(options: argparse.Namespace) -> int:
    sort_out_group(options)
    return tell(options, "preempt", {} if options.group is None else {"group": options.group})


def switch(options: argparse.Namespace) -> int:
    """To be given on any node of the group; it is answered when the other one is master, or does not become it."""
    return tell(options, "switch", {"group": options.group, "to": options.to}, time_limit_s=SWITCH_LIMIT_S)


def drill(options: argparse.Namespace) -> int:
    """Its report, whatever the verdict."""
    wanted = {"group": options.group, "objective_ms": options.objective}
    answered = answer(options, "drill", wanted, time_limit_s=DRILL_LIMIT_S)
    if answered is None:
        return FAILED
    print("\n".join(answered["drill"]["lines"]))
    return int(answered["drill"]["exit_status"])


def maintenance(options: argparse.Namespace) -> int:
    """Whether it is on."""
    from wsa_proxy.status_text import maintenance_lines

    status = status_of(options)
    if status is None:
        return FAILED
    print("\n".join(maintenance_lines(status)))
    return DONE


def maintenance_on(options: argparse.Namespace) -> int:
    wanted = {"reason": options.reason, "duration": options.duration}
    return tell(options, "maintenance_on", wanted, time_limit_s=MAINTENANCE_LIMIT_S)


def maintenance_off(options: argparse.Namespace) -> int:
    return tell(options, "maintenance_off", {}, time_limit_s=MAINTENANCE_LIMIT_S)
