"""One guardian after the other, in virtual time: what the next one is told, and when it is too late for that."""

from __future__ import annotations

import pytest

from tests.net.in_process import InProcess
from wsa_proxy.net.guardian import Guardian
from wsa_proxy.net.guarding import GuardianGone
from wsa_proxy.net.orders import Message


class Mortal(InProcess):
    """Its guardian may hang once, and each new one takes its time to start."""

    def __init__(self, now: list[float]) -> None:
        self.now, self.hangs, self.takes_s = now, False, 0.0
        super().__init__(1.0, lambda: now[0])

    def _start(self, within_s: float) -> None:
        self.now[0] += self.takes_s
        self.guardian = Guardian(self.kernel, lambda: self.now[0], 1.0)
        super()._start(within_s)

    def _end(self) -> None:
        self.hangs = False

    def _send(self, message: Message) -> None:
        if not self.hangs:
            super()._send(message)


def test_a_guardian_that_hung_while_nothing_was_held_is_no_stall() -> None:
    """A backup asks it nothing for hours; then it is master, and the next guardian gets its will and its addresses.
    (Before: it was fenced, for having stood still since it last was master.)"""
    now = [100.0]
    guardian = Mortal(now)
    guardian.hold(1, [], [])
    guardian.release(1, [])
    now[0] += 3600
    guardian.hangs = True
    guardian.will(1, [b"an envelope, "], b"will", again=True)
    assert guardian.hold(1, [], []) == [] and guardian.drain() == []
    assert guardian.guardian._wards[1].will == [b"an envelope, will"] and guardian.beat([1]) == {}


def test_where_no_guardian_can_be_had_nothing_is_fenced_that_was_not_held() -> None:
    """A node that is about to be master is refused the addresses, as by the kernel, and tries again later and later.
    Fenced, it would be back at once, and disturb the others with each advertisement of a worse master."""

    class Childless(Mortal):
        def _start(self, within_s: float) -> None:
            if self.takes_s:
                raise GuardianGone("3 guardians have ended")
            super()._start(within_s)

    guardian = Childless([100.0])
    guardian.hangs = True
    guardian.takes_s = 1.0
    guardian.will(1, [b"an envelope, "], b"will", again=True)
    with pytest.raises(GuardianGone):
        guardian.hold(1, [], [])
    guardian._replace_or_give_up("has ended")
    assert guardian.drain() == []
    guardian.takes_s = 0.0
    guardian.hangs = False
    assert guardian.hold(1, [], []) == []
    guardian.takes_s = 1.0
    guardian._replace_or_give_up("has ended")
    assert [fence.bowed_out for fence in guardian.drain()] == [frozenset()]


def test_what_the_start_of_another_guardian_takes_is_a_stall_too() -> None:
    """Nobody renews anything meanwhile: what is held is told to the new one only if it cannot be another's by now."""
    now = [100.0]
    guardian = Mortal(now)
    guardian.hold(1, [], [])
    guardian.hangs, guardian.takes_s = True, 0.9
    assert guardian.beat([1]) == {} and guardian.drain() == []
    guardian.hangs, guardian.takes_s = True, 1.1
    with pytest.raises(OSError, match=r"the loop stood still for 1\.1 s, and the guardian is gone"):
        guardian.hold(1, [], [])  # what is put back, say
    assert guardian.beat([1]) == {} and guardian.guardian.idle
    assert [fence.reason[:31] for fence in guardian.drain()] == ["the loop stood still for 1.1 s,"]
    assert guardian.hold(1, [], []) == []
