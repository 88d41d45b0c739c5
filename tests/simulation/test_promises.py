"""The judge of one node lets carp(4) pass, and names the promise that is broken; he asks nothing of the core."""

from __future__ import annotations

import pytest

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Command
from wsa_proxy.carp.commands import ReleaseAddresses
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import DeadlineReached
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import Started
from wsa_proxy.carp.events import Stopped
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.simulation.promises import Memory
from wsa_proxy.simulation.promises import Promises
from wsa_proxy.simulation.violation import Violation

TICK_S = 0.5
INTERVAL, DOWN = 2, 6  # ticks of T and D
SEND = SendAdvertisement(1, 0, 0)
PROMOTED = ReportTransition(State.BACKUP, State.MASTER, "master_silent", "")
PROMOTION: list[Command] = [SEND, AcquireAddresses(), AnnounceAddresses(), PROMOTED]
TIMER = DeadlineReached()


def judge() -> Promises:
    return Promises(VirtualHostSettings(1, 1, 0, True, (4,), 0), TICK_S)


def rested(ticks: int = DOWN) -> Memory:
    """A backup that was silent for so long since its start."""
    promises = judge()
    memory = promises.event(Memory(), State.INIT, Started(""), State.BACKUP, [])
    for _ in range(ticks):
        memory = promises.later(memory)
    return memory


def master(ticks: int = 0) -> Memory:
    """A master, so long after its promotion."""
    promises = judge()
    memory = promises.event(rested(), State.BACKUP, TIMER, State.MASTER, PROMOTION)
    for _ in range(ticks):
        memory = promises.later(memory)
    return memory


def test_a_silence_of_a_whole_master_down_interval_makes_a_master_and_no_shorter_one() -> None:
    assert master().holds
    with pytest.raises(Violation, match="I2"):
        judge().event(rested(DOWN - 1), State.BACKUP, TIMER, State.MASTER, PROMOTION)


@pytest.mark.parametrize(
    ("promise", "was", "event", "now", "commands"),
    [
        ("I7", State.BACKUP, TIMER, State.MASTER, [AcquireAddresses(), SEND, AnnounceAddresses(), PROMOTED]),
        ("I7", State.BACKUP, TIMER, State.MASTER, [SEND, AcquireAddresses(), PROMOTED]),
        ("I7", State.BACKUP, TIMER, State.BACKUP, [AnnounceAddresses()]),
        ("I6", State.BACKUP, TIMER, State.BACKUP, [SEND]),
        ("I5", State.BACKUP, TIMER, State.MASTER, []),
    ],
)
def test_a_backup_breaks(promise: str, was: State, event: Event, now: State, commands: list[Command]) -> None:
    with pytest.raises(Violation, match=promise):
        judge().event(rested(), was, event, now, commands)


@pytest.mark.parametrize(
    ("promise", "now", "event", "commands"),
    [
        ("I5", State.BACKUP, TIMER, []),
        ("V3", State.INIT, Stopped(""), [ReleaseAddresses()]),
        ("I7", State.INIT, Stopped(""), [ReleaseAddresses(), SendAdvertisement(255, 255, 0)]),
    ],
)
def test_a_master_breaks(promise: str, now: State, event: Event, commands: list[Command]) -> None:
    with pytest.raises(Violation, match=promise):
        judge().event(master(INTERVAL), State.MASTER, event, now, commands)


def test_a_master_advertises_once_in_an_interval_or_answers_an_inferior() -> None:
    promises = judge()
    promises.event(master(INTERVAL), State.MASTER, TIMER, State.MASTER, [SEND])
    with pytest.raises(Violation, match="I6"):
        promises.event(master(INTERVAL - 1), State.MASTER, TIMER, State.MASTER, [SEND])
    inferior = AdvertisementReceived(Advertisement(1, 1, 128, 0, 7, bytes(20)), 4, "")
    promises.event(master(INTERVAL - 1), State.MASTER, inferior, State.MASTER, [SEND])


def test_a_bow_out_that_nobody_follows_breaks_v3() -> None:
    promises = judge()
    bow_out = AdvertisementReceived(Advertisement(1, 255, 255, 0, 7, bytes(20)), 4, "")
    memory = promises.event(rested(1), State.BACKUP, bow_out, State.BACKUP, [])
    with pytest.raises(Violation, match="V3"):
        for _ in range(2):
            memory = promises.later(memory)
