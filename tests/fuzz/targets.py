"""What must hold for any bytes at all. Each target takes an input of the fuzzer and raises when it does not hold.

``fuzz.py`` drives them with atheris, ``test_corpus.py`` with the inputs that are kept, ``test_targets.py`` with
hypothesis. They reach into the driver and the packet socket, because the path of a packet is the thing under test.
"""

from __future__ import annotations

import asyncio
import math
import re
from ipaddress import ip_address
from pathlib import Path

from tests.fuzz import second_reader
from tests.fuzz.sealed_target import fuzz_sealed
from tests.fuzz.story import OWN_COUNTER
from tests.fuzz.story import ClockAtDeadline
from tests.fuzz.story import FrameArrived
from tests.fuzz.story import Story
from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ProbeAddresses
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportRefusal
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.credentials import Credentials
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.net import packet_socket
from wsa_proxy.net.ports import Packet
from wsa_proxy.runtime.clocks import Clocks
from wsa_proxy.runtime.driver import Driver
from wsa_proxy.runtime.identity import Identity
from wsa_proxy.runtime.seal_file import SealFile

BEGIN_S = 1000.0
LIFE = re.compile("(l[PF]*(SANm[SN]*Rb[PF]*)*(o|SANm[SN]*BRi))*(l[PF]*(SANm[SN]*Rb[PF]*)*(SANm[SN]*)?)?")
"""Every order of commands that there may be (I5, I6, I7), a letter each. Promotion: Send, Acquire, aNnounce, then the
report m. Demotion: Release, then b; on a stop Bow-out, Release, i. l listens, o is out; Probe and reFusal as BACKUP."""

_TRANSITIONS = {
    (State.INIT, State.BACKUP): "l",
    (State.BACKUP, State.INIT): "o",
    (State.BACKUP, State.MASTER): "m",
    (State.MASTER, State.BACKUP): "b",
    (State.MASTER, State.INIT): "i",
}
_LETTERS = {
    AcquireAddresses: "A",
    AnnounceAddresses: "N",
    ReleaseAddresses: "R",
    ProbeAddresses: "P",
    ReportRefusal: "F",
}


def fuzz_codec(data: bytes) -> None:
    """Whatever arrives, decode answers an Advertisement or a Reject and never raises; what it accepts encodes to the
    same 36 bytes (of the two zeros that a checksum can be, to 0000); and it reads what a second reader reads.

    Byte 0 is the TTL, the rest is the IP payload.
    """
    ttl, payload = data[0] if data else 255, data[1:]
    _check_codec(payload, ttl)
    if len(payload) >= wire.HEADER_BYTES:
        # No fuzzer finds the one checksum in 65536; and everything that can be decoded is of this form.
        head = b"\x21" + payload[1:3] + b"\x07" + payload[4 : wire.HEADER_BYTES]
        _check_codec(second_reader.with_checksum(head, 6) + payload[wire.HEADER_BYTES :], wire.TTL)


def fuzz_receive(data: bytes) -> None:
    """A story of frames, time and health: a packet is believed exactly when a second reader believes it; one that is
    not changes exactly one counter (I3); one that is, and everything else, leaves a virtual host with a finite deadline
    that its timer can meet, and commands in one of the orders there are (I2, I5, I6, I7)."""
    asyncio.run(_live(Story(data)))


def _check_codec(payload: bytes, ttl: int) -> None:
    answer = wire.decode(payload, ttl)
    reason = second_reader.why_not_an_advertisement(payload, ttl)
    if isinstance(answer, Reject):
        assert answer.value == reason, f"{answer} where the second reader says {reason}"
        return
    assert isinstance(answer, Advertisement), f"decode answered {answer!r}"
    assert reason is None, f"accepted, where the second reader says {reason}"
    _check_fields(answer, payload)
    # A checksum of 0 may be written as ffff as well, the other zero of one's complement (RFC 1071); encode does not.
    checksum = b"\0\0" if payload[6:8] == b"\xff\xff" else payload[6:8]
    assert wire.encode(answer) == payload[:6] + checksum + payload[8 : wire.HEADER_BYTES], "encode does not undo decode"
    assert answer.is_bow_out == (payload[2] == payload[5] == 255), "a bow-out is 255/255"


def _check_fields(answer: Advertisement, payload: bytes) -> None:
    read = (answer.vhid, answer.advskew, answer.demotion, answer.advbase)
    assert read == (payload[1], payload[2], payload[4], payload[5]), f"a byte is read from another place: {answer}"
    assert answer.counter == int.from_bytes(payload[8:16]), f"the counter is not bytes 8 to 15: {answer}"
    assert answer.digest == payload[16:36], f"the digest is not bytes 16 to 35: {answer}"


async def _live(story: Story) -> None:
    life = Life(story)
    for wait_s, happening in story.happenings():
        life.now += wait_s
        match happening:
            case FrameArrived():
                life.hear(happening)
            case ClockAtDeadline():
                deadline_s = life.host.next_deadline()
                life.now = max(life.now, deadline_s) if deadline_s is not None else life.now
                life.tell(DeadlineReached())
            case _:
                life.tell(happening)


class _TappedDriver(Driver):
    """The driver, without a kernel, and with a note of what the virtual host wished for."""

    letters = ""
    promotions: tuple[str, ...] = ()

    def _perform(self, commands: list[Command], decided_at_s: float) -> bool:
        for command in commands:
            self.letters += _letter(command)
            if isinstance(command, ReportTransition) and command.new is State.MASTER:
                self.promotions += (command.reason,)
        return super()._perform(commands, decided_at_s)


def _letter(command: Command) -> str:
    match command:
        case ReportTransition():
            return _TRANSITIONS[command.old, command.new]
        case SendAdvertisement():
            return "B" if command.advbase == command.advskew == 255 else "S"
    return _LETTERS[type(command)]


class Life:
    """One virtual host with its driver, and what must hold after each happening."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.now = BEGIN_S
        self._advbase_max = 0
        self.host = VirtualHost(story.settings)
        vhid, addresses = story.vector.vhid, story.vector.addresses
        keys = (key_from_pass_phrase(story.vector.pass_phrase), *story.keys[1:])
        self.authenticator = Authenticator(keys, vhid, addresses, OWN_COUNTER)
        self.driver = _TappedDriver(
            self.host,
            Identity(
                Credentials([Security.CARP], self.authenticator, []),
                SealFile(Path("/nowhere"), "", lambda write: None),
                Clocks(lambda: self.now, lambda: self.now * 1000, lambda: 0.0, ""),
            ),
            addresses,
            self.authenticator.versions,
            clock=lambda: self.now,
            drain_kernel=lambda: None,
            close_connections=lambda _: 0,
        )

    def hear(self, arrived: FrameArrived) -> None:
        """A frame goes all the way: Ethernet, IP, CARP, digest, election."""
        decode = packet_socket._decode_ipv4 if arrived.version == 4 else packet_socket._decode_ipv6
        packet = decode(arrived.frame)
        _check_packet(packet, arrived)
        reason = second_reader.why_not_believed(
            packet.payload, packet.ttl, arrived.version, self.story.vector, self.story.keys, OWN_COUNTER
        )
        if not packet.header_intact:
            reason = "bad_checksum"
        elif isinstance(accepted := self.authenticator.accept(packet.payload, packet.ttl, packet.version), Reject):
            assert accepted.value == reason
        if reason is not None:
            self._hear_rejected(packet, reason)
        else:
            self._hear_believed(packet)

    def tell(self, event: Event) -> None:
        """Something else happens, through the driver as well."""
        deadline_s, promotions = self.host.next_deadline(), len(self.driver.promotions)
        self.driver._handle(event)
        for reason in self.driver.promotions[promotions:]:
            is_due = deadline_s is not None and self.now >= deadline_s
            assert isinstance(event, DeadlineReached) and is_due, f"MASTER early, {reason}"
        self._check()
        if isinstance(event, DeadlineReached):
            deadline_s = self.host.next_deadline()
            assert deadline_s is None or deadline_s > self.now, "the timer would fire for ever"

    def _hear_rejected(self, packet: Packet, reason: str) -> None:
        before, signed = self._everything(), self.authenticator.sign(1, 2, 3)
        rejects = dict(self.driver.record.rejects)
        self.driver._packet(packet)
        rejects[Reject(reason)] += 1
        assert self.driver.record.rejects == rejects, f"{reason} must be counted once and nothing else"
        assert self._everything() == before, f"{reason} changed more than a counter"
        assert self.authenticator.sign(1, 2, 3) == signed, f"{reason} changed the authenticator"

    def _hear_believed(self, packet: Packet) -> None:
        received, promotions = self.driver.record.received, len(self.driver.promotions)
        was_master, own = self.host.state is State.MASTER, (self.host.rank.demotion, self.host.rank.interval_256ths)
        letters = len(self.driver.letters)
        self.driver._packet(packet)
        assert self.driver.record.received == received + 1, f"not believed: {self.driver.record.rejects}"
        assert "master_silent" not in self.driver.promotions[promotions:], "MASTER by silence, while it hears one"
        if was_master and self.driver.letters[letters : letters + 2] != "Rb" and not _is_bow_out(packet.payload):
            assert own < _rank(packet.payload), "it goes on beside a master that it does not outrank"
        self._check()

    def _everything(self) -> tuple[object, ...]:
        """Of the virtual host and its driver, but the counters of rejects and the times of log lines."""
        driver, record = self.driver, self.driver.record
        told = (record.sent, record.received, list(record.transitions), record.reason, record.evidence)
        return (repr(vars(self.host)), told, driver.letters, dict(driver.obstacles))

    def _check(self) -> None:
        assert LIFE.fullmatch(self.driver.letters), f"no order of commands: {self.driver.letters}"
        letter = next((each for each in reversed(self.driver.letters) if each in "lombi"), "o")
        state = {"l": State.BACKUP, "b": State.BACKUP, "m": State.MASTER, "o": State.INIT, "i": State.INIT}[letter]
        assert self.host.state is state, f"{self.host.state} is not what was reported"
        deadline_s = self.host.next_deadline()
        assert (deadline_s is None) == (state is State.INIT), f"a deadline of {deadline_s} in {state}"
        if deadline_s is not None:
            # Three intervals, as much again because a deadline may have been set before, and the wait after a tie.
            self._advbase_max = max(self._advbase_max, self.host.settings.advbase)
            bound_s = 7 * (self._advbase_max + 1)
            assert math.isfinite(deadline_s) and deadline_s <= self.now + bound_s, f"a deadline of {deadline_s}"


def _is_bow_out(payload: bytes) -> bool:
    return payload[5] == payload[2] == 255


def _rank(payload: bytes) -> tuple[int, int]:
    """Demotion first, then the interval, both 0 being 1/256 s."""
    return payload[4], payload[5] * 256 + payload[2] or 1


def _check_packet(packet: Packet, arrived: FrameArrived) -> None:
    """Ethernet and IP: the payload is exactly what the IP header says, or empty when that says nothing sensible."""
    frame, version = arrived.frame, arrived.version
    place = second_reader.payload_place(frame, version)
    assert packet.payload == (frame[slice(*place)] if place is not None else b""), f"another payload: {packet}"
    assert packet.version == version and 0 <= packet.ttl <= 255
    if packet.payload:
        source = frame[26:30] if version == 4 else frame[22:38]
        assert ip_address(packet.source) == ip_address(source), f"another source: {packet}"
        assert packet.source_mac == frame[6:12].hex(":"), f"another sender: {packet}"
        assert packet.ttl == frame[22 if version == 4 else 21], f"another TTL: {packet}"
        if version == 4:
            assert packet.header_intact == second_reader.is_ipv4_header_intact(frame), f"header checksum: {packet}"
    if arrived.payload is not None:
        assert packet.payload == arrived.payload and packet.header_intact and packet.ttl == 255, "not as it was sent"


TARGETS = {"codec": fuzz_codec, "receive": fuzz_receive, "sealed": fuzz_sealed}
