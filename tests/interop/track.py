"""The bridge, our nodes, the ucarps and what watches them; only inside the namespaces, see tests/lab/inside.py."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.interop.observer import Observer
from tests.interop.pairs import NODES
from tests.interop.pairs import PAIRS
from tests.interop.pairs import SECRET
from tests.interop.pairs import STRANGER
from tests.interop.pairs import Pair
from tests.interop.ucarp import Ucarp
from wsa_proxy import resources
from wsa_proxy.lab.certificates import make_authority
from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.holders import HolderLog
from wsa_proxy.lab.holders import holdings
from wsa_proxy.lab.namespace import bind_file
from wsa_proxy.lab.node import Node
from wsa_proxy.lab.node import mitmdump_path
from wsa_proxy.lab.topology import Topology
from wsa_proxy.runtime.control import ask

FOLDER = Path("/run/wsa-proxy-interop")
PORT = 8080
HOSTNAME = "proxy.example.com"


def configuration(node: str, state_dir: Path) -> NodeFile:
    """The file of one of our nodes: a group for each of its pairs, in the words of the users' files."""
    pairs = [pair for pair in PAIRS if pair.node == node]
    document = {
        "node": node,
        "failover_handling": "preemptive" if node == "a" else "non-preemptive",
        "state_dir": str(state_dir),
        "groups": [
            {
                "id": pair.vhid,
                "description": pair.name,
                "hostname": HOSTNAME,
                "virtual_ip": f"{pair.virtual_ip}/24",
                "priority": 255 - pair.ours,
                "shared_secret": SECRET,
                "advertisement_interval": 1,
                "security": "carp",
                "mac": "interface",
                "port": PORT,
            }
            for pair in pairs
        ],
    }
    text = io.StringIO()
    YAML().dump(document, text)
    return NodeFile(text.getvalue(), tuple(IPv4Interface(f"{pair.virtual_ip}/24") for pair in pairs), (HOSTNAME,), PORT)


class Track:
    """Built, but with nothing started. Everything vanishes with the namespaces."""

    def __init__(self) -> None:
        FOLDER.mkdir()
        self.began_s = time.monotonic()
        hosts = [*NODES.values(), STRANGER, *(pair.host for pair in PAIRS)]
        self.topology: Topology = Topology(hosts)
        self.topology.build()
        self._write_hosts_file()
        self.observer: Observer = Observer([each.name for each in hosts])
        networks = self.topology.networks
        self.holder_log: HolderLog = HolderLog(networks, {str(pair.virtual_ip) for pair in PAIRS})
        make_authority(FOLDER / "ca")
        command = [mitmdump_path(), "-s", str(resources.find("addons/carp_failover.py"))]
        command += ["--set", f"confdir={FOLDER / 'ca'}", "--set", "flow_detail=0"]
        self.nodes: dict[str, Node] = {}
        for name, host in NODES.items():
            folder = FOLDER / name
            self.nodes[name] = Node(host, networks[name], folder, configuration(name, folder / "state"), command)
        self.ucarps = {pair.name: self._ucarp(pair) for pair in PAIRS}

    def _ucarp(self, pair: Pair) -> Ucarp:
        return Ucarp(
            self.topology.networks[pair.host.name],
            FOLDER / pair.host.name,
            pair.host.ipv4.ip,
            vhid=pair.vhid,
            virtual_ip=pair.virtual_ip,
            pass_phrase=pair.secret,
            advskew=pair.theirs,
            options=pair.options,
        )

    def _write_hosts_file(self) -> None:
        """There is no DNS, and asking for the name of a group would take long."""
        hosts = FOLDER / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{PAIRS[0].virtual_ip} {HOSTNAME}\n")
        bind_file(hosts, Path("/etc/hosts"))

    # -- what is known -----------------------------------------------------------------------------------------------

    def document(self, node: str) -> dict[str, Any]:
        """The node's whole status, asked now."""
        return ask(self.nodes[node].state_dir / "control.sock", "status")

    def group(self, pair: Pair) -> dict[str, Any]:
        """Our node's newest status of this pair's group, at most a fraction of a second old; empty before the first."""
        news = self.nodes[pair.node].news
        return next((group for group in (news.groups if news else []) if group["id"] == pair.vhid), {})

    def holders(self, pair: Pair) -> set[str]:
        """Whose kernel has the pair's virtual IP now."""
        held = holdings(self.holder_log.events, time.monotonic())
        return {each.node for each in held if each.open and each.address == str(pair.virtual_ip)}

    def roles(self, pair: Pair) -> tuple[str, str]:
        """What our node says and what ucarp says: ``("master", "BACKUP")``."""
        return str(self.group(pair).get("state", "init")), self.ucarps[pair.name].state

    # -- what is done ------------------------------------------------------------------------------------------------

    def start_ucarps(self, *, first: bool) -> None:
        for pair in PAIRS:
            if pair.first is first:
                self.ucarps[pair.name].start()

    def wait(self, what: str, missing: Callable[[], object], within_s: float) -> float:
        """Wait until nothing is missing; how long it took. Raises TimeoutError with what is still missing."""
        began_s = time.monotonic()
        while lacking := missing():
            waited_s = time.monotonic() - began_s
            if waited_s > within_s:
                raise TimeoutError(f"waited {within_s:.1f} s for {what}; missing: {lacking}\n{self.logs()}")
            time.sleep(0.02)
        took_s = time.monotonic() - began_s
        print(f"{time.monotonic() - self.began_s:6.2f} s  {what}: after {took_s:.2f} s", file=sys.stderr, flush=True)
        return took_s

    def logs(self) -> str:
        """The ends of all logs, for people."""
        ours = [f"--- {name}\n{node.log_tail()}" for name, node in self.nodes.items()]
        theirs = [f"--- {name}\n{ucarp.log[-400:]}" for name, ucarp in self.ucarps.items() if ucarp.alive]
        return "\n".join(ours + theirs)
