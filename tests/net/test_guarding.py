"""The real guardian, a process, seen from its proxy: what survives its end, and that it survives its proxy's."""

from __future__ import annotations

import errno
import os
import select
import signal
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.net.in_process import InProcess
from wsa_proxy.net import guardian_start
from wsa_proxy.net import guarding
from wsa_proxy.net import orders
from wsa_proxy.net.addresses import AddressLease
from wsa_proxy.net.addresses import LeaseKeeper
from wsa_proxy.net.guardian_process import boottime_s
from wsa_proxy.net.guarding import Guarding
from wsa_proxy.net.ports import Fence

VIP = ip_address("10.0.0.3")
VHID = 7
WILL = bytes.fromhex("210700ff02ff0000") + bytes(28)  # nothing below reads more of it than the id
GONE_S_MAX = 5.0


class Clock:
    """The real one, and what a test adds to it."""

    def __init__(self) -> None:
        self.more_s = 0.0

    def __call__(self) -> float:
        return boottime_s() + self.more_s


def node(lan: Any, limit_s: float = 60.0, clock: Callable[[], float] = boottime_s) -> tuple[Guarding, AddressLease]:
    guardian = Guarding(limit_s, clock)
    return guardian, AddressLease(LeaseKeeper(guardian), VHID, lan.LEFT, lan.index, [VIP])


def command_line(process: int) -> bytes:
    """Empty when it has ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + GONE_S_MAX
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def test_each_guardian_watches_for_our_death(lan: Any) -> None:
    """With a thread that waits for the notice; the second one as well as the first."""
    guardian = Guarding(60.0)
    until(lambda: len(os.listdir(f"/proc/{guardian.pid}/task")) == 2)
    guardian._replace("a test")
    until(lambda: len(os.listdir(f"/proc/{guardian.pid}/task")) == 2)
    guardian.close()


def test_it_adds_renews_and_removes_and_ends_with_us(lan: Any) -> None:
    guardian, lease = node(lan)
    pid = guardian.pid
    lease.acquire()
    assert lease.held() == {VIP}
    lan.ip(f"address del {VIP}/32 dev {lan.LEFT}")
    assert guardian.beat([VHID, VHID + 1]) == {} and lease.held() == {VIP}
    lease.release()
    assert lease.held() == frozenset() and guardian.beat([VHID]) == {}
    guardian.close()
    guardian.close()
    assert guardian.pid is None and not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_another_one_goes_on(lan: Any, caplog: pytest.LogCaptureFixture, number: int) -> None:
    """Killed, or it does not answer any more: the address stays, is renewed, and there is one guardian."""
    guardian, lease = node(lan)
    lease.acquire()
    lease.leave_will([b"envelope"], b"will", again=True)
    first = guardian.pid
    assert first is not None
    os.kill(first, number)
    assert guardian.beat([VHID]) == {} and lease.held() == {VIP}
    assert guardian.pid != first and not os.path.exists(f"/proc/{first}")
    assert f"failover: the guardian (process {first}) " in caplog.text and "another one is started" in caplog.text
    lan.ip(f"address del {VIP}/32 dev {lan.LEFT}")
    assert guardian.beat([VHID]) == {} and lease.held() == {VIP} and guardian.drain() == []
    guardian.close()


def test_its_end_is_noticed_without_asking(lan: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The loop watches its socket, and the next one's afterwards."""
    guardian, lease = node(lan)
    lease.acquire()
    first = guardian.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: "another one is started" in caplog.text or not guardian.drain())
    until(lambda: guardian.drain() == [] and guardian.pid != first)
    assert len(guardian.fileno_list()) == 1
    guardian.close()


def test_who_loses_all_guardians_holds_nothing(lan: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever ends them does so again. The addresses go when they are released, for another node is told to take them
    over, or with their lease; they are had again once a guardian lives. What is said is true, and said once."""
    clock = Clock()
    guardian, lease = node(lan, clock=clock)
    lease.acquire()
    for _ in range(guarding.STARTS_MAX - 1):
        assert guardian.pid is not None
        os.kill(guardian.pid, signal.SIGKILL)
        assert guardian.beat([VHID]) == {}
    assert guardian.pid is not None
    os.kill(guardian.pid, signal.SIGKILL)
    until(lambda: not guardian.fileno_list() or bool(guardian.drain()))
    with pytest.raises(OSError, match="3 guardians have ended within 10 s"):
        lease.renew()
    assert guardian.pid is None and guardian.drain() == [] and guardian.beat([VHID]) == {}
    for _ in range(3):
        lan.ip(f"address replace {VIP}/32 dev {lan.LEFT} valid_lft 60 preferred_lft 60")
        lease.release()
        assert lease.held() == frozenset()
    said = [record.message.partition("; ")[2] for record in caplog.records]
    assert said == ["another one is started"] * 2 + ["3 guardians have ended within 10 s"]
    clock.more_s = guarding.STARTS_WITHIN_S
    lease.renew()
    assert lease.held() == {VIP} and guardian.pid is not None
    guardian.close()


def test_a_new_guardian_is_not_told_what_may_be_anothers(lan: Any) -> None:
    """We slept, and the guardian that should have noticed is gone: nobody adds the address again."""
    clock = Clock()
    guardian, lease = node(lan, 1.0, clock)
    lease.acquire()
    assert guardian.pid is not None
    os.kill(guardian.pid, signal.SIGKILL)
    lan.ip(f"address del {VIP}/32 dev {lan.LEFT}")
    clock.more_s = 1.1
    fences: list[Fence] = []

    def fenced() -> bool:
        fences.extend(guardian.drain())
        return bool(fences)

    until(fenced)
    assert [(fence.reason[:26], fence.bowed_out) for fence in fences] == [("the loop stood still for 1", frozenset())]
    assert lease.held() == frozenset() and guardian.beat([VHID]) == {}
    guardian.close()


def test_a_fence_is_told_once_and_ends_all_that_was_held() -> None:
    """Whatever is asked meanwhile fails; afterwards everything can be had anew."""
    now = 100.0
    guardian = InProcess(1.0, lambda: now)
    assert guardian.hold(1, [], []) == [] and guardian.hold(2, [], []) == []
    now = 101.5
    guardian.answers += guardian.guardian.look(gone=False)
    with pytest.raises(OSError, match=r"has fenced this process: the proxy's loop stood still for 1\.5 s"):
        guardian.beat([1, 2])
    assert [fence.bowed_out for fence in guardian.drain()] == [frozenset()] and guardian.drain() == []
    assert guardian.beat([1, 2]) == {}
    assert guardian.hold(1, [], []) == [] and guardian.beat([1]) == {}


def test_another_limit_is_told_and_kept_for_the_next(lan: Any) -> None:
    guardian, lease = node(lan, 60.0)
    guardian.set_stall_limit(0.2)
    lease.acquire()
    until(lambda: [fence.reason[:35] for fence in guardian.drain()] == ["the proxy's loop stood still for 0."])
    assert lease.held() == frozenset()
    assert guardian.pid is not None
    os.kill(guardian.pid, signal.SIGKILL)
    lease.acquire()
    until(lambda: bool(guardian.drain()))
    guardian.close()


def freeze(process: int | None) -> None:
    assert process is not None
    os.kill(process, signal.SIGSTOP)
    until(lambda: Path(f"/proc/{process}/stat").read_text().rsplit(") ")[-1][0] == "T")


def test_an_end_does_not_wait_for_a_frozen_guardian(lan: Any) -> None:
    guardian, _ = node(lan)
    freeze(guardian.pid)
    began_s = time.monotonic()
    guardian.close()
    assert guardian.pid is None and time.monotonic() - began_s < 3


def test_an_end_does_not_wait_for_a_forked_child(lan: Any) -> None:
    """An addon's, which has the socket as well: the guardian is told of the end all the same."""
    guardian, _ = node(lan)
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        process = guardian._process
        assert process is not None
        guardian.close()
        assert process.returncode == 0
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_the_loop_watches_one_descriptor_whoever_is_the_guardian(lan: Any) -> None:
    """Else a client's connection could have its number before the loop is told that it has been closed."""
    guardian, lease = node(lan)
    lease.acquire()
    watched = guardian.fileno_list()
    poll = select.poll()
    poll.register(watched[0], select.POLLIN)
    opened = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        assert guardian.pid is not None and poll.poll(0) == []
        os.kill(guardian.pid, signal.SIGKILL)
        assert poll.poll(GONE_S_MAX * 1000) == [(watched[0], select.POLLIN)]
        assert guardian.drain() == [] and guardian.fileno_list() == watched
    assert len(os.listdir("/proc/self/fd")) == opened
    assert Path(f"/proc/self/task/{os.getpid()}/children").read_text().split() == [str(guardian.pid)]  # and no zombie
    guardian.close()
    assert guardian.fileno_list() == []


def test_many_wills_fit_before_a_guardian_has_its_turn(lan: Any) -> None:
    """One core, 255 groups whose advertisements are due in one turn of the loop: that is no reason to end it."""
    guardian, _ = node(lan)
    first = guardian.pid
    freeze(first)
    for vhid in range(1, 256):
        guardian.will(vhid, [bytes(54)] * 64, bytes(36), again=True)
    assert guardian.pid == first
    guardian.close()


def test_the_envelopes_are_told_once(lan: Any) -> None:
    """A will precedes each sealed advertisement, and goes to 64 peers: with every one the whole, these would be more
    than the queue to a guardian holds that has not had its turn."""
    guardian, _ = node(lan)
    first = guardian.pid
    freeze(first)
    envelopes = [bytes(54)] * 64
    for number in range(2000):
        guardian.will(1, envelopes, number.to_bytes(36), again=True)
    assert guardian.pid == first
    guardian.close()


def test_what_changes_of_a_will_is_told(lan: Any) -> None:
    """The payload with each advertisement; and with another address of ours, another peer or another security, the
    whole: in old envelopes the bow-out would come from nobody."""
    writer = InProcess()

    def told(envelopes: list[bytes], payload: bytes, *, again: bool) -> tuple[list[bytes], int]:
        writer.will(1, envelopes, payload, again=again)
        ward = writer.guardian._wards[1]
        return ward.will, ward.copies

    assert told([b"a "], b"1", again=True) == ([b"a 1"], 1)
    assert told([b"a "], b"2", again=True) == ([b"a 2"], 1)
    assert told([b"b ", b"c "], b"2", again=True) == ([b"b 2", b"c 2"], 1)
    assert told([b"b ", b"c "], b"2", again=False) == ([b"b 2", b"c 2"], 0)
    assert told([], b"", again=False) == ([], 0)


def test_another_guardian_is_told_the_newest_payload(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older bow-out would be a replay to everybody."""
    guardian, _ = node(lan)
    first = guardian.pid
    for payload in (b"old", b"new"):
        guardian.will(VHID, [b"envelope"], payload, again=True)
    told, send = list[list[bytes]](), guardian._send

    def tell(message: orders.Message) -> None:
        told.append(message.parts)
        send(message)

    monkeypatch.setattr(guardian, "_send", tell)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: not guardian.drain() and guardian.pid != first)
    assert told == [[orders.numbers([1]), b"new", b"envelope"]]
    guardian.close()


def test_the_same_will_is_told_once(lan: Any) -> None:
    """Plain advertisements of another one are believed however often they are repeated: a flood ends no guardian."""
    guardian, _ = node(lan)
    first = guardian.pid
    freeze(first)
    began_s = time.monotonic()
    for _ in range(100_000):
        guardian.will(1, [bytes(54)], bytes(36), again=False)
    assert guardian.pid == first and time.monotonic() - began_s < 3
    guardian.close()


def test_who_was_long_a_backup_is_not_fenced_for_it(lan: Any) -> None:
    """Nobody asks a guardian anything meanwhile, so nobody notices that it is frozen until it is needed."""
    clock = Clock()
    guardian, lease = node(lan, 1.0, clock)
    first = guardian.pid
    freeze(first)
    clock.more_s = 3600.0
    lease.leave_will([b"envelope"], b"will", again=True)
    lease.acquire()
    assert guardian.pid != first and guardian.drain() == [] and lease.held() == {VIP}
    guardian.close()


def test_what_a_new_guardian_cannot_add_is_told_to_its_group(lan: Any) -> None:
    """And to no other."""
    guardian, lease = node(lan)
    lease.acquire()
    gone = AddressLease(LeaseKeeper(guardian), 8, "gone", 4000, [ip_address("10.0.0.4")])
    guardian._held[8] = guarding.Held(gone.adds, gone.removals)
    assert guardian.pid is not None
    os.kill(guardian.pid, signal.SIGKILL)
    assert guardian.beat([VHID, 8]) == {8: [errno.ENODEV]} and guardian.beat([VHID, 8]) == {}
    assert lease.held() == {VIP} and guardian.drain() == []
    guardian.close()


def test_whoever_cannot_tell_the_next_one_has_lost_everything(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All groups hear of it, not only the one that asked."""
    guardian, lease = node(lan)
    lease.acquire()
    monkeypatch.setattr(guardian_start, "_PROGRAM", "pass")
    assert guardian.pid is not None
    os.kill(guardian.pid, signal.SIGKILL)
    with pytest.raises(OSError, match="has ended"):
        guardian.release(8, [])
    assert [fence.bowed_out for fence in guardian.drain()] == [frozenset()]
    guardian.close()


def test_a_next_one_that_does_not_begin_keeps_the_loop_for_a_second(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    guardian, lease = node(lan)
    lease.acquire()
    monkeypatch.setattr(guardian_start, "_PROGRAM", "import time; time.sleep(60)")
    assert guardian.pid is not None
    os.kill(guardian.pid, signal.SIGKILL)
    began_s = time.monotonic()
    with pytest.raises(OSError, match="did not begin within"):
        guardian.beat([VHID])
    assert time.monotonic() - began_s < 3 and guardian.pid is None and len(guardian.drain()) == 1
    guardian.close()


def test_255_addresses_are_one_message(lan: Any) -> None:
    guardian = Guarding(60.0)
    addresses = [ip_address("fd00:77::1000") + number for number in range(255)]
    lease = AddressLease(LeaseKeeper(guardian), VHID, lan.LEFT, lan.index, addresses)
    lease.acquire()
    assert lease.held() == set(addresses) and guardian.beat([VHID]) == {}
    lease.release()
    assert lease.held() == frozenset()
    guardian.close()


def test_without_privileges_it_says_what_it_lacks(lan: Any) -> None:
    lan.lose_privileges()
    with pytest.raises(PermissionError, match=r"the guardian cannot begin: .*: the process needs CAP_NET_RAW"):
        Guarding(1.0)
