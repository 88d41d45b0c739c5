"""A node of the simulated LAN: the real virtual host and codec, and a model of its process.

The process may be dead, or stand still: then frames wait in the socket's queue, of which a full one keeps the oldest,
and the timer is overdue. On waking, timer and frames are ready at once, in an order that chance decides: the driver
drains the socket first, but a frame may arrive just after that. A paused machine stands still with its clock.

``now`` is the node's own clock (``machine.py``). The kernel's side of it, the lease, is in ``kernel.py``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from random import Random

from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.commands import Advertising
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.election import BOW_OUT
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import PreemptionReleased
from wsa_proxy.carp.events import SettingsChanged
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Reject
from wsa_proxy.carp.wire import Version
from wsa_proxy.simulation.acting import UNTOLD_RETRY_S
from wsa_proxy.simulation.acting import Acting
from wsa_proxy.simulation.acting import Tell
from wsa_proxy.simulation.guarded import Guarded
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Announced
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.reporting import Reporter
from wsa_proxy.simulation.ways import PLAIN_CARP
from wsa_proxy.simulation.ways import Way

QUEUE_MAX = 256  # frames in the socket's buffer
NOTICE_S = 1e-3  # health and link are noticed this long after a process wakes


class Node(Acting):
    """One host. ``core`` is None while its process is dead; the kernel lives on."""

    way: Way = PLAIN_CARP

    def __init__(
        self,
        number: int,
        settings: VirtualHostSettings,
        signer: Authenticator,
        lan: Lan,
        random: Random,
        tell: Tell,
        peers: Mapping[int, Version] | None = None,
        guardians: Random | None = None,
    ) -> None:
        super().__init__(number, settings, lan, random, tell, peers, guardians)
        self.lateness_s = self.lateness_s_max = 0.0  # now, and at any time of the run
        self.link_up = True
        self.queue: deque[tuple[Advertised, int, float]] = deque()
        self.arrived_s = 0.0
        """When the frame that is heard now came into the socket, on the node's own clock."""
        self.rejects: Counter[Enum] = Counter()
        self.demotion = 0
        """What the core was told; it should believe it."""
        self._signer = signer
        self.health = 0
        """How unwell the proxy is, 0 for well."""
        self._alarm: int | None = None  # on the timeline; there is but one
        self._alarm_due_s = 0.0
        lan.attach(number, self.receive)

    # -- what the checker and the nemesis ask --------------------------------------------------------------------------

    @property
    def holds(self) -> bool:
        """Are the addresses on this node's kernel?"""
        return self.kernel.holds(self.now)

    @property
    def is_refused(self) -> bool:
        """Does its kernel refuse everything, or has its guardian taken the addresses, or not had them?"""
        return self.kernel.refuses or (self.guard is not None and (self.guard.failed or self.is_fenced))

    @property
    def one_for_all(self) -> bool:
        """Does one IP version stand for all, so that a copy in any of them is heard for both?"""
        return self.unicast or self.way.believes_sealed

    def fingerprint(self) -> tuple[object, ...]:
        """Everything that a rejected frame may not change."""
        return (self.state, self.due_s, self.core.calm.due_s if self.core is not None else None)

    # -- what the nemesis does -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process: it removes the leftovers of an earlier life before its first event."""
        if self.core is None:
            self.settings = self.wanted
            self.core = self._new_core()
            self.demotion = 0
            if self.guard:
                self.guard.end()
            self.kernel.release()
            if self.guardians:
                self.guard = Guarded(self, self.settings.vhid, self.guardians, self.stall_limit_s)
            self.queue.clear()
            self._pending = []
            self.asleep_until_s = self._lan.timeline.now
            self._refused_until_s = 0.0
            self._begin_sending()
            self._tell(self, "life", None)
            if self.post:
                self.reporter = Reporter(self, self.core, self.post, self.reports_chance, self._late_now_s)
            self._notice()

    def _new_core(self) -> VirtualHost:
        versions = self.settings.versions
        return VirtualHost(replace(self.settings, versions=versions[:1] if self.unicast else versions))

    def crash(self) -> None:
        """SIGKILL: nothing is said, the lease runs on."""
        self._resume_clock()
        if self.guard and self.core is not None:
            self.guard.orphan()
        self.core = None
        if self.reporter:
            self.reporter.ended = True
        self._pending = []
        self.queue.clear()
        self._call_off_alarm()

    def kill_all(self) -> None:
        """The process and its guardian, in the same instant."""
        if self.guard:
            self.guard.end()
        self.crash()

    def power_off(self) -> None:
        """The machine dies with its kernel."""
        self.kill_all()
        self.kernel.end()

    def stop(self) -> None:
        """An orderly stop. A process that stands still cannot be asked."""
        if self.awake:
            self.handle(Stopped("orderly stop"))
            if self.reporter:
                self.reporter.leave()
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
        self._tell(self, "health", None)
        self._notice()

    def configure(self, preempt: bool, advskew: int, preempt_delay_s: float) -> None:
        """The operator writes another file and asks for a reload."""
        self.wanted = replace(self.wanted, preempt=preempt, advskew=advskew, preempt_delay_s=preempt_delay_s)
        self._notice()

    def preempt(self) -> None:
        """The operator wants it to wait no longer. A process that stands still does not hear him."""
        if self.awake:
            self.handle(PreemptionReleased())

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
            self.turn()  # as ``Driver.change`` does: what is due is due by the old ones
            if not self.awake:
                self._at(self.asleep_until_s + NOTICE_S, self._notice)
                return
            self.settings = self.wanted
            written = {name: getattr(self.wanted, name) for name in ("preempt", "advskew", "preempt_delay_s")}
            told = replace(self.core.settings, **written)
            self._sending.take(told)
            if self.reporter:
                self.reporter.asking.take(told)
            self.handle(SettingsChanged(told))
        self._notice_health()
        if not self.link_up and self.state is not State.INIT:
            self.handle(Stopped("link down"))
        if not self.link_up or self.state is not State.INIT:
            return
        if self.now >= self._refused_until_s:
            self.handle(Started("started"))
            self._look_at_sending()
        else:
            self._at(self._on_the_lan_s(self._refused_until_s), self._notice)

    def _notice_health(self) -> None:
        """Tell the core how well its proxy is, and its host's way out."""
        unwell = self.health + self._untold_demotion
        if self.way.believes_sealed:
            unwell = min(unwell, 1)
        if self.demotion != unwell:
            self.handle(DemotionChanged(unwell, "the nemesis"))

    # -- frames and time -----------------------------------------------------------------------------------------------

    def receive(self, frame: Frame, sender: int) -> None:
        if self.core is None or isinstance(frame, Announced):
            return
        if self.awake:
            self.arrived_s = self.now
            self.read_guardian()
        if self.awake:
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
        assert self.core is not None
        version = self.core.settings.versions[0] if self.unicast else frame.version
        self.take_in(AdvertisementReceived(believed, version, f"node-{sender}"))

    def take_in(self, event: Event) -> None:
        """What was believed, as ``Driver`` takes it."""
        if self._sending.in_vain_beside(event):
            self._leave_untold()
        self.handle(event)
        if self.guard and self._sending.claimed:
            self.leave()  # what was heard may be above the one before
            self._tell(self, "done", None)
        self._look_at_sending()

    def _refuse(self, frame: Advertised, why: Enum) -> None:
        self.rejects[why] += 1
        self._tell(self, "reject", why)
        if frame.forged:
            self._tell(self, f"forged, and {why.value}", None)

    def _arm(self) -> None:
        core, now = self.core, self.now
        if core is None:
            self._call_off_alarm()
            return
        is_master, due_s = core.state is State.MASTER, self._deadline_s()
        due_s = min(self._sending.deadline_s(is_master=is_master), due_s)
        if self.reporter:
            self.reporter.look()
            due_s = min(due_s, self.reporter.asking.due_s())
        if due_s == math.inf:
            self._call_off_alarm()
            return
        if is_master and self.kernel.renew_at_s < due_s:
            due_s = self.kernel.renew_at_s
        if self._alarm is not None:
            if due_s == self._alarm_due_s:
                return
            self._call_off_alarm()
        self._alarm_due_s = due_s
        late_s = self._late_now_s()
        self._alarm = self._at(self._on_the_lan_s(max(due_s + late_s, now)), self._ring)

    def _late_now_s(self) -> float:
        return self.lateness_s * self._random.random()

    def _call_off_alarm(self) -> None:
        if self._alarm is not None:
            self._lan.timeline.call_off(self._alarm)
            self._alarm = None

    def _ring(self) -> None:
        self._alarm = None
        if self.awake:
            self.turn()

    def turn(self) -> None:
        """What the driver does when its timer fires: the deadline first, then the lease. (The driver asks the core in
        either case; here only when it is due, or most of the time would be spent on that.)"""
        assert self.core is not None
        self.read_guardian()
        if self.reporter:
            self.reporter.asking.look()
        now = self.now
        if now >= self._deadline_s():
            self.handle(DeadlineReached())
        self._look_at_sending()
        if self.core.state is State.MASTER and now >= self.kernel.renew_at_s and self.awake:
            if self._is_slow:
                self._take_slowly([], self.now)
            elif self._take(renew=True) and not self._sending.errors.failing:
                self._untold_retry_s = UNTOLD_RETRY_S
        self._arm()

    def _wake(self) -> None:
        """A stall, a pause or a kernel call is over."""
        if self._lan.timeline.now < self.asleep_until_s:
            return
        if self.paused:
            self._resume_clock()
            if self.guard:
                self.guard.wake()
        if self.core is None:
            return
        if self._pending:
            self._resume()
        self.read_guardian()
        if self.awake and self._random.random() < 0.5:
            if self.queue:
                self._tell(self, "woke, and the timer came before the frames", None)
            self.turn()
        elif self.queue:
            self._tell(self, "woke, and the frames came before the timer", None)
        while self.queue and self.awake:
            frame, sender, self.arrived_s = self.queue.popleft()
            self._hear(frame, sender)
        if self.reporter:
            self.reporter.wake()
        if self.awake:
            self.turn()

    def _will(self) -> bytes:
        assert self.core is not None
        return self._signer.sign(BOW_OUT, BOW_OUT, self.core.demotion)

    def _sign(self, command: Advertising) -> bytes:
        return self._signer.sign(command.advbase, command.advskew, command.demotion)
