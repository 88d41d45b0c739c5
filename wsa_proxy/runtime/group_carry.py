"""The pump of what becomes of one group's connections when the virtual IP moves: it feeds ``members/carrying.py`` with
reports, pages, the kernel's connections and the clock, and has the kernel do what that decides.

A node that takes over has its steering in force before it acquires the addresses, so that no packet of a connection
which another node still has reaches a kernel that knows nothing of it. A node that goes holds them silently, as on any
orderly stop, until its last connection is gone (``leaving.py``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from typing import Protocol

from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import State
from wsa_proxy.members.carry_words import read
from wsa_proxy.members.carrying import Carrying
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.drain import COUNTED_S
from wsa_proxy.members.lives import LOST_S
from wsa_proxy.members.roster import Member
from wsa_proxy.members.to_steer import ToSteer
from wsa_proxy.net.client_key import address_of
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Client
from wsa_proxy.net.ports import Steered
from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.group_reports import GroupReports
from wsa_proxy.runtime.ports import CarryPorts
from wsa_proxy.runtime.tickling import Tickling

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""Between two looks where nothing goes on."""
AT_ONCE_MAX = 500
"""Connections that are steered one by one before the addresses are acquired, where the rest are steered for being
unknown. To tell the kernel of thousands takes longer than a takeover may."""
UNICAST = "the peers are named, so nobody knows whether a frame that is passed on reaches them"
"""A network without multicast may well be one that delivers by IP address, or takes frames from their owner only: there
what is steered would be lost, and clients would wait instead of hearing of the end."""
YIELDS = {Reason.OUTRANKED.value, Reason.TIED.value}
"""Why a master is backup that has just heard its successor."""


class CarriedClients(Protocol):
    """The proxy's part: the clients of a node that drains."""

    def leave(self, addresses: Collection[Address]) -> None:
        """From now on every answer on these addresses ends its connection."""

    def end_resting(self, addresses: Collection[Address]) -> None:
        """End the keep-alive connections there that have asked for nothing for a while."""

    def stay(self, addresses: Collection[Address]) -> None:
        """As before ``leave``."""


class NoClients:
    """``CarriedClients`` where there is no proxy."""

    def leave(self, addresses: Collection[Address]) -> None: ...
    def end_resting(self, addresses: Collection[Address]) -> None: ...
    def stay(self, addresses: Collection[Address]) -> None: ...


class Here(Protocol):
    """What all groups of a node share; ``carry_over.py``."""

    @property
    def ports(self) -> CarryPorts | None: ...
    @property
    def trouble(self) -> str | None:
        """Why there are no ports, or they cannot be used."""

    @property
    def tickling(self) -> Tickling | None: ...
    @property
    def drain_timeout_s(self) -> float: ...
    @property
    def clients(self) -> CarriedClients: ...
    def mac_of(self, interface: str) -> bytes: ...
    def is_on_link(self, interface: str, address: str) -> bool: ...
    def wake(self) -> None:
        """Something has begun that is looked after from one moment to the next."""


class GroupCarry:
    """Of one group with reports; made inside the running loop. It is what ``Leaving`` sees as its ``Carry``."""

    def __init__(self, reports: GroupReports, here: Here) -> None:
        self._reports, self._here = reports, here
        self._driver = reports.driver
        self.carrying = Carrying(reports.roster, frozenset(each.packed for each in self.addresses))
        self.counted_at_s = 0.0
        self._in_force: ToSteer | None = None
        self._said: Mapping[str, Any] = {}
        self._said_at_s = 0.0
        self._is_part = False
        """The kernel has a part of that."""
        self._is_refused = False
        """The kernel did not steer, the last time."""
        self._closed = self._has_begun = False
        reports.carry, reports.copies, reports.on_page = self.carrying.says, self.carrying.copies, self._hear_page
        reports.on_report.append(self._heard)
        self.host_changed()
        self._driver.leaving.carry = self
        self._driver.about_to = self.about_to
        self._driver.record.more_evidence = self._evidence

    # -- what Leaving asks and tells ---------------------------------------------------------------------------------

    @property
    def is_possible(self) -> bool:
        return self.why_not() is None

    def why_not(self) -> str | None:
        """Why connections end when the addresses go; None: the others steer them to this node until they have ended."""
        if self._here.trouble is not None:
            return self._here.trouble
        members = self._members()
        if not members:
            return "no other member is heard"
        if self._reports.group.peers:
            return UNICAST
        return next((reason for each in members if (reason := self._why_not_by(each)) is not None), None)

    def _members(self) -> list[Member]:
        """The others of this group that are there."""
        return [each for each in self._reports.roster.fresh(self._now_s()) if each.vhid == self._reports.group.vhid]

    def _why_not_by(self, member: Member) -> str | None:
        words = read(member.report)
        if not words.steers:
            return f"node {member.node} cannot steer: {words.why_not or 'it does not say why'}"
        if not self._here.is_on_link(self._reports.group.interface, member.newest.address):
            return f"node {member.node} ({member.newest.address or 'no address'}) is not on this LAN segment"
        return None

    def begin(self) -> None:
        self._has_begun = True
        self._here.clients.leave(self.addresses)
        self.carrying.drain(self._now_s() + self._here.drain_timeout_s, self._now_s())
        self._count()
        self._after()

    def silent(self) -> None:
        self.carrying.silent(self._now_s())
        text = "carp vhid=%d %d connections go on here while another node has the virtual IP, for %g s at most"
        logger.warning(text, self._vhid, self.carrying.left, self._here.drain_timeout_s)
        self._after()

    def over(self) -> None:
        if self._has_begun:
            self._has_begun = False
            self.carrying.end_drain(told=self._can_tell)
            self._here.clients.stay(self.addresses)
            asyncio.get_running_loop().call_soon(self._soon)  # this may be the middle of a driver's turn

    # -- what the driver tells ---------------------------------------------------------------------------------------

    def about_to(self, commands: Collection[Command]) -> None:
        """The driver is about to carry these out, in the middle of a turn."""
        for command in commands:
            if isinstance(command, ReportTransition):
                with apart(self._vhid, "carry connections over"):
                    self._changes(command)

    def _changes(self, transition: ReportTransition) -> None:
        if transition.new is State.MASTER:
            if self.carrying.left:
                self._count()  # exactly: what it does not know is somebody else's
            self._look_for_a_flood()
            self.carrying.host = _packed(self._reports.own_address())
            self.carrying.takes_over(transition.from_living, self._now_s())
            self.over()  # what it drained is its own again
            self._steer(AT_ONCE_MAX)
        elif transition.old is State.MASTER:
            leaving = self._driver.leaving
            if transition.reason in YIELDS and not leaving.keeps and self.is_possible:
                leaving.begin()
            self.carrying.left_master(self._now_s(), told=self._can_tell)
        asyncio.get_running_loop().call_soon(self._soon)

    @property
    def _can_tell(self) -> bool:
        """That a connection ends here reaches its client."""
        return "link" not in self._driver.obstacles

    def _evidence(self, transition: ReportTransition) -> str:
        """What becomes of connections in this change, once ``about_to`` was told of it."""
        if transition.new is State.MASTER:
            steering = self.carrying.steering()
            return f"steered={len(steering.targets)}" if steering is not None and steering.targets else ""
        is_carried = transition.old is State.MASTER and self.carrying.drains and self.carrying.left
        return f"carried={self.carrying.left}" if is_carried else ""

    # -- the pump ----------------------------------------------------------------------------------------------------

    def is_busy(self, now_s: float) -> bool:
        """Something is looked after from one moment to the next."""
        steers = self._in_force is not None or self.carrying.steering() is not None
        return steers or self.carrying.drains or self.carrying.next_step_s(now_s) < now_s + LOOK_S

    def wants_count(self, now_s: float) -> bool:
        """The kernel's connections of this group are to be counted now."""
        if self.carrying.wants_count(now_s):
            return True
        return self._driver.is_master and now_s >= self.counted_at_s + self._reports.interval_s

    @property
    def wants_half_open(self) -> bool:
        """As ``Carrying`` has it."""
        return self.carrying.wants_half_open

    def tick(self, clients: frozenset[Client] | None) -> None:
        """Time has passed; the connections, if they were counted."""
        if clients is not None:
            self.counted_at_s = self._now_s()
            self.carrying.count(self._reached(clients), self._now_s())
        self._look_for_a_flood()
        self.carrying.step(self._now_s())
        self._after()
        if self.carrying.drains:
            if clients is not None:  # not with each look: of ten thousand connections it takes 25 ms
                self._here.clients.end_resting(self.addresses)
            if self.carrying.is_drained(self._now_s()):
                self._drained("their time is over")
            elif "stop" in self._driver.obstacles and self._is_alone():
                self._drained("no other node is there")  # and this one takes the addresses no more

    def _is_alone(self) -> bool:
        """No other member is there, nor was anything passed over of late that may say otherwise."""
        return not self._members() and self._now_s() > self._reports.passed_over_at_s + LOST_S

    def _look_for_a_flood(self) -> None:
        self.carrying.flooded_at_s = self._reports.passed_over_at_s

    def _drained(self, why: str) -> None:
        if left := self.carrying.left:
            logger.warning("carp vhid=%d %d connections are reset: %s", self._vhid, left, why)
        else:
            logger.warning("carp vhid=%d the last connection that went on here has ended", self._vhid)
        self._driver.leaving.end()  # which resets them, and tells ``over``
        self.over()

    def _count(self) -> None:
        """Now, and not with those of the other groups in their turn."""
        if self._here.ports is None:
            return
        try:
            clients = self._here.ports.sockets.clients(self.addresses)
            self.carrying.count(self._reached(clients), self._now_s())
            self.counted_at_s = self._now_s()
        except OSError as error:
            logger.warning("carp vhid=%d the connections could not be counted: %s", self._vhid, error)

    def _reached(self, clients: frozenset[Client]) -> frozenset[Client]:
        """Without those that begin on this host, and never leave it, as its own questions to the service do; nor, while
        it drains, on the host that has the addresses now: it takes nothing that comes from its own address, so they
        would be waited for in vain."""
        if not clients:
            return clients
        hosts = {_packed(self._reports.own_address())}
        if self.carrying.drains:
            hosts |= {_packed(each.newest.address) for each in self._members() if each.newest.state == "master"}
        return frozenset(each for each in clients if address_of(each) not in hosts)

    def _soon(self) -> None:
        if not self._closed:
            self._after()

    def _hear_page(self, packed: bytes) -> Unread | None:
        """What follows from it follows with the next look: a list that changes is many pages at once, and the kernel is
        told of thousands of clients in milliseconds, not in no time."""
        return self.carrying.hear_page(packed, self._now_s())

    def _heard(self, member: Member) -> None:
        """Of another id is a node that means our address by mistake: it keeps no lists of this group, nor drains."""
        if member.vhid == self._vhid:
            self.carrying.hear(member, self._now_s())
        self._after()

    def _after(self) -> None:
        """Whatever was told to it may have changed what it says, steers and tells."""
        now_s = self._now_s()
        for packed in self.carrying.pages(now_s):
            self._reports.send_page(packed)
        says = self.carrying.says()
        if says != self._said or (self.carrying.drains and now_s >= self._said_at_s + COUNTED_S):
            self._said, self._said_at_s = says, now_s
            self._reports.send()
        self._steer()
        for tickle in self.carrying.take_tickles():
            self._driver.record.told(len(tickle.clients))
            if self._here.tickling is not None and (ports := self._driver.ports) is not None:
                self._here.tickling.tell(self._vhid, ports.index, tickle.node, tickle.clients, self._is_lost)
        if self.is_busy(now_s):
            self._here.wake()

    def _is_lost(self, client: Client) -> bool:
        """The virtual IP is here, and nobody serves it."""
        return self._driver.is_master and not self.carrying.is_served(client)

    def host_changed(self) -> None:
        """What this host can, its hardware address or the group's settings may be others now."""
        trouble = UNICAST if self._reports.group.peers else self._cannot_steer()
        self.carrying.node = self._reports.settings.node
        self.carrying.mac = self._here.mac_of(self._reports.group.interface)
        self.carrying.steers, self.carrying.why_not = trouble is None, trouble or ""

    def _cannot_steer(self) -> str | None:
        """Why this host could not steer for another node; None: it could."""
        ports = self._here.ports
        return self._here.trouble or (ports.steering.trouble if ports is not None else None)

    # -- the kernel's steering ---------------------------------------------------------------------------------------

    def _steer(self, clients_max: int | None = None) -> None:
        """Have in force what is decided; of more clients than that the rest follows, and what was refused is tried
        again with the next look."""
        wanted, ports = self.carrying.steering(), self._here.ports
        if (wanted is self._in_force and not self._is_part) or ports is None or self._closed:
            return
        steered = None if wanted is None else self._steered(wanted, ports, clients_max)
        try:
            ports.steering.steer(self._vhid, steered)
        except OSError as error:
            if not self._is_refused:
                logger.error("carp vhid=%d connections cannot be steered: %s", self._vhid, error)
            self._is_refused = True
            return
        self._is_refused = False
        self._in_force = wanted
        self._is_part = wanted is not None and steered is not None and len(steered.targets) < len(wanted.targets)

    def _steered(self, wanted: ToSteer, ports: CarryPorts, clients_max: int | None) -> Steered:
        device = self._reports.group.interface
        virtual = self._driver.ports.virtual_interface if self._driver.ports is not None else ""
        unknown = {}
        if wanted.gap:
            places = ports.sockets.listening(self.addresses)
            unknown = {(address.packed, port): wanted.gap for address, port in places}
        return Steered(
            device=device,
            devices=(device, virtual) if virtual else (device,),
            own_mac=self._here.mac_of(device),
            members=wanted.members,
            targets=wanted.targets if clients_max is None else wanted.at_once(clients_max),
            unknown=unknown,
            own=wanted.own,
        )

    # -- the rest ----------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """The group's ``carry`` in the status document."""
        why_not = self.why_not()
        told = {"possible": why_not is None, "why_not": why_not, "cannot_steer": self._cannot_steer()}
        return {**self.carrying.status(self._now_s()), **told, "told_total": self._driver.record.told_clients}

    def close(self) -> None:
        """The group ends, or its reports do."""
        self._closed = True
        self._driver.leaving.end()
        self._driver.about_to = lambda _: None
        self._driver.record.more_evidence = lambda _: ""
        if self._in_force is not None and self._here.ports is not None:
            with apart(self._vhid, "steer no more"):
                self._here.ports.steering.steer(self._vhid, None)

    @property
    def _vhid(self) -> int:
        return self._reports.group.vhid

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(self._reports.group.addresses)

    def _now_s(self) -> float:
        return self._reports.now_s()


def _packed(address: str) -> bytes:
    """As in a client's key; empty: it is none."""
    try:
        return ip_address(address).packed
    except ValueError:
        return b""
