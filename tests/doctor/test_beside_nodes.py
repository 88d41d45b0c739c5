"""The doctor beside real nodes in the lab: nothing where nothing is wrong, and it disturbs nobody."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab import scenarios
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy import cli
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.namespace import inside
from wsa_proxy.net.packet_socket import PacketSocket

pytestmark = needs_namespaces

EVERY_S = 0.05
NOT_MADE = {"members", "redundancy", "clocks"}
"""Of these the status document has nothing until nodes send reports."""


def examine(lab: Lab, name: str, *arguments: str, with_file: bool = True) -> dict[str, Any]:
    """One run on a node's host: the document, with the exit status."""
    node = lab.nodes[name]
    file = [str(node.configuration)] if with_file else []
    out = io.StringIO()
    with inside(lab.topology.networks[name]), contextlib.redirect_stdout(out):
        status = cli.main(["doctor", *file, "--json", *arguments])
    return {**json.loads(out.getvalue()), "status": status}


def beside_nodes() -> dict[str, Any]:
    """Clean on both; without the file; two masters with protocol 112 dropped between them; a hairpin."""
    lab = Lab(say=scenarios.say, interval_s=EVERY_S).__enter__()
    lab.settle()
    lab.start_client()
    lab.wait_service()
    before = {name: scenarios.status(lab, name)["groups"][0] for name in "ab"}
    clean = {name: examine(lab, name) for name in "ab"}
    cli.DEFAULT_SOCKET = lab.nodes["b"].state_dir / "control.sock"
    without_file = examine(lab, "b", with_file=False)
    after = {name: scenarios.status(lab, name)["groups"][0] for name in "ab"}
    failed = [sample.error for sample in list(lab.samples) if not sample.ok]
    hairpin = {}
    for word in ("on", "off"):
        subprocess.run(["ip", "link", "set", "dev", "a", "type", "bridge_slave", "hairpin", word], check=True)
        hairpin[word] = examine(lab, "a")
        if word == "on":
            hairpin["b"] = examine(lab, "b")
    return {
        "before": before,
        "clean": clean,
        "without_file": without_file,
        "after": after,
        "failed": failed,
        "hairpin": hairpin,
    }


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    found: dict[str, Any] = run_inside(beside_nodes, 90.0)
    return found


@pytest.mark.parametrize("name", ["a", "b"])
def test_nothing_is_wrong(seen: dict[str, Any], name: str) -> None:
    """On the master and on the backup, which hears the master answer for the virtual IP."""
    found = seen["clean"][name]
    print(json.dumps(found, indent=1))
    assert (found["status"], found["findings"], found["node"]) == (0, [], name)
