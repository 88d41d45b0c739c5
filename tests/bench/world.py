"""Up to 255 groups of one real node on a real kernel, at one end of a cable in a network of its own; and a neighbour.

Everything here runs inside fresh namespaces (``python -m wsa_proxy.lab``); nothing is faked but the proxy's health.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import tempfile
import time
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from ipaddress import ip_address
from ipaddress import ip_interface
from pathlib import Path

from tests.cable import Lan
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.credentials import Sealer
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.seal import GroupTime
from wsa_proxy.carp.seal import sealed_key
from wsa_proxy.net.frames import advertisement_header
from wsa_proxy.runtime.clocks import seal_ms
from wsa_proxy.runtime.clocks import wall_ms
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.kernel import LinuxKernel
from wsa_proxy.runtime.node import Node
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings

PASS_PHRASE = b"a good phrase"
SETTLED_S_MAX = 30.0
_PAYLOAD_BYTES = 36


def virtual_ips(vhid: int, dual: bool) -> tuple[IPv4Address | IPv6Address, ...]:
    """10.0.1.ID, and fd00:77::1:ID beside it."""
    ipv4 = ip_address(f"10.0.1.{vhid}")
    return (ipv4, ip_address(f"fd00:77::1:{vhid:x}")) if dual else (ipv4,)


def build_lan() -> Lan:
    lan = Lan()
    lan.build()
    return lan


def make_node(
    groups: int, *, dual: bool = False, advskew: int = 0, security: str = "sealed", virtual_mac: bool = False
) -> Node:
    """Must be called inside the loop; ``close_connections`` has nothing to close."""
    settings = Settings(
        Path("cost.yaml"),
        "a",
        True,
        Path(tempfile.mkdtemp(prefix="wsa-proxy-cost-")),
        tuple(
            GroupSettings(
                vhid=vhid,
                description="",
                hostname="proxy.example.com",
                virtual_ips=tuple(
                    ip_interface(f"{address}/{address.max_prefixlen}") for address in virtual_ips(vhid, dual)
                ),
                interface=Lan.LEFT,
                priority=255 - advskew,
                advbase=1,
                advskew=advskew,
                pass_phrases=(PASS_PHRASE,),
                security=(security,),
                virtual_mac=virtual_mac,
                port=8080,
            )
            for vhid in range(1, groups + 1)
        ),
    )
    return Node(settings, LinuxKernel(settings), close_connections=lambda _: 0)


def drivers_of(node: Node) -> list[Driver]:
    return [driver for _, driver in node._groups]


async def settle(node: Node, state: State) -> float:
    """Start the node and wait until all groups are in this state; answers the seconds that it took."""
    began_s = time.monotonic()
    await node.start()
    node.set_health(Health(hard=None, soft=None))
    while not all(driver.virtual_host.state is state for driver in drivers_of(node)):
        if time.monotonic() - began_s > SETTLED_S_MAX:
            states = [driver.virtual_host.state for driver in drivers_of(node)]
            raise TimeoutError(f"{states.count(state)} of {len(states)} groups are {state.name} in {SETTLED_S_MAX} s")
        await asyncio.sleep(0.05)
    return time.monotonic() - began_s


class Neighbour:
    """A node at the other end of the cable that only speaks: one advertisement for each group at each call."""

    def __init__(self, lan: Lan, groups: int, *, advskew: int, security: str = "sealed") -> None:
        with lan.on_the_right():
            self._sender = lan.raw_socket(Lan.RIGHT)
        self._header = advertisement_header(4, lan_mac(self._sender), ip_address("10.0.0.2"), _PAYLOAD_BYTES)
        self._advskew = advskew
        self._members = [credentials(vhid, security) for vhid in range(1, groups + 1)]

    def speak(self, number: int) -> None:
        """The frame arrives inside the call: a veth pair has no wire to wait for."""
        now_ms = seal_ms()
        reading = Reading(now_ms, now_ms, wall_ms())
        payload = self._members[number].sign(1, self._advskew, 0, reading=reading, chance=number & 0xF)
        self._sender.send(self._header + payload)

    def speak_on(self, per_second: float) -> None:
        """In a process of its own, evenly, until this process ends."""
        if os.fork():
            return
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        due_s, number = time.monotonic(), 0
        while True:
            self.speak(number % len(self._members))
            number += 1
            due_s += 1 / per_second
            time.sleep(max(0.0, due_s - time.monotonic()))


def lan_mac(opened: socket.socket) -> str:
    mac: bytes = opened.getsockname()[4]
    return mac.hex(":")


def credentials(vhid: int, security: str) -> Credentials:
    """Those of another node of the group."""
    addresses = virtual_ips(vhid, False)
    plain = Authenticator([key_from_pass_phrase(PASS_PHRASE)], vhid, addresses, 42)
    sealer = Sealer(sealed_key(PASS_PHRASE), vhid, addresses, GroupTime("", None, seal_ms()))
    return Credentials([Security(security)], plain, [sealer])
