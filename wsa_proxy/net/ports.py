"""What the kernel side offers to whoever drives it: the protocols that the real sockets and the test fakes share.

Nothing here knows why an address is held or an advertisement is sent. Every call returns at once: the receive
methods answer what is queued, and the netlink requests are carried out by the kernel inside the send call.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from dataclasses import field
from enum import Enum
from ipaddress import IPv4Address
from ipaddress import IPv6Address
from typing import Literal
from typing import NamedTuple
from typing import Protocol

type Address = IPv4Address | IPv6Address
type Version = Literal[4, 6]
"""The IP version that carries something; the same number as ``ipaddress`` uses."""

type Client = bytes
"""One TCP connection to a virtual IP: that address (4 or 16 bytes), its port (2, big endian), the client's address and
its port alike. 12 bytes with IPv4, 36 with IPv6; also the pseudo header of its checksum, but for a constant."""

FRAMES_PER_TURN_MAX = 64  # the socket's buffer takes a storm; the loop turns between


@dataclass(frozen=True, slots=True)
class Packet:
    """One IP packet of protocol 112 and our id as it arrived, unjudged."""

    version: Version
    source: str
    """IP source address; nobody signs it, so it is for people, never an identity."""
    source_mac: str
    """Ethernet source, ``aa:bb:cc:dd:ee:ff``; unsigned as well."""
    ttl: int
    """IPv4 TTL or IPv6 hop limit."""
    payload: bytes
    """What follows the IP header, without Ethernet padding; empty when the IP header makes no sense."""
    header_intact: bool = True
    """False when the IPv4 header checksum is wrong."""
    waited_s: float = field(default=0.0, compare=False)
    """For how long it has waited to be read, as far as that is known: of bow-outs."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram as it arrived, unjudged."""

    source: str
    """IP address; for people, never an identity."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Somebody answered an ARP or neighbour solicitation for one of our virtual addresses."""

    address: Address
    mac: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The interface came, went, or its carrier or flags changed."""

    name: str
    index: int
    """Interface index, 0 when the interface is gone. A re-created interface has a new one."""
    running: bool
    """Administratively up and with carrier: frames can leave."""
    mac: str = field(default="", compare=False)
    """Its hardware address; empty when it has none or is gone."""


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """An address was added to or removed from an interface of this host, by anybody."""

    index: int
    address: Address
    present: bool
    permanent: bool
    """No finite lifetime: it is not a lease, hence not ours."""


class PartlySent(OSError):
    """An advertisement has left to some of the peers, and could not to others."""


class NoWay(OSError):
    """An advertisement could be sent to none of the peers, for there is no way to any of them: this host is well."""


type KernelChange = LinkChanged | AddressChanged


class Fence(NamedTuple):
    """The guardian has given up everything that this process held."""

    reason: str
    bowed_out: frozenset[int]
    """The ids of the groups of which it has told the LAN. Not all of them, perhaps: of some nobody was told that they
    are here, of others the kernel has kept an address."""
    at_s: float = math.inf
    """When it was decided, CLOCK_BOOTTIME."""


@dataclass(frozen=True, slots=True)
class Steered:
    """What one group sends on to the nodes that still have its connections. Hardware addresses are 6 bytes."""

    device: str
    """The interface towards the LAN; steered frames leave by it."""
    devices: tuple[str, ...]
    """Where frames for the virtual addresses come in: the same, and that of the virtual MAC if there is one."""
    own_mac: bytes
    """That of ``device``: the source of steered frames."""
    members: frozenset[bytes]
    """Frames from these are never steered, or two nodes could send one to each other for ever."""
    targets: Mapping[Client, bytes]
    """The hardware address of the node that has the connection."""
    unknown: Mapping[tuple[bytes, int], bytes]
    """Virtual address (packed) and port: who gets what belongs to no connection that is listed or has begun here since
    this was first asked for. Empty: nobody."""
    own: frozenset[Client] = frozenset()
    """Connections that this node has itself: they are no unknown ones."""


class AdvertisementPort(Protocol):
    """Sends and receives the payloads of protocol 112 with one id on one interface."""

    def fileno_list(self) -> list[int]:
        """The descriptors that become readable when something arrived."""

    def send(self, version: Version, payload: bytes, *, from_own_mac: bool = False) -> None:
        """Multicast one payload, or send it to each unicast peer. Raises OSError when nothing could leave.

        ``from_own_mac``: not from the virtual MAC, whose port at the switch is the new master's.
        """

    def envelopes(self, version: Version, payload_bytes: int) -> tuple[bytes, ...]:
        """What a guardian needs beside a payload of this length to send it when this process is gone (``orders.py``):
        the same tuple as long as nothing has changed. Raises OSError."""

    def refresh(self) -> None:
        """The addresses of the interface changed, or its hardware address: look again before the next send."""

    def receive(self) -> Sequence[Packet]:
        """Up to FRAMES_PER_TURN_MAX packets that are queued; empty when none is."""

    def close(self) -> None:
        """Leave the multicast groups and close the descriptors; harmless when repeated."""


class ReportPort(Protocol):
    """Sends and receives the member reports of all groups with one UDP port on one interface."""

    def fileno_list(self) -> list[int]:
        """The descriptors that become readable when something arrived."""

    def refresh(self) -> None:
        """The addresses of the interface changed: look again before the next send."""

    def source_of(self, version: Version, peers: Sequence[Address] = ()) -> Address | None:
        """From where reports of this IP version are sent; None while the interface has no address for that."""

    def send(self, version: Version, peers: Sequence[Address], payload: bytes) -> None:
        """To the peers of this IP version, or to the multicast group if there are no peers at all. Raises OSError when
        one of them could not be sent to."""

    def receive(self) -> Sequence[Datagram]:
        """Datagrams that are queued; empty when none is."""

    def close(self) -> None:
        """Leave the multicast groups and close the descriptors; harmless when repeated."""


class AddressPort(Protocol):
    """Holds the virtual addresses of one virtual host as a lease."""

    def acquire(self) -> None:
        """Add every address with a fresh lease. Raises OSError and leaves none behind if one cannot be added."""

    def leave_will(self, envelopes: Sequence[bytes], payload: bytes, *, again: bool) -> None:
        """The guardian is to say this in these envelopes when this process is gone, ``again`` if more than once; until
        the release. Before the advertisement that claims what it gives up."""

    def renew(self) -> None:
        """Prolong every lease; an address that somebody removed is back afterwards. Raises OSError."""

    def release(self) -> None:
        """Remove every address; one that is not there is no error. Raises OSError."""

    def hold_silently(self) -> None:
        """Let the connections that are there go on for a moment, but neither answer nor announce any more: somebody
        else has the addresses from now on. Until ``release``; link-local addresses end at once. Raises OSError."""

    def settle(self) -> None:
        """Do what a release leaves to do and takes time; the virtual host is not MASTER. Raises OSError."""

    def held(self) -> frozenset[Address]:
        """The virtual addresses that the kernel has right now on the interface, asked now."""

    def close(self) -> None:
        """No beat renews them any more; what is still held runs out by itself. Harmless when repeated."""


class LeasePort(Protocol):
    """Renews what the AddressPorts of one node hold. One process writes the addresses of all its groups."""

    def beat(self, leases: Sequence[AddressPort]) -> Mapping[AddressPort, OSError]:
        """Prolong every lease of these, in one batch; answers those that the kernel refused, each with its reason.

        What is not held (given back, or never had) is left alone.
        """

    def held(self, leases: Sequence[AddressPort]) -> Mapping[AddressPort, frozenset[Address]]:
        """The virtual addresses of each of these that the kernel has right now, asked once for all. Raises OSError."""

    @property
    def guardian(self) -> int | None:
        """The process that does it; None when there is none."""

    def fileno_list(self) -> list[int]:
        """The descriptors that become readable when ``drain`` has something to tell."""

    def drain(self) -> Sequence[Fence]:
        """What the guardian has done by itself since the last time."""

    def close(self) -> None:
        """Close the descriptors; what is still held runs out by itself. Harmless when repeated."""


class NeighbourPort(Protocol):
    """Talks ARP and neighbour discovery about the virtual addresses of one virtual host."""

    def announce(self) -> None:
        """Gratuitous ARP / unsolicited neighbour advertisement for every address. Raises OSError."""

    def probe(self) -> None:
        """Ask once who has each address, without claiming it; from now on answers are heard. Raises OSError."""

    def receive(self) -> Sequence[Answer]:
        """Answers to the probes that are queued; empty when none is, or when nothing was asked."""

    def stop_probing(self) -> None:
        """Hear no answers any more, so that no ARP wakes the loop; harmless when repeated."""

    def fileno_list(self) -> list[int]:
        """The descriptors that become readable when an answer arrived; empty unless probing."""

    def close(self) -> None:
        """Close all descriptors; harmless when repeated."""


class SocketTablePort(Protocol):
    """Knows the TCP connections of this host. For one thread at a time."""

    def clients(self, addresses: Collection[Address], *, half_open: bool = True) -> frozenset[Client]:
        """Who is connected to one of these addresses now; ``half_open``: also whose handshake is not complete. Raises
        OSError."""

    def listening(self, addresses: Collection[Address]) -> frozenset[tuple[Address, int]]:
        """Where something listens that is bound to exactly one of these addresses. Raises OSError."""

    def close(self) -> None:
        """Harmless when repeated."""


class SocketTableThreadPort(Protocol):
    """Asks the same beside the loop."""

    def ask(self, addresses: Collection[Address], *, half_open: bool = True) -> Future[frozenset[Client]]:
        """As ``SocketTablePort.clients``."""

    def forget(self, clients: Collection[Client]) -> Future[int]:
        """What the kernel remembers of connections of these clients that are over here, so that it answers for none of
        them. How many there were."""

    def close(self) -> None:
        """Harmless when repeated."""


class TicklePort(Protocol):
    """Tells the clients of a dead node that their connection is gone: makes them ask, so that this kernel resets it."""

    def send(self, client: Client) -> None:
        """What makes this client ask, from the virtual IP's port; nothing comes of it where it has no such connection.
        Raises OSError; BlockingIOError when the queue is full, then later."""

    def close(self) -> None:
        """Harmless when repeated."""


class MacVerdict(Enum):
    """What the network does with a hardware address that is not the network card's."""

    CARRIED = "carried"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """Nobody answered, not even the interface's own address, or not often enough."""


class ForeignMacPort(Protocol):
    """Asks hosts of the network from another hardware address, and as a control from the interface's own."""

    def send(self) -> None:
        """Ask every one once from both addresses. Raises OSError."""

    def receive(self) -> MacVerdict:
        """Count the answers that are queued, and judge."""

    def sentence(self) -> str | None:
        """One line for the log when the network seems to refuse it, else None."""

    def close(self) -> None:
        """Close the descriptors; harmless when repeated."""


class SteeringPort(Protocol):
    """Sends frames of connections that other nodes still have on to these; one for all groups of a node."""

    @property
    def trouble(self) -> str | None:
        """Why this host cannot, as it was found at the start; None: it can."""

    def steer(self, vhid: int, wanted: Steered | None) -> None:
        """Bring what the kernel does for a group to this; None: nothing any more.

        What comes is in force before the unknown go. Raises OSError; then it does what it did, or that with what comes.
        """

    def close(self) -> None:
        """Steer nothing any more; harmless when repeated."""


class KernelMonitor(Protocol):
    """Hears of links and addresses from the kernel (rtnetlink groups), for all interfaces of this host."""

    def fileno_list(self) -> list[int]: ...

    def receive(self) -> Sequence[KernelChange]:
        """Changes that are queued, oldest first. Raises OSError(ENOBUFS) when the kernel dropped some: read again."""

    def close(self) -> None: ...
