"""``wsa-proxy test GROUP``: listens, and says whether what is advertised is what should be."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wsa_proxy.cli.asking import socket_path
from wsa_proxy.cli.colours import shown_on
from wsa_proxy.cli.exit_status import DONE
from wsa_proxy.cli.exit_status import FAILED
from wsa_proxy.cli.exit_status import WRONG
from wsa_proxy.cli.exit_status import WRONG_USE

if TYPE_CHECKING:
    from wsa_proxy.watch.audition import Audition

ALL = ("all", "-1")
"""The second is the WSA's word for it (testfailovergroup)."""


class CannotTest(Exception):
    """There is nothing to listen for, or no way to listen; the text says what to do."""


def test(options: argparse.Namespace) -> int:
    """With the file that is named, else that of the running node."""
    if options.group not in ALL and not options.group.isdecimal():
        print(f"wsa-proxy test: {options.group}: give the id of a group, 1 to 255, or all", file=sys.stderr)
        return WRONG_USE
    socket = socket_path(options.file)
    try:
        heard = _listen(options, socket)
    except CannotTest as error:
        print(f"wsa-proxy test: {error}", file=sys.stderr)
        return FAILED
    return _tell(heard, socket)


def _listen(options: argparse.Namespace, socket: Path) -> list[Audition]:
    """Raises CannotTest."""
    from wsa_proxy.config import ConfigError
    from wsa_proxy.doctor.node import find_node
    from wsa_proxy.watch.audition import NoGroup
    from wsa_proxy.watch.audition import listen
    from wsa_proxy.watch.interfaces import NoInterface

    file = options.file
    if file is None:
        found = find_node(socket)
        if found.file is None:
            why = found.absent or found.trouble or "the running node does not tell its file"
            raise CannotTest(f"{why}; name its configuration: wsa-proxy test FILE {options.group}")
        file = found.file
    try:
        return listen(file, None if options.group in ALL else int(options.group), options.seconds)
    except (ConfigError, NoInterface) as error:
        raise CannotTest(str(error)) from None
    except NoGroup as error:
        raise CannotTest(f"{file}: {error}") from None
    except PermissionError as error:
        raise CannotTest(f"{error.strerror or error}: run it as root") from None
    except OSError as error:
        raise CannotTest(error.strerror or str(error)) from None


def _tell(heard: list[Audition], socket: Path) -> int:
    """The node is asked afterwards: what it says must hold for the time that was listened."""
    from wsa_proxy.cli.group_verdict import report
    from wsa_proxy.runtime.control import ControlError
    from wsa_proxy.runtime.control import ask

    try:
        status = ask(socket, "status")
    except ControlError:
        status = {"groups": []}
    groups = {group["id"]: group for group in status["groups"]}
    preempts = status.get("failover_handling") == "preemptive"
    reports = [report(each, groups.get(each.vhid), preempts=preempts) for each in heard]
    print(shown_on(sys.stdout, "\n\n".join("\n".join(lines) for lines, _ in reports)))
    return DONE if all(is_right for _, is_right in reports) else WRONG
