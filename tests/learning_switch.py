"""Hosts on a learning switch, for tests that got a fresh network from the fixture ``lan``.

The switch is a bridge in the namespace of ``lan``; each host is a namespace whose ``eth0`` is a port named after it.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from wsa_proxy.net.ports import Address

_PACKET_OUTGOING = 4
_IPV6_FREEBIND = 78
ECHO_PORT = 7


class Tap:
    """What a host sends: the frames that come into the switch by its port."""

    def __init__(self, port: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._socket.bind((port, 3))

    def queued(self) -> list[bytes]:
        found: list[bytes] = []
        while True:
            try:
                frame, (_, _, packet_type, _, _) = self._socket.recvfrom(4096)
            except BlockingIOError:
                return found
            if packet_type != _PACKET_OUTGOING:
                found.append(frame)


class Switch:
    """Three hosts 10.0.0.NUMBER and fd00:77::NUMBER: the nodes ``a`` and ``b``, and ``client``."""

    NAME = "switch"
    HOSTS = ("a", "b", "client")

    def __init__(self, lan: Any) -> None:
        self._lan = lan
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._networks: dict[str, int] = {}
        lan.ip(f"link delete {lan.LEFT}")  # a switch has no addresses: it would answer for the hosts' as well
        # Without snooping, every multicast goes everywhere; a port forwards from the first frame on.
        lan.ip(f"link add name {self.NAME} type bridge mcast_snooping 0 forward_delay 0")
        lan.ip(f"link set {self.NAME} up")
        for number, name in enumerate(self.HOSTS, start=1):
            self._attach(name, number)

    def _attach(self, name: str, number: int) -> None:
        os.unshare(os.CLONE_NEWNET)
        self._networks[name] = os.open("/proc/self/ns/net", os.O_RDONLY)
        os.setns(self._home, os.CLONE_NEWNET)
        lan = self._lan
        lan.ip(f"link add name {name} type veth peer name eth0 netns {self.path(name)}")
        lan.ip(f"link set dev {name} master {self.NAME} up")
        with self.on(name):
            lan.ip("link set lo up")
            lan.ip("link set eth0 addrgenmode none up")
            lan.ip(f"address add 10.0.0.{number}/24 broadcast + dev eth0")
            lan.ip(f"address add fd00:77::{number}/64 dev eth0 nodad")
            lan.ip(f"address add fe80::{number}/64 dev eth0 nodad")
            lan.wait_up("eth0")
        lan.wait_up(name)

    def path(self, name: str) -> str:
        """Names the host's namespace to iproute2."""
        return f"/proc/{os.getpid()}/fd/{self._networks[name]}"

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        """What is opened or started in this block belongs to that host."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        os.setns(self._networks[name], os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(before, os.CLONE_NEWNET)
            os.close(before)

    def port_of(self, mac: str) -> str | None:
        """By which port the switch has learnt a hardware address."""
        found = json.loads(run("bridge", "-json", "fdb", "show", "br", self.NAME, "dynamic"))
        ports = [str(entry["ifname"]) for entry in found if entry["mac"] == mac and "master" in entry]
        return ports[0] if ports else None

    def neighbour(self, name: str, address: str) -> str | None:
        """The hardware address that a host has in its cache."""
        with self.on(name):
            found = json.loads(self._lan.ip(f"-json neighbour show to {address} dev eth0"))
        return str(found[0]["lladdr"]) if found and "lladdr" in found[0] else None

    def nft(self, rules: str) -> None:
        """Load rules in the switch."""
        run("nft", "-f", "-", text=rules)


def run(*command: str, text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def vmac_frames(frames: list[bytes], mac: str) -> list[str]:
    """Those that were sent from this hardware address, in hexadecimal."""
    return [frame.hex() for frame in frames if frame[6:12] == bytes.fromhex(mac.replace(":", ""))]


def family_of(address: Address) -> socket.AddressFamily:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


class Server:
    """A node's services at a virtual address: TCP that accepts, UDP that answers with the node's name."""

    def __init__(self, name: str, address: Address) -> None:
        self._name = name
        self.tcp = socket.socket(family_of(address), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.udp = socket.socket(family_of(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        for opened in (self.tcp, self.udp):
            level, option = (socket.IPPROTO_IP, 15) if address.version == 4 else (socket.IPPROTO_IPV6, _IPV6_FREEBIND)
            opened.setsockopt(level, option, 1)
            opened.bind((str(address), ECHO_PORT))
        self.tcp.listen()

    def serve(self) -> None:
        """What is queued."""
        try:
            _, sender = self.udp.recvfrom(100)
            self.udp.sendto(self._name.encode(), sender)
        except BlockingIOError:
            pass

    def accepted(self) -> bool:
        try:
            self.tcp.accept()[0].close()
        except BlockingIOError:
            return False
        return True


def answers_ping(lan: Any, address: Address) -> bool:
    """Whether an ICMP echo of the host where we are is answered within a second."""
    protocol = socket.IPPROTO_ICMP if address.version == 4 else socket.IPPROTO_ICMPV6
    request, reply = (8, 0) if address.version == 4 else (128, 129)
    with socket.socket(family_of(address), socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol) as raw:
        body = struct.pack("!BBHHH", request, 0, 0, 77, 1)
        sum_of_words = sum(struct.unpack("!4H", body))  # the kernel fills in ICMPv6's, which has a pseudo header
        raw.sendto(body[:2] + struct.pack("!H", 0xFFFF - sum_of_words) + body[4:], (str(address), 0))

        def answered() -> bool:
            try:
                packet, sender = raw.recvfrom(200)
            except BlockingIOError:
                return False
            icmp = packet[20:] if address.version == 4 else packet
            return ip_address(sender[0]) == address and icmp[0] == reply and icmp[4:6] == body[4:6]

        return bool(lan.until(answered, f"an echo from {address}", within_s=2.0))


def reaches(address: Address) -> bool:
    """Whether the host where we are gets an answer from the kernel at that address: port 9 is closed."""
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as probe:
        probe.settimeout(2.0)
        probe.connect((str(address), 9))
        try:
            probe.send(b"?")
            probe.recv(10)
        except ConnectionRefusedError:
            return True
        except OSError as error:
            assert error.errno in (None, errno.EHOSTUNREACH, errno.EAGAIN), error
    return False
