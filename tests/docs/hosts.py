"""Hosts for the documentation's commands: each a network, a mount and a UTS namespace, in the lab's own namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.docs.blocks import ROOT
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.topology import ORIGIN
from wsa_proxy.lab.topology import Host
from wsa_proxy.lab.topology import Topology
from wsa_proxy.lab.topology import host
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.control import ask

FOLDER = Path("/run/docs")
NUMBERS = {"a": 1, "b": 2, "c": 4, "d": 5, "client": 50}
NAMES = {"proxy.example.com": "10.0.0.3", "www.example.com": str(ORIGIN.ipv4.ip)}
"""What a name server would know; there is none."""
BLOCK_S_MAX = 150.0
NODE_START_S_MAX = 90.0
HERE = Path(__file__).resolve().parent


class Network:
    """The LAN of a page: hosts a, b, c, d and a client, and a web server that is www.example.com."""

    def __init__(self, names: list[str]) -> None:
        FOLDER.mkdir()
        hosts = [host(name, NUMBERS[name]) for name in names]
        self.topology = Topology([*hosts, ORIGIN])
        self.topology.build()
        entries = {"localhost": "127.0.0.1"} | NAMES | {each.name: str(each.ipv4.ip) for each in hosts}
        FOLDER.joinpath("hosts").write_text("".join(f"{ip} {name}\n" for name, ip in entries.items()))
        with inside(self.topology.networks["origin"]):
            command = [sys.executable, "-m", "wsa_proxy.lab.origin"]
            origin = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.machines = {each.name: Machine(each, self.topology.networks[each.name]) for each in hosts}
        for machine in self.machines.values():
            machine.wait_ready()
        assert origin.stdout is not None
        assert origin.stdout.readline() == b"ready\n", "the web server did not start"


class Machine:
    """One host. What runs on it ends with the namespaces."""

    def __init__(self, address: Host, network: Path) -> None:
        self.name = address.name
        self.folder = FOLDER / self.name
        self.folder.mkdir()
        self._network = network
        self._count = 0
        command = ["unshare", "--mount", "--uts", str(HERE / "host.sh"), self.name, str(self.folder), str(ROOT)]
        with inside(network):
            self._keeper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        for name in (self.name, str(address.ipv4.ip)):
            FOLDER.joinpath(f"{name}.host").write_text(f"{self._keeper.pid} {self.folder}/home\n")

    def wait_ready(self) -> None:
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline() == b"ready\n", f"host {self.name} could not be made"

    def start(self, text: str) -> Started:
        """Have the host's shell carry this out; as a user who installed nothing but Python, and needs no network."""
        self._count += 1
        script = self.folder / f"block-{self._count}.sh"
        script.write_text(text)
        # Not nsenter's own --wd: that folder is opened before, outside, where the checkout can be written to.
        shell = ["bash", "-c", 'cd "$0" && exec bash -eu -o pipefail "$1"', str(ROOT), str(script)]
        enter = ["nsenter", "--target", str(self._keeper.pid), "--mount", "--uts", "--net", "--"]
        output = script.with_suffix(".txt")
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*enter, *shell], stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=self._environment()
            )
        return Started(process, output)

    def status(self) -> dict[str, Any] | None:
        """Of the node that runs here; None when it does not answer."""
        socket = Path("/proc", str(self._keeper.pid), "root", "var/lib/wsa-proxy/control.sock")
        try:
            return ask(socket, "status", time_limit_s=1.0)
        except ControlError:
            return None

    def wait_node(self) -> None:
        """Until the node of this host takes part; the page says "some seconds"."""
        deadline_s = time.monotonic() + NODE_START_S_MAX
        while not _takes_part(self.status()):
            assert time.monotonic() < deadline_s, f"the node of host {self.name} does not take part: {self.status()}"
            time.sleep(0.1)

    def _environment(self) -> Mapping[str, str]:
        """pip finds here what it would fetch: without an index, and with what .venv has."""
        python = Path(sys.base_prefix) / "bin"
        path = [str(HERE / "standins"), "/usr/local/bin", str(python), os.environ["PATH"]]
        return os.environ | {
            "PATH": os.pathsep.join(path),
            "HOME": str(self.folder / "home"),
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # means what it says not: pip takes the option, "isolation", to be 0
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }


class Started:
    """A block that was started on a host."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process, self._output = process, output

    @property
    def said(self) -> str:
        return self._output.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """Its exit status. Raises TimeoutExpired."""
        return self._process.wait(BLOCK_S_MAX)


def _takes_part(status: Mapping[str, Any] | None) -> bool:
    return status is not None and all(group["state"] in ("master", "backup") for group in status["groups"])
