"""Some seconds on the interfaces of the groups: everything of protocol 112, and who answers for the virtual IPs.

What leaves: three ARP probes and neighbour solicitations for each virtual IP, which claim nothing (RFC 5227, RFC 4862),
and where it is wanted the test with another hardware address (``net/foreign_mac.py``).
Own probes that come in again tell of a network that reflects broadcasts, whether this host is a master or not.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address

from wsa_proxy.doctor.facts import Address
from wsa_proxy.doctor.facts import Group
from wsa_proxy.doctor.facts import Sound
from wsa_proxy.doctor.neighbour_names import read_names
from wsa_proxy.net.foreign_mac import ForeignMacTest
from wsa_proxy.net.foreign_mac import find_witnesses
from wsa_proxy.net.frames import PROTOCOL_CARP
from wsa_proxy.net.frames import probe
from wsa_proxy.net.host import InterfaceFacts
from wsa_proxy.net.neighbours import Neighbours
from wsa_proxy.net.raw_socket import ACCEPT
from wsa_proxy.net.raw_socket import ETHERNET_HEADER_BYTES
from wsa_proxy.net.raw_socket import ETHERTYPE_ARP
from wsa_proxy.net.raw_socket import ETHERTYPE_IPV4
from wsa_proxy.net.raw_socket import ETHERTYPE_IPV6
from wsa_proxy.net.raw_socket import REJECT
from wsa_proxy.net.raw_socket import load_byte
from wsa_proxy.net.raw_socket import open_receiver
from wsa_proxy.net.raw_socket import queued_frames
from wsa_proxy.net.raw_socket import skip
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.groups import WatchedGroup
from wsa_proxy.watch.judge import Opinion
from wsa_proxy.watch.listener import Listener
from wsa_proxy.watch.session import Session

PROBES = 3
MAC_ROUNDS = 5
ROUND_S = 0.2
"""Between two probes, and two rounds of the test with another hardware address."""
SECONDS_MIN = ROUND_S * (MAC_ROUNDS + 1)
HEARD_MAX = 4096
"""Whoever floods the LAN is heard, and fills no memory."""


class Ear:
    """One interface."""

    def __init__(
        self,
        interface: InterfaceFacts,
        groups: Sequence[Group],
        watched: Sequence[WatchedGroup] | None,
        ask_mac: bool,
        witnesses: Sequence[IPv4Address] = (),
    ) -> None:
        """Opens its sockets. ``witnesses``: who may be asked beside those that this host knows, for ``ask_mac``.

        Raises OSError with words about what is missing.
        """
        self._interface = interface
        self._heard: list[tuple[Heard, Opinion]] = []
        self._answers: dict[Address, set[str]] = defaultdict(set)
        self._came_in: Counter[int] = Counter()
        self._got_through: Counter[int] = Counter()
        self._sent = self._back = 0
        addresses = [address for group in groups for address in group.addresses]
        self._own_probes = {probe(interface.mac, address) for address in addresses if isinstance(address, IPv4Address)}
        self._mac_test: ForeignMacTest | None = None
        self._mac_trouble = ""
        name, index = interface.name, interface.index
        with ExitStack() as opened:
            self._listener = Listener([interface])
            opened.callback(self._listener.close)
            self._neighbours = Neighbours(name, index, addresses)
            opened.callback(self._neighbours.close)
            self._reflected = open_receiver(name, index, ETHERTYPE_ARP, [ACCEPT])
            opened.callback(self._reflected.close)
            self._behind = {
                4: open_receiver(name, index, ETHERTYPE_IPV4, _protocol_at(9)),
                6: open_receiver(name, index, ETHERTYPE_IPV6, _protocol_at(6)),
            }
            for each in self._behind.values():
                opened.callback(each.close)
            if ask_mac:
                self._open_mac_test(groups, witnesses)
            self._opened = opened.pop_all()
        self._session = Session(name, watched)
        self._began_s = self._listener.now_s()

    def ask(self, number: int) -> None:
        """Ask what is to be asked in this round. Raises OSError."""
        if number < PROBES:
            self._neighbours.probe()
            self._sent += len(self._own_probes)
        if self._mac_test is not None and number < MAC_ROUNDS:
            self._mac_test.send()

    def hear(self, limit_s: float) -> None:
        """Read what comes within that time. Raises OSError."""
        frames, _ = self._listener.wait(limit_s)
        for captured in frames:
            self._take(captured)
        for answer in self._neighbours.receive():
            self._answers[answer.address].add(answer.mac)
        for frame in queued_frames(self._reflected):
            # Ethernet pads the 42 bytes of ARP to 60.
            self._back += any(frame.startswith(each) for each in self._own_probes)
        for version, receiver in self._behind.items():
            self._got_through[version] += sum(1 for _ in queued_frames(receiver))
        if self._mac_test is not None:
            self._mac_test.receive()

    def sound(self) -> Sound:
        """All of it, and the end of listening."""
        now_s = self._listener.now_s()
        verdict = self._mac_test.verdict() if self._mac_test is not None else None
        sentence = (self._mac_test.sentence() or "") if self._mac_test is not None else self._mac_trouble
        names: dict[str, str] = {}
        with contextlib.suppress(OSError):  # without names it is still a hardware address
            names = read_names(self._interface.index)
        return Sound(
            seconds=round(now_s - self._began_s, 1),
            mac=self._interface.mac,
            heard=tuple(self._heard),
            masters=tuple(self._two_masters(now_s)),
            answers={address: frozenset(macs) for address, macs in self._answers.items()},
            names=names,
            probes_sent=self._sent,
            probes_back=self._back,
            came_in=dict(self._came_in),
            got_through=dict(self._got_through),
            mac_verdict=verdict,
            mac_sentence=sentence,
        )

    def close(self) -> None:
        self._opened.close()
        if self._mac_test is not None:
            self._mac_test.close()

    def _open_mac_test(self, groups: Sequence[Group], others: Sequence[IPv4Address]) -> None:
        """Without anybody to ask it is not made; without the right to ask neither is anything else here."""
        virtual = [address for group in groups for address in group.addresses if isinstance(address, IPv4Address)]
        witnesses = list(dict.fromkeys([*find_witnesses(self._interface.index, virtual), *others]))
        if witnesses:
            self._mac_test = ForeignMacTest(self._interface.name, self._interface.index, witnesses)
        else:
            self._mac_trouble = "this host knows no neighbour and no gateway there that could be asked"

    def _take(self, captured: Captured) -> None:
        entry = self._session.take(captured)
        if entry is None or len(self._heard) >= HEARD_MAX:
            return
        row, _ = entry
        self._heard.append((row.heard, row.opinion))
        if not row.heard.sent_here and not row.heard.vlans:
            self._came_in[row.heard.version] += 1

    def _two_masters(self, now_s: float) -> Iterator[str]:
        """Only those that are all believed: of one that is not the check of the speakers tells more."""
        ledger = self._session.ledger
        for finding in ledger.findings.current(now_s):
            if isinstance(finding.key, tuple) and finding.key[0] == "masters":
                rows = [row for row in ledger.of_place(finding.key[1]) if row.advertises(now_s)]
                if len(rows) > 1 and all(row.opinion.is_believed for row in rows):
                    yield finding.text


def _protocol_at(offset: int) -> list[tuple[int, int, int, int]]:
    """Protocol 112, at its place in the IP header."""
    return [load_byte(ETHERNET_HEADER_BYTES + offset), skip(PROTOCOL_CARP, 0, 1), ACCEPT, REJECT]


def listen(ears: Sequence[Ear], seconds: float, now_s: Callable[[], float] = time.monotonic) -> None:
    """Ask and hear on all of them for that long. Raises OSError when an interface goes away meanwhile."""
    began_s = now_s()
    rounds = 0
    while (passed_s := now_s() - began_s) < seconds:
        if passed_s >= rounds * ROUND_S:
            for ear in ears:
                ear.ask(rounds)
            rounds += 1
        for ear in ears:
            ear.hear(ROUND_S / 4 / len(ears))
