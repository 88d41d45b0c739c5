"""The proxy's end of its guardian: starts the process, asks it, and starts another one when it is gone.

What is asked is answered before the call returns, as with the kernel itself: the guardian does nothing else, and takes
20 to 70 µs. One that does not answer within ``ANSWER_S`` is ended, for two must never write the same addresses; its
successor is told everything anew, long before the leases end.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from wsa_proxy.net import orders
from wsa_proxy.net.claims import Group
from wsa_proxy.net.guardian_process import boottime_s
from wsa_proxy.net.guardian_start import start_guardian
from wsa_proxy.net.oom_score import OomScore
from wsa_proxy.net.orders import Message
from wsa_proxy.net.orders import Will
from wsa_proxy.net.ports import Fence

logger = logging.getLogger(__name__)

ANSWER_S = 0.3
"""A lease of a second that was renewed a quarter of a second ago outlasts it, and a new guardian's start. The stall
limit is the longest wait: after twice that, others take over."""
START_S = 5.0
START_AGAIN_S = 1.0
"""Of a successor: meanwhile the loop stands still, and the leases end."""
END_S = 0.5
"""Of one that has nothing to do any more: longer, and it is frozen."""
STARTS_MAX = 3
STARTS_WITHIN_S = 10.0
"""Whoever ends it so often will do so again: then nothing is held any more."""


class GuardianGone(OSError):
    """The guardian does not answer, and no other one could be started."""


class Held(NamedTuple):
    """What a group holds: netlink messages, which add its addresses and remove them."""

    adds: Sequence[bytes]
    removals: Sequence[bytes]


class Guarding:
    """One guardian after the other. ``clock`` is that of the guardian (CLOCK_BOOTTIME, seconds)."""

    def __init__(self, stall_limit_s: float, clock: Callable[[], float] = boottime_s) -> None:
        """Starts it. Raises OSError."""
        self._stall_limit_s = stall_limit_s
        self._clock = clock
        self._held: dict[int, Held] = {}
        self._wills: dict[int, Will] = {}
        self._lost: dict[int, list[int]] = {}
        """What a new guardian could not add again: one errno for each address, for the next beat."""
        self._claims: dict[Group, socket.socket] = {}
        self._fences: list[Fence] = []
        self._number = 0
        self._epoch = 0
        self._alive_at_s = self._told_at_s = clock()
        self._started_at_s: list[float] = []
        self._oom_score = OomScore()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._wills_socket: socket.socket | None = None
        self._poll = select.epoll()
        """Has the socket in it; its own descriptor stays the same, whoever is the guardian."""
        self._start(START_S)

    @property
    def pid(self) -> int | None:
        """Of the guardian; None when there is none."""
        return self._process.pid if self._process else None

    def fileno_list(self) -> list[int]:
        """Readable when ``drain`` has something to tell, or the guardian is gone."""
        return [] if self._poll.closed else [self._poll.fileno()]

    def drain(self) -> Sequence[Fence]:
        """What the guardian has done by itself since the last time. A guardian that has gone is replaced."""
        try:
            while self._socket is not None and (message := self._receive()) is not None:
                self._note(message)
        except GuardianGone as error:
            self._replace_or_give_up(str(error))
        fences, self._fences = self._fences, []
        return fences

    def hold(self, vhid: int, adds: Sequence[bytes], removals: Sequence[bytes]) -> list[int]:
        """Add these addresses, and prolong them on each beat. One errno for each; unless all are 0, none is held.
        Raises OSError."""
        parts = [orders.numbers([len(adds)]), *adds, *removals]
        results = orders.decode_numbers(self._ask(orders.HOLD, vhid, parts).parts[0])
        self._lost.pop(vhid, None)
        self._held.pop(vhid, None)
        if not any(results):
            self._held[vhid] = Held(adds, removals)
        return results

    def beat(self, vhids: Sequence[int]) -> Mapping[int, list[int]]:
        """Prolong what these groups hold, and be alive; the errnos of those that the kernel refused. Raises OSError."""
        held = bytes(vhid for vhid in vhids if vhid in self._held)
        refused: dict[int, list[int]] = {}
        if held:
            answers = map(orders.decode_numbers, self._ask(orders.BEAT, 0, [held]).parts)
            refused = {vhid: errors for vhid, *errors in answers}
        return refused | {vhid: self._lost.pop(vhid) for vhid in vhids if vhid in self._lost}

    def release(self, vhid: int, removals: Sequence[bytes]) -> list[int]:
        """Forget the will, and remove the addresses; one errno for each. Raises OSError."""
        self.forget(vhid)
        return orders.decode_numbers(self._ask(orders.RELEASE, vhid, list(removals)).parts[0])

    def forget(self, vhid: int) -> None:
        """Renew no more; what is still there runs out."""
        for told in (self._held, self._wills, self._lost):
            told.pop(vhid, None)

    def will(self, vhid: int, envelopes: Sequence[bytes], payload: bytes, *, again: bool) -> None:
        """The payload is to be sent in each envelope once this process is gone, ``again`` if more than once. Not
        answered: the guardian reads its queue to the end before it judges that we are gone, so what is in it when this
        returns is known in time. Where the last envelopes stand, it is told the payload alone."""
        now, will = self._clock(), self._wills.get(vhid)
        if will is not None and (will.envelopes != tuple(envelopes) or will.again is not again):
            will = None
        if will is not None and will.payload == payload and now - self._told_at_s < self._stall_limit_s / 4:
            return  # plain CARP's is always the same; a storm of advertisements that are believed costs nothing here
        self._told_at_s = now  # each one is a sign of life as well
        if not self._held and not self._wills:
            self._alive_at_s = now  # a backup says nothing for years
        if will is not None:
            will.payload = payload
            datagram = orders.signed(vhid, self._epoch, now, payload)
        else:
            will = self._wills[vhid] = Will(envelopes, payload, again=again)
            datagram = Message(orders.WILL, vhid, self._epoch, 0, now, will.parts).encode()
        try:
            self._send_will(datagram)
        except GuardianGone as error:
            self._replace_or_give_up(str(error))

    def set_stall_limit(self, stall_limit_s: float) -> None:
        """From now on, and for every later guardian."""
        if stall_limit_s != self._stall_limit_s:
            self._stall_limit_s = stall_limit_s
            with contextlib.suppress(GuardianGone):  # its successor will be told
                parts = [orders.seconds(stall_limit_s)]
                self._send(Message(orders.LIMIT, 0, self._epoch, 0, self._clock(), parts))

    def claim(self, group: Group, claim: socket.socket) -> None:
        """The guardian is to have this socket open too, see ``claims.py``."""
        self._claims[group] = claim
        with contextlib.suppress(GuardianGone):  # its successor will be given it
            self._give(group, claim)

    def unclaim(self, group: Group) -> None:
        """No longer."""
        del self._claims[group]
        with contextlib.suppress(GuardianGone):
            self._send(Message(orders.UNCLAIM, 0, self._epoch, 0, self._clock(), [_name(group)]))

    def _give(self, group: Group, claim: socket.socket) -> None:
        if self._socket is None:
            raise GuardianGone("is not there")
        message = Message(orders.CLAIM, 0, self._epoch, 0, self._clock(), [_name(group)])
        try:
            socket.send_fds(self._socket, [message.encode()], [claim.fileno()])
        except OSError as error:
            raise GuardianGone(f"cannot be given anything: {error}") from error

    def close(self) -> None:
        """Let it end, everything was released; harmless when repeated."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it is gone
                self._socket.shutdown(socket.SHUT_RDWR)  # a forked child of an addon may have the socket as well
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)  # it has nothing to do any more
        self._end()
        self._poll.close()

    # -- asking ------------------------------------------------------------------------------------------------------

    def _ask(self, kind: int, vhid: int, parts: list[bytes]) -> Message:
        try:
            return self._answer(kind, vhid, parts)
        except GuardianGone as error:
            fences = len(self._fences)
            self._replace(str(error))
            if len(self._fences) > fences and kind != orders.RELEASE:
                raise OSError(self._fences[-1].reason) from None  # what was decided before is not carried out
        return self._answer(kind, vhid, parts)

    def _answer(self, kind: int, vhid: int, parts: list[bytes]) -> Message:
        self._number += 1
        number, epoch, asked_at_s = self._number, self._epoch, self._clock()
        self._send(Message(kind, vhid, epoch, number, asked_at_s, parts))
        answer_s = min(ANSWER_S, self._stall_limit_s)
        while (message := self._receive(answer_s)) is not None:
            if message.kind == orders.DONE and message.number == number:
                self._alive_at_s = asked_at_s
                return message
            self._note(message)
            if self._epoch != epoch and kind != orders.RELEASE:
                raise OSError(f"the guardian has fenced this process: {self._fences[-1].reason}")
        raise GuardianGone(f"did not answer within {answer_s:.2g} s")

    def _note(self, message: Message) -> None:
        if message.kind == orders.FENCED:
            self._epoch = message.epoch
            self._held.clear()
            self._wills.clear()
            reason, bowed_out = message.parts
            self._fences.append(Fence(reason.decode(), frozenset(bowed_out), message.at_s))

    def _send(self, message: Message) -> None:
        self._send_datagram(message.encode())

    def _send_datagram(self, datagram: bytes) -> None:
        if self._socket is None:
            raise GuardianGone("is not there")
        try:
            try:
                self._socket.send(datagram)
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._socket, select.POLLOUT)
                poll.poll(min(ANSWER_S, self._stall_limit_s) * 1000)
                self._socket.send(datagram)
        except OSError as error:
            raise GuardianGone(f"cannot be told anything: {error}") from error

    def _send_will(self, datagram: bytes) -> None:
        """By the socket that does not wake the guardian; it is read with whatever else is said."""
        if self._wills_socket is None:
            raise GuardianGone("is not there")
        try:
            self._wills_socket.send(datagram)
        except BlockingIOError:
            self._send_datagram(datagram)  # full: this wakes it
        except OSError as error:
            raise GuardianGone(f"cannot be told anything: {error}") from error

    def _receive(self, wait_s: float = 0.0) -> Message | None:
        """The next message; None when none comes in this time."""
        if self._socket is None:
            raise GuardianGone("is not there")
        try:
            if wait_s:
                poll = select.poll()
                poll.register(self._socket, select.POLLIN)
                poll.poll(wait_s * 1000)
            datagram = self._socket.recv(orders.MESSAGE_BYTES_MAX)
        except BlockingIOError:
            return None
        except OSError as error:
            raise GuardianGone(f"cannot be heard: {error}") from error
        if not datagram:
            raise GuardianGone("has ended")
        return orders.decode(datagram)

    def _close_sockets(self) -> None:
        if self._socket is not None:
            self._poll.unregister(self._socket)
        for each in (self._socket, self._wills_socket):
            if each is not None:
                each.close()
        self._socket = self._wills_socket = None

    # -- the process -------------------------------------------------------------------------------------------------

    def _start(self, within_s: float) -> None:
        with self._oom_score.given():
            self._process, ours, our_wills = start_guardian(self._stall_limit_s)
        self._socket, self._wills_socket = ours, our_wills
        self._poll.register(ours, select.EPOLLIN)
        self._started_at_s = [*self._started_at_s[1 - STARTS_MAX :], self._clock()]
        try:
            self._begin(within_s)
        except OSError:
            self._end()
            raise

    def _begin(self, within_s: float) -> None:
        ready = self._receive(within_s)
        if ready is None:
            raise GuardianGone(f"did not begin within {within_s} s")
        if ready.parts:
            (number,) = orders.decode_numbers(ready.parts[0])
            hint = ": the process needs CAP_NET_RAW and CAP_NET_ADMIN" if number == errno.EPERM else ""
            raise OSError(number, f"the guardian cannot begin: {os.strerror(number)}{hint}")
        self._epoch = ready.epoch

    def _end(self) -> None:
        """Whatever it is doing: it must not write when its successor does."""
        self._close_sockets()
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _replace_or_give_up(self, why: str) -> None:
        with contextlib.suppress(OSError):  # told as a fence
            self._replace(why)

    def _replace(self, why: str) -> None:
        """Start another one, and tell it everything; what it cannot be told is given up. Raises OSError."""
        with contextlib.suppress(OSError):  # the last that the one before has done
            while (message := self._receive()) is not None:
                self._note(message)
        too_many = self._too_many
        if self.pid is not None or not too_many:  # else it was said when the last one ended
            who = f"the guardian (process {self.pid})" if self.pid is not None else "the guardian"
            logger.error("failover: %s %s; %s", who, why, too_many or "another one is started")
        self._end()
        held, self._held = self._held, {}
        wills, self._wills = self._wills, {}
        try:
            self._start_again()
            slept_s = self._clock() - self._alive_at_s
            if slept_s <= self._stall_limit_s:
                self._tell_again(held, wills)
            if slept_s <= self._stall_limit_s or not held:
                return
            error = OSError(f"the loop stood still for {slept_s:.1f} s, and the guardian is gone")
        except OSError as failure:
            if held:  # who was about to be master is refused the addresses, as by the kernel
                self._give_up(str(failure))
            raise
        self._give_up(str(error))

    @property
    def _too_many(self) -> str:
        """Why no other one is started now; empty when one would be."""
        often = len(self._started_at_s) == STARTS_MAX and self._clock() < self._started_at_s[0] + STARTS_WITHIN_S
        return f"{STARTS_MAX} guardians have ended within {STARTS_WITHIN_S:.0f} s" if often else ""

    def _start_again(self) -> None:
        if self._too_many:
            raise GuardianGone(self._too_many)
        self._start(START_AGAIN_S)
        for group, claim in self._claims.items():
            self._give(group, claim)

    def _tell_again(self, held: Mapping[int, Held], wills: Mapping[int, Will]) -> None:
        for vhid, will in wills.items():
            self._send(Message(orders.WILL, vhid, self._epoch, 0, self._clock(), will.parts))
            self._wills[vhid] = will
        for vhid, (adds, removals) in held.items():
            parts = [orders.numbers([len(adds)]), *adds, *removals]
            results = orders.decode_numbers(self._answer(orders.HOLD, vhid, parts).parts[0])
            if any(results):
                self._lost[vhid] = results
            else:
                self._held[vhid] = Held(adds, removals)

    def _give_up(self, why: str) -> None:
        """What was held may be another's: nobody has renewed it, or it was not us."""
        self._fences.append(Fence(why, frozenset()))
        self._held.clear()
        self._wills.clear()


def _name(group: Group) -> bytes:
    interface, vhid = group
    return f"{interface}/{vhid}".encode()
