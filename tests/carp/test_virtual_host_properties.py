"""Whatever happens in whatever order: the invariants of one virtual host (I2, I5, I6, I7)."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from wsa_proxy.carp import election
from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AddressAnswered
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import DemotionChanged
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.virtual_host import BOW_OUT_WAIT_S_MAX
from wsa_proxy.carp.virtual_host import VirtualHost
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Version

NAMED = {  # the reasons that allow to become master before the own deadline
    "master_bowed_out", "master_hopeless", "master_demoted", "preempted_inferior_master",
}  # fmt: skip

byte = st.integers(0, 255)
versions: st.SearchStrategy[Version] = st.sampled_from([4, 6])
advertisements = st.builds(
    AdvertisementReceived,
    st.builds(
        Advertisement,
        vhid=st.just(1),
        advbase=st.sampled_from([0, 1, 1, 1, 2, 4, 255]),
        advskew=st.sampled_from([0, 10, 10, 100, 254, 255]),
        demotion=st.sampled_from([0, 0, 0, 1, 255]),
        counter=st.just(7),
        digest=st.just(bytes(20)),
    ),
    version=versions,
    sender=st.just("10.0.0.9"),
)
happenings = st.one_of(
    st.just(DeadlineReached()),
    st.just(DeadlineReached()),
    advertisements,
    st.builds(Started, st.just("ready")),
    st.builds(Stopped, st.just("stop")),
    st.builds(DemotionChanged, st.sampled_from([0, 1]), st.just("")),
    st.builds(AddressAnswered, st.just("mac")),
)
hosts = st.builds(
    VirtualHostSettings,
    vhid=st.just(1),
    advbase=st.sampled_from([0, 1, 1, 3]),
    advskew=st.sampled_from([0, 10, 100, 254]),
    preempt=st.booleans(),
    versions=st.sampled_from([(4,), (6,), (4, 6)]),
    tie_break=byte,
)
# A step of 0: exactly at the deadline, where the most happens; otherwise some time later.
steps = st.lists(st.tuples(st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 5.0]), happenings), max_size=60)


@dataclass
class Observer:
    """A small model beside the machine: what it holds, and since when it has heard nothing."""

    host: VirtualHost
    holds: bool = False
    quiet_since: dict[int, float] = field(default_factory=dict)

    def see(self, event: Event, now: float, before: State, commands: list[Command]) -> None:
        self.order(commands)
        reports = [each for each in commands if isinstance(each, ReportTransition)]
        self.chain(before, reports)
        for report in reports:
            if report.new is State.MASTER:
                self.not_early(report, now)
        self.silence(before, reports, commands)
        for command in commands:
            if isinstance(command, AcquireAddresses):
                self.holds = True
            elif isinstance(command, ReleaseAddresses):
                self.holds = False
        assert self.holds == (self.host.state is State.MASTER), "I5"
        assert (self.host.next_deadline() is None) == (self.host.state is State.INIT)
        self.listen(event, now, reports)

    @staticmethod
    def order(commands: list[Command]) -> None:
        """I7: after a release nothing is announced unless it was acquired again; acquiring stands between."""
        kinds = [type(each) for each in commands]
        for place, kind in enumerate(kinds):
            if kind is AcquireAddresses:
                assert kinds[place - 1] in (SendAdvertisement, AnnounceAddresses), kinds
                assert kinds[place + 1] is AnnounceAddresses, kinds
            if kind is ReleaseAddresses:
                later = kinds[place + 1 :]
                assert AnnounceAddresses not in later or AcquireAddresses in later, kinds

    @staticmethod
    def chain(before: State, reports: list[ReportTransition]) -> None:
        for report in reports:
            assert report.old is before and report.new is not before
            before = report.new

    def silence(self, before: State, reports: list[ReportTransition], commands: list[Command]) -> None:
        """I6: only a master speaks, or one that has just become master, or one that bows out."""
        spoken = [each for each in commands if isinstance(each, SendAdvertisement)]
        was_master = before is State.MASTER or any(report.new is State.MASTER for report in reports)
        assert not spoken or was_master
        if spoken and self.host.state is State.INIT:
            assert [(each.advbase, each.advskew) for each in spoken] == [(255, 255)]

    def not_early(self, report: ReportTransition, now: float) -> None:
        """I2: not before the deadline of one IP version, unless a rule names the reason."""
        if report.reason in NAMED:
            return
        assert report.reason == "master_silent"
        settings_ = self.host.settings
        patience_s = election.master_down_s(settings_.advbase, settings_.advskew)
        assert max(now - since for since in self.quiet_since.values()) >= patience_s - 1e-9

    def listen(self, event: Event, now: float, reports: list[ReportTransition]) -> None:
        if any(report.new is State.BACKUP for report in reports):
            self.quiet_since = dict.fromkeys(self.host.settings.versions, now)
            return
        if self.host.state is not State.BACKUP or not isinstance(event, AdvertisementReceived):
            return
        if not event.advertisement.is_bow_out:  # it shortens the wait, and has a reason of its own
            self.quiet_since[event.version] = now


@settings(max_examples=400)
@given(hosts, steps)
def test_the_invariants_hold_after_every_event(
    settings_: VirtualHostSettings, script: list[tuple[float, Event]]
) -> None:
    """Times never go back; everything else may happen."""
    host = VirtualHost(settings_)
    observer = Observer(host)
    now = 1000.0
    for step_s, event in script:
        if isinstance(event, AdvertisementReceived) and event.version not in settings_.versions:
            continue  # auth.py has refused it
        deadline_s = host.next_deadline()
        now = max(now, deadline_s) if step_s == 0.0 and deadline_s is not None else now + step_s
        before = host.state
        observer.see(event, now, before, host.handle(event, now))


@given(hosts, steps, st.floats(0, 100))
def test_asking_for_the_deadline_changes_nothing(
    settings_: VirtualHostSettings, script: list[tuple[float, Event]], later_s: float
) -> None:
    """And the same script gives the same trace: there is no clock and no chance inside (I11)."""
    traces = []
    for asks in (1, 3):
        host = VirtualHost(settings_)
        now = 1000.0
        trace: list[object] = []
        for step_s, event in script:
            if isinstance(event, AdvertisementReceived) and event.version not in settings_.versions:
                continue
            now += step_s
            trace += [host.handle(event, now), *[host.next_deadline() for _ in range(asks)][:1]]
        traces.append(trace)
    assert traces[0] == traces[1]


@given(st.floats(0, BOW_OUT_WAIT_S_MAX), st.sampled_from([10, 100, 254]))
def test_a_lone_backup_always_becomes_master(early_s: float, advskew: int) -> None:
    """V1: whatever it has heard before, silence ends in mastery by following next_deadline() alone."""
    host = VirtualHost(VirtualHostSettings(1, 1, advskew, False, (4, 6), 0))
    now = 1000.0
    host.handle(Started("ready"), now)
    host.handle(AddressAnswered("mac"), now + early_s)
    for _ in range(20):
        deadline_s = host.next_deadline()
        assert deadline_s is not None
        host.handle(DeadlineReached(), deadline_s)
        if host.state is State.MASTER:
            return
    raise AssertionError("still backup")
