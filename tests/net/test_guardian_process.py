"""The guardian as a process: its size, what it is deaf to, how it learns of a death."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.net.receiving import received
from tests.net.test_death_notice import Owner
from tests.net.test_guarding import GONE_S_MAX
from tests.net.test_guarding import VHID
from tests.net.test_guarding import VIP
from tests.net.test_guarding import WILL
from tests.net.test_guarding import command_line
from tests.net.test_guarding import node
from tests.net.test_guarding import until
from wsa_proxy.net import orders
from wsa_proxy.net.addresses import AddressLease
from wsa_proxy.net.guardian import _complain
from wsa_proxy.net.guardian_process import boottime_s
from wsa_proxy.net.orders import Message
from wsa_proxy.net.packet_socket import Headers
from wsa_proxy.net.packet_socket import PacketSocket
from wsa_proxy.net.unicast_socket import UnicastSocket

LIMIT_S = 1.0
AGAIN = orders.numbers([True])


def start(
    *, pidfd_of: int, limit_s: float = LIMIT_S, notice: Sequence[int] = ()
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A guardian of the process with this id."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    _, wills = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pidfd = os.pidfd_open(pidfd_of)
    root = Path(orders.__file__).parent.parent.parent
    program = f"import sys; sys.path.insert(0, {str(root)!r}); from wsa_proxy.net.guardian_process import main; main()"
    descriptors = (theirs.fileno(), wills.fileno(), pidfd, *notice)
    command = [sys.executable, "-I", "-S", "-c", program, *map(str, descriptors), str(limit_s)]
    process = subprocess.Popen(command, pass_fds=descriptors, stderr=subprocess.PIPE)
    theirs.close()
    wills.close()
    os.close(pidfd)
    ours.settimeout(10)
    assert orders.decode(ours.recv(1000)).epoch == 1
    return process, ours


def test_it_is_small_and_deaf_to_what_is_meant_for_the_proxy(lan: Any) -> None:
    """Ctrl-C, an orderly stop of the whole group, a closed terminal: it ends with its proxy, and not before."""
    process, ours = start(pidfd_of=os.getpid())
    with process, ours:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
            process.send_signal(number)
        ours.send(Message(orders.RELEASE, 1, 1, 9, boottime_s(), []).encode())
        assert orders.decode(ours.recv(1000)).number == 9
        memory = dict(line.split(":") for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
        assert int(memory["VmRSS"].split()[0]) < 15 * 1024
        ours.close()
        assert process.wait(10) == 0


def test_it_learns_of_a_death_although_its_socket_stays_open(lan: Any) -> None:
    """As a forked child of an addon keeps it: the pidfd tells."""
    proxy = subprocess.Popen(["sleep", "60"])
    process, ours = start(pidfd_of=proxy.pid)
    with process, ours, proxy:
        ours.send(Message(orders.WILL, 1, 1, 1, boottime_s(), [AGAIN, orders.frame(lan.index, b"\xff" * 60)]).encode())
        killed_s = time.monotonic()
        proxy.kill()
        message = orders.decode(ours.recv(1000))
        assert message.kind == orders.FENCED and message.parts[0] == b"the proxy has ended"
        assert process.wait(10) == 0 and time.monotonic() - killed_s < 5


def test_it_learns_of_a_death_before_its_socket_ends_and_the_pidfd_tells(lan: Any) -> None:
    """As the kernel frees memory and closes packet sockets first: the notice tells. Here the others never do."""
    owner = Owner()
    process, ours = start(pidfd_of=os.getpid(), notice=[owner.memory()])
    with process, ours:
        ours.send(Message(orders.WILL, 1, 1, 1, boottime_s(), [AGAIN, orders.frame(lan.index, b"\xff" * 60)]).encode())
        owner.process.kill()
        owner.process.communicate()
        message = orders.decode(ours.recv(1000))
        assert message.kind == orders.FENCED and message.parts[0] == b"the proxy has ended"
        assert process.wait(10) == 0


@pytest.mark.parametrize("closed", [True, False])
def test_nobody_has_to_read_its_complaints(closed: bool) -> None:
    """Standard error is the proxy's, and may be a pipe that is full, or its reader gone: no reason to wait or end."""
    reading, writing = os.pipe()
    kept = os.dup(2)
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    os.dup2(writing, 2)
    if closed:
        os.close(reading)
    try:
        _complain("a bow-out could not be sent")
    finally:
        os.dup2(kept, 2)


def test_what_was_released_is_not_willed_any_more(lan: Any) -> None:
    """The wills come by a way of their own, and are still read before the release that came after them."""
    with lan.on_the_right():
        other = PacketSocket(lan.RIGHT, socket.if_nametoindex(lan.RIGHT), VHID, {4}, Headers())
    ours = PacketSocket(lan.LEFT, lan.index, VHID, {4}, Headers((VIP,)))
    for released in (True, False):  # the second time as a proof that it would be heard
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            guardian, lease = node(lan)
            lease.acquire()
            for number in range(1000):  # more than the queue holds
                will = bytes([*WILL[:-2], number // 256, number % 256])
                lease.leave_will(ours.envelopes(4, len(will)), will, again=True)
            if released:
                lease.release()
            os.write(writing, str(guardian.pid).encode())
            signal.pause()
        pid = int(os.read(reading, 100))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        until(lambda: not os.path.exists(f"/proc/{pid}") or "Z" in state_of(pid))  # noqa: B023
        assert len(other.receive()) == (0 if released else 3)


def state_of(process: int) -> str:
    """R, S, Z ..."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_fence_that_a_will_brings_about_is_told(lan: Any) -> None:
    """Both stood still for longer than the limit, and the first that is heard of the proxy is a will."""
    guardian, lease = node(lan, 0.2)
    lease.acquire()
    assert guardian.pid is not None
    os.kill(guardian.pid, signal.SIGSTOP)
    time.sleep(0.5)  # more than the limit and the moment that a guardian gives who has slept itself
    lease.leave_will([b"D"], b"", again=False)
    os.kill(guardian.pid, signal.SIGCONT)
    reasons: list[str] = []

    def told() -> bool:
        reasons.extend(fence.reason for fence in guardian.drain())
        return bool(reasons)

    until(told)
    assert reasons[0].startswith("the proxy's loop stood still for 0.") and lease.held() == frozenset()
    guardian.close()


def kill_a_proxy(lan: Any, prepare: Callable[[AddressLease], None]) -> tuple[int, int]:
    """A process of its own takes the address, leaves its will, listens somewhere, and is killed; its port, and its
    guardian."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        guardian, lease = node(lan)
        prepare(lease)
        lease.acquire()
        listener = socket.create_server(("127.0.0.1", 0))
        os.write(writing, f"{listener.getsockname()[1]} {guardian.pid}".encode())
        signal.pause()
    port, guardian_pid = map(int, os.read(reading, 100).split())
    assert lan.address(str(VIP)) is not None
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return port, guardian_pid


def test_a_killed_proxys_address_is_gone_at_once_and_the_lan_is_told(lan: Any) -> None:
    """Three copies of the will, from the interface's own address; and no socket of the proxy lives on."""
    with lan.on_the_right():
        other = PacketSocket(lan.RIGHT, socket.if_nametoindex(lan.RIGHT), VHID, (4, 6), Headers())
    ours = PacketSocket(lan.LEFT, lan.index, VHID, (4, 6), Headers((VIP,)), "00:00:5e:00:01:07")

    def prepare(lease: AddressLease) -> None:
        lease.leave_will([*ours.envelopes(4, len(WILL)), *ours.envelopes(6, len(WILL))], WILL, again=True)

    before_s = time.monotonic()
    port, guardian_pid = kill_a_proxy(lan, prepare)
    until(lambda: lan.address(str(VIP)) is None)
    packets = received(lan, other, 6)
    for version in (4, 6):  # each has a queue of its own: their order among each other is that of reading
        copies = [(packet.payload, packet.ttl) for packet in packets if packet.version == version]
        assert copies == [(WILL, 255)] * 3
    assert {packet.source_mac for packet in packets} == {lan.mac()}
    assert {packet.source for packet in packets if packet.version == 4} == {"10.0.0.1"}
    assert time.monotonic() - before_s < GONE_S_MAX
    until(lambda: b"guardian" not in command_line(guardian_pid))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_unicast_peers_are_told(lan: Any) -> None:
    """In both IP versions, from an address of our own, and marked as what the proxy itself sends: never in fragments,
    and with the traffic class that switches and routers go by."""
    peers = [ip_address("10.0.0.2"), ip_address("fd00:77::2")]
    with lan.on_the_right():
        other = UnicastSocket(lan.RIGHT, socket.if_nametoindex(lan.RIGHT), VHID, [ip_address("10.0.0.1"), *peers[1:]])
    ours = UnicastSocket(lan.LEFT, lan.index, VHID, peers, lambda: (VIP,))

    def prepare(lease: AddressLease) -> None:
        lease.leave_will([*ours.envelopes(4, len(WILL)), *ours.envelopes(6, len(WILL))], WILL, again=True)

    wire = lan.wire(lambda frame: WILL in frame)
    for version in (4, 6):
        ours.send(version, WILL)
    by_the_proxy = {marks(frame) for frame in wire.take(2)}
    received(lan, other, 2)
    kill_a_proxy(lan, prepare)
    packets = received(lan, other, 6)
    assert {(packet.version, packet.source, packet.payload, packet.ttl) for packet in packets} == {
        (4, "10.0.0.1", WILL, 255),
        (6, "fd00:77::1", WILL, 255),
    }
    assert {marks(frame) for frame in wire.take(6)} == by_the_proxy == {(4, 0xE0, 0x4000), (6, 0xE0, 0)}


def marks(frame: bytes) -> tuple[int, int, int]:
    """IP version, traffic class, and "don't fragment" or the flow label."""
    packet = frame[14:]
    if packet[0] >> 4 == 4:
        return 4, packet[1], int.from_bytes(packet[6:8])
    word = int.from_bytes(packet[:4])
    return 6, word >> 20 & 0xFF, word & 0xFFFFF
