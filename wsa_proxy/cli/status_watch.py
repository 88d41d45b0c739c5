"""``wsa-proxy status --watch``: on a terminal that can draw, redrawn each second; else a block for each change.

A node that does not answer is said and waited for. Ctrl-C ends it; so do SIGTERM and SIGHUP. These signals are held
back but for the wait between two looks: one that came while a frame is drawn would cost the terminal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any

from wsa_proxy.cli.colours import shown_on
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.control import ask
from wsa_proxy.status_text import status_text

LOOK_EVERY_S = 1.0
ASK_LIMIT_S = 2.0
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FOOTER = "each second; Ctrl-C ends"

type Look = Callable[[], dict[str, Any] | ControlError]


def watch(path: Path, *, as_json: bool) -> None:
    """Until it is ended. ``path``: the node's socket."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not as_json:
            _draw(lambda: _look(path))
        else:
            _tell(lambda: _look(path), as_json=as_json)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def essence(document: dict[str, Any]) -> dict[str, Any]:
    """What a change of is worth a block: no ages, no counters, nothing that is measured anew each second."""
    groups = [
        {key: group.get(key) for key in ("id", "state", "since", "obstacles", "demoted_by", "last_master", "priority")}
        | {"members": _essence_of_members(group.get("members")), "carry": _essence_of_carry(group.get("carry"))}
        for group in document["groups"]
    ]
    health = document["health"]
    warnings = [[each["kind"], each["group"]] for each in document.get("warnings", ())]
    maintenance = document.get("maintenance") is not None
    keys = ("node", "pid", "version", "failover_handling", "guardian")
    return {key: document.get(key) for key in keys} | {
        "groups": groups,
        "proxy": [health["hard"] is None, health["soft"] is None],
        "warnings": warnings,
        "maintenance": maintenance,
    }


def _essence_of_members(members: dict[str, Any] | None) -> Any:
    if members is None:
        return None
    return [
        [each["node"], each["state"], each["is_fresh"], each["is_ready"], each["priority"]] for each in members["list"]
    ]


def _essence_of_carry(carry: dict[str, Any] | None) -> Any:
    """That a drain has begun or ended, and whose clients were told; not the count, which falls each second."""
    if carry is None:
        return None
    told = carry["told"]
    return [
        carry["drains"] is None,
        [each["node"] for each in carry["steers"]],
        told and [told["node"], told["clients"]],
    ]


def _look(path: Path) -> dict[str, Any] | ControlError:
    try:
        return ask(path, "status", time_limit_s=ASK_LIMIT_S)
    except ControlError as error:
        return error


def _is_ended() -> bool:
    """Waits for the time of the next look."""
    return signal.sigtimedwait(ENDING, LOOK_EVERY_S) is not None


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _absent(error: ControlError) -> str:
    return f"wsa-proxy: {error}; waiting for it"


def _tell(look: Look, *, as_json: bool) -> None:
    last: object = None
    while True:
        seen = look()
        news = str(seen) if isinstance(seen, ControlError) else essence(seen)
        if news != last:
            last = news
            if isinstance(seen, ControlError):
                print(_absent(seen), file=sys.stderr, flush=True)
            else:
                print(json.dumps(seen) if as_json else f"{_now()}\n{status_text(seen)}\n", flush=True)
        if _is_ended():
            return


def _draw(look: Look) -> None:
    """What was seen last stands on the terminal afterwards."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    text = ""
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="ellipsis") as live:
        while True:
            seen = look()
            if not isinstance(seen, ControlError):
                text = shown_on(sys.stdout, status_text(seen))
            shown = _absent(seen) if isinstance(seen, ControlError) else text
            live.update(Text.from_ansi(f"{_now()}, {FOOTER}\n\n{shown}", overflow="fold"), refresh=True)
            if _is_ended():
                break
    if text:
        print(text)
