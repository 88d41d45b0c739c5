"""Foreign peers: what FreeBSD, OpenBSD and ucarp do on the wire, as far as a group with them has to live with it.

Small models of their ``ip_carp.c`` and ``carp.c``, written from the rules as seen from the wire. Of our protocol they
use the codec and nothing else, so a mistake of our machine is not repeated here. They never stand still: two of them
live in a kernel. Not modelled: the rounding of timers up to a tick, interfaces that are UP later, unicast, balancing.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Signature
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Announced
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan

SKEW_DEMOTED = 240
COUNTERS = 2**64

type Story = Callable[["Peer", str], None]


class Peer:
    """What the three have in common: three states, an advertisement timer, a master-down timer for each IP version."""

    dialect = "peer"
    bows_out = False
    """Does an orderly stop say so?"""

    def __init__(
        self, number: int, settings: VirtualHostSettings, signature: Signature, lan: Lan, random: Random, tell: Story
    ) -> None:
        self.number = number
        self.settings = settings
        self.state = State.INIT
        self.demotion = 0
        self._signature = signature
        self._lan = lan
        self._random = random
        self._tell = tell
        self._counter: int | None = None
        self.due_s: float | None = None
        """Of a master: when it advertises next."""
        self._alarms: dict[str, int] = {}  # on the timeline; there is but one of each name
        self._announce_in = 0
        self._link_up = True
        self._wanted = False
        lan.attach(number, self.receive)

    # -- what the run asks ---------------------------------------------------------------------------------------------

    @property
    def awake(self) -> bool:
        return self.state is not State.INIT

    @property
    def interval_s(self) -> float:
        """Between two of its advertisements."""
        return self.settings.advbase + self.effective_skew / 256

    @property
    def down_s(self) -> float:
        """The silence after which it takes over."""
        return 3 * self.settings.advbase + self.settings.advskew / 256

    @property
    def effective_skew(self) -> int:
        """What it sends and compares with."""
        return max(self.settings.advskew, SKEW_DEMOTED) if self.demotion else self.settings.advskew

    def start(self) -> None:
        self._wanted = True
        if self.state is State.INIT and self._link_up:
            self._become(State.BACKUP, "start")
            self._rest()

    def crash(self) -> None:
        self._wanted, self._counter = False, None
        self._leave("crash")

    def plug(self, up: bool) -> None:
        """The carrier comes or goes: without it, INIT. (ucarp's ten seconds of sleep after that are left out.)"""
        self._link_up = up
        if not up:
            self._leave("no carrier")
        elif self._wanted:
            self.start()

    def _leave(self, why: str) -> None:
        if self.state is not State.INIT:
            self._become(State.INIT, why)
            for alarm in self._alarms.values():
                self._lan.timeline.call_off(alarm)
            self._alarms.clear()

    def stop(self) -> None:
        """Most leave without a word."""
        if self.bows_out and self.state is State.MASTER:
            self._send(255, 255)
        self.crash()

    def demote(self, demotion: int) -> None:
        before, self.demotion = self.demotion, demotion
        if self._tells_at_once(before) and self.state is State.MASTER:
            self._advertise()

    def _tells_at_once(self, before: int) -> bool:
        """Of a change of its demotion."""
        return False

    # -- the wire ------------------------------------------------------------------------------------------------------

    def receive(self, frame: Frame, sender: int) -> None:
        if self.state is State.INIT or isinstance(frame, Announced):
            return
        heard = wire.decode(frame.payload, frame.ttl)
        if isinstance(heard, Reject) or heard.vhid != self.settings.vhid or frame.version not in self.settings.versions:
            return
        if self._signature.digest(heard.counter) != heard.digest or self._is_own(heard):
            return
        self._adopt(heard.counter)
        self._hear(heard, frame, sender)

    def _hear(self, heard: Advertisement, frame: Advertised, sender: int) -> None:
        if self.state is State.MASTER:
            self._master_hears(heard, sender)
        elif reason := self._takes_over(heard):
            self._promote(reason)
        else:
            self._after(f"down{frame.version}", self.down_s, self._silence)

    def _own_256ths(self) -> int:
        return self.settings.advbase * 256 + self.effective_skew

    def _is_own(self, heard: Advertisement) -> bool:
        return False

    def _adopt(self, counter: int) -> None:
        self._counter = counter

    def _next_counter(self) -> int:
        """Random until a peer was heard, then its number and one more for each packet (FreeBSD, ucarp)."""
        if self._counter is None:
            return self._random.getrandbits(64)
        self._counter = (self._counter + 1) % COUNTERS
        return self._counter

    def _takes_over(self, heard: Advertisement) -> str:
        """The reason to become master, or nothing."""
        theirs = heard.advbase * 256 + heard.advskew
        if self.settings.preempt and self._own_256ths() < theirs:
            return "preempts"
        if 3 * self.settings.advbase * 256 + self.effective_skew < theirs:
            return "it would time out anyway"
        return ""

    def _master_hears(self, heard: Advertisement, sender: int) -> None:
        raise NotImplementedError

    # -- what it does --------------------------------------------------------------------------------------------------

    def _rest(self) -> None:
        """Wait a whole master-down interval, in each IP version."""
        for version in self.settings.versions:
            self._after(f"down{version}", self.down_s, self._silence)

    def _silence(self) -> None:
        if self.state is State.BACKUP:
            self._promote("silence")

    def _promote(self, reason: str) -> None:
        self._become(State.MASTER, reason)
        self._advertise()
        self._announce()

    def _yield(self, reason: str) -> None:
        self._become(State.BACKUP, reason)
        self._rest()

    def _advertise(self) -> None:
        if self.state is not State.MASTER:
            return
        self._send(self.settings.advbase, self.effective_skew)
        self._announce_in -= 1
        if self._announce_in == 0:
            self._announce()
        self.due_s = self._lan.timeline.now + self.interval_s
        self._after("advertisement", self.interval_s, self._advertise)

    def _send(self, advbase: int, advskew: int) -> None:
        for version in self.settings.versions:
            counter = self._next_counter()
            digest = self._signature.digest(counter)
            demotion = self.demotion_byte()
            packet = wire.encode(Advertisement(self.settings.vhid, advbase, advskew, demotion, counter, digest))
            self._lan.send(self.number, Advertised(version, packet))

    def demotion_byte(self) -> int:
        """What it tells of its demotion, beside a raised advskew."""
        return 0

    def _announce(self) -> None:
        self._lan.send(self.number, Announced(self.settings.vhid))

    def _become(self, state: State, reason: str) -> None:
        self._tell(self, f"{self.state.name} -> {state.name} ({self.dialect}: {reason})")
        self.state = state

    def _after(self, name: str, delay_s: float, what: Callable[[], None]) -> None:
        def ring() -> None:
            del self._alarms[name]
            if self.state is not State.INIT:
                what()

        if name in self._alarms:
            self._lan.timeline.call_off(self._alarms[name])
        self._alarms[name] = self._lan.timeline.at(self._lan.timeline.now + delay_s, ring, self.number)


class FreeBSD(Peer):
    """FreeBSD 10 and later, pfSense, the WSA: yields to better and equal, ignores the demotion byte, never bows out."""

    dialect = "FreeBSD"

    @property
    def effective_skew(self) -> int:
        return min(self.settings.advskew + SKEW_DEMOTED * self.demotion, SKEW_DEMOTED)

    def _tells_at_once(self, before: int) -> bool:
        return self.demotion != before  # carp_demote_adj

    def _master_hears(self, heard: Advertisement, sender: int) -> None:
        if self._own_256ths() >= heard.advbase * 256 + heard.advskew:
            self._yield("better or equal")


class OpenBSD(Peer):
    """OpenBSD: the demotion byte counts, the counter is constant, three whole intervals of patience, it bows out."""

    dialect = "OpenBSD"
    bows_out = True

    @property
    def effective_skew(self) -> int:
        return self.settings.advskew

    @property
    def down_s(self) -> float:
        return 3 * self.interval_s

    def _is_own(self, heard: Advertisement) -> bool:
        return heard.counter == self._counter

    def _adopt(self, counter: int) -> None:
        """Never: its counter is a cookie."""

    def _next_counter(self) -> int:
        self._counter = self._counter if self._counter is not None else self._random.getrandbits(64)
        return self._counter

    def demotion_byte(self) -> int:
        return self.demotion

    def _tells_at_once(self, before: int) -> bool:
        return before == 0 < self.demotion  # carp_group_demote_adj

    def _promote(self, reason: str) -> None:
        self._announce_in = 3  # once more with the second advertisement after the first
        super()._promote(reason)

    def _takes_over(self, heard: Advertisement) -> str:
        own, theirs = self._own_256ths(), heard.advbase * 256 + heard.advskew
        if self.settings.preempt and own < theirs and heard.demotion >= self.demotion:
            return "preempts"
        if heard.demotion > self.demotion:
            return "it is demoted"
        if self.settings.advbase and 3 * self.settings.advbase * 256 + self.settings.advskew < theirs:
            return "it would time out anyway"
        return ""

    def _master_hears(self, heard: Advertisement, sender: int) -> None:
        own, theirs = self._own_256ths(), heard.advbase * 256 + heard.advskew
        if (own >= theirs and heard.demotion <= self.demotion) or heard.demotion < self.demotion:
            self._yield("better or equal")


class Ucarp(Peer):
    """ucarp 1.5.2: equals are told apart by the address, the loser sends once more, it hears up to 0.7 s late."""

    dialect = "ucarp"
    LATE_S_MAX = 0.7
    _read_at_s = 0.0

    def receive(self, frame: Frame, sender: int) -> None:
        """libpcap's buffer: whatever arrives is read a while later, in its order."""
        if isinstance(frame, Announced) or frame.payload[1:2] != bytes([self.settings.vhid]) or sender == self.number:
            return
        late_s = self._random.uniform(0, self.LATE_S_MAX)
        self._read_at_s = max(self._read_at_s, self._lan.timeline.now + late_s)
        heard_later = super().receive
        self._lan.timeline.at(self._read_at_s, lambda: heard_later(frame, sender), self.number)

    def _promote(self, reason: str) -> None:
        self._announce_in = 3
        self._become(State.MASTER, reason)
        self._announce()
        self._advertise()

    def _master_hears(self, heard: Advertisement, sender: int) -> None:
        own, theirs = self._own_256ths(), heard.advbase * 256 + heard.advskew
        if own > theirs or (own == theirs and sender < self.number):
            self._send(self.settings.advbase, self.effective_skew)
            self._yield("better, or equal with the lower address")
            return
        self._announce()
        self._announce_in = 2


PEERS: dict[str, type[Peer]] = {peer.dialect: peer for peer in (FreeBSD, OpenBSD, Ucarp)}
