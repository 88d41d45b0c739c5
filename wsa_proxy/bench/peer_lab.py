"""The lab with the nodes of a peer: hosts, client, origin and faults are the same; only the nodes differ.

Whether the roles are taken is told by the kernels: a peer's daemon cannot be asked.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from wsa_proxy.bench import own_clients
from wsa_proxy.bench.daemon import Daemon
from wsa_proxy.bench.peer_files import MASTER
from wsa_proxy.bench.peer_files import PeerFiles
from wsa_proxy.bench.peer_files import Place
from wsa_proxy.bench.peer_files import peer_files
from wsa_proxy.bench.peer_files import process_name
from wsa_proxy.bench.peer_node import PeerNode
from wsa_proxy.bench.products import Product
from wsa_proxy.bench.programs import found
from wsa_proxy.lab import listeners
from wsa_proxy.lab.faults import FAULTS
from wsa_proxy.lab.faults import Fault
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.faults import Takes
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.node import Node
from wsa_proxy.lab.node import mitmdump_path
from wsa_proxy.lab.topology import CLIENT
from wsa_proxy.lab.topology import ORIGIN
from wsa_proxy.lab.topology import Host
from wsa_proxy.lab.topology import Topology

LOOPBACK = "127.0.0.1"
NONLOCAL_BIND = Path("/proc/sys/net/ipv4/ip_nonlocal_bind")
"""With it a proxy listens on the virtual IP before it is there, as keepalived's users set it up."""


class PeerLab(Lab):
    """Only inside the namespaces of namespace.py, as the Lab itself."""

    def __init__(
        self,
        product: Product,
        interval_s: float = 0.01,
        say: Callable[[str], None] = lambda line: None,
        network_of_master: Path | None = None,
    ) -> None:
        """``network_of_master``: the network namespace of a master that cannot live in one of the lab's, where nothing
        ends with the namespaces either, and others have a way to its proxy."""
        self.product, self._is_outside = product, network_of_master is not None
        super().__init__(interval_s=interval_s, say=say)
        if network_of_master is not None:
            self.topology = Topology([*self._hosts, CLIENT, ORIGIN], {MASTER: network_of_master})
            self._launcher = (found("setpriv"), "--pdeathsig", "KILL", "--")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """In the machine's own PID namespace nothing ends at once by itself: keepalived's child takes seconds to do so
        in order when its parent is gone, beside the next lab."""
        if not self._launcher:
            return
        for node in self.nodes.values():
            assert isinstance(node, PeerNode)
            with suppress(NodeFault):
                node.daemon.kill()
            with suppress(NodeFault):
                node.kill()

    def _failover(self) -> list[str]:
        """A plain mitmdump has none. It listens on the virtual IP, and on loopback for the check script."""
        modes = ["--mode", f"regular@{self.virtual_ips[0]}:{self.port}", "--mode", f"regular@{LOOPBACK}:{self.port}"]
        return [*modes, "-s", own_clients.__file__] if self._is_outside else modes

    def peer_files(self) -> dict[str, PeerFiles]:
        """What each node's daemon is started with; also before the lab is entered."""
        return {host.name: self._peer_files(host) for host in self._hosts}

    def _make_node(self, host: Host, folder: Path) -> Node:
        network, file = self.topology.networks[host.name], self._files[host.name]
        with inside(network):
            NONLOCAL_BIND.write_text("1")
        folder.mkdir()
        program = folder / process_name(host.name)
        program.symlink_to(mitmdump_path())
        peer = self._peer_files(host)
        peer.write(folder)
        daemon = Daemon(
            f"{self.product.kind} of node {host.name}", network, folder / "daemon.log", (*self._launcher, *peer.command)
        )
        command = [*self._launcher, str(program), *self._commands[host.name][1:]]
        return PeerNode(host, network, folder, file, command, daemon)

    def _peer_files(self, host: Host) -> PeerFiles:
        virtual_ip = self._files[host.name].virtual_ips[0]
        url = f"http://{ORIGIN.ipv4.ip}/"
        address, prefix = str(host.ipv4.ip), virtual_ip.network.prefixlen
        folder = self._folders[host.name]
        interface = self.topology.interface(host.name)
        place = Place(host.name, folder, interface, address, str(virtual_ip.ip), prefix, self.port, url)
        return peer_files(self.product, place)

    def _check_configurations(self) -> None:
        """A peer judges its own, when it starts."""

    def _missing_roles(self) -> str | None:
        """By what the kernels hold."""
        holders = self.holder_log.holders()
        return None if holders == {MASTER} else held_text(holders)


def held_text(holders: Collection[str]) -> str:
    """Who has the virtual IP, for whoever waits for the master to have it."""
    return f"the virtual IP is held by {', '.join(sorted(holders)) or 'nobody'}"


def _node(lab: Lab, name: str) -> PeerNode:
    node = lab.nodes[name]
    assert isinstance(node, PeerNode)
    return node


def _deafen_all(lab: Lab, name: str) -> None:
    """The socket for the check script as well: with one socket for all addresses it would be the same."""
    if not listeners.shut(_node(lab, name).pid, {*lab.virtual_ips, LOOPBACK}, lab.port):
        raise NodeFault(f"node {name} has no socket that listens at port {lab.port}")


_LIST = (
    Fault("deafen-all", Takes.NODE, "", "shut all its listening sockets behind its back", _deafen_all),
    Fault("daemon-kill", Takes.NODE, "", "kill the daemon (SIGKILL)", lambda lab, name: _node(lab, name).daemon.kill()),
    Fault("daemon-start", Takes.NODE, "", "start it again", lambda lab, name: _node(lab, name).daemon.start()),
    Fault("daemon-freeze", Takes.NODE, "", "freeze the daemon (SIGSTOP)",
          lambda lab, name: _node(lab, name).daemon.freeze()),
    Fault("daemon-thaw", Takes.NODE, "", "let it go on", lambda lab, name: _node(lab, name).daemon.thaw()),
    Fault("step-down", Takes.NODE, "", "hand over", lambda lab, name: _node(lab, name).step_down()),
    Fault("step-up", Takes.NODE, "", "take that back", lambda lab, name: _node(lab, name).step_up()),
)  # fmt: skip

PEER_FAULTS = FAULTS | {fault.word: fault for fault in _LIST}
"""What can be done to a peer's node: the lab's faults, and those of its daemon."""
