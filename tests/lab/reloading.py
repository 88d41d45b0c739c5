"""Reloads on the test track: two real nodes are told other settings, step by step, while a client goes on asking.

As in scenarios.py, a function does things and returns what it saw; the judging is in test_reloading.py.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML

from tests.lab.scenarios import do
from tests.lab.scenarios import say
from tests.lab.scenarios import seen
from tests.lab.scenarios import status
from wsa_proxy.lab import namespace
from wsa_proxy.lab.lab import Lab

OLD, NEW = "the old secret", "the new secret"
TO_SEALED = [["carp", "sealed"], ["sealed", "carp"], "sealed"]
ROTATION = [[OLD, NEW], [NEW, OLD], NEW]
READ_AGAIN = "the configuration was read again"
REQUEST_EVERY_S = 0.025  # a rate that a busy machine can serve: here each failure counts
STEP_S_MAX = 20.0  # a deadline, not a pause


def write(lab: Lab, name: str, **changes: Any) -> None:
    """Change keys in the node's file, which nobody looks at until he is asked to."""
    yaml = YAML()
    path = lab.nodes[name].configuration
    document = yaml.load(path.read_text())
    document["groups"][0].update(changes)
    text = io.StringIO()
    yaml.dump(document, text)
    path.write_text(text.getvalue())


def wait(what: str, reached: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + STEP_S_MAX
    while not reached():
        assert time.monotonic() < deadline_s, f"waited {STEP_S_MAX} s for {what}"
        time.sleep(0.05)


def by_command(lab: Lab, name: str, verb: str = "reload") -> dict[str, Any]:
    """`wsa-proxy reload FILE` on this node: its exit status and all that it says."""
    command = [sys.executable, "-m", "wsa_proxy.cli", verb, str(lab.nodes[name].configuration)]
    with namespace.inside(lab.topology.networks[name]):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.communicate(timeout=STEP_S_MAX)
    return {"node": name, "status": process.returncode, "out": out, "err": err}


def by_signal(lab: Lab, name: str) -> dict[str, Any]:
    """SIGHUP: the log says what has changed."""
    node = lab.nodes[name]
    before = len(node.log.read_text())
    os.kill(node.pid, signal.SIGHUP)
    wait("the log", lambda: READ_AGAIN in node.log.read_text()[before:])
    lines = [line for line in node.log.read_text()[before:].splitlines() if READ_AGAIN in line]
    return {"node": name, "status": 0, "out": "\n".join(lines), "err": ""}


def heard_by_b(lab: Lab) -> int:
    return int(status(lab, "b")["groups"][0]["advertisements_received"])


def steps(lab: Lab, key: str, values: list[Any], order: str) -> list[dict[str, Any]]:
    """Each value on one node and then the other; between any two reloads the backup believes an advertisement."""
    reports = []
    for value in values:
        for name in order:
            write(lab, name, **{key: value})
            say(f"{key} of {name}")
            reports.append((by_command if name == order[0] else by_signal)(lab, name))
            before = heard_by_b(lab)
            wait("an advertisement that b believes", lambda before=before: heard_by_b(lab) > before)  # type: ignore[misc]
    return reports


def rotated() -> dict[str, Any]:
    """A plain group becomes a sealed one, its secret is rotated, a wrong file is refused; then the master dies."""
    overrides = {"security": "carp", "shared_secret": OLD, "advertisement_interval": 0.5, "b.priority": 230}
    lab = Lab(overrides=overrides, interval_s=REQUEST_EVERY_S, say=say).__enter__()
    lab.settle()
    lab.start_client()
    lab.wait_service()
    began_s = time.monotonic()
    before = {name: status(lab, name)["groups"][0] for name in "ab"}
    reports = steps(lab, "security", TO_SEALED, "ab") + steps(lab, "shared_secret", ROTATION, "ba")
    for name in "ab":
        write(lab, name, priority=300, security="secret")
    refused = [by_command(lab, name) for name in "ab"]
    checked = [by_command(lab, name, "check") for name in "ab"]
    heard = heard_by_b(lab)
    wait("an advertisement that b believes", lambda: heard_by_b(lab) > heard)
    after = {name: status(lab, name)["groups"][0] for name in "ab"}
    ended_s = time.monotonic()
    samples = [sample for sample in lab.samples if began_s < sample.end_s < ended_s]
    do(lab, "kill", "a")
    lab.wait_service()
    return seen(
        lab,
        before=before,
        after=after,
        reports=reports,
        refused=refused,
        checked=checked,
        since_s=began_s - lab.began_s,
        requests=len(samples),
        failed=[sample.error for sample in samples if not sample.ok],
    )
