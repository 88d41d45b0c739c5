"""A node of the simulated LAN: the real virtual host and codec, and a model of its process.

The process may be dead, or stand still: then frames wait in the socket's queue, of which a full one keeps the oldest,
and the timer is overdue. On waking, timer and frames are ready at once, in an order that chance decides: the driver
drains the socket first, but a frame may arrive just after that. A paused machine stands still with its clock.

``now`` is the node's own clock (``machine.py``). The kernel's side of it, the lease, is in ``kernel.py``.
"""

from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from random import Random

from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ProbeAddresses
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.election import master_down_s
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.virtual_host import VirtualHostSettings
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation.kernel import Kernel
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Announced
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.machine import Machine

QUEUE_MAX = 256  # frames in the socket's buffer
FROZEN_S = 0.5  # a decision older than this is looked at again before it is carried out
RETRY_S = 1.0
RELEASE_AGAIN_S = 0.1
NOTICE_S = 1e-3  # health and link are noticed this long after a process wakes

type Tell = Callable[["Node", str, object], None]
"""The run's story: who, what kind of thing, what."""


class Node(Machine):
    """One host. ``core`` is None while its process is dead; the kernel lives on."""

    def __init__(
        self,
        number: int,
        settings: VirtualHostSettings,
        signer: Authenticator,
        lan: Lan,
        random: Random,
        tell: Tell,
    ) -> None:
        super().__init__(number, lan)
        self.settings = self.wanted = settings
        """In force, and what the operator has written since."""
        self.core: VirtualHost | None = None
        self.kernel = Kernel(random)
        self.asleep_until_s = 0.0
        """On the LAN's clock."""
        self.lateness_s = self.lateness_s_max = 0.0  # now, and at any time of the run
        self.link_up = True
        self.queue: deque[tuple[Advertised, int, float]] = deque()
        self.arrived_s = 0.0
        """When the frame that is heard now came into the socket, on the node's own clock."""
        self.rejects: Counter[Enum] = Counter()
        self.demotion = 0
        """What the core was told; it should believe it."""
        self._signer = signer
        self._random = random
        self._tell = tell
        self.health = 0
        """How unwell the proxy is, 0 for well."""
        self._refused_until_s = 0.0
        self._alarm: int | None = None  # on the timeline; there is but one
        self._alarm_due_s = 0.0
        self._pending: list[Command] = []
        self._claimed = False  # as master, to others
        self._decided_at_s = 0.0
        self._frozen_s = min(FROZEN_S, master_down_s(settings.advbase, settings.advskew) / 2)
        lan.attach(number, self.receive)

    # -- what the checker and the nemesis ask --------------------------------------------------------------------------

    @property
    def awake(self) -> bool:
        """Alive, and not standing still in a stall or in a kernel call."""
        return self.core is not None and self._lan.timeline.now >= self.asleep_until_s and not self._pending

    @property
    def state(self) -> State:
        return self.core.state if self.core is not None else State.INIT

    @property
    def holds(self) -> bool:
        """Are the addresses on this node's kernel?"""
        return self.kernel.holds(self.now)

    @property
    def due_s(self) -> float | None:
        """When the core wants to be called, on the node's own clock."""
        return self.core.next_deadline() if self.core is not None else None

    def fingerprint(self) -> tuple[object, ...]:
        """Everything that a rejected frame may not change."""
        return (self.state, self.due_s)

    # -- what the nemesis does -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process: it removes the leftovers of an earlier life before its first event."""
        if self.core is None:
            self.settings = self.wanted
            self.core = self._new_core()
            self.demotion = 0
            self.kernel.release()
            self.queue.clear()
            self._pending = []
            self.asleep_until_s = self._lan.timeline.now
            self._refused_until_s = 0.0
            self._tell(self, "life", None)
            self._notice()

    def _new_core(self) -> VirtualHost:
        return VirtualHost(self.settings)

    def crash(self) -> None:
        """SIGKILL: nothing is said, the lease runs on."""
        self._resume_clock()
        self.core = None
        self._pending = []
        self.queue.clear()
        self._call_off_alarm()

    def power_off(self) -> None:
        """The machine dies with its kernel."""
        self.crash()
        self.kernel.end()

    def stop(self) -> None:
        """An orderly stop. A process that stands still cannot be asked."""
        if self.awake:
            self.handle(Stopped("orderly stop"))
            self.crash()

    def stall(self, duration_s: float) -> None:
        """The process stands still."""
        self._tell(self, "stall", duration_s)
        self.asleep_until_s = max(self.asleep_until_s, self._lan.timeline.now + duration_s)
        self._at(self.asleep_until_s, self._wake)

    def pause(self, duration_s: float) -> None:
        """The whole machine stands still, with its clock and its kernel; it cannot know afterwards."""
        if self.awake:
            self._tell(self, "pause", duration_s)
            self._stop_clock()
            self.asleep_until_s = self._lan.timeline.now + duration_s
            self._at(self.asleep_until_s, self._wake)

    def demote(self, demotion: int) -> None:
        """The health changed; a process that stands still finds out when it wakes."""
        self.health = demotion
        self._notice()

    def configure(self, preempt: bool, advskew: int) -> None:
        """The operator writes another file and asks for a reload."""
        self.wanted = replace(self.wanted, preempt=preempt, advskew=advskew)
        self._notice()

    def plug(self, up: bool) -> None:
        """The carrier comes or goes."""
        self.link_up = up
        self._notice()

    def thaw(self) -> None:
        """End a stall or a pause now."""
        if self.asleep_until_s > self._lan.timeline.now:
            self.asleep_until_s = self._lan.timeline.now
            self._at(self._lan.timeline.now, self._wake)

    def _notice(self) -> None:
        """Take part or not, and how well: what the driver's obstacles and the proxy's health say."""
        if self.core is None:
            return
        if not self.awake:
            self._at(self.asleep_until_s + NOTICE_S, self._notice)
            return
        if self.settings != self.wanted:
            self._turn()  # as ``Driver.change`` does: what is due is due by the old ones
            if not self.awake:
                self._at(self.asleep_until_s + NOTICE_S, self._notice)
                return
            self.settings = self.wanted
            told = replace(self.core.settings, preempt=self.wanted.preempt, advskew=self.wanted.advskew)
            self.handle(SettingsChanged(told))
        if self.demotion != self.health:
            self.handle(DemotionChanged(self.health, "the nemesis"))
        if not self.link_up and self.state is not State.INIT:
            self.handle(Stopped("link down"))
        if not self.link_up or self.state is not State.INIT:
            return
        if self.now >= self._refused_until_s:
            self.handle(Started("started"))
        else:
            self._at(self._on_the_lan_s(self._refused_until_s), self._notice)

    # -- frames and time -----------------------------------------------------------------------------------------------

    def receive(self, frame: Frame, sender: int) -> None:
        if self.core is None or isinstance(frame, Announced):
            return
        if self.awake:
            self.arrived_s = self.now
            self._hear(frame, sender)
            return
        full = len(self.queue) >= QUEUE_MAX
        if full:
            self._tell(self, "queue full", "")
        if full or (self.paused and self._lan.chance(sender, self.number).random() < 0.5):
            self._lan.lost[sender, self.number] += 1
        else:
            self.queue.append((frame, sender, self.now))

    def handle(self, event: Event) -> None:
        """One event for the core; its commands are carried out, and the timer is set anew."""
        assert self.core is not None
        self._tell(self, "event", event)
        if isinstance(event, DemotionChanged):
            self.demotion = event.demotion
        self._do(self.core.handle(event, self.now))

    def _do(self, commands: list[Command]) -> None:
        self._tell(self, "commands", commands)
        self._perform(commands, self.now)
        self._arm()
        self._tell(self, "done", None)

    def _hear(self, frame: Advertised, sender: int) -> None:
        believed = self._signer.accept(frame.payload, frame.ttl, frame.version)
        if isinstance(believed, Reject):
            self._refuse(frame, believed)
            return
        self._tell(self, "accept", frame)
        self.handle(AdvertisementReceived(believed, frame.version, f"node-{sender}"))

    def _refuse(self, frame: Advertised, why: Enum) -> None:
        self.rejects[why] += 1
        self._tell(self, "reject", why)
        if frame.forged:
            self._tell(self, f"forged, and {why.value}", None)

    def _arm(self) -> None:
        if self.core is None or (due_s := self.core.next_deadline()) is None:
            self._call_off_alarm()
            return
        if self.core.state is State.MASTER:
            due_s = min(due_s, self.kernel.renew_at_s)
        if self._alarm is not None and due_s == self._alarm_due_s:
            return
        self._call_off_alarm()
        self._alarm_due_s = due_s
        late_s = self._random.uniform(0, self.lateness_s)
        self._alarm = self._at(self._on_the_lan_s(max(due_s + late_s, self.now)), self._ring)

    def _call_off_alarm(self) -> None:
        if self._alarm is not None:
            self._lan.timeline.call_off(self._alarm)
            self._alarm = None

    def _ring(self) -> None:
        self._alarm = None
        if self.awake:
            self._turn()

    def _turn(self) -> None:
        """What the driver does when its timer fires: the deadline first, then the lease. (The driver asks the core in
        either case; here only when it is due, or most of the time would be spent on that.)"""
        if self.due_s is not None and self.now >= self.due_s:
            self.handle(DeadlineReached())
        if self.state is State.MASTER and self.awake and self.now >= self.kernel.renew_at_s:
            if self.kernel.is_slow:
                self._take_slowly([], self.now)
            else:
                self._take()
        self._arm()

    def _wake(self) -> None:
        """A stall, a pause or a kernel call is over."""
        if self._lan.timeline.now < self.asleep_until_s:
            return
        self._resume_clock()
        if self.core is None:
            return
        if self._pending:
            self._resume()
        if self.awake and self._random.random() < 0.5:
            if self.queue:
                self._tell(self, "woke, and the timer came before the frames", None)
            self._turn()
        elif self.queue:
            self._tell(self, "woke, and the frames came before the timer", None)
        while self.queue and self.awake:
            frame, sender, self.arrived_s = self.queue.popleft()
            self._hear(frame, sender)
        if self.awake:
            self._turn()

    # -- commands ------------------------------------------------------------------------------------------------------

    def _perform(self, commands: Sequence[Command], decided_at_s: float, refused: bool = False) -> None:
        for position, command in enumerate(commands):
            match command:
                case ReportTransition():
                    self._tell(self, "transition", command)
                    self._claimed = self._claimed and command.new is State.MASTER
                case SendAdvertisement() | AnnounceAddresses() if refused:
                    pass  # nothing is claimed that could not be had
                case SendAdvertisement(advbase=255) if not self._claimed:
                    pass  # nobody bows out of what it has never claimed
                case SendAdvertisement() | SendFarewell():
                    self._send(command)
                case AnnounceAddresses():
                    self._announce(decided_at_s)
                case ReleaseAddresses():
                    self._release()
                case AcquireAddresses() if self.kernel.is_slow:
                    self._take_slowly(commands[position + 1 :], decided_at_s)
                    return
                case AcquireAddresses():
                    refused = not self._take()
                case ProbeAddresses() if self._lan.squatters:
                    delay_s = self._random.uniform(self._lan.weather.delay_s_min, self._lan.weather.delay_s_max)
                    self._at(self._lan.timeline.now + delay_s, self._answered)

    def _answered(self) -> None:
        if self.awake and self.core is not None:
            self.handle(AddressAnswered("a stranger"))

    def _take_slowly(self, rest: Sequence[Command], decided_at_s: float) -> None:
        """The call blocks the process; what comes after it has to wait."""
        self._pending, self._decided_at_s = [AcquireAddresses(), *rest], decided_at_s
        self.stall(self._random.uniform(0, self.kernel.operation_s))

    def _release(self, again: bool = False) -> None:
        """Refused, it is tried again, and the lease ends in any case."""
        if again and (self.state is State.MASTER or not self.awake):
            return
        if again:
            self._tell(self, "release again", None)
        self.kernel.release()
        if self.kernel.kept and self.kernel.holds(self.now):
            self._at(self._lan.timeline.now + RELEASE_AGAIN_S, lambda: self._release(again=True))

    def _resume(self) -> None:
        """The kernel call has returned. A decision that has grown old is looked at again (``Driver._look_again``)."""
        (_, *rest), self._pending = self._pending, []
        refused = not self._take()
        old = self.now - self._decided_at_s > self._frozen_s
        self._perform(rest, self._decided_at_s, refused=old or refused)
        if old and not refused and self.core is not None:
            self._tell(self, "a slow call was looked at again", None)
            due = self.due_s is not None and self.now >= self.due_s
            self.handle(DeadlineReached())
            if self.state is State.MASTER:
                # What was held back is owed still, unless the next one was due.
                owed = [command for command in rest if isinstance(command, SendAdvertisement) and not due]
                self._perform([*owed, AnnounceAddresses()], self.now)
        self._arm()
        self._tell(self, "done", None)

    def _take(self) -> bool:
        """An acquisition is a renewal, and the other way round: the kernel takes them alike. Refused, the node leaves
        the election and comes back after a while."""
        if not (taken := self.kernel.take(self.now)):
            self._refused_until_s = self.now + RETRY_S
            self._at(self._lan.timeline.now, self._leave)
        return taken

    def _leave(self) -> None:
        if self.awake and self.state is State.MASTER:
            self.handle(Stopped("the kernel refused"))
            self._at(self._on_the_lan_s(self._refused_until_s), self._notice)

    def _announce(self, decided_at_s: float) -> None:
        if not self.kernel.refuses:  # the driver announces what it holds
            self._tell(self, "announcement", self.now - decided_at_s)
            self._lan.send(self.number, Announced(self.settings.vhid))

    def _send(self, command: SendAdvertisement | SendFarewell) -> None:
        self._broadcast(self._signer.sign(command.advbase, command.advskew, command.demotion), command)

    def _broadcast(self, payload: bytes, command: SendAdvertisement | SendFarewell) -> None:
        # After a farewell, the virtual MAC is another's.
        virtual = self.settings.acquires_first and not isinstance(command, SendFarewell)
        self._claimed = True
        self._tell(self, "farewell" if isinstance(command, SendFarewell) else "advertisement", command)
        if virtual:
            self._tell(self, "from the virtual MAC", command)
        for version in self.settings.versions:
            self._lan.send(self.number, Advertised(version, payload, from_virtual_mac=virtual))
