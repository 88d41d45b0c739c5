"""The guardian: a small process that alone writes the virtual addresses, and gives them up when the proxy is gone.

A proxy that is killed cannot say so, and one that hangs does not know it. So each one has a guardian, which holds its
last will: the netlink messages that remove the virtual addresses, and advertisements that bow out, ready to be sent. It
learns of a death from the kernel, by a notice before the proxy is taken apart (0.2 ms, ``death_notice.py``) or from a
pidfd (the end of a socket can be long in coming, a forked child of an addon keeps it open), and of a hang from missing
beats. Then it *fences* the proxy: it removes the addresses, and bows out.

A renewal is an add to the kernel. If the proxy wrote the addresses itself, a late renewal after a freeze would bring
back what the guardian has removed. So the guardian carries out what the proxy asks for, unless it belongs to an epoch
that has been fenced or was decided too long ago.

Run as a process of its own (``guardian_process.py``), on the standard library alone and without asyncio: 12 MB.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select

from wsa_proxy.net import orders
from wsa_proxy.net.orders import Message

TYPE_CHECKING = False  # ``typing`` takes more memory than the rest of the guardian
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Kernel(Protocol):
        """What the guardian does to the host; ``guardian_process.py`` has the real one."""

        def request(self, messages: list[bytes]) -> list[int]:
            """Carry netlink messages out; one errno for each, 0 where it worked."""

        def send(self, part: bytes) -> None:
            """Send a frame or datagram of a will. Raises OSError."""


STALL_LIMIT_S_MAX = 1.0
STALL_LIMIT_INTERVALS = 0.5
"""Of the shortest master-down interval: the guardian has to be done before a backup takes over by itself."""
BEATS_PER_LIMIT = 4
"""So many signs of life a proxy has to give within its limit, or more."""
SLOW_S = 0.5
"""A call that took so long: the guardian was frozen, and what it has added may be somebody else's by now."""
BOW_OUT_WITHIN_S = 2.0
"""After the proxy's last beat: later somebody else is master, and it would be his end. Two limits at most: the limit is
half of what the others wait for."""
WOKE_LATE_S = 0.02
GRACE_S = 0.1
"""A guardian that woke so much later than it wanted to was not alone in that, the whole machine stood still: then the
proxy gets this much, or half its limit, to say that it is back."""
COPIES_AFTER_S = (0.0, 0.02, 0.1)
"""A bow-out may be lost; of sealed copies the second is a duplicate. A plain one cannot be told from the first: whoever
backs the new master up would take over from it."""
COPY_LATE_S = 0.1
"""A copy so late is not said any more: the guardian stood still, and there is a new master."""


def usual_stall_limit_s(patience_s: float) -> float:
    """So long a loop may stand still; ``patience_s`` is the shortest master-down interval of its groups."""
    return min(STALL_LIMIT_S_MAX, STALL_LIMIT_INTERVALS * patience_s)


class Ward:
    """What the proxy holds and wills for one group."""

    __slots__ = ("adds", "copies", "envelopes", "payload", "removals")

    def __init__(self) -> None:
        self.adds: list[bytes] = []
        self.removals: list[bytes] = []
        """Empty when it holds nothing."""
        self.envelopes: list[bytes] = []
        self.payload = b""
        """Of the will; its copies differ in the envelope alone."""
        self.copies = 0
        """Whether the will may be said more than once."""

    @property
    def will(self) -> list[bytes]:
        """Frames and datagrams, ready to be sent."""
        return [envelope + self.payload for envelope in self.envelopes]


class Guardian:
    """Decides and acts; it reads no socket and no clock but the one that it is given (CLOCK_BOOTTIME, seconds)."""

    def __init__(self, kernel: Kernel, clock: Callable[[], float], stall_limit_s: float) -> None:
        self._kernel = kernel
        self._clock = clock
        self._stall_limit_s = stall_limit_s
        self._wards: dict[int, Ward] = {}
        self._alive_at_s = clock()
        self._copies: list[tuple[float, list[bytes]]] = []
        self.epoch = 1

    def handle(self, message: Message) -> list[Message]:
        """Carry one message out; what there is to say about it."""
        is_alive = message.epoch == self.epoch and self._lives(message.at_s)
        if message.kind == orders.RELEASE:
            return self._release(message)
        if message.kind == orders.LIMIT:
            self._stall_limit_s = orders.decode_seconds(message.parts[0])
            return []
        if message.epoch != self.epoch:
            return []  # whoever asked reads ``FENCED``, which was sent before
        is_will = message.kind in (orders.WILL, orders.SIGNED)
        if not is_will and self._clock() - message.at_s > self._stall_limit_s:
            # It was decided, and then one of the two processes stood still: the address may be another's by now.
            return self.fence(f"an order is {self._clock() - message.at_s:.1f} s old")
        if not is_alive:  # both stood still, and the proxy woke first
            return self.fence(f"the proxy's loop stood still for {message.at_s - self._alive_at_s:.1f} s")
        if is_will:
            return self._take_will(message)
        return self._hold(message) if message.kind == orders.HOLD else self._beat(message)

    def _take_will(self, message: Message) -> list[Message]:
        ward = self._wards.setdefault(message.vhid, Ward())
        if message.kind == orders.WILL:
            copies, ward.payload, *ward.envelopes = message.parts
            (ward.copies,) = orders.decode_numbers(copies)
        else:
            (ward.payload,) = message.parts
        self._copies = []  # of an earlier one: who is master again is not gone
        return []

    def _lives(self, at_s: float) -> bool:
        """The proxy's loop turned then. False if it had stood still for too long before."""
        if self._wards and at_s - self._alive_at_s > self._stall_limit_s + self._grace_s:
            return False
        # Of one who holds nothing and wills nothing nobody has asked until now.
        self._alive_at_s = max(self._alive_at_s, at_s) if self._wards else at_s
        return True

    @property
    def _grace_s(self) -> float:
        return min(GRACE_S, self._stall_limit_s / 2)

    def look(self, *, gone: bool) -> list[Message]:
        """Every message that waited has been handled: fence a proxy that is ``gone`` or hangs, and send what is due."""
        said: list[Message] = []
        if self._wards and gone:
            said = self.fence("the proxy has ended")
        elif self._wards and self._clock() > self._judged_at_s():
            said = self.fence(f"the proxy's loop stood still for {self._clock() - self._alive_at_s:.1f} s")
        while self._copies and self._clock() >= self._copies[0][0]:
            due_s, will = self._copies.pop(0)
            if self._clock() - due_s < COPY_LATE_S:
                self._say(will)
        return said

    def next_deadline(self) -> float | None:
        """When to look again if nothing comes; None when there is nothing to wait for."""
        due_s = [self._judged_at_s()] if self._wards else []
        due_s += [self._copies[0][0]] if self._copies else []
        return min(due_s, default=None)

    def _judged_at_s(self) -> float:
        """Until then the proxy has time to say that it lives."""
        due_s = self._alive_at_s + self._stall_limit_s
        return due_s if self._clock() <= due_s + WOKE_LATE_S else due_s + self._grace_s

    @property
    def idle(self) -> bool:
        """Nothing is held or owed: the process may end."""
        return not self._wards and not self._copies

    def fence(self, reason: str) -> list[Message]:
        """Remove all addresses; where that worked, and nobody else can be master yet, say that they are free."""
        decided_at_s = self._clock()
        wards, self._wards = self._wards, {}
        kept = self._remove(wards)
        if kept:  # once more; after that their lifetime ends them
            kept = self._remove(kept)
        now = self._clock()
        early = now - self._alive_at_s < min(BOW_OUT_WITHIN_S, 2 * self._stall_limit_s)
        free = {vhid: ward for vhid, ward in wards.items() if early and ward.envelopes and vhid not in kept}
        if free:
            self._say([part for ward in free.values() for part in ward.will])
            copies = [part for ward in free.values() if ward.copies for part in ward.will]
            self._copies += [(now + after_s, copies) for after_s in COPIES_AFTER_S[1:] if copies]
            self._copies.sort()
        self.epoch += 1
        return [Message(orders.FENCED, 0, self.epoch, 0, decided_at_s, [reason.encode(), bytes(free)])]

    def _remove(self, wards: dict[int, Ward]) -> dict[int, Ward]:
        """All their addresses in one batch; those whose addresses the kernel keeps."""
        results = iter(self._carry_out([removal for ward in wards.values() for removal in ward.removals]))
        own = {vhid: [next(results) for _ in ward.removals] for vhid, ward in wards.items()}
        return {vhid: ward for vhid, ward in wards.items() if any(result not in _GONE for result in own[vhid])}

    def _hold(self, message: Message) -> list[Message]:
        (count,) = orders.decode_numbers(message.parts[0])
        ward = self._wards.setdefault(message.vhid, Ward())
        ward.adds, ward.removals = message.parts[1 : 1 + count], message.parts[1 + count :]
        began_s = self._clock()
        results = self._carry_out(ward.adds)
        if any(results):
            self._carry_out(ward.removals)
            ward.adds, ward.removals = [], []
        return self._unless_slow(began_s, message, [orders.numbers(results)])

    def _beat(self, message: Message) -> list[Message]:
        renewed = [(vhid, self._wards[vhid]) for vhid in message.parts[0] if vhid in self._wards]
        began_s = self._clock()
        try:
            results = self._kernel.request([add for _, ward in renewed for add in ward.adds])
        except OSError:
            # Nobody knows what the kernel did. Each group gets a batch of its own, so that what made this one fail is
            # told to the group that it concerns.
            results = [result for _, ward in renewed for result in self._carry_out(ward.adds)]
        parts, first = [], 0
        for vhid, ward in renewed:
            own = results[first : first + len(ward.adds)]
            first += len(ward.adds)
            if any(own):
                parts.append(orders.numbers([vhid, *own]))
        return self._unless_slow(began_s, message, parts)

    def _release(self, message: Message) -> list[Message]:
        self._wards.pop(message.vhid, None)
        return [self._done(message, [orders.numbers(self._carry_out(message.parts))])]

    def _unless_slow(self, began_s: float, message: Message, parts: list[bytes]) -> list[Message]:
        """The answer; not if what was added was decided so long ago that it may be another's."""
        now = self._clock()
        if now - began_s > min(SLOW_S, self._stall_limit_s) or now - message.at_s > self._stall_limit_s:
            return self.fence(f"the guardian stood still for {now - max(began_s, message.at_s):.1f} s")
        return [self._done(message, parts)]

    def _carry_out(self, messages: list[bytes]) -> list[int]:
        try:
            return self._kernel.request(messages)
        except OSError as error:
            return [error.errno or errno.EIO] * len(messages)

    def _say(self, will: list[bytes]) -> None:
        for part in will:
            try:
                self._kernel.send(part)
            except OSError as error:
                _complain(f"wsa-proxy guardian: a bow-out could not be sent: {error}")

    def _done(self, message: Message, parts: list[bytes]) -> Message:
        return Message(orders.DONE, message.vhid, self.epoch, message.number, self._clock(), parts)


def _complain(text: str) -> None:
    """To the proxy's standard error, if it takes it at once: it may be a pipe that nobody reads, or has closed."""
    with contextlib.suppress(OSError):
        poll = select.poll()
        poll.register(2, select.POLLOUT)
        if poll.poll(0):
            os.write(2, f"{text}\n".encode())


_GONE = (0, errno.EADDRNOTAVAIL, errno.ENODEV)  # an address that is not there is removed
