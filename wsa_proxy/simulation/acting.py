"""What a node of the simulated LAN does when its core has decided: frames, addresses, and a kernel that takes its time.

As the driver does it: commands in their order, a second look at what has grown old meanwhile, nothing claimed that
could not be had, and releases that are tried again. What becomes of advertisements that the host refuses to send
(``outlet.py``) is the product's to say: ``Sending`` stands here as it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import Advertising
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ProbeAddresses
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.commands import SendIntent
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.election import master_down_s
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Version
from wsa_proxy.net.guardian import BEATS_PER_LIMIT
from wsa_proxy.net.guardian import STALL_LIMIT_S_MAX
from wsa_proxy.net.guardian import usual_stall_limit_s
from wsa_proxy.net.guarding import ANSWER_S
from wsa_proxy.runtime.sending import Sending
from wsa_proxy.simulation.guarded import Blocked
from wsa_proxy.simulation.guarded import Guarded
from wsa_proxy.simulation.kernel import Kernel
from wsa_proxy.simulation.lan import Announced
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.membership import Membership
from wsa_proxy.simulation.outlet import Copy
from wsa_proxy.simulation.outlet import Outlet
from wsa_proxy.simulation.outlet import Tally

FROZEN_S = 0.5  # a decision older than this is looked at again before it is carried out
RETRY_S = 1.0
LOOP_S = 1e-5  # what wakes the loop is read a moment later
RELEASE_AGAIN_S = 0.1
UNTOLD_RETRY_S = 5.0
UNTOLD_RETRY_S_MAX = 300.0
"""So long a node stays out that could not tell anybody, and twice as long each time, as ``Driver`` has it. (A kernel
that refuses the addresses is tried again sooner here, so that more happens in a run.)"""

type Tell = Callable[[Any, str, object], None]
"""The run's story: which node, what kind of thing, what."""


class Acting(Membership):
    """The half of a node that does things; ``node.py`` is the other one. ``core`` is None while its process is dead."""

    keeps = False
    """It has been the master, and has the addresses yet, for the sake of its clients (``carrying_node.py``)."""
    departs = False
    """It was told to stop, and does so when they have ended."""

    def __init__(
        self,
        number: int,
        settings: VirtualHostSettings,
        lan: Lan,
        random: Random,
        tell: Tell,
        peers: Mapping[int, Version] | None = None,
        guardians: Random | None = None,
    ) -> None:
        super().__init__(number, lan, random)
        self.copies = Counter(peers.values() if peers else settings.versions)
        """Of one advertisement, by IP version."""
        self.unicast = bool(peers)
        self.settings = self.wanted = replace(settings, unicast=self.unicast)
        """In force, and what the operator has written since."""
        self.core: VirtualHost | None = None
        self.stall_limit_s = usual_stall_limit_s(master_down_s(settings.advbase, settings.advskew))
        often = guardians is not None and self.stall_limit_s < STALL_LIMIT_S_MAX
        self.kernel = Kernel(random, self.stall_limit_s / BEATS_PER_LIMIT if often else math.inf)
        self.guardians = guardians
        """Their source of chance, if its processes have one each."""
        self.guard: Guarded | None = None
        """That of this life, or of the last one."""
        self.is_fenced = False
        """It reads just now that its guardian has taken the addresses."""
        self.asleep_until_s = 0.0
        """On the LAN's clock."""
        self._random = random
        self._tell = tell
        self._refused_until_s = 0.0
        self._pending: list[Command] = []
        self._blocked, self._blocked_at_s = Blocked.PROXY, 0.0
        self.outlet = Outlet(
            number, lan, settings.acquires_first, peers or {}, lambda kind, what: tell(self, kind, what)
        )
        self._begin_sending()
        self._decided_at_s = 0.0
        self._frozen_s = min(FROZEN_S, master_down_s(settings.advbase, settings.advskew) / 2)

    def ways_to(self, other: int) -> Sequence[Version]:
        """The IP versions in which that one is told."""
        return self.outlet.ways_to(other) or self.settings.versions

    @property
    def awake(self) -> bool:
        """Alive, and not standing still in a stall or in a kernel call."""
        return self.core is not None and self._lan.timeline.now >= self.asleep_until_s and not self._pending

    @property
    def state(self) -> State:
        return self.core.state if self.core is not None else State.INIT

    @property
    def due_s(self) -> float | None:
        """When the core wants to be called, on the node's own clock."""
        return self.core.next_deadline() if self.core is not None else None

    def handle(self, event: Event) -> None:
        """One event for the core; its commands are carried out, and the timer is set anew."""
        raise NotImplementedError

    def stall(self, duration_s: float) -> None:
        """The process stands still."""
        raise NotImplementedError

    def _notice(self) -> None:
        raise NotImplementedError

    def _notice_health(self) -> None:
        raise NotImplementedError

    def _arm(self) -> None:
        raise NotImplementedError

    def _sign(self, command: Advertising) -> bytes:
        raise NotImplementedError

    def _begin_sending(self) -> None:
        """A new process: it knows of no errors."""
        settings = self.core.settings if self.core is not None else self.settings
        self._sending = Sending(settings, self.settings.versions, self, Tally(), lambda: self.now, self)
        self._untold_demotion = 0  # what the core was told of them
        self._untold_retry_s = UNTOLD_RETRY_S

    def _perform(self, commands: Sequence[Command], decided_at_s: float, refused: bool = False) -> None:
        self._sending.begin(commands)
        untold = False
        for position, command in enumerate(commands):
            match command:
                case ReportTransition():
                    self._tell(self, "transition", command)
                    if command.new is not State.MASTER:
                        self._sending.left()
                case SendAdvertisement() | AnnounceAddresses() if refused:
                    pass  # nothing is claimed that could not be had
                case AcquireAddresses() if untold:
                    pass  # nor is it from a living master that could not be told
                case SendAdvertisement() | SendFarewell() | SendIntent():
                    self._sending.send(self.outlet, command)
                    untold = isinstance(command, SendAdvertisement) and self._sending.follows_untold
                    refused = refused or untold
                case AnnounceAddresses():
                    self._announce(decided_at_s)
                case ReleaseAddresses():
                    self._release()
                case AcquireAddresses() if self._is_slow:
                    self._take_slowly(commands[position + 1 :], decided_at_s)
                    return
                case AcquireAddresses():
                    refused = not self._take()
                case ProbeAddresses() if self._lan.squatters:
                    delay_s = self._random.uniform(self._lan.weather.delay_s_min, self._lan.weather.delay_s_max)
                    self._at(self._lan.timeline.now + delay_s, self._answered)
        if untold:
            self._leave_untold()

    def _answered(self) -> None:
        if self.awake and self.core is not None:
            self.handle(AddressAnswered("a stranger"))

    def _take_slowly(self, rest: Sequence[Command], decided_at_s: float) -> None:
        """The call blocks the process; what comes after it has to wait."""
        self._pending, self._decided_at_s = [AcquireAddresses(), *rest], decided_at_s
        if self.guard:
            self._block(self.guard)
        else:
            self.stall(self._random.uniform(0, self.kernel.operation_s))

    @property
    def _is_slow(self) -> bool:
        """Does it take time to have an address?"""
        return self.kernel.is_slow or (self.guard is not None and self.guard.hangs)

    def _block(self, guard: Guarded) -> None:
        self._blocked, self._blocked_at_s = guard.random.choice(list(Blocked)), self.now
        if guard.hangs:
            self._blocked = Blocked.PROXY
            self.stall(min(ANSWER_S, guard.asleep_until_s - self._lan.timeline.now))
            return
        lasts_s = guard.random.uniform(0, self.kernel.operation_s)
        self.stall(lasts_s)
        if self._blocked is not Blocked.PROXY:
            guard.sleep(lasts_s)

    def _release(self, again: bool = False) -> None:
        """Refused, it is tried again, and the lease ends in any case."""
        if again and (self.state is State.MASTER or not self.awake):
            return
        if again:
            self._tell(self, "release again", None)
        if self.guard:
            self.guard.give_back()
        else:
            self.kernel.release()
        if self.kernel.kept and self.kernel.holds(self.now):
            self._at(self._lan.timeline.now + RELEASE_AGAIN_S, lambda: self._release(again=True))

    def _resume(self) -> None:
        """The kernel call has returned. A decision that has grown old is looked at again (``Driver._look_again``)."""
        (_, *rest), self._pending = self._pending, []
        refused = not self._take_blocked(renew=not rest) if self.guard else not self._take()
        old = self.now - self._decided_at_s > self._frozen_s
        self._perform(rest, self._decided_at_s, refused=old or refused)
        if old and not refused and self.core is not None:
            self._tell(self, "a slow call was looked at again", None)
            due = self.due_s is not None and self.now >= self.due_s
            self.handle(DeadlineReached())
            if self.guard and self.state is State.MASTER and not self._take():
                return
            if self.state is State.MASTER:
                # What was held back is owed still, unless the next one was due.
                owed = [command for command in rest if isinstance(command, SendAdvertisement) and not due]
                self._perform([*owed, AnnounceAddresses()], self.now)
        self._arm()
        self._tell(self, "done", None)
        if refused and self.guard:
            self._leave()

    def _take_blocked(self, *, renew: bool) -> bool:
        """The same; some of those that take part have stood still since."""
        assert self.guard is not None
        if self._blocked is not Blocked.CALL:
            self.guard.returns_late(self._blocked, self._blocked_at_s)
        elif self.now - self._blocked_at_s > ANSWER_S:
            self.guard.end_unanswered()
        return self._take(renew=renew)

    def _take(self, *, renew: bool = False) -> bool:
        """An acquisition is a renewal, and the other way round: the kernel takes them alike. Refused, the node leaves
        the election and comes back after a while."""
        taken = self.guard.take(renew=renew) if self.guard else self.kernel.take(self.now)
        if not taken:
            self._refused_until_s = self.now + RETRY_S
            self._at(self._lan.timeline.now, self._leave)
        return taken

    def _leave(self) -> None:
        if self.awake:
            self.read_guardian()
        if self.awake and self.state is State.MASTER:
            self._tell(self, "left for want of the addresses", None)
            self.handle(Stopped("the kernel refused"))
            self._at(self._on_the_lan_s(self._refused_until_s), self._notice)

    def _announce(self, decided_at_s: float) -> None:
        self._tell(self, "announcement", self.now - decided_at_s)
        self._lan.send(self.number, Announced(self.settings.vhid))

    # -- advertisements ------------------------------------------------------------------------------------------------

    def sign(self, command: Advertising) -> bytes:
        """What ``Sending`` is about to send."""
        payload = self._sign(command)
        self._tell(self, "farewell" if isinstance(command, SendFarewell) else "advertisement", command)
        return payload

    def _will(self) -> bytes:
        raise NotImplementedError

    def leave(self) -> None:
        """Before an advertisement, and when one was believed (``LastWill``)."""
        if self.guard and self.core:
            copies = self.outlet.copies(self.settings.versions)
            self.guard.leave_will(copies, self._will(), again=self.core.settings.says_farewell)

    def withdraw(self) -> None:
        """Nobody was told."""
        if self.guard:
            self.guard.leave_will((), b"", again=False)

    # -- its guardian --------------------------------------------------------------------------------------------------

    def tells(self, kind: str, what: object) -> None:
        """One line of the story."""
        self._tell(self, kind, what)

    def say_will(self, copy: Copy, payload: bytes) -> None:
        """Its guardian sends a part of its will."""
        self._tell(self, "bowed out by its guardian", payload)
        self.outlet.say_will(copy, payload)

    def guardian_speaks(self) -> None:
        """Its loop turns, unless it stands still."""
        self.after(LOOP_S, self._hear_guardian)

    def _hear_guardian(self) -> None:
        if self.awake:
            self.read_guardian()

    def read_guardian(self) -> None:
        """Before anything else: what it believes to hold it may not hold any more (``Driver.fenced``)."""
        if self.guard is None or not self.guard.has_news:
            return
        for fence in self.guard.drain():
            self.guard.unread = False
            was_master = self.state is State.MASTER
            bowed_out = self.settings.vhid in fence.bowed_out
            self._tell(self, "fenced", bowed_out)
            if was_master:
                self._sending.claimed = self._sending.claimed and not bowed_out
                self.is_fenced = True
                self.handle(Stopped("fenced"))
                self.is_fenced, self._refused_until_s = False, self.now
                self._notice()

    def _look_at_sending(self) -> None:
        """A master that cannot send is demoted, then leaves (``Driver._look_at_sending``)."""
        if not self.awake:
            return
        if self._sending.must_leave(is_master=self.state is State.MASTER):
            self._leave_untold()
        elif (demotion := self._sending.errors.demotion) != self._untold_demotion:
            self._untold_demotion = demotion
            self._notice_health()

    def _leave_untold(self) -> None:
        """It cannot tell the others that it is master: out of the election, and in again after a while."""
        if self.state is State.MASTER:
            self._refused_until_s = self.now + self._untold_retry_s
            self._untold_retry_s = min(2 * self._untold_retry_s, UNTOLD_RETRY_S_MAX)
            self.handle(Stopped(self._sending.trouble))
            self._at(self._on_the_lan_s(self._refused_until_s), self._notice)
