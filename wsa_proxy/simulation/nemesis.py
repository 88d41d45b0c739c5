"""What goes wrong: every fault of the plan begins, ends, and in the end all of them are undone."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from random import Random

from wsa_proxy.carp.commands import State
from wsa_proxy.carp.wire import Version
from wsa_proxy.simulation.bounds import Station
from wsa_proxy.simulation.bounds import rank
from wsa_proxy.simulation.hostile import Attack
from wsa_proxy.simulation.hostile import Hostile
from wsa_proxy.simulation.lan import SWITCH
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.node import Node
from wsa_proxy.simulation.plan import VARIANTS
from wsa_proxy.simulation.plan import Fault
from wsa_proxy.simulation.plan import Mishap
from wsa_proxy.simulation.sealed import SealedNode

CALM_DELAY_S = 0.001  # with CALM_LATENESS_S, less than half of what two equals' waits after a tie differ by
CALM_LATENESS_S = 0.002
RELEASED_EVERY_S = 2.9
RELEASED_WAITS = 0.3
OTHER_DELAYS_S = (0.0, 1.0, 8.0)
RELOADED = 0.15
"""Of the nodes, while things go wrong, once or twice."""
ADVSKEW_MAX = 239
"""More is what a demoted node says."""

type Say = Callable[[str], None]


class Nemesis:
    """Does the mishaps of a plan to the stations, which are in the order of their numbers."""

    def __init__(self, stations: Sequence[Station], lan: Lan, hostile: Hostile | None, say: Say) -> None:
        self._stations = stations
        self._lan = lan
        self._hostile = hostile
        self._say = say
        self._cuts: dict[Mishap, set[tuple[int, int]]] = {}
        self._written = {station.number: station.settings for station in stations}
        """What the plan's members are told, before and after all faults."""
        self._relentless = False
        """Attacks go on to the end. They must not matter in a sealed group, unless a machine has lost its memory: it
        cannot tell what it has not heard from new."""

    def schedule(self, mishaps: Sequence[Mishap], for_ever: bool) -> None:
        """Each begins and ends at its time from now on. ``for_ever``: the group is sealed to the end."""
        self._relentless = for_ever and all(mishap.fault is not Fault.POWER for mishap in mishaps)
        for mishap in mishaps:
            begins_s = self._lan.timeline.now + mishap.at_s
            self._lan.timeline.at(begins_s, partial(self._begin, mishap))
            self._lan.timeline.at(begins_s + mishap.duration_s, partial(self._end, mishap))

    def reload(self, chance: Random, within_s: float) -> None:
        """Some nodes are told another priority, handling and delay; below one second the interval is in the priority.
        And some of those that wait before they preempt are told to wait no longer."""
        for node in self._stations:
            if isinstance(node, Node) and chance.random() < RELOADED:
                for _ in range(chance.choice([1, 2])):
                    preempt, advskew = chance.random() < 0.5, chance.randint(0, ADVSKEW_MAX)
                    advskew = advskew if node.settings.advbase else node.settings.advskew
                    at_s = self._lan.timeline.now + chance.uniform(0, within_s)
                    delay_s = node.settings.preempt_delay_s and chance.choice(OTHER_DELAYS_S)
                    self._lan.timeline.at(at_s, partial(node.configure, preempt, advskew, delay_s))

        for node in self._stations:
            if isinstance(node, Node) and node.settings.preempt_delay_s and chance.random() < RELEASED_WAITS:
                self._lan.timeline.at(self._lan.timeline.now + chance.uniform(0, within_s), node.preempt)

    def paths(self, station: Station) -> set[tuple[int, int]]:
        """From it to all others, and from them to it."""
        number = station.number
        peers = [SWITCH, *(other.number for other in self._stations if other is not station)]
        return {(number, peer) for peer in peers} | {(peer, number) for peer in peers}

    def unplug(self, station: Station) -> None:
        """Its cable is out for good, and it knows."""
        self._lan.cuts |= self.paths(station)
        station.plug(False)

    def _begin(self, mishap: Mishap) -> None:
        station = self._stations[mishap.node]
        self._say(f"{mishap.fault.value} of node {mishap.node} for {mishap.duration_s:.2f} s")
        if isinstance(mishap.fault, Attack) and self._hostile:
            self._attack(mishap.fault, mishap)
        elif not self._begin_on_the_lan(mishap, station):
            if isinstance(station, Node):
                self._begin_on_a_node(mishap, station)
            else:
                _begin_on_any(mishap, station)

    def _attack(self, attack: Attack, mishap: Mishap) -> None:
        assert self._hostile is not None
        victim = mishap.node
        if attack is Attack.HOLD_BACK:
            # What a master says is worth more.
            masters = [station.number for station in self._stations if station.state is State.MASTER]
            victim = masters[0] if masters else victim
            self._cut(mishap, {path for path in self.paths(self._stations[victim]) if path[0] == victim})
        lasts_s = math.inf if self._relentless else mishap.duration_s
        self._hostile.attack(attack, self._lan.timeline.now + lasts_s, victim)

    @property
    def _sealed(self) -> bool:
        """Now, and all of them."""
        return all(isinstance(station, Node) and station.way.only_sealed for station in self._stations)

    def _cut(self, mishap: Mishap, paths: set[tuple[int, int]]) -> None:
        self._cuts[mishap] = paths
        self._lan.cuts |= paths

    def _begin_on_the_lan(self, mishap: Mishap, station: Station) -> bool:
        """Is it a fault of the LAN?"""
        number, paths = station.number, self.paths(station)
        match mishap.fault:
            case Fault.CUT:
                self._cut(mishap, paths)
            case Fault.CABLE:
                self._cut(mishap, paths)
                station.plug(False)
            case Fault.DEAF:
                self._cut(mishap, {path for path in paths if path[1] == number})
            case Fault.MUTE:
                self._cut(mishap, {path for path in paths if path[0] == number})
            case Fault.ONE_WAY:
                self._cut(mishap, {(number, mishap.other)})
            case Fault.VERSION:
                self._lan.cut_versions.add(_version_of(mishap, station))
            case Fault.SQUATTER:
                self._lan.squatters += 1
            case Fault.CLOG:
                until_s = self._lan.timeline.now + mishap.duration_s
                self._lan.clogged_until_s[number, mishap.other] = until_s
            case _:
                return False
        return True

    def _begin_on_a_node(self, mishap: Mishap, node: Node) -> None:
        match mishap.fault:
            case Fault.STALL:
                node.stall(mishap.duration_s)
                if node.guard and mishap.variant % VARIANTS == 0:
                    node.guard.sleep(mishap.duration_s)  # the whole machine is that busy
            case Fault.PAUSE:
                node.pause(mishap.duration_s)
            case Fault.POWER:
                node.power_off()
            case Fault.KILL_ALL:
                node.kill_all()
            case Fault.GUARDIAN_KILLED if node.guard:
                node.guard.kill()
            case Fault.GUARDIAN_STALL if node.guard:
                node.guard.sleep(mishap.duration_s)
            case Fault.WALL_STEP if isinstance(node, SealedNode):
                node.step_wall()
            case Fault.SLOW_KERNEL:
                node.kernel.operation_s = mishap.duration_s
            case Fault.REFUSING_KERNEL:
                node.kernel.refuses = True
            case Fault.NO_SENDING:
                node.outlet.refused = _refused_of(mishap, node)
            case Fault.NO_WAY:
                everybody = {other.number for other in self._stations}
                node.outlet.no_way = frozenset(everybody if mishap.variant % 2 else {mishap.other})
            case _:
                _begin_on_any(mishap, node)

    def _end(self, mishap: Mishap) -> None:
        station = self._stations[mishap.node]
        if mishap in self._cuts:
            del self._cuts[mishap]
            self._lan.cuts = set().union(*self._cuts.values())
        match mishap.fault:
            case Fault.CRASH | Fault.STOP | Fault.POWER | Fault.KILL_ALL:
                station.start()
            case Fault.CABLE:
                station.plug(not any(cut.fault is Fault.CABLE and cut.node == mishap.node for cut in self._cuts))
            case Fault.VERSION:
                self._lan.cut_versions.discard(_version_of(mishap, station))
            case Fault.SQUATTER:
                self._lan.squatters = max(self._lan.squatters - 1, 0)  # all may have been healed a rounding ago
            case Attack.HOLD_BACK if self._hostile:
                # One by one, each when it would do most, or all at once.
                self._hostile.release(RELEASED_EVERY_S if self._relentless and mishap.variant % 2 else 0.0)
            case Fault.DEMOTE:
                station.demote(0)
            case Fault.SLOW_KERNEL | Fault.REFUSING_KERNEL if isinstance(station, Node):
                station.kernel.operation_s = 0.0
                station.kernel.refuses = False
            case Fault.NO_SENDING if isinstance(station, Node):
                station.outlet.refused = {}
            case Fault.NO_WAY if isinstance(station, Node):
                station.outlet.no_way = frozenset()
            case _:
                pass  # these know their own end

    def heal(self) -> None:
        """Every fault ends, and no chance is left in the weather but the delay."""
        self._say("all faults end")
        weather = self._lan.weather
        self._cuts.clear()
        self._lan.cuts.clear()
        self._lan.cut_versions.clear()
        self._lan.squatters = 0
        if self._hostile:
            self._hostile.slow_down()
        weather.loss = weather.duplicates = weather.reflection = 0.0
        for station in self._stations:
            station.start()
            if isinstance(station, Node):
                station.kernel.operation_s = 0.0
                station.kernel.refuses = False
                station.outlet.refused, station.outlet.no_way = {}, frozenset()
                station.thaw()
                if station.guard:
                    station.guard.thaw()
                written = self._written[station.number]
                station.configure(written.preempt, written.advskew, written.preempt_delay_s)
            station.plug(True)
            station.demote(0)
        equals = len({rank(station) for station in self._stations}) < len(self._stations)
        decided = all(isinstance(station, Node) and station.way.decided for station in self._stations)
        if equals and not decided:
            # Equal ranks agree only where frames and loops are faster than the difference of their waits.
            weather.delay_s_max = min(weather.delay_s_max, CALM_DELAY_S)
            for station in self._stations:
                if isinstance(station, Node):
                    station.lateness_s = min(station.lateness_s, CALM_LATENESS_S)


def _version_of(mishap: Mishap, station: Station) -> tuple[int, Version]:
    """The IP version in which its advertisements are lost."""
    versions = station.settings.versions
    return station.number, versions[mishap.variant % len(versions)]


def _refused_of(mishap: Mishap, station: Station) -> dict[Version, float]:
    """By IP version: all copies or half of them, in all versions or in one."""
    share = 0.5 if mishap.variant & 4 else 1.0
    versions = (_version_of(mishap, station)[1],) if mishap.variant & 8 else station.settings.versions
    return dict.fromkeys(versions, share)


def _begin_on_any(mishap: Mishap, station: Station) -> None:
    """What happens to foreign peers, too; the rest means nothing to them."""
    match mishap.fault:
        case Fault.CRASH | Fault.POWER:
            station.crash()
        case Fault.STOP:
            station.stop()
        case Fault.DEMOTE:
            station.demote(1 + mishap.variant % 2)  # some are worse than others
        case _:
            pass
