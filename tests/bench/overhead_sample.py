"""One sample of ``make overhead``: a proxy is started, watched while it idles, and asked as fast as it answers.

Everything is made for it and ends with it, in fresh namespaces. A second proxy of the same kind runs on another host: a
node's groups have a healthy standby each, and what processes share in memory they share with as many others.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from ipaddress import IPv6Interface
from pathlib import Path
from statistics import quantiles
from typing import Any

from pyroute2 import IPRoute

from tests.bench.bursts import stalls
from tests.bench.loaded import SCRIPT
from tests.bench.overhead_files import MASTER
from tests.bench.overhead_files import PORT
from tests.bench.overhead_files import keepalived_files
from tests.bench.overhead_files import node_file
from tests.bench.overhead_files import virtual_ip
from tests.bench.process_usage import descendants
from tests.bench.process_usage import memory
from tests.bench.process_usage import processor_s
from wsa_proxy.lab.certificates import make_authority
from wsa_proxy.lab.namespace import bind_file
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.node import mitmdump_path
from wsa_proxy.lab.topology import ORIGIN
from wsa_proxy.lab.topology import Host
from wsa_proxy.lab.topology import Topology
from wsa_proxy.runtime.control import ControlError
from wsa_proxy.runtime.control import ask

HERE = Path(__file__).parent
FOLDER = Path("/run/overhead")
STANDBY = "b"
CONNECTIONS = 20
"""Kept open, and each asks again when it has its answer: a single-threaded proxy has always something to do."""
WARM_S = 1
READY_S_MAX = 180.0
ASKED_EACH_S = 0.5
"""While it starts: the status of 255 groups is some hundred kilobytes, whose making takes time and memory."""
QUIET_S = 2.0
"""After the start, and for reports to be exchanged."""
LOAD_AROUND_S_MAX = 60.0
TOLD_BY_WRK = """
function done(summary, latency, requests)
    local wrong = summary.errors
    local errors = wrong.connect + wrong.read + wrong.write + wrong.timeout + wrong.status
    io.write(string.format('\\n{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "errors": %d}\\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors))
end
"""


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

    def __init__(self, order: Order) -> None:
        self._order = order
        FOLDER.mkdir()
        self.hosts = {each.name: each for each in (_host("a", 1), _host("b", 2), _host("client", 50), ORIGIN)}
        self.topology = Topology(list(self.hosts.values()))
        self.topology.build()
        names = [f"{virtual_ip(vhid)} proxy{vhid}.example.com" for vhid in range(1, order.groups + 1)]
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
        file.write_text(node_file(name, self._order.groups, FOLDER / name / "state"))
        return [mitmdump_path(), "-s", str(HERE / "probed_node.py"), *options, "--set", f"failover_config={file}"]

    def _start_keepalived(self, name: str) -> subprocess.Popen[bytes]:
        files = keepalived_files(name, self.hosts[name].ipv4.ip, self._order.groups, FOLDER / name)
        files.write(FOLDER / name)
        return self._start(name, files.command)

    @property
    def address(self) -> str:
        """Where clients ask the proxy."""
        return str(virtual_ip(1) if self._order.product == "node" else self.hosts[MASTER].ipv4.ip)

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
                socket.create_connection((self.address, PORT), 1.0).close()
            except OSError as error:
                return f"the proxy: {error}"
        return None

    def processes(self) -> dict[str, list[int]]:
        """Of the first host: the proxy; the guardian or keepalived, with all that they have started."""
        proxy = self.proxies[MASTER].pid
        if (daemon := self.daemons.get(MASTER)) is not None:
            return {"proxy": [proxy], "beside": [daemon.pid, *descendants(daemon.pid)]}
        return {"proxy": [proxy], "beside": descendants(proxy)}


def take(order: Order) -> dict[str, Any]:
    """What is measured of it, as JSON."""
    world = World(order)
    world.wait()
    result: dict[str, Any] = {"product": order.product, "groups": order.groups}
    if order.idle_s:
        result["idle"] = idle(world, order.idle_s)
    if order.load_s:
        ask_on(world, WARM_S)
        result["load"] = load(world, order.load_s)
    return result


def idle(world: World, seconds: float) -> dict[str, float]:
    """Shares of a core, and MiB."""
    processes = world.processes()
    before, began_s = {name: processor_s(pids) for name, pids in processes.items()}, time.monotonic()
    time.sleep(seconds)
    result: dict[str, float] = {}
    for name, pids in processes.items():
        result[f"{name}_share"] = (processor_s(pids) - before[name]) / (time.monotonic() - began_s)
        taken = memory(pids)
        result |= {f"{name}_pss_mib": taken.pss, f"{name}_rss_mib": taken.rss}
    return result


def load(world: World, seconds: int) -> dict[str, float]:
    """What the clients saw, how late the loop was, and what each of the three took of a core meanwhile."""
    proxy = world.proxies[MASTER].pid
    takes: dict[str, Callable[[], float]] = {
        "proxy": lambda: processor_s([proxy]),
        "origin": lambda: processor_s([world.origin.pid]),
        "clients": _waited_for_s,
    }
    before, began_s = {name: take() for name, take in takes.items()}, time.monotonic()
    told = ask_on(world, seconds)
    ended_s = time.monotonic()
    taken_s = {name: take() - before[name] for name, take in takes.items()}
    lines = (Path(os.environ["LAG_PROBE"]) / str(proxy)).read_text().splitlines()
    late_ms = [1000 * each for each in stalls(lines, began_s, ended_s)]
    return {
        "per_s": told["requests"] / told["duration_us"] * 1e6,
        "p50_ms": told["p50_us"] / 1000,
        "p99_ms": told["p99_us"] / 1000,
        "errors": told["errors"],
        "late_ms": quantiles(late_ms, n=100, method="inclusive")[98],
        "longest_ms": max(late_ms),
        "processor_ms": 1000 * taken_s["proxy"] / told["requests"],
        **{f"{name}_share": each / (ended_s - began_s) for name, each in taken_s.items()},
    }


def ask_on(world: World, seconds: int) -> dict[str, int]:
    """wrk, as a client of a forward proxy. Raises RuntimeError when it fails."""
    program = shutil.which("wrk")
    if program is None:
        raise RuntimeError("wrk is missing; install it with: apt-get install wrk")
    script = FOLDER / "proxy.lua"
    script.write_text(SCRIPT + TOLD_BY_WRK)
    command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script)]
    with inside(world.topology.networks["client"]):
        ended = subprocess.run(
            [*command, f"http://{world.address}:{PORT}/"],
            capture_output=True,
            text=True,
            timeout=seconds + LOAD_AROUND_S_MAX,
            check=False,
        )
    if ended.returncode != 0:
        raise RuntimeError(f"wrk: {ended.stdout}{ended.stderr}")
    told: dict[str, int] = json.loads(ended.stdout.splitlines()[-1])
    if not told["requests"]:
        raise RuntimeError(f"the proxy has answered nothing: {ended.stdout}")
    return told


def _host(name: str, number: int) -> Host:
    """With all the virtual IPs on its own network."""
    return Host(name, IPv4Interface(f"10.0.0.{number}/16"), IPv6Interface(f"fd00:77::{number}/64"))


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


def _waited_for_s() -> float:
    """Seconds of processor of the children that have ended."""
    taken = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken.ru_utime + taken.ru_stime
