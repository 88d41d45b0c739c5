"""A LAN of its own for every test that asks for the fixture ``lan``: two hosts on one cable.

Such a test runs in a forked child inside a new user and network namespace, so it needs no root, touches no interface
of this machine, and leaves nothing behind. The test's name and traceback come back to pytest as usual.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import time
import traceback
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest

CHILD_S_MAX = 60.0
_PASSED = b"passed"
_SKIPPED = b"skipped:"
_HINT = "sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0, or run as root"


class Wire:
    """Collects the frames that pass."""

    def __init__(self, tap: socket.socket, wanted: Callable[[bytes], bool]) -> None:
        self._tap = tap
        self._wanted = wanted

    def take(self, count: int) -> list[bytes]:
        """The next so many frames; fails when they do not come, or when one more is there."""
        frames: list[bytes] = []

        def enough() -> bool:
            frames.extend(self.queued())
            return len(frames) >= count

        Lan.until(enough, f"{count} frames on the wire")
        assert len(frames) == count, [frame.hex() for frame in frames]
        return frames

    def queued(self) -> list[bytes]:
        found: list[bytes] = []
        while True:
            try:
                frame = self._tap.recv(4096)
            except BlockingIOError:
                return [frame for frame in found if self._wanted(frame)]
            found.append(frame)


class Lan:
    """Interface ``left`` here and its other end ``right`` in a second namespace: two hosts on one cable."""

    LEFT = "left"
    RIGHT = "right"

    def __init__(self) -> None:
        self._namespaces: dict[str, int] = {}

    def enter(self) -> None:
        """Called in the child, before ``build``: away from this machine's network."""
        _enter_namespaces()

    def build(self) -> None:
        """Called in the child, inside its fresh namespace."""
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        os.unshare(os.CLONE_NEWNET)
        there = os.open("/proc/self/ns/net", os.O_RDONLY)
        self._namespaces = {self.LEFT: here, self.RIGHT: there}
        self.ip("link set lo up")
        os.setns(here, os.CLONE_NEWNET)
        self.ip("link set lo up")
        self.cable()

    def cable(self) -> None:
        """Make the veth pair, both ends up, with the addresses of the example network."""
        self.ip(f"link add {self.LEFT} type veth peer name {self.RIGHT}")
        self.ip(f"link set {self.RIGHT} netns {self.path_of_right}")
        self.ip(f"address add 10.0.0.1/24 dev {self.LEFT}")
        self.ip(f"address add fd00:77::1/64 dev {self.LEFT} nodad")
        # No address that the kernel makes: it would wait a second or two for duplicates.
        self.ip(f"link set {self.LEFT} addrgenmode none up")
        self.ip(f"address add fe80::1/64 dev {self.LEFT} nodad")
        with self.on_the_right():
            self.ip(f"link set {self.RIGHT} addrgenmode none up")
            self.ip(f"address add 10.0.0.2/24 dev {self.RIGHT}")
            self.ip(f"address add fd00:77::2/64 dev {self.RIGHT} nodad")
            self.ip(f"address add fe80::2/64 dev {self.RIGHT} nodad")
            self.wait_up(self.RIGHT)
        self.wait_up(self.LEFT)

    def wait_up(self, interface: str) -> None:
        """The kernel starts the queue of a new link a moment after its carrier; until then it drops what is sent."""
        self.until(lambda: self.operating(interface), f"{interface} is up")

    def wait_askable(self, address: IPv6Address) -> None:
        """A worker of the kernel has this host hear who asks for an address that it has just been given."""
        group = f"ff0200000000000000000001ff{address.packed[-3:].hex()}"  # solicited-node, RFC 4291 2.7.1
        self.until(lambda: group in Path("/proc/thread-self/net/igmp6").read_text(), f"{address} can be asked for")

    def operating(self, interface: str) -> bool:
        found = json.loads(self.ip(f"-json link show dev {interface}"))
        return bool(found[0]["operstate"] == "UP")

    @property
    def index(self) -> int:
        return socket.if_nametoindex(self.LEFT)

    @contextmanager
    def on_the_right(self) -> Iterator[None]:
        """What is opened or started in this block belongs to the other host."""
        os.setns(self._namespaces[self.RIGHT], os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(self._namespaces[self.LEFT], os.CLONE_NEWNET)

    def send_from_the_right(self, *frames: Any) -> None:
        """The other host sends these, bytes or scapy's, as they are."""
        with self.on_the_right():
            sender = self.raw_socket(self.RIGHT)
        for frame in frames:
            sender.send(bytes(frame))
        sender.close()

    def ip(self, arguments: str) -> str:
        """Run iproute2 in the namespace where we are, and answer what it prints."""
        done = subprocess.run(["ip", *arguments.split()], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"ip {arguments}: {done.stderr}"
        return done.stdout

    def ip_batch(self, lines: str) -> None:
        """Many iproute2 commands in one process."""
        subprocess.run(["ip", "-batch", "-"], input=lines, text=True, capture_output=True, check=True)

    @staticmethod
    def lose_privileges() -> None:
        """Enter another user namespace, which owns no network: the process has no rights over this one any more."""
        try:
            os.unshare(os.CLONE_NEWUSER)
        except OSError as error:
            pytest.skip(f"the kernel refuses a user namespace ({error.strerror}): {_HINT}")

    @property
    def path_of_right(self) -> str:
        """Names the right namespace to iproute2."""
        return f"/proc/{os.getpid()}/fd/{self._namespaces[self.RIGHT]}"

    def all_addresses(self) -> list[dict[str, Any]]:
        """The same of every interface that there is here."""
        found: list[dict[str, Any]] = json.loads(self.ip("-json address show"))
        return found

    def addresses(self, interface: str = LEFT) -> list[dict[str, Any]]:
        """iproute2's view of the addresses: another reader of the kernel than ours."""
        found = json.loads(self.ip(f"-json address show dev {interface}"))
        entries: list[dict[str, Any]] = found[0]["addr_info"]
        return entries

    def address(self, text: str, interface: str = LEFT) -> dict[str, Any] | None:
        matches = [entry for entry in self.addresses(interface) if entry["local"] == text]
        return matches[0] if matches else None

    def held(self, text: str) -> dict[str, Any] | None:
        """The address on whatever interface has it: the virtual MAC's comes and goes."""
        found = self.all_addresses()
        return next((entry for each in found for entry in each["addr_info"] if entry.get("local") == text), None)

    def mac(self, interface: str = LEFT) -> str:
        found = json.loads(self.ip(f"-json link show dev {interface}"))
        mac: str = found[0]["address"]
        return mac

    def raw_socket(self, interface: str, ethertype: int = 0) -> socket.socket:
        """A packet socket of the namespace where we are; ETH_P_ALL (3) hears everything, 0 only sends."""
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        opened.bind((interface, ethertype))
        return opened

    def wire(self, wanted: Callable[[bytes], bool]) -> Wire:
        """Hears at the right end of the cable the frames that are wanted."""
        with self.on_the_right():
            return Wire(self.raw_socket(self.RIGHT, 3), wanted)

    def tcpdump(self, frames: list[bytes], *options: str) -> str:
        """What tcpdump prints about these frames."""
        if shutil.which("tcpdump") is None:
            pytest.skip("tcpdump is missing: apt-get install tcpdump")
        capture = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)  # a pcap file of Ethernet frames
        for frame in frames:
            capture += struct.pack("=IIII", 0, 0, len(frame), len(frame)) + frame
        # As root tcpdump becomes another user, whom our user namespace does not have; there it is run as nobody.
        for prefix in ([], ["unshare", "-U"]):
            command = [*prefix, "tcpdump", "-n", "-e", *options, "-r", "-"]
            done = subprocess.run(command, input=capture, capture_output=True, check=False)
            if done.returncode == 0:
                return done.stdout.decode()
        pytest.skip(f"tcpdump cannot be run here ({done.stderr.decode()}): {_HINT}")

    @staticmethod
    def readable(descriptors: list[int], within_s: float) -> bool:
        return bool(select.select(descriptors, [], [], within_s)[0])

    @staticmethod
    def until[Result](condition: Callable[[], Result], what: str, within_s: float = 5.0) -> Result:
        """The first true answer of the condition; fails when there is none in time."""
        deadline = time.monotonic() + within_s
        while True:
            result = condition()
            if result:
                return result
            assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
            time.sleep(0.01)


@pytest.fixture
def lan() -> Lan:
    """Built in the child, see ``pytest_pyfunc_call``."""
    return Lan()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the tests that use ``lan`` in a child of their own."""
    lan = pyfuncitem.funcargs.get("lan")
    if not isinstance(lan, Lan):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    def body() -> None:
        lan.enter()
        lan.build()
        pyfuncitem.obj(**arguments)

    verdict = _in_child(body)
    if verdict.startswith(_SKIPPED):
        pytest.skip(verdict.removeprefix(_SKIPPED).decode())
    if verdict != _PASSED:
        pytest.fail(verdict.decode(errors="replace"), pytrace=False)
    return True


def _in_child(body: Callable[[], None]) -> bytes:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no child outlives an aborted run
        try:
            body()
            verdict = _PASSED
        except pytest.skip.Exception as skipped:
            verdict = _SKIPPED + str(skipped).encode()
        except BaseException:
            verdict = traceback.format_exc().encode()
        os.write(writing, verdict[-60_000:])  # a pipe takes 64 KiB without a reader
        os._exit(0)
    os.close(writing)
    try:
        if not select.select([reading], [], [], CHILD_S_MAX)[0]:
            return f"the test did not end within {CHILD_S_MAX} s".encode()
        return os.read(reading, 65_536) or b"the test's process died"
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)  # it has said all, or it hangs; it is not reaped yet, so the id is still its own
        os.waitpid(child, 0)


def _enter_namespaces() -> None:
    """A user namespace in which we are root, and a network of its own."""
    user, group = os.getuid(), os.getgid()
    try:
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as error:
        try:
            os.unshare(os.CLONE_NEWNET)  # root may be allowed this where user namespaces are forbidden
        except OSError:
            pytest.skip(f"the kernel refuses a user namespace ({error.strerror}): {_HINT}")
    if not any(os.access(f"{folder}/ip", os.X_OK) for folder in os.environ.get("PATH", "").split(":")):
        pytest.skip("iproute2 is missing: apt-get install iproute2")
