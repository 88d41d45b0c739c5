"""Golden traces: a script of events with times, and all that the nodes then do, in one file that reads like a story.

A file has blocks like those of etcd's data-driven tests: lines of the script, ``----``, the trace, an empty line.
The trace of a block goes from where the block before ended to its own last line's time. The script, times in seconds::

    node a advbase=1 advskew=0 preempt=yes ip=4,6 tie_break=1    a new node, in INIT
         also: preempt_delay=4 preempt_delay_max=10
    1.5 start a REASON | stop a REASON | crash a | demote a 1 | freeze a 5.0 | answer a | release a
    1.5 hear a 1/0 demotion=1 ip=6       somebody who is not in the script is heard
    1.5 deaf a 6 | hears a 6             no advertisement over IPv6 reaches it from now on, or each does again
    9.0 end                              only time passes

The LAN loses nothing unless the script says so, and takes a millisecond. In the trace a line with a time is an event,
with the state and the next deadline that it left; the lines below it are its effects, in their order. An advertisement
of a node that changes nothing is not told. The next deadline of a node that asks first is its next question.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import cast

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ProbeAddresses
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportRefusal
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import ReportWait
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.commands import SendIntent
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import PreemptionReleased
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Version

SEPARATOR = "----"
DELAY_S = 0.001
STEPS_MAX = 2000
"""Of one block; a script that makes more has two nodes that answer each other for ever."""


def words(command: Command) -> str:
    """The command without its evidence, as the model says it: ``advertise 1/0 demotion 0``."""
    match command:
        case SendAdvertisement(advbase=advbase, advskew=advskew, demotion=demotion):
            return f"advertise {advbase}/{advskew} demotion {demotion}"
        case SendFarewell(advbase=advbase, advskew=advskew, demotion=demotion):
            return f"farewell {advbase}/{advskew} demotion {demotion}"
        case SendIntent(advbase=advbase, advskew=advskew, demotion=demotion):
            return f"intent {advbase}/{advskew} demotion {demotion}"
        case AcquireAddresses():
            return "acquire"
        case ReleaseAddresses():
            return "release"
        case AnnounceAddresses():
            return "announce"
        case ProbeAddresses():
            return "probe"
        case ReportTransition(old=old, new=new, reason=reason):
            return f"{old.name} -> {new.name} {reason}"
        case ReportRefusal(reason=reason):
            return f"refuse {reason}"
        case ReportWait(wait_s=wait_s, role_changes=role_changes):
            return f"wait {wait_s:.2f} s after {role_changes} role changes"


@dataclass
class Station:
    """One node of a script."""

    name: str
    host: VirtualHost
    asleep_until_s: float = 0.0
    deaf: set[int] = field(default_factory=set)
    crashed: bool = False


def parse(text: str) -> list[tuple[list[str], list[str]]]:
    """(script, trace) of each block. Raises ValueError where a block has no ``----``."""
    blocks = []
    for block in text.strip("\n").split("\n\n"):
        lines = block.splitlines()
        if SEPARATOR not in lines:
            raise ValueError(f"no {SEPARATOR} after: {lines[0]}")
        place = lines.index(SEPARATOR)
        blocks.append((lines[:place], lines[place + 1 :]))
    return blocks


def play(text: str) -> str:
    """The same file with the trace that the nodes make now."""
    trace = Trace()
    blocks = ["\n".join([*script, SEPARATOR, *trace.run(script)]) for script, _ in parse(text)]
    return "\n\n".join(blocks) + "\n"


class Trace:
    """The nodes, the LAN and the time of one file."""

    def __init__(self) -> None:
        self.now = 0.0
        self._stations: dict[str, Station] = {}
        self._wire: dict[int, tuple[float, Station, AdvertisementReceived]] = {}
        """By the number of the frame: when it arrives, at whom, and what it is."""
        self._frames = 0
        self._lines: list[str] = []

    def run(self, script: list[str]) -> list[str]:
        """Do what these lines say; the lines of the trace."""
        self._lines = []
        for line in script:
            first, *rest = line.partition("#")[0].split() or [""]
            if first == "node":
                self._node(*rest)
            elif first:
                self._pass(float(first))
                self._do(*rest)
        return self._lines

    # -- the script ----------------------------------------------------------------------------------------------------

    def _node(self, name: str, *options: str) -> None:
        given = dict(option.split("=") for option in options)
        versions = cast("tuple[Version, ...]", tuple(int(each) for each in given.pop("ip", "4").split(",")))
        advbase, advskew = int(given.pop("advbase", "1")), int(given.pop("advskew", "0"))
        preempt, tie_break = given.pop("preempt", "yes") == "yes", int(given.pop("tie_break", "0"))
        delay_s, most_s = float(given.pop("preempt_delay", "0")), float(given.pop("preempt_delay_max", "60"))
        if given:
            raise ValueError(f"node {name}: unknown {given}")
        settings = VirtualHostSettings(1, advbase, advskew, preempt, versions, tie_break)
        settings = replace(settings, preempt_delay_s=delay_s, preempt_delay_max_s=most_s)
        self._stations[name] = Station(name, VirtualHost(settings))

    def _do(self, verb: str, name: str = "", *rest: str) -> None:
        if verb == "end":
            return
        station = self._stations[name]
        match verb:
            case "start":
                self._happen(station, Started("_".join(rest) or "ready"), f"start {name}")
            case "stop":
                self._happen(station, Stopped("_".join(rest) or "stop"), f"stop {name}")
            case "demote":
                self._happen(station, DemotionChanged(int(rest[0]), ""), f"demote {name} {rest[0]}")
            case "answer":
                self._happen(station, AddressAnswered("02:00:00:00:00:99"), f"answer {name}")
            case "release":
                self._happen(station, PreemptionReleased(), f"release {name}")
            case "hear":
                self._happen(station, _somebody(*rest), f"hear {name} {' '.join(rest)}")
            case "crash":
                station.crashed = True
                self._lines.append(f"{self.now:9.4f}  crash {name}")
            case "freeze":
                station.asleep_until_s = self.now + float(rest[0])
                self._lines.append(f"{self.now:9.4f}  freeze {name} until {station.asleep_until_s:.4f}")
            case "deaf":
                station.deaf.add(int(rest[0]))
            case "hears":
                station.deaf.discard(int(rest[0]))
            case _:
                raise ValueError(f"unknown: {verb}")

    # -- time ----------------------------------------------------------------------------------------------------------

    def _pass(self, until_s: float) -> None:
        if until_s < self.now:
            raise ValueError(f"{until_s} s is before {self.now} s")
        for _ in range(STEPS_MAX):
            # What has arrived counts before the silence does: the driver drains its sockets first.
            due = [(max(at_s, to.asleep_until_s), 0, number) for number, (at_s, to, _) in self._wire.items()]
            stations = list(self._stations.values())
            for place, station in enumerate(stations):
                deadline_s = station.host.next_deadline()
                if deadline_s is not None and not station.crashed:
                    due.append((max(deadline_s, station.asleep_until_s), 1, place))
            # A deadline may lie in the past, where an advertisement makes a node ask again late: it is due now.
            due = [(max(at_s, self.now), is_deadline, number) for at_s, is_deadline, number in due]
            if not due or min(due)[0] > until_s:
                self.now = until_s
                return
            self.now, is_deadline, number = min(due)
            if is_deadline:
                self._happen(stations[number], DeadlineReached(), f"deadline {stations[number].name}")
            else:
                self._arrive(number)
        raise ValueError(f"more than {STEPS_MAX} steps before {until_s} s")

    def _arrive(self, number: int) -> None:
        _, station, event = self._wire.pop(number)
        if not station.crashed:
            said = event.advertisement
            what = f"{said.advbase}/{said.advskew}" + (f" demotion={said.demotion}" if said.demotion else "")
            self._happen(station, event, f"{station.name} hears {event.sender} {what} ip={event.version}")

    def _happen(self, station: Station, event: Event, title: str) -> None:
        before = station.host.state, station.host.next_deadline()
        commands = station.host.handle(event, self.now)
        deadline_s = station.host.next_deadline()
        if commands or (station.host.state, deadline_s) != before or not title.startswith(station.name):
            waits = "" if deadline_s is None else f", next {deadline_s:.4f}"
            self._lines.append(f"{self.now:9.4f}  {title:<34} {station.name} is {station.host.state.name}{waits}")
        for command in commands:
            self._lines.append(f"{'':15}{words(command)}")
            if evidence := getattr(command, "evidence", ""):
                self._lines.append(f"{'':19}{evidence}")
            if isinstance(command, SendAdvertisement):
                self._send(station, command)

    def _send(self, sender: Station, command: SendAdvertisement) -> None:
        said = Advertisement(1, command.advbase, command.advskew, command.demotion, 7, bytes(20))
        for version in sender.host.settings.versions:
            for other in self._stations.values():
                hears = version in other.host.settings.versions and version not in other.deaf
                if other is not sender and other.host.state is not State.INIT and hears:
                    self._frames += 1
                    event = AdvertisementReceived(said, version, sender.name)
                    self._wire[self._frames] = (self.now + DELAY_S, other, event)


def _somebody(interval: str, *options: str) -> AdvertisementReceived:
    given = dict(option.split("=") for option in options)
    advbase, advskew = (int(each) for each in interval.split("/"))
    version = cast("Version", int(given.pop("ip", "4")))
    advertisement = Advertisement(1, advbase, advskew, int(given.pop("demotion", "0")), 7, bytes(20))
    if given:
        raise ValueError(f"hear: unknown {given}")
    return AdvertisementReceived(advertisement, version, "somebody")
