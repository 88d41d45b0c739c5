"""Virtual time and a LAN: links that lose, delay, double and cut, and a switch that believes the last it has heard."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from wsa_proxy.carp.wire import Version

SWITCH = -1
"""The port of the clients: what arrives there decides whom they talk to."""
PATHS_FROM = 1000
PORTS_MAX = 100
"""Where the numbers of the paths' sources of chance begin, and how many ports there may be."""
HAPPENINGS_MAX = 200_000
"""Of one run, some ten times what the busiest should need: a storm ends here, and fails."""


class Storm(Exception):
    """More happens than any run needs."""


class Timeline:
    """What happens when. Things due at the same time happen in the order in which they were asked for."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.whose: int | None = None
        """The station to which it happens, if it touches no other one; None for anything else."""
        self._heap: list[tuple[float, int, Callable[[], None], int | None]] = []
        self._sequence = itertools.count()
        self._called_off: set[int] = set()

    def at(self, when_s: float, what: Callable[[], None], whose: int | None = None) -> int:
        """Put something on; answers the number to call it off with."""
        number = next(self._sequence)
        heapq.heappush(self._heap, (max(when_s, self.now), number, what, whose))
        return number

    def call_off(self, number: int) -> None:
        """It won't happen, and nobody looks at the world in its place."""
        self._called_off.add(number)

    def run(self, until_s: float, after_each: Callable[[], None]) -> None:
        """Everything up to and including ``until_s``; ``after_each`` looks at the world before all and after each."""
        after_each()
        while self._heap and self._heap[0][0] <= until_s:
            self.now, number, what, self.whose = heapq.heappop(self._heap)
            if number > HAPPENINGS_MAX:
                raise Storm(f"more than {HAPPENINGS_MAX} happenings")
            if number in self._called_off:
                continue
            what()
            after_each()
        self.now, self.whose = until_s, None
        after_each()


@dataclass(frozen=True, slots=True)
class Advertised:
    """An advertisement's frame: 36 bytes in an IP version."""

    version: Version
    payload: bytes
    ttl: int = 255
    forged: bool = False
    """Sent by a hostile host; only the checker reads this."""
    willed: bool = False
    """A bow-out that a guardian has sent; only the judges read this."""
    from_virtual_mac: bool = False
    """From the address that all nodes of the virtual host share: the switch sends there what is for it."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A gratuitous ARP or an unsolicited neighbour advertisement for the addresses of a virtual host."""

    vhid: int


type Frame = Advertised | Announced


@dataclass(slots=True)
class Weather:
    """What the LAN does to frames; shares of 1 and seconds."""

    loss: float = 0.0
    delay_s_min: float = 0.0001
    delay_s_max: float = 0.001
    duplicates: float = 0.0
    reflection: float = 0.0
    """The share of frames that a switch sends back to their sender."""


class Lan:
    """Carries frames between ports. A frame with a shorter delay overtakes one with a longer.

    Each path has a source of chance of its own, so a host more or less, which sends more or less, changes nothing
    for the others. ``random`` gives one for a number.
    """

    def __init__(self, timeline: Timeline, random: Callable[[int], Random], weather: Weather) -> None:
        self.timeline = timeline
        self.weather = weather
        self.cuts: set[tuple[int, int]] = set()
        """(from, to): nothing gets through in this direction."""
        self.cut_versions: set[tuple[int, Version]] = set()
        """(from, IP version): advertisements that get nowhere."""
        self.filtered: set[tuple[int, int]] = set()
        """(from, to): no advertisement gets through, while all else does."""
        self.clogged_until_s: dict[tuple[int, int], float] = {}
        """(from, to): what is sent before is held back until then."""
        self.lost: Counter[tuple[int, int]] = Counter()
        """Advertisements that chance took, or their own host, by (from, to)."""
        self.squatters = 0
        """Strangers who answer for the addresses."""
        self.believed: dict[int, int] = {}
        """By vhid: whom the switch and the clients' ARP tables take for the owner of the addresses."""
        self._random = random
        self._randoms: dict[tuple[int, int], Random] = {}
        self._ports: dict[int, Callable[[Frame, int], None]] = {SWITCH: self._learn}
        self._taps: dict[int, Callable[[Frame, int], None]] = {}

    def attach(self, port: int, receive: Callable[[Frame, int], None]) -> None:
        """Who listens at this port, 0 and up; ``receive`` gets each frame and the port of its sender."""
        self._ports[port] = receive

    def tap(self, port: int, see: Callable[[Frame, int], None]) -> None:
        """A hostile host: it sees every frame of the others at once and unharmed, and may send from this port."""
        self._taps[port] = see

    def chance(self, sender: int, receiver: int) -> Random:
        """For what becomes of the frames from one port to another."""
        path = (sender, receiver)
        if (random := self._randoms.get(path)) is None:
            random = self._randoms[path] = self._random(PATHS_FROM + PORTS_MAX * sender + receiver)
        return random

    def hears(self, receiver: int, sender: int) -> bool:
        """May an advertisement get from ``sender`` to ``receiver`` now?"""
        path = (sender, receiver)
        stopped = path in self.cuts or path in self.filtered
        return not stopped and self.clogged_until_s.get(path, 0.0) <= self.timeline.now

    def send(self, sender: int, frame: Frame) -> None:
        """Broadcast. A frame of a hostile host is never lost."""
        for tap, see in self._taps.items():
            if tap != sender:
                see(frame, sender)
        for receiver in self._ports:
            if receiver == SWITCH and isinstance(frame, Advertised) and not frame.from_virtual_mac:
                continue  # nothing to learn
            if receiver != sender:
                self._carry(sender, receiver, frame)
            elif (random := self.chance(sender, sender)).random() < self.weather.reflection:
                self._deliver_later(sender, receiver, frame, random)

    def send_to(self, sender: int, receiver: int, frame: Advertised) -> None:
        """Unicast: nobody else hears it but a hostile host, and the switch has nothing to learn."""
        for see in self._taps.values():
            see(frame, sender)
        self._carry(sender, receiver, frame)

    def lose(self, sender: int) -> None:
        """An advertisement has not come so far: all others miss it."""
        for receiver in self._ports:
            self.lost[sender, receiver] += receiver not in {sender, SWITCH}

    def _carry(self, sender: int, receiver: int, frame: Frame) -> None:
        if (sender, receiver) in self.cuts:
            return
        if self.filtered and isinstance(frame, Advertised) and (sender, receiver) in self.filtered:
            return
        if self.cut_versions and isinstance(frame, Advertised) and (sender, frame.version) in self.cut_versions:
            return
        random = self.chance(sender, receiver)
        if random.random() < self.weather.loss and sender not in self._taps:
            self.lost[sender, receiver] += isinstance(frame, Advertised)
            return
        self._deliver_later(sender, receiver, frame, random)
        if random.random() < self.weather.duplicates:
            self._deliver_later(sender, receiver, frame, random)

    def _deliver_later(self, sender: int, receiver: int, frame: Frame, random: Random) -> None:
        sent_s = self.timeline.now
        if self.clogged_until_s:
            sent_s = max(sent_s, self.clogged_until_s.get((sender, receiver), 0.0))
        delay_s = random.uniform(self.weather.delay_s_min, self.weather.delay_s_max)
        self.timeline.at(sent_s + delay_s, partial(self._ports[receiver], frame, sender), receiver)

    def _learn(self, frame: Frame, sender: int) -> None:
        self.believed[frame.vhid if isinstance(frame, Announced) else frame.payload[1]] = sender
