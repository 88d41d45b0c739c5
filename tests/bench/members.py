"""A neighbour that is a member of all groups: it hears the node's reports, and sends its own as a node does."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import time
from collections.abc import Callable

from tests.bench.world import PASS_PHRASE
from tests.cable import Lan
from wsa_proxy.members.cipher import Cipher
from wsa_proxy.members.cipher import Unread
from wsa_proxy.members.cipher import group_of
from wsa_proxy.members.cipher import members_key
from wsa_proxy.members.report import Packer
from wsa_proxy.members.report import Report
from wsa_proxy.members.report import unpack
from wsa_proxy.members.roster import Roster
from wsa_proxy.net.report_socket import ReportSocket
from wsa_proxy.runtime.clocks import boottime_s
from wsa_proxy.runtime.node import Node
from wsa_proxy.runtime.rounds import SLICE_MAX

PORT = 8112


class Member:
    """The neighbour's part in one group, a healthy backup that is set up as whomever it hears."""

    def __init__(self, vhid: int, random: Callable[[int], bytes] = os.urandom) -> None:
        self.cipher = Cipher(vhid, [members_key(PASS_PHRASE)], random)
        self._roster = Roster(random)
        self._vhid = vhid
        self._packer = Packer()
        self._says = self._said({})

    def _said(self, heard: dict[str, str]) -> Report:
        return Report(
            node="b", life=self._roster.life, number=0, challenge=b"", address="10.0.0.2", state="backup",
            health="well", priority=1, advbase=1, advskew=254, settings=heard,
        )  # fmt: skip

    def hear(self, datagram: bytes) -> None:
        packed = self.cipher.open(datagram)
        if not isinstance(packed, Unread):
            report = unpack(packed)
            self._roster.hear(report, self._vhid, "10.0.0.1", boottime_s())
            if self._says.settings != report.settings:
                self._says = self._said(dict(report.settings))

    def report(self) -> bytes:
        """The next datagram; it repeats the newest challenge of whoever was heard."""
        changing = {
            "number": self._roster.next_number(),
            "challenge": self._roster.new_challenge(),
            "echoes": self._roster.echoes(boottime_s()),
            "clock_ms": int(time.time() * 1000),
            "proven_s": 0.1,
            "advertisement_s": 0.5,
        }
        return self.cipher.seal(self._packer.pack(self._says, changing))


class Members:
    """The neighbour's part in all of them."""

    def __init__(self, lan: Lan, groups: int) -> None:
        with lan.on_the_right():
            self._socket = ReportSocket(Lan.RIGHT, socket.if_nametoindex(Lan.RIGHT), PORT)
            self._socket.source_of(4)  # found out here once, where the interface is
        self._members = {vhid: Member(vhid) for vhid in range(1, groups + 1)}

    def report_on(self, in_one_go: int = SLICE_MAX) -> None:
        """In a process of its own, one report for each group a second, until this process ends."""
        if os.fork():
            return
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        due_s, number, in_one_go = time.monotonic(), 0, min(in_one_go, len(self._members))
        while True:
            for _ in range(in_one_go):
                self._socket.send(4, (), self._members[number % len(self._members) + 1].report())
                number += 1
            self._hear()
            due_s += in_one_go / len(self._members)
            time.sleep(max(0.0, due_s - time.monotonic()))

    def _hear(self) -> None:
        while datagrams := self._socket.receive():
            for datagram in datagrams:
                vhid = group_of(datagram.payload)
                if not isinstance(vhid, Unread):
                    self._members[vhid].hear(datagram.payload)


def believed(node: Node) -> int:
    """Groups of the node that have a healthy standby."""
    return sum(reports.standings.redundancy.standbys == 1 for reports in node.reporting.groups.values())
