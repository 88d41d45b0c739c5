"""``wsa-proxy check FILE``: says all that is wrong with a configuration, and starts, creates and changes nothing."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path

from wsa_proxy.config.load import Loaded
from wsa_proxy.config.load import load
from wsa_proxy.config.source import ConfigError
from wsa_proxy.config.source import Problem
from wsa_proxy.config.source import printable
from wsa_proxy.config.timers import LOSSES_WANTED
from wsa_proxy.config.timers import Timers
from wsa_proxy.config.timers import interval_table
from wsa_proxy.config.timers import lowest_master_forgiven
from wsa_proxy.net.host import HostFacts
from wsa_proxy.settings import GroupSettings

RESOLVE_TIMEOUT_S = 2.0  # for all host names together; a dead name server would take 30 s

type Resolve = Callable[[str], frozenset[str]]
"""Host name to addresses. Raises OSError."""


def check(path: Path, *, as_json: bool = False, host: HostFacts | None = None, resolve: Resolve | None = None) -> int:
    """Print every error and warning, or one line for each group. 0 when the file can be run, else 1."""
    loaded: Loaded | None = None
    errors: Sequence[Problem] = ()
    try:
        loaded = load(path, host=host)
        warnings = [*loaded.warnings, *_unresolved(loaded, resolve or _addresses_of)]
    except ConfigError as error:
        errors, warnings = error.problems, list(error.warnings)
    if as_json:
        print(json.dumps(_document(path, loaded, errors, warnings), indent=2))
    else:
        print("\n".join(_lines(loaded, errors, warnings)))
    return 1 if errors else 0


def _lines(loaded: Loaded | None, errors: Sequence[Problem], warnings: Sequence[Problem]) -> list[str]:
    """For a person."""
    warned = [f"warning: {problem}" for problem in warnings]
    if loaded is None:
        return [*map(str, errors), *warned, f"{len(errors)} error{'s' if len(errors) != 1 else ''}"]
    settings = loaded.settings
    handling = "preemptive" if settings.preempt else "non-preemptive"
    lines = [*warned, f"node {settings.node}, {handling}, state in {printable(str(settings.state_dir))}"]
    lines += [_summary(group) for group in settings.groups]
    lines += interval_table() if any(group.advbase == 0 for group in settings.groups) else []
    return [*lines, "no errors"]


def _document(
    path: Path, loaded: Loaded | None, errors: Sequence[Problem], warnings: Sequence[Problem]
) -> dict[str, object]:
    """For a program. ``groups`` is None where errors are in the way of any."""
    return {
        "file": str(path),
        "node": loaded.settings.node if loaded else None,
        "groups": [_group_document(group) for group in loaded.settings.groups] if loaded else None,
        "errors": [_problem_document(problem) for problem in errors],
        "warnings": [_problem_document(problem) for problem in warnings],
    }


def _problem_document(problem: Problem) -> dict[str, object]:
    return {"line": problem.line, "key": problem.key, "value": problem.value, "text": problem.text}


def _group_document(group: GroupSettings) -> dict[str, object]:
    own = Timers(group.advbase, group.advskew)
    return {
        "id": group.vhid,
        "virtual_ip": [str(address) for address in group.virtual_ips],
        "port": group.port,
        "interface": group.interface,
        "priority": group.priority,
        "advskew": group.advskew,
        "advertises_every_s": round(own.interval_s, 3),
        "takes_over_after_s": round(own.master_down_s, 3),
    }


def _summary(group: GroupSettings) -> str:
    """One line: what the operator wrote, and what CARP makes of it."""
    own = Timers(group.advbase, group.advskew)
    forgiven = lowest_master_forgiven(group.advertisement_interval_s, group.priority)
    losses = f" ({LOSSES_WANTED} lost advertisements of a master of priority {forgiven} or more)" if forgiven else ""
    virtual_ips = ", ".join(map(str, group.virtual_ips))
    peers = f" to {', '.join(map(str, group.peers))}" if group.peers else ""
    return (
        f"group {group.vhid}: {virtual_ips} port {group.port} on {group.interface};"
        f" priority {group.priority} -> advskew {group.advskew};"
        f" advertises every {own.interval_s:.3f} s{peers};"
        f" as backup takes over after {own.master_down_s:.3f} s of silence{losses}"
    )


def _addresses_of(hostname: str) -> frozenset[str]:
    return frozenset(
        str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    )


def _unresolved(loaded: Loaded, resolve: Resolve) -> list[Problem]:
    """A problem for each group whose hostname does not lead to one of its virtual IPs."""
    answers: dict[str, frozenset[str] | OSError] = {}

    def ask(hostname: str) -> None:
        try:
            answers[hostname] = resolve(hostname)
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that IDNA cannot encode
            answers[hostname] = error if isinstance(error, OSError) else OSError(str(error))

    # Daemon threads: a name server that is dead must not keep the command from ending.
    names = dict.fromkeys(group.hostname for group in loaded.settings.groups)
    threads = [threading.Thread(target=ask, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + RESOLVE_TIMEOUT_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))

    problems = []
    for n, group in enumerate(loaded.settings.groups):
        text = _resolution_text(group, answers.get(group.hostname))
        if text:
            source = printable(str(loaded.settings.source))
            problems.append(Problem(source, loaded.lines[n], f"groups[{n}].hostname", group.hostname, text))
    return problems


def _resolution_text(group: GroupSettings, answer: frozenset[str] | OSError | None) -> str | None:
    """What is wrong with the answer of the name service; None when nothing is."""
    wanted = {str(virtual_ip.ip) for virtual_ip in group.virtual_ips}
    fix = f"it should lead to {' or '.join(sorted(wanted))}, or browsers will not find the proxy by its name"
    if answer is None:
        return f"cannot be resolved within {RESOLVE_TIMEOUT_S:g} s; {fix}"
    if isinstance(answer, OSError):
        return f"cannot be resolved ({answer.strerror or answer}); {fix}"
    if not answer & wanted:
        return f"resolves to {', '.join(sorted(answer)) or 'nothing'}; {fix}"
    return None
