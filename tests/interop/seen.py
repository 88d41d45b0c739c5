"""What was seen in a session, in the questions that the judge asks."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.interop.observer import Frame
from tests.interop.observer import write_pcap
from tests.interop.pairs import PAIRS
from tests.interop.pairs import Pair
from wsa_proxy.carp import wire
from wsa_proxy.carp.wire import Advertisement


def is_bow_out(frame: Frame) -> bool:
    """255/255, whoever signed it."""
    said = wire.decode(frame.payload, frame.data[22])
    return isinstance(said, Advertisement) and said.is_bow_out


@dataclass(frozen=True)
class Seen:
    """The result of a session."""

    document: dict[str, Any]

    @cached_property
    def frames(self) -> list[Frame]:
        return [Frame(at_s, host, bytes.fromhex(data)) for at_s, host, data in self.document["frames"]]

    def mark(self, what: str) -> float:
        """When something was done."""
        return float(self.document["marks"][what])

    def sent(self, pair: Pair, host: str, begin_s: float = 0.0, end_s: float = float("inf")) -> list[Frame]:
        """Frames of protocol 112 with the pair's id that came from this host."""
        return [
            frame
            for frame in self.frames
            if frame.vhid == pair.vhid and frame.host == host and begin_s <= frame.at_s < end_s
        ]

    def theirs(self, pair: Pair, begin_s: float = 0.0, end_s: float = float("inf")) -> list[Frame]:
        return self.sent(pair, pair.host.name, begin_s, end_s)

    def ours(self, pair: Pair, begin_s: float = 0.0, end_s: float = float("inf")) -> list[Frame]:
        return self.sent(pair, pair.node, begin_s, end_s)

    def bow_out(self, pair: Pair) -> Frame:
        """Our only one."""
        (found,) = [frame for frame in self.ours(pair) if is_bow_out(frame)]
        return found

    def group(self, pair: Pair, when: str = "last") -> dict[str, Any]:
        """Our node's status of the group: ``quiet`` after the quiet time, ``last`` before the nodes stop."""
        groups: list[dict[str, Any]] = self.document["documents"][when][pair.node]["groups"]
        return next(group for group in groups if group["id"] == pair.vhid)

    def reasons(self, pair: Pair) -> list[str]:
        """Of all our transitions in this group."""
        return [each["reason"] for each in self.group(pair)["transitions"]]

    def held(self, pair: Pair, host: str) -> list[tuple[float, float]]:
        """When the host's kernel had the virtual IP: (begin, end), in order."""
        return [
            (each["begin_s"], each["end_s"])
            for each in self.document["holdings"]
            if each["host"] == host and each["virtual_ip"] == str(pair.virtual_ip)
        ]

    def holders_during(self, pair: Pair, begin_s: float, end_s: float) -> set[str]:
        """Everybody whose kernel had the virtual IP at any moment of this time."""
        return {
            host
            for host in (pair.node, pair.host.name)
            for held_from_s, held_until_s in self.held(pair, host)
            if held_from_s < end_s and held_until_s > begin_s
        }

    def both_held_s(self, pair: Pair, begin_s: float, end_s: float) -> float:
        """Seconds of this time in which both kernels had it."""
        return sum(
            max(0.0, min(one[1], other[1], end_s) - max(one[0], other[0], begin_s))
            for one, other in itertools.product(self.held(pair, pair.node), self.held(pair, pair.host.name))
        )

    def ucarp_log(self, pair: Pair) -> str:
        return str(self.document["ucarp_logs"][pair.name])

    def numbers(self) -> dict[str, float]:
        """What an operator wants to know, in seconds; see numbers.py."""
        found = {}
        for pair in PAIRS:
            if pair.name in HANDED_OVER:
                found[f"bow-out to ucarp's address, {pair.name}"] = (
                    self.held(pair, pair.host.name)[-1][0] - self.bow_out(pair).at_s
                )
            if pair.name in SILENCED:
                mark_s = self.mark(f"{SILENCED[pair.name]} {pair.name}")
                taken_s = next(begin_s for begin_s, _ in self.held(pair, pair.node) if begin_s > mark_s)
                last_s = self.theirs(pair, 0.0, taken_s)[-1].at_s
                found[f"{SILENCED[pair.name]} to our address, {pair.name}"] = taken_s - mark_s
                found[f"last advertisement to our address minus our D, {pair.name}"] = (
                    taken_s - last_s - pair.our_master_down_s
                )
            if pair.name.startswith("tie_"):
                found[f"heal to one holder for good, {pair.name}"] = self.settled_s(pair) - self.mark("heal")
                found[f"heal to nodes stop without a holder, {pair.name}"] = self.unheld_s(pair)
        return found

    def settled_s(self, pair: Pair) -> float:
        """After this moment nobody got or lost the address, until the nodes stopped."""
        end_s = self.mark("nodes stop")
        edges = [
            edge
            for host in (pair.node, pair.host.name)
            for held in self.held(pair, host)
            for edge in held
            if edge < end_s
        ]
        return max(edges)

    def unheld_s(self, pair: Pair) -> float:
        """Seconds between heal and the stop of the nodes in which nobody had the address."""
        begin_s, end_s = self.mark("heal"), self.mark("nodes stop")
        both_s = self.both_held_s(pair, begin_s, end_s)
        held_s = sum(
            max(0.0, min(until_s, end_s) - max(from_s, begin_s))
            for host in (pair.node, pair.host.name)
            for from_s, until_s in self.held(pair, host)
        )
        return end_s - begin_s - held_s + both_s

    def record(self, folder: Path, pairs: Collection[Pair] = PAIRS) -> None:
        """Write what each pair (and VRRP with its id) said into a file of its own."""
        later_s = float(self.document["time_of_day_s"])
        for pair in pairs:
            frames = [Frame(frame.at_s + later_s, "", frame.data) for frame in self.frames if frame.vhid == pair.vhid]
            write_pcap(folder / f"{pair.name}.pcap", frames)


HANDED_OVER = ("we_are_master", "we_preempt", "ucarp_does_not_preempt", "vrrp_with_the_same_id")
"""Pairs in which our node is master and a well ucarp is backup when the nodes stop."""
SILENCED = {"ucarp_is_master": "SIGKILL", "ucarp_preempts": "SIGTERM", "we_do_not_preempt": "SIGUSR2"}
"""Pairs whose ucarp is master and gets this signal."""
