"""A node of a peer: a plain mitmdump, and beside it the daemon that holds the virtual IP.

What is done to the proxy is done as to a node of ours. A stop of the node stops the daemon first, as systemd does where
the daemon's unit comes after the proxy's: that is the order in which the daemon can hand over while the proxy serves.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from wsa_proxy.bench.daemon import Daemon
from wsa_proxy.bench.peer_files import STEP_DOWN
from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.node import Node
from wsa_proxy.lab.topology import Host


class PeerNode(Node):
    """One of them."""

    def __init__(
        self, host: Host, network: Path, folder: Path, file: NodeFile, command: Sequence[str], daemon: Daemon
    ) -> None:
        """``command`` is that of the plain mitmdump; the file is the one of our node, of which nothing is used."""
        self.daemon = daemon
        self._step_down = folder / STEP_DOWN
        super().__init__(host, network, folder, file, command)

    @property
    def ended_by_itself(self) -> bool:
        """One of the two did."""
        return super().ended_by_itself or self.daemon.ended_by_itself

    def configure(self, file: NodeFile, command: Sequence[str]) -> None:
        """The proxy knows nothing of failover."""
        self._command = list(command)

    def start(self) -> None:
        """The proxy, then the daemon if it does not run already: a killed proxy leaves it behind."""
        super().start()
        if not self.daemon.alive:
            self.daemon.start()

    def stop(self) -> None:
        """The daemon in order, then the proxy."""
        if self.daemon.alive:
            self.daemon.stop()
        super().stop()

    def kill_all(self) -> None:
        """SIGKILL for the daemon and the proxy."""
        if self.daemon.alive:
            self.daemon.kill()
        super().kill_all()

    def step_down(self) -> None:
        """What ucarp's manual gives for handing over (SIGUSR2), and keepalived's for lowering the priority."""
        if self._step_down.exists():
            self._step_down.write_text("1\n")
        else:
            self.daemon.send(signal.SIGUSR2)

    def step_up(self) -> None:
        """ucarp has forgotten it already."""
        if self._step_down.exists():
            self._step_down.write_text("0\n")

    def switch_here(self) -> None:
        raise NodeFault(f"node {self.name} has no order for that")

    @property
    def is_backup(self) -> bool:
        return False  # its daemon cannot be asked

    def log_tail(self) -> str:
        """Of both."""
        return f"{super().log_tail()}\n{self.daemon.log[-2000:]}"

    def _poll(self) -> None:
        """There is nothing that could be asked."""
