"""What the model of a process does with the core's commands; the rest is in test_node.py."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from wsa_proxy.carp.commands import AcquireAddresses
from wsa_proxy.carp.commands import AnnounceAddresses
from wsa_proxy.carp.commands import Reason
from wsa_proxy.carp.commands import ReportTransition
from wsa_proxy.carp.commands import SendAdvertisement
from wsa_proxy.carp.commands import SendFarewell
from wsa_proxy.carp.commands import SendIntent
from wsa_proxy.carp.commands import State
from wsa_proxy.carp.host_settings import VirtualHostSettings
from wsa_proxy.simulation.acting import Acting
from wsa_proxy.simulation.lan import SWITCH
from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather

PROMOTED = ReportTransition(State.BACKUP, State.MASTER, Reason.MASTER_SILENT.value, "")
STOPPED = ReportTransition(State.MASTER, State.INIT, "stop", "")
SAYS, BOWS_OUT = SendAdvertisement(1, 0, 0), SendAdvertisement(255, 255, 0)


class Half(Acting):
    """The doing half alone."""

    def __init__(self, acquires_first: bool = True) -> None:
        self.told: list[str] = []
        settings = VirtualHostSettings(1, 1, 0, True, (4,), acquires_first=acquires_first)
        lan = Lan(Timeline(), Random, Weather())
        super().__init__(3, settings, lan, Random(1), lambda _, kind, what: self.told.append(kind))
        lan.attach(3, lambda *_: None)

    def _sign(self, command: Any) -> bytes:
        return bytes([0x21, 1]) + bytes(34)

    def does(self, *commands: Any) -> list[str]:
        self.told.clear()
        self._perform(commands, self.now)
        return self.told


def test_nothing_is_claimed_that_could_not_be_had() -> None:
    """The kernel refuses: neither advertised nor announced, and no bow-out later."""
    half = Half()
    half.kernel.refuses = True
    assert half.does(AcquireAddresses(), SAYS, AnnounceAddresses(), PROMOTED) == ["transition"]
    assert half.does(BOWS_OUT, STOPPED) == ["transition"]


def test_what_was_claimed_ends_with_a_bow_out_and_only_once() -> None:
    """After it, nothing is claimed any more."""
    half = Half()
    told = half.does(AcquireAddresses(), SAYS, AnnounceAddresses(), PROMOTED)
    assert told == ["advertisement", "from the virtual MAC", "announcement", "transition"]
    assert half.does(BOWS_OUT, STOPPED) == ["advertisement", "from the virtual MAC", "transition"]
    assert half.does(BOWS_OUT) == []


def test_an_intent_and_what_takes_it_back_come_from_its_own_mac() -> None:
    """The kernel refuses what it has told the others: they are told, and the switch learns nothing."""
    half = Half()
    half.kernel.refuses = True
    told = half.does(SendIntent(1, 0, 0), AcquireAddresses(), SAYS, AnnounceAddresses(), PROMOTED)
    assert told == ["advertisement", "transition"]
    assert half.does(BOWS_OUT, STOPPED) == ["advertisement", "transition"]


@pytest.mark.parametrize("acquires_first", [True, False])
def test_the_switch_learns_from_the_virtual_mac(acquires_first: bool) -> None:
    """From each of its frames; from an advertisement of a network card's own it has nothing to learn, nor from a
    farewell."""
    half = Half(acquires_first)
    half.does(SendFarewell(1, 0, 0))
    half._lan.timeline.run(half._lan.timeline.now + 1, lambda: None)
    assert half._lan.believed == {}
    half.does(SAYS)
    half._lan.timeline.run(half._lan.timeline.now + 1, lambda: None)
    assert half._lan.believed == ({1: 3} if acquires_first else {})
    half._lan._ports[SWITCH](Advertised(4, bytes([0x21, 9]), from_virtual_mac=True), 5)
    assert half._lan.believed[9] == 5
