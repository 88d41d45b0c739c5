"""The fake kernel of one host in the pump's tests: each port writes what it was asked into the host's journal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import Future
from ipaddress import ip_address
from typing import TYPE_CHECKING

from wsa_proxy.carp.wire import HEADER_BYTES
from wsa_proxy.net.client_key import virtual_ip_of
from wsa_proxy.net.ports import FRAMES_PER_TURN_MAX
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import AddressPort
from wsa_proxy.net.ports import Answer
from wsa_proxy.net.ports import Datagram
from wsa_proxy.net.ports import Fence
from wsa_proxy.net.ports import KernelChange
from wsa_proxy.net.ports import MacVerdict
from wsa_proxy.net.ports import Packet
from wsa_proxy.net.ports import Steered
from wsa_proxy.net.ports import Version
from wsa_proxy.net.virtual_interface import virtual_mac

if TYPE_CHECKING:
    from tests.runtime.world import Host

LEASE_S = 1.0


class Inbox[T]:
    """A queue with a descriptor that is readable while something is queued."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK)

    def put(self, item: T) -> None:
        self.items.append(item)
        os.eventfd_write(self.descriptor, 1)

    def take(self, count: int) -> list[T]:
        taken, self.items = self.items[:count], self.items[count:]
        if not self.items:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self.descriptor)
        return taken

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class FakeAdvertisements:
    def __init__(self, host: Host, vhid: int, *, virtual: bool = False) -> None:
        self.host = host
        self.vhid = vhid
        self.virtual = virtual
        self.inbox: Inbox[Packet] = Inbox()
        host.lan.listeners.append(self)

    def fileno_list(self) -> list[int]:
        return [self.inbox.descriptor]

    def envelopes(self, version: Version, payload_bytes: int) -> tuple[bytes, ...]:
        if version == self.host.silent_version:
            raise OSError("no address to send from")
        assert payload_bytes == HEADER_BYTES
        return (bytes([version]),)

    def refresh(self) -> None:
        self.host.journal.append(f"refresh {self.vhid}")

    def send(self, version: Version, payload: bytes, *, from_own_mac: bool = False) -> None:
        if version == self.host.silent_version:
            raise OSError("no address to send from")
        if self.host.send_error is not None and version in self.host.mute_versions:
            raise self.host.send_error
        advbase, advskew = payload[5], payload[2]
        own = " from its own MAC" if from_own_mac else ""
        self.host.journal.append(f"advertise v{version} {advbase}/{advskew}{own}")
        self.host.loop.now += self.host.freeze_after_send_s
        self.host.freeze_after_send_s = 0.0
        mac = virtual_mac(self.vhid) if self.virtual and not from_own_mac else self.host.mac
        packet = Packet(version, self.host.address, mac, 255, payload)
        for listener in self.host.lan.listeners:
            heard = listener is not self and listener.vhid == payload[1]
            heard = heard and self.host.lan.carries_advertisement(self.host.name, listener.host.name)
            if heard and self.host.running and listener.host.running:
                listener.inbox.put(packet)

    def receive(self) -> Sequence[Packet]:
        return self.inbox.take(FRAMES_PER_TURN_MAX)

    def close(self) -> None:
        if self in self.host.lan.listeners:
            self.host.lan.listeners.remove(self)
        self.inbox.close()


class FakeReports:
    """UDP: what is sent arrives at once, unless the LAN's ``carries_report`` says no."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.inbox: Inbox[Datagram] = Inbox()
        host.lan.report_ports.append(self)

    def fileno_list(self) -> list[int]:
        return [self.inbox.descriptor]

    def refresh(self) -> None: ...

    def source_of(self, version: Version, peers: Sequence[Address] = ()) -> Address | None:
        return ip_address(self.host.address)

    def send(self, version: Version, peers: Sequence[Address], payload: bytes) -> None:
        if self.host.report_error is not None:
            raise self.host.report_error
        self.host.lan.reports.append(payload)
        for port in self.host.lan.report_ports:
            there = port.host
            passes = self.host.running and there.running and self.host.lan.carries_report(self.host.name, there.name)
            if there is not self.host and passes:
                port.inbox.put(Datagram(self.host.address, payload))

    def receive(self) -> Sequence[Datagram]:
        return self.inbox.take(FRAMES_PER_TURN_MAX)

    def close(self) -> None:
        if self in self.host.lan.report_ports:
            self.host.lan.report_ports.remove(self)
        self.inbox.close()


class FakeAddresses:
    def __init__(self, host: Host, vhid: int, addresses: Sequence[Address]) -> None:
        self.host = host
        self.vhid = vhid
        self.addresses = frozenset(addresses)
        self.taken = False
        """As with the real ones, a beat prolongs what was taken, and passes over what was not."""
        self.silent = False

    def acquire(self) -> None:
        self.host.journal.append("acquire")
        self.silent = False
        self._add()

    def leave_will(self, envelopes: Sequence[bytes], payload: bytes, *, again: bool) -> None:
        self.host.wills_again[self.vhid] = again
        self.host.wills[self.vhid] = [envelope + payload for envelope in envelopes]

    def renew(self) -> None:
        self._add()

    def _add(self) -> None:
        self.host.loop.now += self.host.freeze_in_kernel_s + self.host.slow_kernel_s
        self.host.freeze_in_kernel_s = 0.0
        if self.host.address_error is not None and self.vhid not in self.host.spared:
            raise self.host.address_error
        self.host.leases_until_s[self.vhid] = self.host.loop.now + LEASE_S
        self.taken = True

    def release(self) -> None:
        self.host.wills.pop(self.vhid, None)
        self.host.journal.append("release")
        self.taken = self.silent = False
        if self.host.release_error is not None:
            raise self.host.release_error
        self.host.leases_until_s[self.vhid] = 0.0

    def hold_silently(self) -> None:
        self.host.journal.append("hold silently")
        if self.host.address_error is not None:
            raise self.host.address_error
        self.silent = True

    def settle(self) -> None:
        self.host.journal.append("settle")
        if self.host.settle_error is not None:
            raise self.host.settle_error

    def held(self) -> frozenset[Address]:
        return self.addresses if self.host.holds_group(self.vhid) else frozenset()

    def close(self) -> None:
        self.host.loop.now += self.host.slow_close_s


class FakeLeases:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.batches: list[int] = []
        """How many groups each beat renewed."""
        self.fences: list[Fence] = []
        """What the guardian has done, and has not told yet."""

    def held(self, leases: Sequence[AddressPort]) -> Mapping[AddressPort, frozenset[Address]]:
        return {lease: lease.held() for lease in leases}

    def beat(self, leases: Sequence[AddressPort]) -> Mapping[AddressPort, OSError]:
        self.batches.append(len(leases))
        failed: dict[AddressPort, OSError] = {}
        for lease in leases:
            try:
                if isinstance(lease, FakeAddresses) and lease.taken:
                    lease.renew()
            except OSError as error:
                failed[lease] = error
        return failed

    @property
    def guardian(self) -> int | None:
        return 4712

    def fileno_list(self) -> list[int]:
        return []

    def drain(self) -> Sequence[Fence]:
        fences, self.fences = self.fences, []
        return fences

    def close(self) -> None: ...


class FakeNeighbours:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.inbox: Inbox[Answer] | None = None

    def announce(self) -> None:
        self.host.journal.append("announce")

    def probe(self) -> None:
        self.host.journal.append("probe")
        self.inbox = self.inbox or Inbox()

    def receive(self) -> Sequence[Answer]:
        return self.inbox.take(FRAMES_PER_TURN_MAX) if self.inbox else []

    def stop_probing(self) -> None:
        if self.inbox is not None:
            self.inbox.close()
            self.inbox = None

    def fileno_list(self) -> list[int]:
        return [self.inbox.descriptor] if self.inbox else []

    def close(self) -> None:
        self.stop_probing()


class FakeMacTest:
    """A network that answers, or refuses, after some questions."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.asked = 0

    def send(self) -> None:
        self.asked += 1
        self.host.journal.append("ask from another MAC")

    def receive(self) -> MacVerdict:
        return self.host.mac_verdict if self.asked >= 3 else MacVerdict.UNKNOWN

    def sentence(self) -> str | None:
        return "the network seems to refuse it" if self.receive() is MacVerdict.REFUSED else None

    def close(self) -> None:
        self.host.journal.append("stop asking")


class FakeSockets:
    """The kernel's table of connections; what a test puts into ``connected``."""

    def __init__(self) -> None:
        self.connected: set[bytes] = set()
        self.half_open: set[bytes] = set()
        self.asked_apart = 0
        self.forgotten: set[bytes] = set()
        self.forget_error: OSError | None = None
        self.error: OSError | None = None

    def clients(self, addresses: Collection[Address], *, half_open: bool = True) -> frozenset[bytes]:
        if self.error is not None:
            raise self.error
        wanted = {address.packed for address in addresses}
        found = self.connected | self.half_open if half_open else self.connected
        return frozenset(each for each in found if virtual_ip_of(each) in wanted)

    def ask(self, addresses: Collection[Address], *, half_open: bool = True) -> Future[frozenset[bytes]]:
        """A thread that is fast."""
        self.asked_apart += 1
        answered: Future[frozenset[bytes]] = Future()
        try:
            answered.set_result(self.clients(addresses, half_open=half_open))
        except OSError as error:
            answered.set_exception(error)
        return answered

    def forget(self, clients: Collection[bytes]) -> Future[int]:
        forgotten: Future[int] = Future()
        if self.forget_error is not None:
            forgotten.set_exception(self.forget_error)
        else:
            self.forgotten |= set(clients)
            forgotten.set_result(len(clients))
        return forgotten

    def listening(self, addresses: Collection[Address]) -> frozenset[tuple[Address, int]]:
        return frozenset((address, 8080) for address in addresses)

    def close(self) -> None: ...


class FakeSteering:
    """What is in force, by group; each change is in the journal."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.trouble: str | None = None
        self.error: OSError | None = None
        self.in_force: dict[int, Steered] = {}

    def steer(self, vhid: int, wanted: Steered | None) -> None:
        if self.error is not None:
            raise self.error
        if wanted is None:
            self.in_force.pop(vhid, None)
            self.host.journal.append("steer nothing")
        else:
            self.in_force[vhid] = wanted
            self.host.journal.append(f"steer {len(wanted.targets)}" + (" and unknown" if wanted.unknown else ""))

    def close(self) -> None:
        self.in_force.clear()


class FakeTickles:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.error: OSError | None = None

    def send(self, client: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append(client)

    def close(self) -> None: ...


class FakeMonitor:
    def __init__(self) -> None:
        self.inbox: Inbox[KernelChange] = Inbox()
        self.error: OSError | None = None

    def fileno_list(self) -> list[int]:
        return [self.inbox.descriptor]

    def receive(self) -> Sequence[KernelChange]:
        if self.error is not None:
            error, self.error = self.error, None
            self.inbox.take(1 << 20)
            raise error
        return self.inbox.take(1 << 20)

    def close(self) -> None:
        self.inbox.close()
