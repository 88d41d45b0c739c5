"""Scripts for one virtual host, in the way of mitmproxy's Playbook: an event at a time, the commands expected.

Times are in 1/256 seconds since the beginning, which are exact in binary, so a deadline can be hit exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ProbeAddresses
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportRefusal
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Version

BEGIN_S = 1000.0
SECOND = 256

RELEASE = ReleaseAddresses()
ACQUIRE = AcquireAddresses()
ANNOUNCE = AnnounceAddresses()
PROBE = ProbeAddresses()
TICK = DeadlineReached()


def heard(advbase: int = 1, advskew: int = 0, demotion: int = 0, version: Version = 4) -> AdvertisementReceived:
    """A master's advertisement."""
    return AdvertisementReceived(Advertisement(1, advbase, advskew, demotion, 7, bytes(20)), version, "10.0.0.9")


BOW_OUT = heard(255, 255)


def send(advbase: int = 1, advskew: int = 0, demotion: int = 0) -> SendAdvertisement:
    return SendAdvertisement(advbase, advskew, demotion)


class Playbook:
    """One virtual host and its clock."""

    def __init__(
        self,
        advbase: int = 1,
        advskew: int = 0,
        preempt: bool = True,
        versions: Sequence[Version] = (4,),
        tie_break: int = 0,
        says_farewell: bool = False,
        preempt_delay_s: float = 0.0,
        preempt_delay_max_s: float = 60.0,
        acquires_first: bool = False,
        unicast: bool = False,
    ) -> None:
        settings = VirtualHostSettings(
            1,
            advbase,
            advskew,
            preempt,
            tuple(versions),
            tie_break,
            says_farewell,
            acquires_first,
            preempt_delay_s=preempt_delay_s,
            preempt_delay_max_s=preempt_delay_max_s,
            unicast=unicast,
        )
        self.host = VirtualHost(settings)
        self.reasons: list[str] = []

    @property
    def state(self) -> State:
        return self.host.state

    @property
    def deadline(self) -> float | None:
        """Of the virtual host, in 1/256 seconds since the beginning."""
        deadline_s = self.host.next_deadline()
        return None if deadline_s is None else (deadline_s - BEGIN_S) * SECOND

    def at(self, when: float, event: Event) -> list[Command]:
        """Let the event happen; the commands, with the reports put aside as reasons."""
        commands = self.host.handle(event, BEGIN_S + when / SECOND)
        self.reasons += [each.reason for each in commands if isinstance(each, ReportTransition | ReportRefusal)]
        return [each for each in commands if not isinstance(each, ReportTransition | ReportRefusal)]

    def follow(self) -> list[Command]:
        """What happens at the next deadline."""
        deadline = self.deadline
        assert deadline is not None
        return self.at(deadline, TICK)

    def reason(self) -> str:
        """Of the last transition or refusal."""
        return self.reasons[-1]

    def listening(self) -> Playbook:
        """BACKUP since the beginning, and no stranger to the addresses: it has no questions to ask."""
        self.host._held_before = True
        assert self.at(0, Started("ready")) == []
        assert self.state is State.BACKUP
        return self

    def master(self, now: float = 0) -> Playbook:
        """MASTER, promoted at this time by a bow-out, with its first advertisement sent then."""
        self.host._held_before = True
        self.at(now, Started("ready"))
        self.at(now, BOW_OUT)
        if self.state is State.BACKUP:  # it lets better nodes go first
            self.follow()
        assert self.state is State.MASTER
        return self
