"""What the guardian does with what it is told, in virtual time."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from wsa_proxy.net import orders
from wsa_proxy.net.guardian import BOW_OUT_WITHIN_S
from wsa_proxy.net.guardian import COPY_LATE_S
from wsa_proxy.net.guardian import SLOW_S
from wsa_proxy.net.guardian import Guardian
from wsa_proxy.net.orders import Message

LIMIT_S = 1.0
AGAIN, ONCE = orders.numbers([True]), orders.numbers([False])
ADDS, REMOVALS = [b"add 1", b"add 2"], [b"remove 1", b"remove 2"]
ENVELOPES, PAYLOAD, WILL = [b"bow "], b"out", [b"bow out"]


class Kernel:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.done: list[bytes] = []
        self.sent: list[bytes] = []
        self.refuse: dict[bytes, int] = {}
        self.lose = 0
        """So many times the acknowledgements are lost."""
        self.before: Callable[[], None] = lambda: None

    def request(self, messages: list[bytes]) -> list[int]:
        self.before()
        self.done += messages
        if self.lose:
            self.lose -= 1
            raise OSError(errno.EPROTO, "lost")
        return [self.refuse.get(message, 0) for message in messages]

    def send(self, part: bytes) -> None:
        if part in self.refuse:
            raise OSError(self.refuse[part], "refused")
        self.sent.append(part)


class World:
    """A guardian, and what a proxy says to it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.kernel = Kernel()
        self.guardian = Guardian(self.kernel, lambda: self.now, LIMIT_S)

    def say(self, kind: int, parts: list[bytes], vhid: int = 1, epoch: int = 1, at_s: float | None = None) -> Any:
        message = Message(kind, vhid, epoch, 5, self.now if at_s is None else at_s, parts)
        return [(answer.kind, answer.parts) for answer in self.guardian.handle(message)]

    def hold(self, **other: Any) -> Any:
        return self.say(orders.HOLD, [orders.numbers([len(ADDS)]), *ADDS, *REMOVALS], **other)

    def will(self, **other: Any) -> Any:
        return self.say(orders.WILL, [AGAIN, PAYLOAD, *ENVELOPES], **other)

    def sign(self, payload: bytes, **other: Any) -> Any:
        return self.say(orders.SIGNED, [payload], **other)

    def beat(self, **other: Any) -> Any:
        return self.say(orders.BEAT, [bytes([1])], **other)

    def look(self, *, gone: bool = False) -> Any:
        return [(said.kind, said.parts[0].decode()) for said in self.guardian.look(gone=gone)]

    def taken(self) -> list[bytes]:
        """What was done since the last time."""
        done, self.kernel.done = self.kernel.done, []
        return done


def fenced(answers: Any, *, bowed_out: bool) -> bool:
    """Whether this is the one answer."""
    ((kind, parts),) = answers
    return bool(kind == orders.FENCED and parts[1] == bytes([1] if bowed_out else []))


@pytest.fixture
def world() -> World:
    return World()


def test_hold_beat_release(world: World) -> None:
    """Add; add again; remove. Each answer has the kernel's number for each message."""
    assert world.hold() == [(orders.DONE, [orders.numbers([0, 0])])] and world.taken() == ADDS
    assert world.beat() == [(orders.DONE, [])] and world.taken() == ADDS
    world.kernel.refuse = {b"add 2": errno.ENODEV, b"remove 1": errno.EADDRNOTAVAIL}
    assert world.beat() == [(orders.DONE, [orders.numbers([1, 0, errno.ENODEV])])]
    world.taken()
    released = world.say(orders.RELEASE, REMOVALS)
    assert released == [(orders.DONE, [orders.numbers([errno.EADDRNOTAVAIL, 0])])] and world.taken() == REMOVALS
    assert world.beat() == [(orders.DONE, [])] and world.taken() == []
    assert world.guardian.idle and world.guardian.next_deadline() is None


def test_what_cannot_be_added_whole_is_removed(world: World) -> None:
    """And not renewed."""
    world.kernel.refuse = {b"add 2": errno.EEXIST}
    assert world.hold() == [(orders.DONE, [orders.numbers([0, errno.EEXIST])])]
    assert world.taken() == ADDS + REMOVALS
    world.beat()
    assert world.taken() == []


def test_a_death_is_told_the_lan(world: World) -> None:
    """The addresses go first, then the will is said three times: once at once."""
    world.will()
    world.hold()
    world.beat()
    world.taken()
    assert world.look(gone=True) == [(orders.FENCED, "the proxy has ended")]
    assert world.taken() == REMOVALS and world.kernel.sent == WILL
    assert world.guardian.next_deadline() == pytest.approx(100.02) and not world.guardian.idle
    for now, copies in ((100.01, 1), (100.03, 2), (100.09, 2), (100.11, 3), (200.0, 3)):
        world.now = now
        assert world.look(gone=True) == [] and len(world.kernel.sent) == copies
    assert world.guardian.idle


def test_copies_that_a_freeze_has_made_late_are_not_said(world: World) -> None:
    """Plain CARP takes each for a new bow-out, and a backup that follows one takes over from the new master."""
    for slept_s, copies in ((COPY_LATE_S, 3), (COPY_LATE_S + 0.03, 2), (COPY_LATE_S * 2 + 0.01, 1)):
        world.kernel.sent.clear()
        world.will(epoch=world.guardian.epoch)
        world.look(gone=True)
        world.now += slept_s
        world.look(gone=True)
        assert world.kernel.sent == WILL * copies and world.guardian.idle


def test_who_is_master_again_is_not_said_to_be_gone(world: World) -> None:
    """Fenced for a moment, it takes over from a worse one at once; the copies that are left would be its end."""
    world.will()
    world.hold()
    world.now += LIMIT_S + 0.01
    world.look()
    world.now += 0.03
    world.look()
    assert world.kernel.sent == WILL * 2
    world.say(orders.WILL, [AGAIN, b"another one", *ENVELOPES], epoch=2)
    world.now += 0.1
    world.look()
    assert world.kernel.sent == WILL * 2 and not world.guardian.idle


def test_a_will_without_addresses_is_said(world: World) -> None:
    """Without a virtual MAC a master speaks before it has the addresses; killed in between, it is a dead master."""
    world.will()
    world.look(gone=True)
    assert world.taken() == [] and world.kernel.sent == WILL


def test_the_last_will_counts_and_a_release_withdraws_it(world: World) -> None:
    world.say(orders.WILL, [AGAIN, b"an earlier one", *ENVELOPES])
    world.will()
    world.hold()
    world.say(orders.RELEASE, REMOVALS)
    assert world.look(gone=True) == [] and world.kernel.sent == []
    world.will()
    world.look(gone=True)
    assert world.kernel.sent == WILL


def test_a_will_that_is_signed_anew_goes_where_the_one_before_would_have(world: World) -> None:
    """With each advertisement the payload alone is told, and it is as much a sign of life as the whole. Envelopes that
    are told later count from then on."""
    world.say(orders.WILL, [AGAIN, b"1", b"a ", b"b "])
    world.hold()
    world.now += LIMIT_S - 0.01
    assert world.sign(b"2") == []
    world.now += LIMIT_S - 0.01
    assert world.look() == [] and world.look(gone=True) != []
    assert world.kernel.sent == [b"a 2", b"b 2"]
    world.say(orders.WILL, [AGAIN, b"3", b"c "], epoch=2)
    world.look(gone=True)
    assert world.kernel.sent[2:] == [b"c 3"] and not world.guardian.idle


def test_what_is_signed_for_nobody_is_not_said(world: World) -> None:
    """Its will was forgotten by a fence that the proxy has not read."""
    world.will()
    world.hold()
    world.now += LIMIT_S + 0.01
    world.look()
    world.kernel.sent.clear()
    assert world.sign(b"late") == [] and world.look(gone=True) == []
    world.now += 1
    world.look(gone=True)
    assert b"bow late" not in world.kernel.sent


def test_nothing_that_belongs_to_an_earlier_epoch_is_carried_out(world: World) -> None:
    """A late renewal after a freeze would bring back what has been removed. A removal does no harm."""
    world.will()
    world.hold()
    world.now += LIMIT_S + 0.01
    assert world.look() == [(orders.FENCED, "the proxy's loop stood still for 1.0 s")]
    assert world.guardian.epoch == 2
    world.taken()
    assert world.hold() == world.beat() == world.will() == [] and world.taken() == []
    world.say(orders.RELEASE, REMOVALS)
    assert world.taken() == REMOVALS
    assert world.hold(epoch=2) == [(orders.DONE, [orders.numbers([0, 0])])] and world.taken() == ADDS


def test_what_lives_is_left_alone(world: World) -> None:
    """Every message is a sign of life, by the time in it; nobody waits for one who holds nothing."""
    world.now += 50
    assert world.look() == []
    world.hold()
    for _ in range(10):
        world.now += LIMIT_S * 0.9
        assert world.look() == []
        assert world.guardian.next_deadline() == pytest.approx(world.now + LIMIT_S * 0.1)
        world.beat()
    assert world.guardian.epoch == 1


def test_an_order_from_before_a_freeze_is_none(world: World) -> None:
    """The proxy slept after it had looked at its clock, or the guardian did: the address may be another's."""
    world.will()
    assert fenced(world.hold(at_s=world.now - LIMIT_S - 0.01), bowed_out=True)
    assert world.taken() == [] and world.guardian.epoch == 2


def test_a_guardian_that_slept_in_a_call_removes_again(world: World) -> None:
    """What it has added may be there only now, when another one is master."""
    world.hold()
    world.taken()

    def sleep() -> None:
        world.now += SLOW_S + 0.01
        world.kernel.before = lambda: None

    world.kernel.before = sleep
    assert fenced(world.beat(), bowed_out=False)
    assert world.taken() == ADDS + REMOVALS
    world.hold(epoch=2)
    world.taken()
    world.kernel.before = sleep
    assert fenced(world.hold(epoch=2), bowed_out=False)
    assert world.taken() == ADDS + REMOVALS


def test_no_bow_out_of_what_could_not_be_removed(world: World) -> None:
    """Two would have the address. It is tried twice; an address that is gone is removed."""
    world.will()
    world.hold()
    world.kernel.refuse = {b"remove 1": errno.EADDRNOTAVAIL, b"remove 2": errno.EPERM}
    world.taken()
    world.look(gone=True)
    assert world.taken() == REMOVALS * 2 and world.kernel.sent == [] and world.guardian.idle


def test_lost_acknowledgements_of_a_removal(world: World) -> None:
    """Nobody knows what the kernel did, so once more; the second time it is known."""
    world.will()
    world.hold()
    world.taken()
    world.kernel.lose = 1
    world.look(gone=True)
    assert world.taken() == REMOVALS * 2 and world.kernel.sent == WILL


def test_no_bow_out_long_after_the_last_sign_of_life(world: World) -> None:
    """Somebody else is master by then, and it would be his end."""
    world.will()
    world.hold()
    world.now += BOW_OUT_WITHIN_S + 0.01
    world.look()
    assert world.taken() == ADDS + REMOVALS and world.kernel.sent == []


def test_with_short_intervals_somebody_else_is_master_sooner(world: World) -> None:
    """The limit is half of their patience: so a guardian that was starved says nothing after twice the limit."""
    world.say(orders.LIMIT, [orders.seconds(0.08)])
    for late_s, said in ((0.15, WILL), (0.17, [])):
        world.kernel.sent.clear()
        world.will(epoch=world.guardian.epoch)
        world.hold(epoch=world.guardian.epoch)
        world.now += late_s
        world.look()
        assert world.kernel.sent == said and world.guardian._wards == {}
        world.now += 1
        world.look()


def test_a_plain_bow_out_is_said_once(world: World) -> None:
    """Nothing tells its second copy from another one: a third node would take over from the new master."""
    world.say(orders.WILL, [ONCE, PAYLOAD, *ENVELOPES])
    world.hold()
    world.look(gone=True)
    assert world.kernel.sent == WILL and world.guardian.idle


def test_the_copies_of_two_fences_in_a_row(world: World) -> None:
    for epoch in (1, 2):
        world.will(epoch=epoch)
        world.guardian.fence("for the test")
        world.now += 0.01
    for _ in range(12):
        world.look()
        world.now += 0.01
    assert world.kernel.sent == WILL * 4  # the first of the first, all of the second


def test_when_both_stood_still_the_proxy_may_wake_first(world: World) -> None:
    """Its beat is fresh, and nobody has looked meanwhile: it is a renewal by one that has slept, all the same."""
    world.will()
    world.hold()
    world.taken()
    world.now += 1.5
    assert fenced(world.beat(), bowed_out=True)
    assert world.taken() == REMOVALS


def test_a_machine_that_stood_still_gives_the_proxy_a_moment(world: World) -> None:
    """The guardian woke late itself, so this says nothing about the proxy; but the others' patience goes on."""
    world.hold()
    world.now += LIMIT_S + 0.05
    assert world.look() == [] and world.guardian.next_deadline() == pytest.approx(101.1)
    assert world.beat() == [(orders.DONE, [])]
    world.now += LIMIT_S + 0.05
    assert world.look() == []
    world.now += 0.06
    assert world.look() == [(orders.FENCED, "the proxy's loop stood still for 1.1 s")]


def test_a_sleep_between_look_and_call_counts_from_the_decision(world: World) -> None:
    """In a call that takes no time: the order was good when it was read, and is not when it has been carried out."""
    world.hold()
    decided_at_s = world.now
    world.now += LIMIT_S - 0.1

    def sleep() -> None:
        world.now += 0.2

    world.kernel.before = sleep
    assert fenced(world.beat(at_s=decided_at_s), bowed_out=False)


def test_whoever_lets_go_or_takes_another_limit_lives(world: World) -> None:
    """A stop of many groups takes its time, and a reload to short intervals comes between two beats."""
    world.hold()
    world.hold(vhid=2)
    world.now += 0.6
    world.say(orders.RELEASE, REMOVALS, vhid=2)
    world.now += 0.6
    assert world.look() == []
    world.say(orders.LIMIT, [orders.seconds(0.08)])
    world.now += 0.07
    assert world.look() == []
    world.now += 0.02
    assert world.look() != []


def test_who_sleeps_does_not_live_because_he_lets_go(world: World) -> None:
    world.hold()
    world.hold(vhid=2)
    world.now += 1.5
    world.say(orders.RELEASE, REMOVALS, vhid=2)
    assert world.look() == [(orders.FENCED, "the proxy's loop stood still for 1.5 s")]


def test_a_will_that_cannot_be_sent_does_not_keep_the_others(world: World, capfd: Any) -> None:
    world.say(orders.WILL, [AGAIN, PAYLOAD, b"mute ", *ENVELOPES])
    world.kernel.refuse = {b"mute out": errno.ENETDOWN}
    world.look(gone=True)
    assert world.kernel.sent == WILL and "could not be sent: [Errno 100] refused" in capfd.readouterr().err


def test_another_limit(world: World) -> None:
    world.hold()
    world.say(orders.LIMIT, [orders.seconds(5.0)])
    world.now += 4.9
    assert world.look() == []
    world.now += 0.2
    assert world.look() != []


def test_a_guardian_that_has_just_begun_knows_no_sign_of_life(world: World) -> None:
    """It is told everything anew by a proxy that stood still meanwhile: what counts is when that was decided."""
    decided_at_s = world.now
    world.now += 2.87
    world.guardian = Guardian(world.kernel, lambda: world.now, LIMIT_S)
    world.will(at_s=decided_at_s)
    assert fenced(world.hold(at_s=decided_at_s), bowed_out=False)
    assert world.kernel.sent == [] and world.taken() == []
