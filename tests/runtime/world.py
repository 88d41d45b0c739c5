"""A LAN without wires for the pump's tests: real nodes, drivers and codec; only the kernel is a fake.

The fake kernel keeps a journal of everything it was asked, in order. Frames travel at once. A node that is frozen
does not read; its frames wait, as in a socket's buffer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from concurrent.futures import Future
from ipaddress import ip_interface
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from tests.runtime.fakes import FakeAddresses
from tests.runtime.fakes import FakeAdvertisements
from tests.runtime.fakes import FakeLeases
from tests.runtime.fakes import FakeMacTest
from tests.runtime.fakes import FakeMonitor
from tests.runtime.fakes import FakeNeighbours
from tests.runtime.fakes import FakeReports
from tests.runtime.fakes import FakeSockets
from tests.runtime.fakes import FakeSteering
from tests.runtime.fakes import FakeTickles
from tests.runtime.fakes import Inbox
from tests.runtime.virtual_time import VirtualTimeLoop
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import AddressChanged
from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.net.ports import MacVerdict
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.facts import ProxyFacts
from wsa_proxy.runtime.group_carry import NoClients
from wsa_proxy.runtime.group_switch import ProxySide
from wsa_proxy.runtime.health import Health
from wsa_proxy.runtime.node import Node
from wsa_proxy.runtime.ports import CarryPorts
from wsa_proxy.runtime.ports import Network
from wsa_proxy.runtime.ports import Ports
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import Settings

type MakeHost = Callable[..., Host]

type Carries = Callable[[str, str], bool]
"""Whether the LAN carries what this host (its name) sends to that one."""

WELL = Health(hard=None, soft=None)
WALL_MS = 2e11
"""Of every host, when its loop's time is 0."""


def at_once(write: Callable[[], None]) -> Future[None]:
    """The thread that writes the node's files, when it is fast."""
    written: Future[None] = Future()
    try:
        write()
        written.set_result(None)
    except OSError as error:
        written.set_exception(error)
    return written


class Lan:
    def __init__(self) -> None:
        self.listeners: list[FakeAdvertisements] = []
        self.report_ports: list[FakeReports] = []
        self.reports: list[bytes] = []
        """All that were sent, for whoever records them."""
        self.carries_advertisement: Carries = lambda sender, receiver: True
        self.carries_report: Carries = lambda sender, receiver: False
        """Not unless a test says so: most are about CARP alone."""


class Host:
    """One host: its fake kernel (it is the ``Kernel`` of its node) and its real node."""

    def __init__(self, lan: Lan, name: str, number: int, folder: Path, **changes: Any) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        self.lan = lan
        self.name = name
        self.address = f"10.0.0.{number}"
        self.mac = f"02:00:00:00:00:{number:02x}"
        self.number = number
        self.index, self.running = 2, True
        self.journal: list[str] = []
        self.leases_until_s: dict[int, float] = {}
        self.fake_leases = FakeLeases(self)
        self.wills: dict[int, list[bytes]] = {}
        """Of each group: the IP version and the payload of each part."""
        self.wills_again: dict[int, bool] = {}
        self.stall_limit_s = 0.0
        self.claimed: set[int] = set()
        self.claim_error: OSError | None = None
        self.spared: set[int] = set()
        """The groups that ``address_error`` does not concern."""
        self.leftovers: list[Address] = []
        self.send_error: OSError | None = None
        self.report_error: OSError | None = None
        self.mute_versions = {4, 6}
        """Those that ``send_error`` concerns."""
        self.silent_version = 0
        self.address_error: OSError | None = None
        self.release_error: OSError | None = None
        self.settle_error: OSError | None = None
        self.mac_verdict = MacVerdict.CARRIED
        self.virtual_index: int | None = None
        """Of the virtual MAC's interface, while there is one."""
        self.virtual_name = "carp1"
        self.freeze_after_send_s = 0.0
        self.open_error: OSError | None = None
        self.links_error: OSError | None = None
        self.neighbours_error: OSError | None = None
        self.freeze_in_kernel_s = 0.0
        self.slow_kernel_s = 0.0
        """So long an address takes each time; a freeze is once."""
        self.slow_open_s = 0.0
        """So long it takes to open a group's sockets."""
        self.slow_close_s = 0.0
        """So long it takes to remove a virtual MAC's interface."""
        self.when_closing: Callable[[], None] = lambda: None
        """Called in the middle of closing the clients' connections."""
        self.sockets, self.steering, self.tickles = FakeSockets(), FakeSteering(self), FakeTickles()
        self.carrying_error: OSError | None = None
        self.own_networks: Sequence[Network] = [ip_network("10.0.0.0/24")]
        self.kernel_monitor = FakeMonitor()
        self.ports: Ports | None = None
        preempt = changes.pop("preempt", True)
        self.facts = changes.pop("facts", ProxyFacts())
        submit = changes.pop("submit", at_once)
        proxy = ProxySide(service=changes.pop("service", None), clients=changes.pop("clients", NoClients()))
        more_vhids = changes.pop("more_vhids", ())
        more_groups = changes.pop("more_groups", ())
        virtual_ips = changes.pop("virtual_ips", ("10.0.0.3/24",))
        group: dict[str, Any] = {
            "vhid": 1,
            "description": "",
            "hostname": "proxy.example.com",
            "virtual_ips": tuple(ip_interface(virtual_ip) for virtual_ip in virtual_ips),
            "interface": "eth0",
            "priority": 255,
            "advbase": 1,
            "advskew": 0,
            "pass_phrases": (b"a good phrase",),
            "security": ("carp",),
            "virtual_mac": False,
            "port": 8080,
        } | changes
        more = [group | {"vhid": vhid, "virtual_ips": (ip_interface(f"10.0.1.{vhid}/24"),)} for vhid in more_vhids]
        more += [group | each for each in more_groups]
        groups = tuple(GroupSettings(**each) for each in [group, *more])
        settings = Settings(folder / f"{name}.yaml", name, preempt, folder / name, groups)
        self.wall_ms = WALL_MS
        clocks = Clocks(loop.time, lambda: loop.time() * 1000, lambda: self.wall_ms + loop.time() * 1000, "boot")
        self.node = Node(
            settings,
            self,
            close_connections=self._close_connections,
            clocks=clocks,
            submit=submit,
            facts=lambda: self.facts,
            proxy=proxy,
        )

    # what the node's kernel must offer

    def set_virtual(self, addresses: Collection[Address]) -> None:
        self.virtual = frozenset(addresses)

    async def claim_patiently(self, groups: Collection[GroupSettings]) -> None:
        self.claim(groups)

    def claim(self, groups: Collection[GroupSettings]) -> None:
        if self.claim_error is not None:
            raise self.claim_error
        self.keep_claims(groups)

    def keep_claims(self, groups: Collection[GroupSettings]) -> None:
        self.claimed = {group.vhid for group in groups}

    def set_stall_limit(self, stall_limit_s: float) -> None:
        self.stall_limit_s = stall_limit_s

    def monitor(self) -> FakeMonitor:
        return self.kernel_monitor

    def leases(self) -> FakeLeases:
        return self.fake_leases

    def links(self) -> Sequence[LinkChanged]:
        if self.links_error is not None:
            raise self.links_error
        links = [LinkChanged("eth0", self.index, self.running, self.mac)] if self.index else []
        return links + ([LinkChanged(self.virtual_name, self.virtual_index, True)] if self.virtual_index else [])

    def index_of(self, interface: str) -> int:
        if not self.index:
            raise OSError("no such interface")
        return self.index

    def open(self, group: GroupSettings, index: int) -> Ports:
        self.loop.now += self.slow_open_s
        if self.open_error is not None:
            raise self.open_error
        addresses = FakeAddresses(self, group.vhid, [virtual_ip.ip for virtual_ip in group.virtual_ips])
        address_index, virtual_interface = index, ""
        if group.virtual_mac:
            self.virtual_index = address_index = (self.virtual_index or index) + 100
            self.virtual_name = "carp1"
            virtual_interface = f"carp{group.vhid}"
        advertisements = FakeAdvertisements(self, group.vhid, virtual=group.virtual_mac)
        ports = Ports(index, address_index, virtual_interface, advertisements, addresses, FakeNeighbours(self))
        if group.vhid == 1:
            self.ports = ports
        return ports

    def open_reports(self, interface: str, port: int) -> FakeReports:
        return FakeReports(self)

    def open_carrying(self) -> CarryPorts:
        if self.carrying_error is not None:
            raise self.carrying_error
        return CarryPorts(self.sockets, self.sockets, self.steering, lambda index: self.tickles)

    def networks(self, interface: str) -> Sequence[Network]:
        return self.own_networks

    def foreign_mac_test(self, interface: str, index: int) -> FakeMacTest:
        return FakeMacTest(self)

    def remove_leftovers(self, addresses: Collection[Address]) -> Sequence[Address]:
        self.journal.append("clean")
        return self.leftovers

    def ask_neighbours_again(self, index: int) -> Sequence[Address]:
        self.journal.append(f"ask neighbours {index} in {self.state}")
        if self.neighbours_error is not None:
            raise self.neighbours_error
        return []

    def tie_break(self, interface: str) -> int:
        return self.number

    # what a test does to it and asks

    def _close_connections(self, addresses: Collection[Address]) -> int:
        self.journal.append("close connections")
        self.when_closing()
        return 0

    def says(self, advbase: int, advskew: int, demotion: int) -> bytes:
        """An advertisement as it would sign it now."""
        return self.driver._identity.sign(SendAdvertisement(advbase, advskew, demotion))

    @property
    def inbox(self) -> Inbox[Packet]:
        """The frames that wait to be read by this host."""
        return next(listener.inbox for listener in self.lan.listeners if listener.host is self)

    @property
    def driver(self) -> Driver:
        return self.node._groups[0][1]

    @property
    def state(self) -> str:
        return self.driver.virtual_host.state.value

    @property
    def holds(self) -> bool:
        return self.holds_group(1)

    def holds_group(self, vhid: int) -> bool:
        return self.loop.now < self.leases_until_s.get(vhid, 0.0)

    @property
    def lease_until_s(self) -> float:
        """Of group 1, which most tests are about."""
        return self.leases_until_s.get(1, 0.0)

    async def start(self) -> None:
        """Start the node with a proxy in good health."""
        await self.node.start()
        self.node.set_health(WELL)

    def beat(self) -> None:
        """The beat's timer fires now."""
        assert self.node._beat is not None
        self.node._beat.beat()

    def set_link(self, *, running: bool, index: int | None = None) -> None:
        self.running = running
        self.index = self.index if index is None else index
        if not self.index:
            self.leases_until_s.clear()
        self.kernel_monitor.inbox.put(LinkChanged("eth0", self.index, running))

    def lose_address(self) -> None:
        """Somebody else removes the virtual IP."""
        self.leases_until_s[1] = 0.0
        address = self.node.settings.groups[0].virtual_ips[0].ip
        self.kernel_monitor.inbox.put(AddressChanged(self.index, address, present=False, permanent=False))

    def last_transition(self) -> str:
        report = self.driver.record.transitions[-1].report
        return f"{report.old.name} -> {report.new.name} {report.reason}"
