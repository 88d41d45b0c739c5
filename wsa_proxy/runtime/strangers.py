"""Who answers for the virtual IPs without being known: by ARP and neighbour discovery anybody can.

Before the first acquisition of a node that has heard nobody such an answer is an address conflict, and the virtual host
stays backup. Once a master or another member was heard it holds nothing back, or whoever answers could leave the group
without an owner: it is told, and the new master asks and announces itself again in each interval, for as long as the
stranger answers.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from wsa_proxy.net.virtual_interface import virtual_mac
from wsa_proxy.runtime.ports import Ports

logger = logging.getLogger("wsa_proxy.runtime.driver")

REMEMBERED_S = 10.0


class Strangers:
    """Of one virtual host. ``ports`` answers those that it has, ``clock`` monotonic seconds."""

    def __init__(
        self, vhid: int, ports: Callable[[], Ports | None], stop_asking: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._vhid = vhid
        self._ports, self._stop_asking, self._clock = ports, stop_asking, clock
        self.is_none_of_ours: Callable[[str], bool] = lambda mac: False
        """Whether other members are heard, and who has this hardware address can be no master that is not."""
        self._seen: tuple[str, float] | None = None

    def ask(self) -> None:
        """The master is silent: does anybody answer for its addresses?"""
        if (ports := self._ports()) is not None:
            with contextlib.suppress(OSError):  # it is for the log
                ports.neighbours.probe()

    def is_conflict(self, mac: str, last_master: str | None) -> bool:
        """Somebody with this hardware address answers. Whether that keeps a first acquisition back."""
        if last_master is None and not self.is_none_of_ours(mac):
            return True
        if mac != virtual_mac(self._vhid):  # else it is a member, even a dead one: a killed process's kernel
            if self.finding() is None:
                text = "carp vhid=%d the virtual IP is answered for by %s, which proves nothing: it keeps nobody back"
                logger.warning(text, self._vhid, mac)
                self._seen = mac, self._clock()
            elif self._seen is not None:  # the first of them is named: whoever has many makes no more lines
                self._seen = self._seen[0], self._clock()
        return False

    def look(self, *, is_master: bool) -> None:
        """Once in an interval: a master beside a stranger says where the addresses are, and asks again."""
        if self._seen is None:
            return
        if self.finding() is None:
            self._seen = None
            self._stop_asking()
        elif is_master and (ports := self._ports()) is not None:
            with contextlib.suppress(OSError):
                ports.neighbours.announce()
                ports.neighbours.probe()

    def finding(self) -> str | None:
        """One sentence, for some seconds after each answer."""
        if self._seen is None or self._clock() - self._seen[1] > REMEMBERED_S:
            return None
        return f"the virtual IP is answered for by {self._seen[0]} as well: find that host and take the address away"
