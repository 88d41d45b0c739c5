"""The same advertisement twice: reflected by a switch, relayed by a host, or sent again by somebody who recorded it.

In plain CARP a node believes such a packet, so only a person can be told. A constant counter (OpenBSD, wsa-proxy) makes
all advertisements of a sender the same, so a repetition at the usual distance means nothing there.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from dataclasses import field

from wsa_proxy.carp import wire
from wsa_proxy.carp.election import interval_s
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.watch.decode import Heard

REMEMBERED_MAX = 2048
REMEMBERED_S = 3600.0
IN_ONE_GO_S = 0.05
"""Copies of a switch follow within milliseconds; a master's own answers at the earliest after a quarter interval."""
IN_ONE_GO_INTERVALS = 1 / 8
COPIES_OF_BOW_OUT_MAX = 3
COPIES_OF_BOW_OUT_S = 1.0
PLACES_MAX = 16


@dataclass(frozen=True, slots=True)
class Repeat:
    """One suspicious repetition: ``kind`` is the same for all of the same sort between the same two."""

    kind: str
    text: str


@dataclass(slots=True)
class _Memory:
    mac: str
    sent_here: bool
    at_s: dict[tuple[int, str], list[float]] = field(default_factory=dict)
    """By IP version and destination: each of them gets its own copy. The newest few."""


class Repeats:
    """The newest payloads, each with where it came from."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, tuple[int, ...], bytes], _Memory] = OrderedDict()

    def look(self, heard: Heard, counter_before: int | None) -> Repeat | None:
        """Is it a repetition? ``counter_before``: of the packet before it from the same sender."""
        says = heard.says
        if not isinstance(says, Advertisement):
            return None
        now_s = heard.captured.at_s
        key = (heard.captured.interface, heard.vlans, heard.payload[: wire.HEADER_BYTES])
        memory = self._seen.get(key)
        if memory is None:
            if len(self._seen) >= REMEMBERED_MAX:
                self._seen.popitem(last=False)
            memory = self._seen[key] = _Memory(heard.mac, heard.sent_here)
        self._seen.move_to_end(key)
        if len(memory.at_s) >= PLACES_MAX:
            memory.at_s.clear()
        times_s = memory.at_s.setdefault((heard.version, heard.destination), [])
        repeat = _judge(heard, says, memory, times_s, counter_before)
        memory.at_s[heard.version, heard.destination] = [*times_s, now_s][-COPIES_OF_BOW_OUT_MAX:]
        if not heard.sent_here:
            memory.sent_here = False
        return repeat


def _judge(
    heard: Heard, says: Advertisement, memory: _Memory, times_s: list[float], counter_before: int | None
) -> Repeat | None:
    now_s = heard.captured.at_s
    name = f"id {says.vhid}"
    if heard.mac != memory.mac:
        newest_s = max((each for of_place in memory.at_s.values() for each in of_place), default=now_s)
        first, second = memory.mac, heard.mac
        memory.mac = heard.mac
        if now_s - newest_s > REMEMBERED_S:
            return None
        return Repeat(
            f"{min(first, second)} {max(first, second)}",
            f"{name}: the same advertisement from {first} and then from {second}: somebody relays or replays it",
        )
    if not times_s:
        return None
    apart_s = now_s - times_s[-1]
    if says.is_bow_out and len(times_s) < COPIES_OF_BOW_OUT_MAX and now_s - times_s[0] <= COPIES_OF_BOW_OUT_S:
        return None
    if memory.sent_here and not heard.sent_here and apart_s <= REMEMBERED_S:
        return Repeat("reflected", f"{name}: what this host sends comes back to it: a switch reflects it")
    if apart_s <= min(IN_ONE_GO_S, IN_ONE_GO_INTERVALS * interval_s(says.advbase, says.advskew)):
        text = f"{name}: the same advertisement of {heard.source} twice within {max(apart_s, 0) * 1000:.0f} ms"
        return Repeat(f"twice {heard.mac}", f"{text}: a switch doubles it, or somebody replays it")
    if counter_before is not None and counter_before != says.counter and apart_s <= REMEMBERED_S:
        text = f"{name}: an advertisement of {heard.source} is sent again after {apart_s:.1f} s"
        return Repeat(f"again {heard.mac}", f"{text}: somebody replays it")
    return None
