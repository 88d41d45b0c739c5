"""Asking the running node: where its socket is, and what is said when nobody answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsa_proxy.cli.exit_status import DONE
from wsa_proxy.cli.exit_status import FAILED

STATE_DIR_USUAL = "/var/lib/wsa-proxy"
"""As in ``settings``, as the name of the socket is; to import that takes a quarter of the time of the parser."""
DEFAULT_SOCKET = Path(STATE_DIR_USUAL, "control.sock")
ASK_LIMIT_S = 3.0
UNKNOWN_VERB = "expected a JSON line with one of the verbs"
"""How a control socket begins its answer to a verb that it does not have."""


def socket_path(file: Path | None) -> Path:
    """Where the node with this configuration answers; a wrong file is no reason not to ask the node that runs."""
    if file is None:
        return DEFAULT_SOCKET
    from wsa_proxy.cli.state_place import plain_state_dir

    folder = plain_state_dir(file)
    if folder is not None:
        return folder / DEFAULT_SOCKET.name
    from wsa_proxy.config import ConfigError
    from wsa_proxy.config import read_state_dir

    try:
        return read_state_dir(file) / DEFAULT_SOCKET.name
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(FAILED) from None


def answer(
    options: argparse.Namespace, verb: str, arguments: Mapping[str, str], *, time_limit_s: float = ASK_LIMIT_S
) -> dict[str, Any] | None:
    """What the node answers. None, and said why, when nobody does or it refuses."""
    from wsa_proxy.runtime.control import ControlError
    from wsa_proxy.runtime.control import ask

    try:
        answered = ask(socket_path(options.file), verb, arguments, time_limit_s=time_limit_s)
    except ControlError as error:
        answered = {"error": error}
    if "error" not in answered:
        return answered
    said = str(answered["error"])
    if said.startswith(UNKNOWN_VERB):
        said = f"the running node does not know {verb}: it was started in an earlier version, and wants a restart"
    print(f"wsa-proxy: {said}", file=sys.stderr)
    return None


def tell(
    options: argparse.Namespace, verb: str, arguments: Mapping[str, str], *, time_limit_s: float = ASK_LIMIT_S
) -> int:
    """Have the running node do something, and say what has changed."""
    answered = answer(options, verb, arguments, time_limit_s=time_limit_s)
    if answered is None:
        return FAILED
    print("\n".join(answered["changes"]))
    return DONE


def status_of(options: argparse.Namespace) -> dict[str, Any] | None:
    """The status document. None, and said why, when nobody answers."""
    return answer(options, "status", {})


def sort_out_group(options: argparse.Namespace) -> None:
    """Of ``[FILE] [GROUP]``: a number alone is a group, unless there is a file of that name."""
    if options.group is None and options.file is not None and str(options.file).isdigit() and not options.file.exists():
        options.file, options.group = None, str(options.file)
