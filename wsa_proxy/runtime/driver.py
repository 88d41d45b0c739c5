"""The pump of one virtual host: the only code that sees both the protocol and the kernel.

It feeds the virtual host with what arrived and with the clock, carries its commands out in their order, and owns
the one timer. Every kernel call returns at once, so no other code runs between a decision and its effect; what can
come between them is the whole process being frozen, hence the second look after each call that holds the address.

A node takes part in the election while nothing stands in its way. What does is an *obstacle*, kept by name: the
link is down, the proxy cannot serve, the kernel refused. The first one stops the virtual host, the last one that
goes starts it again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from collections.abc import Collection

from wsa_proxy.carp import election
from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ProbeAddresses
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportRefusal
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import ReportWait
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.commands import SendIntent
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.credentials import Believed
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.net.ports import FRAMES_PER_TURN_MAX
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import Fence
from wsa_proxy.net.ports import Packet
from wsa_proxy.net.ports import Version
from wsa_proxy.runtime.asking import Asking
from wsa_proxy.runtime.demotions import Demotions
from wsa_proxy.runtime.identity import Identity
from wsa_proxy.runtime.last_will import LastWill
from wsa_proxy.runtime.leaving import Leaving
from wsa_proxy.runtime.ports import Ports
from wsa_proxy.runtime.put_back import PutBack
from wsa_proxy.runtime.readers import Readers
from wsa_proxy.runtime.record import Record
from wsa_proxy.runtime.retry import Retry
from wsa_proxy.runtime.sending import Sending
from wsa_proxy.runtime.strangers import Strangers
from wsa_proxy.runtime.timer import DeadlineTimer

logger = logging.getLogger(__name__)

ROUNDS_MAX = 256  # batches: more than the socket's buffer holds, so what came before the timer is read
FROZEN_S = 0.5  # a decision is carried out in microseconds; so long after it, the process was frozen
FROZEN_INTERVALS = 0.5  # of the master-down interval: below one second the others have not so much patience
CLAIM_NOTHING = (ReportTransition, ReportWait, ReleaseAddresses)  # carried out however late


class Driver:
    """Runs one virtual host. ``clock`` is monotonic seconds that go on during suspend."""

    def __init__(
        self,
        virtual_host: VirtualHost,
        identity: Identity,
        addresses: Collection[Address],
        versions: Collection[Version],
        *,
        clock: Callable[[], float],
        drain_kernel: Callable[[], None],
        close_connections: Callable[[Collection[Address]], int],
    ) -> None:
        self.virtual_host = virtual_host
        self.record = Record(virtual_host.settings.vhid, clock)
        self.obstacles: dict[str, str] = {}
        self.ports: Ports | None = None
        self._identity = identity
        self._will = LastWill(versions, identity, lambda: self.ports, lambda: self.virtual_host.demotion)
        self._sending = Sending(virtual_host.settings, versions, identity, self.record, clock, self._will)
        self._clock, self._drain_kernel = clock, drain_kernel
        self.leaving = Leaving(
            self.record.vhid, addresses, lambda: self.is_master, lambda: self.ports, self._sending, close_connections
        )
        self.timer = DeadlineTimer(clock, self._next_deadline, self.turn)
        self._readers, self._retry = Readers(self.turn), Retry(clock)
        self.put_back = PutBack(self.record.vhid, self.turn, lambda: self.is_master, lambda: self.ports, clock)
        self.demotions, self._skipped = Demotions(), list[Command]()
        self.asking = Asking(virtual_host, clock)
        self.strangers = Strangers(self.record.vhid, lambda: self.ports, self._stop_probing, clock)
        self.on_advertisement: Callable[[Advertisement], None] = lambda _: None  # told before the virtual host is
        self.about_to: Callable[[Collection[Command]], None] = lambda _: None  # told before all but an intent
        self._set_limits(virtual_host.settings)

    def _set_limits(self, settings: VirtualHostSettings) -> None:
        self._frozen_s = min(FROZEN_S, FROZEN_INTERVALS * election.master_down_s(settings.advbase, settings.advskew))
        self._sending.take(settings)
        self.asking.take(settings)

    # -- what the node tells -----------------------------------------------------------------------------------------

    @property
    def is_master(self) -> bool:
        return self.virtual_host.state is State.MASTER

    def attach(self, ports: Ports) -> None:
        """Use these ports from now on, instead of those before."""
        self.detach()
        self.ports = ports
        self._arm()

    def detach(self) -> None:
        """Let go of the ports; the caller has stopped the virtual host before."""
        ports, self.ports = self.ports, None
        if ports is not None:
            self._readers.watch(())
            ports.close()

    def set_obstacle(self, name: str, reason: str | None) -> None:
        """Something stands in the way (a reason) or does not any more (None)."""
        if reason == self.obstacles.get(name):
            return
        before = bool(self.obstacles)
        if reason is None:
            self.obstacles.pop(name, None)
            if before and not self.obstacles:
                self._handle(Started("ready"))
        else:
            logger.warning("carp vhid=%d cannot take part: %s", self.record.vhid, reason)
            self.obstacles[name] = reason
            if not before:
                self._handle(Stopped(reason))
        self._arm()

    def set_demotion(self, name: str, demotion: int, reason: str) -> None:
        """The node serves badly (above 0) or well (0) by this name; the demotions of all names are added."""
        self.demotions.set(name, demotion, reason)
        if (total := self.demotions.told(is_sealed=self._identity.is_sealed)) != self.virtual_host.demotion:
            logger.warning("carp vhid=%d demotion=%d reason=%s", self.record.vhid, total, reason)
            self.tell(DemotionChanged(total, reason))

    def change(self, settings: VirtualHostSettings, credentials: Credentials) -> None:
        """Go on with these. What has arrived by now was said to the old ones, and is judged by them."""
        try:
            self.turn()
        finally:  # nobody tells them again
            self._identity.take(credentials)
            self._set_limits(settings)
            self._handle(SettingsChanged(settings))
            self.set_demotion("proxy", self.demotions.of("proxy"), "other settings")
            self._arm()

    def tell(self, event: Event) -> None:
        """Something that comes from neither the LAN nor the clock."""
        self._handle(event)
        self._arm()

    def fenced(self, fence: Fence) -> None:
        """The guardian has given the addresses up: out. What it has said is said once: there may be a new master."""
        if self.is_master:
            self._sending.given_up(bowed_out=self.record.vhid in fence.bowed_out, at_s=fence.at_s)
            self.set_obstacle("guardian", fence.reason)
        self.leaving.end()

    def address_removed(self, address: Address) -> None:
        """A virtual address went away on our interface: if we are still master after the next turn, it is put back."""
        self.put_back.undone(f"removed the virtual IP {address}")

    def virtual_interface_changed(self, *, running: bool) -> None:
        """The virtual MAC's interface went down: likewise. Or up: unless we are master it must not stay so."""
        self.leaving.is_up() if running else self.put_back.undone("set the virtual MAC's interface down")

    def answered(self, advbase: int, advskew: int, demotion: int, sender: str) -> None:
        """A master has answered our question: as an advertisement with these values, in each IP version."""
        self.record.answered()
        advertisement = Advertisement(self.record.vhid, advbase, advskew, demotion, 0, b"")
        for version in self.virtual_host.settings.versions:
            self._believe(AdvertisementReceived(advertisement, version, sender))
        self._arm()

    # -- the turn ----------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Read what has arrived, then look at the clock: a queued advertisement counts before the silence does."""
        try:
            self._drain_kernel()
            for _ in range(ROUNDS_MAX):
                if not self._receive() or not self._deadline_passed():
                    break
            self.asking.look()
            if self._deadline_passed():
                self._handle(DeadlineReached())
            if self._retry.due():
                self.set_obstacle("kernel", None)
            self._look_at_sending()
            self.put_back.look(self.renewed)
        finally:
            self._arm()  # whatever went wrong, the next deadline is kept

    def _receive(self) -> bool:
        """Handle one batch; True when there may be more."""
        if self.ports is None:
            return False
        looked_at_ms = self._identity.seal_clock_ms()
        try:
            packets = self.ports.advertisements.receive()
            for answer in self.ports.neighbours.receive():
                if self.strangers.is_conflict(answer.mac, self.virtual_host.last_master):
                    self._handle(AddressAnswered(answer.mac))
        except OSError as error:
            # The interface went away under the socket; the link's obstacle follows from netlink.
            logger.debug("carp vhid=%d receive failed: %s", self.record.vhid, error)
            return False
        for packet in packets:
            self._packet(packet)
        if len(packets) < FRAMES_PER_TURN_MAX // 2:  # each of the two sockets has its share
            self._identity.queue_was_empty(looked_at_ms)
        return bool(packets)

    def _packet(self, packet: Packet) -> None:
        event = self._identity.judge(packet, self.virtual_host.rank.interval_256ths)
        if isinstance(event, Reject):
            self.record.rejected(event, packet.source, packet.source_mac)
            return
        self.record.heard(event)
        self._believe(event, packet.source_mac if self.virtual_host.settings.says_intent else "")

    def _believe(self, event: Believed, source_mac: str = "") -> None:
        self._stop_probing()
        if isinstance(event, AdvertisementReceived):
            self.on_advertisement(event.advertisement)
        if self._sending.in_vain_beside(event):
            self._leave(self._sending.trouble)
        self._handle(event)
        self.leaving.heard(event, source_mac)
        if self._sending.claimed:
            self._will.leave()  # what was heard may be above the one before

    def _deadline_passed(self) -> bool:
        return self._clock() >= self._deadline_s()

    def _deadline_s(self) -> float:
        """Infinite when the virtual host waits for nothing."""
        deadline_s = self.virtual_host.next_deadline()
        return math.inf if deadline_s is None else self.asking.counts_from_s(deadline_s)

    def _handle(self, event: Event, *, look_again: bool = True) -> None:
        now = self._clock()
        commands = self.virtual_host.handle(event, now)
        if commands and self._perform(commands, now) and look_again:
            self._look_again()

    def _perform(self, commands: list[Command], decided_at_s: float) -> bool:
        """Carry commands out in order, and look at the clock before each one that claims anything. True: it was frozen.

        Once the address cannot be had, or the process was frozen since the decision and it may be somebody else's by
        now, nothing more is claimed; addresses are still released, and transitions still recorded. Nor is it from a
        living master that cannot be told: clients would be drawn here, and left alone when this node gives up.
        """
        refused: str | None = None
        self._sending.begin(commands)
        frozen, prepared, self._skipped = False, False, []
        for command in commands:
            if not prepared and not isinstance(command, SendIntent):  # others are about to do the same
                prepared = True
                self.about_to(commands)
            if not isinstance(command, CLAIM_NOTHING):
                frozen = frozen or self._was_frozen(decided_at_s)
                if refused is not None or frozen:
                    self._skipped.append(command)
                    continue
            try:
                self._execute(command)
            except OSError as error:
                logger.error("carp vhid=%d %s failed: %s", self.record.vhid, type(command).__name__, error)
                if isinstance(command, AcquireAddresses):
                    refused = str(error)
            if isinstance(command, SendAdvertisement) and self._sending.follows_untold:
                refused = self._sending.trouble
        if refused is not None:
            self._leave(refused)
            return False
        return frozen or self._was_frozen(decided_at_s)

    def _execute(self, command: Command) -> None:
        match command:
            case ReportTransition():
                self.record.transition(command, next(iter(self.obstacles), ""))
                if command.new is not State.BACKUP:
                    self._identity.remember()
                    self._stop_probing()
                if command.new is not State.MASTER:
                    self._sending.left()
            case ReportRefusal() | ReportWait():
                self.record.stays(command)
                self._stop_probing()
            case _ if self.ports is None:
                pass  # the interface is gone, and the addresses with it
            case SendAdvertisement() | SendFarewell() | SendIntent():
                self._sending.send(self.ports.advertisements, command)
            case AcquireAddresses():
                self.put_back.renewed_at_s = self._clock()
                self.ports.addresses.acquire()
            case ReleaseAddresses():
                self.put_back.forget()
                self.leaving.release()
            case AnnounceAddresses():
                self.ports.neighbours.announce()
            case ProbeAddresses():
                self.ports.neighbours.probe()

    def _look_at_sending(self) -> None:
        """A master that cannot send is demoted, then leaves."""
        if self._sending.must_leave(is_master=self.is_master):
            self._leave(self._sending.trouble)
            return
        demotion = self._sending.errors.demotion
        if demotion != self.demotions.of("sending"):
            reason = self._sending.trouble if demotion else "advertisements are sent, or tried again"
            self.set_demotion("sending", demotion, reason)

    # -- the lease; ``beat.py`` prolongs it --------------------------------------------------------------------------

    def may_renew(self, late: bool) -> bool:
        """Asked before each beat: master by what the clock says now, or after a turn if that may have changed, which it
        cannot while its advertisement is not due and the beat in time: no lease and no patience has ended."""
        holds = self.virtual_host.state is State.MASTER or (late and self.leaving.keeps)
        if holds and (late or self.put_back.needed or self._deadline_passed()):
            self.turn()
        if late:
            self.leaving.catch_up()
        return (self.virtual_host.state is State.MASTER or self.leaving.keeps) and self.ports is not None

    def renewed(self, decided_at_s: float, error: OSError | None) -> None:
        """The kernel has prolonged the lease, or refused to. What it has added after a sleep may be another's."""
        if error is not None:
            self._leave(str(error))
            self.leaving.end()
            return
        self.put_back.renewed_at_s = decided_at_s
        if self.virtual_host.state is State.MASTER:  # else it hands over, and has said all
            self._will.renew(decided_at_s)
        if not self._sending.errors.failing:
            self._retry.well()
        if self._was_frozen(decided_at_s):
            self._look_again()
            self._arm()

    def _was_frozen(self, decided_at_s: float) -> bool:
        """So long after a decision, what it wanted to take or has taken may be another's."""
        return self._clock() - decided_at_s > self._frozen_s

    def _look_again(self) -> None:
        """Let the virtual host see the clock; if it is master still, it holds the address and says where it is.
        Once: where the kernel takes so long for each call, the loop has to turn before the next, or nobody is heard."""
        logger.warning("carp vhid=%d the process was frozen in the middle of a turn", self.record.vhid)
        # An advertisement that was held back is owed still, or the others would not know until the next one.
        owed = [] if self._deadline_passed() else [one for one in self._skipped if isinstance(one, SendAdvertisement)]
        self._handle(DeadlineReached(), look_again=False)
        if self.is_master:
            self._perform([AcquireAddresses(), *owed, AnnounceAddresses()], self._clock())
            self._handle(DeadlineReached(), look_again=False)

    def _leave(self, reason: str) -> None:
        """The kernel refused: out, and in again after a while. If the guardian did, it has said so (``fenced``)."""
        self._drain_kernel()
        if self.is_master:
            self._retry.left()
            self.set_obstacle("kernel", reason)

    def _stop_probing(self) -> None:
        if self.ports is not None and (descriptors := self.ports.neighbours.fileno_list()):
            self._readers.forget(descriptors)
            self.ports.neighbours.stop_probing()

    def _next_deadline(self) -> float:
        sending_s = self._sending.deadline_s(is_master=self.is_master)
        return min(self._retry.at_s, sending_s, self._deadline_s(), self.asking.due_s())

    def _arm(self) -> None:
        self._readers.watch(self.ports.fileno_list() if self.ports is not None else ())
        self.timer.arm()

    def close(self) -> None:
        """End: the virtual host has been stopped; nothing wakes us any more."""
        self.detach()
        self.timer.close()
