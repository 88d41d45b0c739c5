"""A guardian that is no process of its own: the client's whole code, every byte between the two, and the guardian's."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from wsa_proxy.net.addresses import LeaseKeeper
from wsa_proxy.net.claims import Group
from wsa_proxy.net.guardian import Guardian
from wsa_proxy.net.guardian_process import GuardianKernel
from wsa_proxy.net.guardian_process import boottime_s
from wsa_proxy.net.guarding import Guarding
from wsa_proxy.net.orders import Message
from wsa_proxy.net.orders import decode


class InProcess(Guarding):
    """It cannot be lost, and fences when ``guardian.look`` is called."""

    def __init__(self, stall_limit_s: float = 60.0, clock: Callable[[], float] = boottime_s) -> None:
        self.kernel = GuardianKernel()
        self.guardian = Guardian(self.kernel, clock, stall_limit_s)
        self.answers: deque[Message] = deque()
        super().__init__(stall_limit_s, clock)

    def fileno_list(self) -> list[int]:
        return []

    def _start(self, within_s: float) -> None:
        self._epoch = self.guardian.epoch

    def _give(self, group: Group, claim: socket.socket) -> None:
        """It has the socket already."""

    def _send(self, message: Message) -> None:
        self.answers += [decode(answer.encode()) for answer in self.guardian.handle(decode(message.encode()))]

    def _send_will(self, datagram: bytes) -> None:
        self._send(decode(datagram))

    def _receive(self, wait_s: float = 0.0) -> Message | None:
        return self.answers.popleft() if self.answers else None


def make_keeper() -> LeaseKeeper:
    """That of a node."""
    return LeaseKeeper(InProcess())
