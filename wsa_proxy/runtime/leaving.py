"""How one virtual host goes: at once, or after its successor has come.

On an orderly stop a release right after the bow-out would leave the addresses with nobody for the time that the
successor needs, and cut the requests that came in meanwhile. So in between, when ``begin`` was said before the
bow-out, the addresses are kept:

1. From the bow-out on they are here and answered for, as before, but nothing is announced any more.
2. An authentic advertisement of another master: he has them a moment later, with a virtual MAC when one comes from
   there, and is sent everything from now on. Here they are held *silently*, so that the answers to what has come in
   until then can leave.
3. ``end``: the connections end and the addresses go, as always.

Whoever calls bounds each of the two waits. Whatever is refused on the way, the addresses go at once.

Where the successor can steer (``group_carry.py``), the connections are *carried over*: what is held silently stays
until the last of them is gone, and it is ``Carry`` that says when. So goes a master that yields to a better one, too,
which nobody has told to leave.

A planned switch (``switches.py``) goes the same way, but for the bow-out: the node says that it is demoted, so it is
master until its successor is heard, and stays it when nobody takes over (``stay``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from collections.abc import Collection
from enum import Enum
from ipaddress import IPv6Address
from typing import Protocol

from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import Event
from wsa_proxy.net.ports import Address
from wsa_proxy.net.ports import AdvertisementPort
from wsa_proxy.net.virtual_interface import virtual_mac
from wsa_proxy.runtime.ports import Ports
from wsa_proxy.runtime.release import Release

logger = logging.getLogger(__name__)


ACQUIRES_S = 0.01
"""After his first advertisement a successor acquires and announces."""
ACQUIRES_VIRTUAL_S = 0.2
"""After his intent, with a virtual MAC, if what he says from there when he has acquired is not heard; with the rules
for 10,000 clients before it that takes half of it."""


class _Stage(Enum):
    AT_ONCE = "a release releases"
    ANSWERING = "the addresses stay as they are"
    SILENT = "the addresses are held silently"


class Carry(Protocol):
    """What becomes of the connections when somebody else has the addresses."""

    @property
    def is_possible(self) -> bool:
        """The others could steer them to this node."""

    def begin(self) -> None:
        """The addresses are about to be somebody else's; he is told that this node will hold them silently."""

    def silent(self) -> None:
        """They are held silently from now on. ``Leaving.end`` is to be called when the last connection has gone."""

    def over(self) -> None:
        """They are not held any more, or this node's own again; harmless when nothing was begun."""


class Cut:
    """A ``Carry`` where nobody steers."""

    is_possible = False

    def begin(self) -> None: ...
    def silent(self) -> None: ...
    def over(self) -> None: ...


class Says(Protocol):
    """Of a virtual host's ``Sending``, what is needed here."""

    def bowed_out(self) -> None:
        """That was the last word; nothing is to be said when this process is gone."""

    def repeat(self, advertisements: AdvertisementPort) -> None:
        """The last word once more, if whoever has heard it takes the copy for one."""


class Leaving:
    """Of one virtual host. ``is_master`` answers whether it is that now, ``ports`` those that it has, if any."""

    def __init__(
        self,
        vhid: int,
        addresses: Collection[Address],
        is_master: Callable[[], bool],
        ports: Callable[[], Ports | None],
        sending: Says,
        close_connections: Callable[[Collection[Address]], int],
    ) -> None:
        """Made inside the running loop."""
        self._vhid = vhid
        self._is_master = is_master
        self._ports = ports
        self._sending = sending
        self._close_connections = close_connections
        self._link_local = [each for each in addresses if isinstance(each, IPv6Address) and each.is_link_local]
        self._movable = frozenset(addresses) - frozenset(self._link_local)
        self._stage = _Stage.AT_ONCE
        self._successor: asyncio.TimerHandle | None = None
        """He was heard, and is taken for the owner by then."""
        self._is_carried = False
        self.carry: Carry = Cut()
        self._release = Release(
            vhid,
            addresses,
            lambda: is_master() or self.keeps,
            lambda: is_master() or self.awaits_successor,
            ports,
            close_connections,
        )

    @property
    def keeps(self) -> bool:
        """The node is master no more, and has the addresses yet."""
        return self._stage is not _Stage.AT_ONCE

    @property
    def awaits_successor(self) -> bool:
        """Nobody was heard to have taken over yet."""
        return self._stage is _Stage.ANSWERING

    @property
    def carried(self) -> frozenset[Address]:
        """Those whose connections would go on if it left now; link-local ones cannot move."""
        return self._movable if self.is_carried or self.carry.is_possible else frozenset()

    @property
    def is_carried(self) -> bool:
        """The connections go on after the addresses are somebody else's, or will."""
        return self.keeps and self._is_carried

    def begin(self) -> None:
        """The next release is put off until ``end``."""
        if not self.is_carried:
            self._forget_successor()
            self._stage = _Stage.ANSWERING
            self._is_carried = self.carry.is_possible
            if self._is_carried:
                self.carry.begin()

    def release(self) -> None:
        """What the protocol asks for after a bow-out or a farewell, or without one."""
        if not self.keeps:
            self._release.release()
        else:
            self._sending.bowed_out()

    def bow_out_again(self) -> None:
        """If nobody was heard to take over: what was said may be lost."""
        if self.awaits_successor and self._successor is None and (ports := self._ports()) is not None:
            self._sending.repeat(ports.advertisements)

    def heard(self, event: Event, source_mac: str) -> None:
        """This has just been believed; who is master still has heard no successor. ``source_mac``: from where, in a
        group whose nodes say their intent from their own and the rest from the virtual one; in others empty."""
        if not self.awaits_successor or not isinstance(event, AdvertisementReceived) or self._is_master():
            return
        if event.advertisement.is_bow_out:  # he takes it back
            self._forget_successor()
            return
        intent = source_mac not in ("", virtual_mac(self._vhid))
        if self._successor is None:
            wait_s = ACQUIRES_VIRTUAL_S if intent else ACQUIRES_S
            self._successor = asyncio.get_running_loop().call_later(wait_s, self.fall_silent)
        ports = self._ports()
        if ports is None or (ports.virtual_interface and not intent):
            self.fall_silent()

    def _forget_successor(self) -> None:
        if self._successor is not None:
            self._successor.cancel()
            self._successor = None

    def catch_up(self) -> None:
        """This process was late: whoever it has heard has acquired by now."""
        if self._successor is not None:
            self.fall_silent()

    def fall_silent(self) -> None:
        """Somebody else answers for the addresses from now on, or nobody."""
        if not self.awaits_successor:
            return
        if (ports := self._ports()) is None:
            self.end()
            return
        self._stage = _Stage.SILENT
        try:
            if self._link_local:
                self._close_connections(self._link_local)
            ports.addresses.hold_silently()
            self._go_on()
        except Exception as error:
            logger.error("carp vhid=%d the virtual IP cannot be held silently, and goes: %s", self._vhid, error)
            self.end()

    def _go_on(self) -> None:
        """The connections, if somebody steers them; where nobody has come, nobody does."""
        if self._successor is not None and self._is_carried:
            # A frame for the virtual MAC that a switch sends to all ports must not be answered by two nodes.
            self._release.settle_soon()
            self.carry.silent()
        else:
            self._be_cut()

    def _be_cut(self) -> None:
        if self._is_carried:
            self._is_carried = False
            self.carry.over()

    def stay(self) -> None:
        """It is master still, or again: the addresses are its own, and what was begun is over."""
        if self._is_master():
            self._stage = _Stage.AT_ONCE
            self._be_cut()

    def let_go(self) -> None:
        """Of what is kept, unless the connections there go on."""
        if not (self.is_carried and self._stage is _Stage.SILENT):
            self.end()

    def end(self) -> None:
        """Let go of what is kept; harmless when nothing is."""
        if self.keeps:
            self._stage = _Stage.AT_ONCE
            self._release.release()
            self._be_cut()

    def is_up(self) -> None:
        """As ``Release`` has it."""
        self._release.is_up()
