"""How a whole node leaves its groups in order: in steps, so that its proxy can finish what is being answered.

``begin`` bows out of every group and keeps the addresses until a successor is heard, ``fall_silent`` waits for none any
more, ``let_go`` ends what is not carried over, ``end`` all of it. ``end`` alone does all of it at once. What happens to
the addresses in between is ``leaving.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Sequence

from wsa_proxy.net.ports import Address
from wsa_proxy.runtime.apart import apart
from wsa_proxy.runtime.driver import Driver

SAID_AGAIN_AFTER_S = (0.02, 0.06)
"""A bow-out may be lost. Of sealed copies the second is a duplicate; a plain one's would be taken for another one."""


class Departure:
    """Of a node whose drivers ``drivers`` answers; ``drain`` reads what the guardian and the kernel have told."""

    def __init__(self, drivers: Callable[[], Sequence[Driver]], drain: Callable[[], None]) -> None:
        self._drivers = drivers
        self._drain = drain

    @property
    def is_needed(self) -> bool:
        """There is something to hand over: some group is master here."""
        return any(driver.is_master for driver in self._drivers())

    @property
    def carried(self) -> frozenset[Address]:
        """The virtual IPs whose connections go on here already, or will, if this node leaves now."""
        leaving = [driver.leaving for driver in self._drivers() if driver.is_master or driver.leaving.is_carried]
        return frozenset(address for each in leaving for address in each.carried)

    @property
    def drains(self) -> bool:
        """Some group's connections go on here, while another node has its addresses."""
        return any(driver.leaving.is_carried for driver in self._drivers())

    @property
    def awaits_successor(self) -> bool:
        """Some group has bowed out, and nobody was heard to have taken it over yet."""
        return any(driver.leaving.awaits_successor for driver in self._drivers())

    def begin(self, reason: str) -> None:
        """Bow out of all groups; the addresses stay for now. Inside the running loop."""
        self._drain()  # the order may be what wakes a process that stood still
        for driver in self._drivers():
            with apart(driver.record.vhid, "hand over"):
                driver.turn()  # whoever has overslept is master no more
                if driver.is_master:
                    driver.leaving.begin()
                driver.set_obstacle("stop", reason)
        for after_s in SAID_AGAIN_AFTER_S:
            asyncio.get_running_loop().call_later(after_s, self._say_again)

    def fall_silent(self) -> None:
        """Nobody has taken these over: held silently from now on, like those that somebody has."""
        for driver in self._drivers():
            with apart(driver.record.vhid, "fall silent"):
                driver.leaving.fall_silent()

    def let_go(self, reason: str) -> None:
        """Leave all groups, and remove the virtual IPs but for those whose connections go on."""
        self._leave(reason)
        for driver in self._drivers():
            with apart(driver.record.vhid, "let go"):
                driver.leaving.let_go()

    def end(self, reason: str) -> None:
        """Leave all groups, end the connections on the virtual IPs, remove these; harmless when repeated."""
        self._leave(reason)
        for driver in self._drivers():
            with apart(driver.record.vhid, "end"):
                driver.leaving.end()

    def _leave(self, reason: str) -> None:
        self._drain()
        for driver in self._drivers():
            with apart(driver.record.vhid, "leave in order"):
                driver.set_obstacle("stop", reason)

    def _say_again(self) -> None:
        for driver in self._drivers():
            with apart(driver.record.vhid, "bow out once more"):
                driver.leaving.bow_out_again()
