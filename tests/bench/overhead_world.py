"""What ``make overhead`` looks at: two hosts with a proxy each, a client and an origin, inside fresh namespaces.

Everything is made for one sample and ends with it. The second proxy is of the same kind as the first: a node's groups
have a healthy standby each, and what processes share in memory they share with as many others.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute

from tests.bench.many_groups import address_of
from tests.bench.many_groups import wide
from tests.bench.many_groups import with_groups
from tests.bench.overhead_files import keepalived_files
from tests.bench.process_usage import descendants
from wsa_proxy.lab.certificates import make_authority
from wsa_proxy.lab.configuration import PORT_DEFAULT
from wsa_proxy.lab.configuration import derive
from wsa_proxy.lab.namespace import bind_file
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.node import mitmdump_path
from wsa_proxy.lab.topology import CLIENT
from wsa_proxy.lab.topology import NODE_NAMES
from wsa_proxy.lab.topology import ORIGIN
from wsa_proxy.lab.topology import Topology
from wsa_proxy.lab.topology import node_hosts
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.control import ask

HERE = Path(__file__).parent
FOLDER = Path("/run/overhead")
MASTER, STANDBY = NODE_NAMES[0], NODE_NAMES[1]
READY_S_MAX = 180.0
ASKED_EACH_S = 0.5
"""While it starts: the status of 255 groups is some hundred kilobytes, whose making takes time and memory."""
QUIET_S = 2.0
"""After the start, and for reports to be exchanged."""


@dataclass(frozen=True, slots=True)
class Order:
    """``product``: plain (mitmdump as it comes), node (with the addon) or keepalived (beside a plain mitmdump)."""

    product: str
    groups: int = 0
    load_s: int = 0
    """0: no load."""
    idle_s: float = 0.0
    """0: not watched while it idles."""


class World:
    """Two hosts with a proxy each, a client and an origin on one bridge; inside fresh namespaces only."""

    def __init__(self, order: Order, addon: Path = HERE / "probed_node.py") -> None:
        """``addon``: the script that nodes load."""
        self._order = order
        self._addon = addon
        FOLDER.mkdir()
        self.hosts = {each.name: wide(each) for each in (*node_hosts(2), CLIENT, ORIGIN)}
        self.topology = Topology(list(self.hosts.values()))
        self.topology.build()
        states = {name: FOLDER / name / "state" for name in (MASTER, STANDBY)}
        files = derive([MASTER, STANDBY], states, {})
        names = [f"{address_of(1)} {name}" for name in files[MASTER].hostnames]
        self._files = {name: with_groups(file, order.groups) for name, file in files.items()}
        (FOLDER / "hosts").write_text("\n".join(["127.0.0.1 localhost", *names]) + "\n")
        bind_file(FOLDER / "hosts", Path("/etc/hosts"))
        make_authority(FOLDER / "ca")
        os.environ |= {"LAG_PROBE": str(FOLDER / "lags"), "LAG_NOTED_S": "0"}
        Path(os.environ["LAG_PROBE"]).mkdir()
        self.origin = self._start("origin", [sys.executable, "-m", "wsa_proxy.lab.origin"])
        self.proxies: dict[str, subprocess.Popen[bytes]] = {}
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        for name in (MASTER, STANDBY):
            (FOLDER / name).mkdir()
            self.proxies[name] = self._start(name, self._command(name))
            if order.product == "keepalived":
                self.daemons[name] = self._start_keepalived(name)

    def _start(self, host: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with inside(self.topology.networks[host]), (FOLDER / f"{host}.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _command(self, name: str) -> list[str]:
        """Of this host's mitmdump."""
        options = ["--set", f"confdir={FOLDER / 'ca'}", "--set", "flow_detail=0"]
        if self._order.product != "node":
            return [mitmdump_path(), "-s", str(HERE / "lag_probe.py"), *options]
        file = FOLDER / name / "node.yaml"
        file.touch(mode=0o600)  # it holds the shared secret
        file.write_text(self._files[name].text)
        return [mitmdump_path(), "-s", str(self._addon), *options, "--set", f"failover_config={file}"]

    def _start_keepalived(self, name: str) -> subprocess.Popen[bytes]:
        files = keepalived_files(name, self.hosts[name].ipv4.ip, self._order.groups, FOLDER / name)
        files.write(FOLDER / name)
        return self._start(name, files.command)

    @property
    def address(self) -> str:
        """Where clients ask the proxy."""
        return address_of(1) if self._order.product == "node" else str(self.hosts[MASTER].ipv4.ip)

    def wait(self) -> None:
        """Until the first host's proxy serves, and is master of all groups, and all is quiet. Raises RuntimeError."""
        ends_s = time.monotonic() + READY_S_MAX
        while (lacking := self._missing()) is not None:
            ended = [name for name, each in self.proxies.items() if each.poll() is not None]
            if ended or time.monotonic() > ends_s:
                told = "\n".join(file.read_text()[-1000:] for file in FOLDER.glob("*.log"))
                raise RuntimeError(f"{self._order}: {lacking}; ended: {ended}\n{told}")
            time.sleep(ASKED_EACH_S)
        time.sleep(QUIET_S)

    def _missing(self) -> str | None:
        """What is, or nothing."""
        wanted = self._order.groups
        if self._order.product == "node":
            states = _states(FOLDER / MASTER / "state")
            if states != [("master", 1)] * wanted:
                ready = states.count(("master", 1))
                return f"{ready} of {wanted} groups are master and have a healthy standby"
        with inside(self.topology.networks[MASTER]):
            if self._order.product == "keepalived" and (held := _held()) < wanted:
                return f"keepalived holds {held} of {wanted} addresses"
            try:
                socket.create_connection((self.address, PORT_DEFAULT), 1.0).close()
            except OSError as error:
                return f"the proxy: {error}"
        return None

    def processes(self) -> dict[str, list[int]]:
        """Of the first host: the proxy; the guardian or keepalived, with all that they have started."""
        proxy = self.proxies[MASTER].pid
        if (daemon := self.daemons.get(MASTER)) is not None:
            return {"proxy": [proxy], "beside": [daemon.pid, *descendants(daemon.pid)]}
        return {"proxy": [proxy], "beside": descendants(proxy)}


def _states(state_dir: Path) -> list[tuple[str, int | None]]:
    """Of each group its state and how many could take over from it; nothing while the node cannot be asked."""
    try:
        document = ask(state_dir / "control.sock", "status")
    except ControlError:
        return []
    return [(each["state"], each["members"]["redundancy"]["healthy_standbys"]) for each in document["groups"]]


def _held() -> int:
    """Virtual IPs of this network."""
    with IPRoute() as netlink:
        return sum(each.get_attr("IFA_ADDRESS", "").startswith("10.0.1.") for each in netlink.get_addr())
