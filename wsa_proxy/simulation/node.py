"""A node of the simulated LAN: the real virtual host and codec, and a model of its process and of its kernel.

The process may be dead, or stand still: then frames wait in the socket's queue, of which a full one keeps the oldest,
and the timer is overdue. On waking, timer and frames are ready at once, in an order that chance decides: the driver
drains the socket first, but a frame may arrive just after that.

The kernel holds the addresses as a lease. An operation may take its time, in which the process stands still, or fail;
then the node leaves the election and tries again, as the driver does.
"""

from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from random import Random

from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.virtual_host import VirtualHostSettings
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Announced
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan

QUEUE_MAX = 256  # frames in the socket's buffer
LEASE_S_MIN = 1.0  # what the kernel makes of a lifetime of 1 s
LEASE_S_MAX = 1.3
RENEW_EVERY_S = 0.25
FROZEN_S = 0.5  # a decision older than this is looked at again before it is carried out
RETRY_S = 1.0

type Tell = Callable[["Node", str, object], None]
"""The run's story: who, what kind of thing, what."""


class Node:
    """One host. ``core`` is None while its process is dead; the kernel lives on."""

    def __init__(
        self,
        number: int,
        settings: VirtualHostSettings,
        authenticator: Authenticator,
        lan: Lan,
        random: Random,
        tell: Tell,
    ) -> None:
        self.number = number
        self.settings = settings
        self.core: VirtualHost | None = None
        self.lease_until_s = 0.0
        self.asleep_until_s = 0.0
        self.lateness_s = 0.0
        self.operation_s = 0.0
        self.kernel_refuses = False
        self.queue: deque[Frame] = deque()
        self.rejects: Counter[Reject] = Counter()
        self._authenticator = authenticator
        self._lan = lan
        self._random = random
        self._tell = tell
        self._demotion = 0
        self._renew_at_s = 0.0
        self._alarm = 0  # only the newest timer counts
        self._pending: list[Command] = []
        self._decided_at_s = 0.0
        lan.attach(number, self.receive)

    # -- what the checker and the nemesis ask --------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self._lan.timeline.now

    @property
    def awake(self) -> bool:
        """Alive, and not standing still in a stall or in a kernel call."""
        return self.core is not None and self.now >= self.asleep_until_s and not self._pending

    @property
    def state(self) -> State:
        return self.core.state if self.core is not None else State.INIT

    @property
    def holds(self) -> bool:
        """Are the addresses on this node's kernel?"""
        return self.now < self.lease_until_s

    @property
    def due_s(self) -> float | None:
        """When the core wants to be called."""
        return self.core.next_deadline() if self.core is not None else None

    # -- what the nemesis does -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process: it removes the leftovers of an earlier life before its first event."""
        if self.core is None:
            self.core = VirtualHost(self.settings)
            self.lease_until_s = 0.0
            self.queue.clear()
            self._pending = []
            self.asleep_until_s = self.now
            self.handle(Started("started"))

    def crash(self) -> None:
        """SIGKILL: nothing is said, the lease runs on."""
        self.core = None
        self._pending = []
        self.queue.clear()
        self._alarm += 1

    def stop(self) -> None:
        """An orderly stop. A process that stands still cannot be asked."""
        if self.awake:
            self.handle(Stopped("orderly stop"))
            self.crash()

    def stall(self, duration_s: float) -> None:
        """The process stands still."""
        self._tell(self, "stall", duration_s)
        self.asleep_until_s = max(self.asleep_until_s, self.now + duration_s)
        self._lan.timeline.at(self.asleep_until_s, self._wake)

    def demote(self, demotion: int) -> None:
        """The health changed; a process that stands still finds out when it wakes."""
        self._demotion = demotion
        self._notice_health()

    def _notice_health(self) -> None:
        if self.awake:
            self.handle(DemotionChanged(self._demotion, "the nemesis"))
        elif self.core is not None:
            self._lan.timeline.at(self.asleep_until_s + 1e-3, self._notice_health)

    def thaw(self) -> None:
        """End a stall now."""
        if self.asleep_until_s > self.now:
            self.asleep_until_s = self.now
            self._lan.timeline.at(self.now, self._wake)

    # -- frames and time -----------------------------------------------------------------------------------------------

    def receive(self, frame: Frame, sender: int) -> None:
        if self.core is None or isinstance(frame, Announced):
            return
        if not self.awake:
            if len(self.queue) < QUEUE_MAX:
                self.queue.append(frame)
            return
        self._hear(frame, sender)

    def handle(self, event: Event) -> None:
        """One event for the core; its commands are carried out, and the timer is set anew."""
        assert self.core is not None
        self._tell(self, "event", event)
        commands = self.core.handle(event, self.now)
        self._tell(self, "commands", commands)
        self._perform(commands, self.now)
        self._arm()

    def _hear(self, frame: Advertised, sender: int) -> None:
        assert self.core is not None
        believed = self._authenticator.accept(frame.payload, frame.ttl, frame.version)
        if isinstance(believed, Reject):
            self.rejects[believed] += 1
            self._tell(self, "reject", believed)
            return
        self.handle(AdvertisementReceived(believed, frame.version, f"node-{sender}"))

    def _arm(self) -> None:
        self._alarm += 1
        if self.core is None or (due_s := self.core.next_deadline()) is None:
            return
        if self.core.state is State.MASTER:
            due_s = min(due_s, self._renew_at_s)
        alarm = self._alarm
        late_s = self._random.uniform(0, self.lateness_s)
        self._lan.timeline.at(max(due_s, self.now) + late_s, lambda: self._ring(alarm))

    def _ring(self, alarm: int) -> None:
        if alarm == self._alarm and self.awake:
            self._turn()

    def _turn(self) -> None:
        """What the driver does when its timer fires: the deadline first, then the lease."""
        self.handle(DeadlineReached())
        if self.state is State.MASTER and self.awake and self.now >= self._renew_at_s:
            self._take()
            self._arm()

    def _wake(self) -> None:
        """A stall or a kernel call is over."""
        if self.core is None or self.now < self.asleep_until_s:
            return
        if self._pending:
            self._resume()
        if self.awake and self._random.random() < 0.5:
            self._turn()
        while self.queue and self.awake:
            frame = self.queue.popleft()
            assert isinstance(frame, Advertised)
            self._hear(frame, -1)
        if self.awake:
            self._turn()

    # -- commands ------------------------------------------------------------------------------------------------------

    def _perform(self, commands: Sequence[Command], decided_at_s: float) -> None:
        for position, command in enumerate(commands):
            match command:
                case ReportTransition():
                    self._tell(self, "transition", command)
                case SendAdvertisement():
                    self._send(command)
                case AnnounceAddresses():
                    self._lan.send(self.number, Announced())
                case ReleaseAddresses():
                    self.lease_until_s = 0.0
                case AcquireAddresses() if self.kernel_refuses:
                    return self._leave()
                case AcquireAddresses() if self.operation_s:
                    # The call blocks the process; what comes after it has to wait.
                    self._pending = [AcquireAddresses(), *commands[position + 1 :]]
                    self._decided_at_s = decided_at_s
                    return self.stall(self._random.uniform(0, self.operation_s))
                case AcquireAddresses():
                    self._take()
                case _:
                    pass
        return None

    def _resume(self) -> None:
        """The kernel call has returned. A decision that has grown old is looked at again (``Driver._look_again``)."""
        (_, *rest), self._pending = self._pending, []
        self._take()
        old = self.now - self._decided_at_s > FROZEN_S
        self._perform([command for command in rest if not (old and isinstance(command, AnnounceAddresses))], self.now)
        if old and self.core is not None:
            self.handle(DeadlineReached())
            if self.state is State.MASTER:
                self._lan.send(self.number, Announced())
        self._arm()

    def _take(self) -> None:
        """An acquisition is a renewal, and the other way round: the kernel takes them alike."""
        if self.kernel_refuses:
            return self._leave()
        self.lease_until_s = self.now + self._random.uniform(LEASE_S_MIN, LEASE_S_MAX)
        self._renew_at_s = self.now + RENEW_EVERY_S
        return None

    def _leave(self) -> None:
        """The kernel refused: out of the election, and in again after a while."""
        self._lan.timeline.at(self.now, self._stop_for_now)

    def _stop_for_now(self) -> None:
        if self.awake and self.state is State.MASTER:
            self.handle(Stopped("the kernel refused"))
            self._lan.timeline.at(self.now + RETRY_S, self._try_again)

    def _try_again(self) -> None:
        if self.awake and self.state is State.INIT:
            self.handle(Started("the kernel may take it now"))
        elif self.core is not None and self.state is State.INIT:
            self._lan.timeline.at(self.now + RETRY_S, self._try_again)

    def _send(self, command: SendAdvertisement) -> None:
        payload = self._authenticator.sign(command.advbase, command.advskew, command.demotion)
        self._tell(self, "advertisement", command)
        for version in self.settings.versions:
            self._lan.send(self.number, Advertised(version, payload))
