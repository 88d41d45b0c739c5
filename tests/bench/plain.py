"""mitmdump as it comes, on the host and the address of the lab's master: what a node is compared with."""

from __future__ import annotations

import subprocess
from pathlib import Path

from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.node import mitmdump_path

PORT = 8081
LOG = Path("/run/plain.log")


def start(lab: Lab, *more: str) -> subprocess.Popen[bytes]:
    """Does not wait until it listens. ``more`` arguments are mitmdump's; its log is begun anew."""
    command = [mitmdump_path(), "--listen-host", str(lab.nodes["a"].host.ipv4.ip), "--listen-port", str(PORT)]
    command += ["--set", f"confdir={lab.authority.parent}", "--set", "flow_detail=0", *more]
    with inside(lab.topology.networks["a"]), LOG.open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
