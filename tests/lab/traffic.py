"""What one host of the track may send to another, of every kind, and whether it arrives."""

from __future__ import annotations

import socket
import struct
import subprocess

from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.topology import Topology
from wsa_proxy.lab.topology import node_hosts

CARP = ["carp4", "carp6", "carp4 to one", "carp6 to one"]
ALL_PASS = [*CARP, "udp4", "udp6", "tcp4", "tcp6"]


class Traffic:
    """Three hosts, a, b and c, and everything that the one may send to the other."""

    WAYS = ("ab", "ba", "ac", "cb")

    GROUPS = ("224.0.0.18", "ff02::12")
    PROTOCOL = 112
    PORT = 8112
    LATE_S = 0.1
    """After the kernel has delivered what was sent later, on the same way."""

    def __init__(self) -> None:
        self._topology = Topology(node_hosts(3))
        self._topology.build()
        self._sockets: dict[tuple[str, str, int], socket.socket] = {}
        for name in "abc":
            with inside(self._topology.networks[name]):
                for family in (socket.AF_INET, socket.AF_INET6):
                    version = 4 if family is socket.AF_INET else 6
                    group = self.GROUPS[version == 6]
                    self._sockets[name, "carp", version] = _hears_group(family, group, self.PROTOCOL)
                    self._sockets[name, "udp", version] = made = socket.socket(family, socket.SOCK_DGRAM)
                    made.bind((self._address(name, version), self.PORT))
                    made.settimeout(self.LATE_S)
                    server = socket.create_server((self._address(name, version), self.PORT), family=family)
                    self._sockets[name, "tcp", version] = server

    def _address(self, name: str, version: int) -> str:
        host = self._topology.hosts[name]
        return str(host.ipv4.ip if version == 4 else host.ipv6.ip)

    def passes(self, *, asking_anew: bool = True) -> dict[str, list[str]]:
        """What passes on each way; at first the hosts must ask for each other's hardware address, if not told else."""
        for name in "abc" if asking_anew else "":
            self._forget(name)
        return {way: self._passing(*way) for way in self.WAYS}

    def _passing(self, sender: str, receiver: str) -> list[str]:
        passed = []
        for kind in [kind for kind in ALL_PASS if "tcp" not in kind]:
            protocol, version = kind.split("4")[0].split("6")[0], 6 if "6" in kind else 4
            to_one = protocol == "udp" or kind.endswith("to one")
            target = self._address(receiver, version) if to_one else self.GROUPS[version == 6]
            text = f"{kind} from {sender} to {receiver}".encode()
            self._sockets[sender, protocol, version].sendto(text, (target, self.PORT if protocol == "udp" else 0))
            passed += [kind] if self._arrives(self._sockets[receiver, protocol, version], text) else []
        return passed + [f"tcp{version}" for version in (4, 6) if self._connects(sender, receiver, version)]

    def _arrives(self, receiver: socket.socket, text: bytes) -> bool:
        """Read until it is there; what was sent to the group for somebody else is here as well."""
        try:
            while not receiver.recv(200).endswith(text):
                pass
        except TimeoutError:
            return False
        return True

    def _connects(self, sender: str, receiver: str, version: int) -> bool:
        try:
            with inside(self._topology.networks[sender]):
                made = socket.create_connection((self._address(receiver, version), self.PORT), timeout=self.LATE_S)
        except TimeoutError:
            return False
        accepted, _ = self._sockets[receiver, "tcp", version].accept()
        accepted.close()
        made.close()
        return True

    def _forget(self, name: str) -> None:
        """Empty the host's neighbour tables."""
        with inside(self._topology.networks[name]):
            subprocess.run(["ip", "neighbour", "flush", "dev", "eth0"], check=True)


def _hears_group(family: socket.AddressFamily, group: str, protocol: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_RAW, protocol)
    made.settimeout(Traffic.LATE_S)
    index = socket.if_nametoindex("eth0")
    if family is socket.AF_INET:
        membership = socket.inet_aton(group) + bytes(4) + struct.pack("i", index)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, bytes(8) + struct.pack("i", index))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
    else:
        membership = socket.inet_pton(family, group) + struct.pack("i", index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
    return made
