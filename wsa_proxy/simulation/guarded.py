"""A node's guardian: the product's own, both ends of it, as two processes of one machine of which each may die alone.

``Guarding`` is the proxy's end, ``Guardian`` the process; both stand here as they are. What is modelled is what lies
around them: the queue between the two, the guardian's sleep, when it learns of a death, and the kernel. No time passes
while something is asked; a call that takes its time is a sleep before it (``acting.py``), and goes on here ``as_of``
the time at which it began.
"""

from __future__ import annotations

import errno
import logging
import math
import socket
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from enum import Enum
from random import Random
from typing import Protocol

from wsa_proxy.net import orders
from wsa_proxy.net.guardian import Guardian
from wsa_proxy.net.guarding import STARTS_MAX
from wsa_proxy.net.guarding import GuardianGone
from wsa_proxy.net.guarding import Guarding
from wsa_proxy.net.orders import Message
from wsa_proxy.simulation.kernel import Kernel
from wsa_proxy.simulation.outlet import Copy

logging.getLogger("wsa_proxy.net.guarding").addHandler(logging.NullHandler())  # the story is told here

ADD, REMOVE = b"add", b"remove"
NOTICED_S_MAX = 0.06
"""After its proxy's death; on a busy machine."""
LATE_S_MIN, LATE_S_MAX = 0.001, 0.003
"""After a deadline of its own. ``poll`` counts in milliseconds."""


class Host(Protocol):
    """The node, as its guardian sees it."""

    kernel: Kernel

    @property
    def now(self) -> float:
        """The machine's clock: CLOCK_BOOTTIME."""

    @property
    def paused(self) -> bool:
        """The machine stands still, with everything on it."""

    def after(self, wait_s: float, what: Callable[[], None]) -> None:
        """In so many seconds of the LAN's clock."""

    def at_own(self, when_s: float, what: Callable[[], None]) -> None:
        """At a time of its own clock."""

    def lan_now(self) -> float:
        """Seconds."""

    def guardian_speaks(self) -> None:
        """It has something to read, if it is awake."""

    def say_will(self, copy: Copy, payload: bytes) -> None:
        """A part of the will leaves the host, from its own MAC."""

    def tells(self, kind: str, what: object) -> None:
        """One line of the story."""


class Blocked(Enum):
    """What stands still while an address is taken slowly."""

    CALL = "the kernel"
    """The guardian waits for it, and the proxy for the guardian; not for long."""
    PROXY = "the proxy, before it asks"
    BOTH = "both, in the kernel's call"
    ORDER = "both, while the order is on its way"


class HostKernel:
    """What the guardian does to the host."""

    def __init__(self, guarded: Guarded, host: Host) -> None:
        self._guarded = guarded
        self._host = host

    def request(self, messages: list[bytes]) -> list[int]:
        """The one address, added and prolonged alike, or removed."""
        self._guarded.returns()
        return [self._carry_out(message) for message in messages]

    def _carry_out(self, message: bytes) -> int:
        host, kernel = self._host, self._host.kernel
        if message == ADD:
            if self._guarded.is_fenced:  # thousands are as they should be
                host.tells("guardian adds what it has fenced", None)
            return 0 if kernel.take(host.now) else errno.EPERM
        kernel.release()
        return errno.EPERM if kernel.kept and kernel.holds(host.now) else 0

    def send(self, part: bytes) -> None:
        """An envelope, and a payload."""
        self._host.say_will(Copy(4 if part[0] == 4 else 6, part[1] if part[1] != _ALL else None), part[2:])


_ALL = 255


def envelope(copy: Copy) -> bytes:
    """Of a will."""
    return bytes([copy.version, _ALL if copy.peer is None else copy.peer])


_OPEN = socket.socket.__new__(socket.socket)
"""In the place of the one between the two, as long as it is open; nobody uses it."""


class Guarded(Guarding):
    """That of one life of a node's process."""

    def __init__(self, host: Host, vhid: int, random: Random, stall_limit_s: float) -> None:
        self.guardian: Guardian | None = None
        self.orphaned = False
        """Its proxy is dead, whether it knows or not."""
        self.failed = False
        """What was asked for last could not be had."""
        self.unread = False
        """It has fenced, and its proxy does not know."""
        self.random = random
        self._host = host
        self._vhid = vhid
        self.asleep_until_s = -math.inf
        """On the LAN's clock,"""
        self.asleep_since_s = -math.inf
        """and when its last sleep began."""
        self._inbox: deque[Message] = deque()
        self._outbox: deque[Message] = deque()
        self._knows = self._has_waited = False
        self._alarm_at_s = math.inf
        self._as_of_s: float | None = None
        self._both_as_of = False
        super().__init__(stall_limit_s, self._proxys_clock)

    # -- what the node asks --------------------------------------------------------------------------------------------

    def take(self, *, renew: bool) -> bool:
        """Hold the address, or prolong it; False when that cannot be. A beat passes over what is not held."""
        if renew and self._vhid not in self._held:
            return not self.failed
        try:
            if renew:
                self.failed = bool(self.beat([self._vhid]))
            else:
                self.failed = any(self.hold(self._vhid, [ADD], [REMOVE]))
        except OSError:
            self.failed = True
        self._as_of_s = None
        return not self.failed

    def give_back(self) -> None:
        """If there is nobody to do it, it stays until the lease ends, or is tried again."""
        try:
            self.release(self._vhid, [REMOVE])
        except OSError:
            self._host.kernel.kept = True

    def leave_will(self, copies: Sequence[Copy], payload: bytes, *, again: bool) -> None:
        """To be said once the proxy is gone, ``again`` if more than once."""
        self.will(self._vhid, [envelope(copy) for copy in copies], payload, again=again)

    @property
    def alive(self) -> bool:
        """Is there a guardian, and does it turn?"""
        return self.guardian is not None and not self.asleep

    @property
    def asleep(self) -> bool:
        return self._host.lan_now() < self.asleep_until_s or self._host.paused

    @property
    def is_fenced(self) -> bool:
        """Has anybody fenced the proxy, which has not read it yet?"""
        return self.unread or bool(self._fences)

    @property
    def hangs(self) -> bool:
        """Is whoever asks it kept waiting?"""
        return self.guardian is not None and self.asleep

    @property
    def has_news(self) -> bool:
        """Is there anything for the proxy to read?"""
        return bool(self._outbox) or self.guardian is None or bool(self._fences)

    @property
    def worn(self) -> bool:
        """Have so many ended that the next ones may be too many?"""
        return len(self._started_at_s) > 1

    # -- what happens to it --------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """SIGKILL. What it has said can still be read."""
        self.guardian = None
        self._inbox.clear()
        if not self.orphaned:
            self._host.guardian_speaks()

    def end_unanswered(self) -> None:
        """Its proxy has lost its patience, unless there is something to read at last. It has done what it was asked for
        before, or not."""
        if self._outbox:
            return
        if self.random.random() < 0.5 and self.guardian is not None:
            HostKernel(self, self._host).request([ADD])
        self.kill()

    def sleep(self, duration_s: float) -> None:
        """It stands still."""
        if not self.asleep:
            self.asleep_since_s = self._host.lan_now()
        self.asleep_until_s = max(self.asleep_until_s, self._host.lan_now() + duration_s)
        self._host.after(duration_s, self.wake)

    def thaw(self) -> None:
        """End that now."""
        self.asleep_until_s = min(self.asleep_until_s, self._host.lan_now())
        self.wake()

    def wake(self) -> None:
        """A sleep or the machine's pause is over: what waits is read before anything is judged."""
        if not self.asleep:
            self._catch_up()
            self._look()

    def orphan(self) -> None:
        """Its proxy has died. It will know soon."""
        self.orphaned = True
        self._host.after(self.random.uniform(0, NOTICED_S_MAX), self._notice_death)

    def end(self) -> None:
        """A new life of the proxy has waited until it was gone, or has ended it."""
        self._end()

    def returns_late(self, blocked: Blocked, began_s: float) -> None:
        """What is asked for now was begun then, and has stood still since."""
        if blocked in (Blocked.BOTH, Blocked.ORDER):
            self._as_of_s, self._both_as_of = began_s, blocked is Blocked.BOTH

    def returns(self) -> None:
        """From a call of the kernel: now is now again."""
        self._as_of_s = None

    # -- between the two -----------------------------------------------------------------------------------------------

    def _proxys_clock(self) -> float:
        return self._host.now if self._as_of_s is None else self._as_of_s

    def _guardians_clock(self) -> float:
        return self._proxys_clock() if self._both_as_of else self._host.now

    def _start(self, within_s: float) -> None:
        self._started_at_s = [*self._started_at_s[1 - STARTS_MAX :], self._host.now]
        if len(self._started_at_s) > 1:
            self._host.tells("a guardian was replaced", None)
        self._socket = _OPEN
        self.guardian = Guardian(HostKernel(self, self._host), self._guardians_clock, self._stall_limit_s)
        self.asleep_until_s = -math.inf
        self._epoch = self.guardian.epoch

    def _end(self) -> None:
        self.guardian = self._socket = None
        self._inbox.clear()
        self._outbox.clear()

    def _send(self, message: Message) -> None:
        if self.guardian is None:
            raise GuardianGone("has ended")
        self._inbox.append(message)
        if not self.asleep:
            self._catch_up()
            self._arm()

    def _send_will(self, datagram: bytes) -> None:
        self._send(orders.decode(datagram))

    def _receive(self, wait_s: float = 0.0) -> Message | None:
        if self._outbox:
            return self._outbox.popleft()
        if self.guardian is None:
            raise GuardianGone("has ended")
        return None

    def _catch_up(self) -> None:
        while self._inbox and self.guardian is not None:
            self._says(self.guardian.handle(self._inbox.popleft()))

    def _says(self, said: list[Message]) -> None:
        self._outbox += said
        for message in said:
            if message.kind == orders.FENCED:
                self.unread = True
                self._host.tells("fence", bool(message.parts[1]))
                self._host.guardian_speaks()

    # -- the guardian's own time ---------------------------------------------------------------------------------------

    def _notice_death(self) -> None:
        self._knows = True
        self._look()

    def _look(self) -> None:
        if self.guardian is None or self.asleep:
            return
        deadline_s, kernel = self.guardian.next_deadline(), self._host.kernel
        acts = self._knows or (deadline_s is not None and self._host.now > deadline_s)
        if acts and kernel.is_slow and not self._has_waited:
            self._has_waited = True
            self.sleep(self.random.uniform(0, kernel.operation_s))
            return
        self._has_waited = False
        self._says(self.guardian.look(gone=self._knows))
        if self._knows and self.guardian.idle:
            self.guardian = None
        self._arm()

    def _arm(self) -> None:
        deadline_s = self.guardian.next_deadline() if self.guardian is not None else None
        if deadline_s is not None and deadline_s < self._alarm_at_s:
            self._alarm_at_s = deadline_s
            late_s = self.random.uniform(LATE_S_MIN, LATE_S_MAX)
            self._host.at_own(max(deadline_s, self._host.now) + late_s, self._ring)

    def _ring(self) -> None:
        self._alarm_at_s = math.inf
        self._look()
