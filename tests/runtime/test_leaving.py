"""One virtual host that leaves in order: from the bow-out to its last answer its addresses are here."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import pytest

from wsa_proxy.carp.events import AdvertisementReceived
from wsa_proxy.carp.events import Event
from wsa_proxy.carp.events import FarewellReceived
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.net.virtual_interface import virtual_mac
from wsa_proxy.runtime.leaving import ACQUIRES_S
from wsa_proxy.runtime.leaving import ACQUIRES_VIRTUAL_S
from wsa_proxy.runtime.leaving import Leaving

VIP, LINK_LOCAL = ip_address("10.0.0.3"), ip_address("fe80::3")
VIRTUAL, OWN = virtual_mac(7), "02:00:00:00:00:02"


class World:
    """What happens to one virtual host's addresses, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.ports: Any = SimpleNamespace(addresses=self, advertisements="advertisements", virtual_interface="carp7")
        self.refuses: Exception | None = None
        self.leaving = Leaving(7, [VIP, LINK_LOCAL], lambda: False, lambda: self.ports, self, self.close)

    def close(self, addresses: Any) -> int:
        self.done.append(f"close {sorted(map(str, addresses))}")
        return 0

    def bowed_out(self) -> None:
        self.done.append("no will")

    def repeat(self, advertisements: Any) -> None:
        self.done.append(f"repeat to {advertisements}")

    def hold_silently(self) -> None:
        self.done.append("hold silently")
        if self.refuses is not None:
            raise self.refuses

    def release(self) -> None:
        self.done.append("release")

    def settle(self) -> None:
        self.done.append("settle")


def heard(advbase: int, advskew: int) -> Event:
    advertisement = Advertisement(7, advbase, advskew, 0, 0, b"")
    return AdvertisementReceived(advertisement, 4, "10.0.0.2")


BOTH_CLOSED = "close ['10.0.0.3', 'fe80::3']"


async def test_without_a_beginning_the_addresses_go_with_the_release() -> None:
    """A defeat, a hard failure, a group that ends with a reload."""
    world = World()
    world.leaving.release()
    assert world.done == [BOTH_CLOSED, "release"] and not world.leaving.keeps


async def test_from_the_bow_out_to_the_end() -> None:
    """The guardian is to say nothing more; silent as soon as the successor is heard; released once, at the end."""
    world = World()
    world.leaving.begin()
    world.leaving.release()
    assert world.done == ["no will"] and world.leaving.keeps and world.leaving.awaits_successor
    world.leaving.heard(heard(1, 55), VIRTUAL)
    assert world.leaving.keeps and not world.leaving.awaits_successor
    world.leaving.heard(heard(1, 55), VIRTUAL)
    world.leaving.fall_silent()
    assert world.done[1:] == ["close ['fe80::3']", "hold silently"]
    world.leaving.end()
    world.leaving.end()
    assert world.done[3:] == [BOTH_CLOSED, "release"] and not world.leaving.keeps


@pytest.mark.parametrize("event", [heard(255, 255), FarewellReceived("10.0.0.2")])
async def test_who_leaves_himself_is_no_successor(event: Event) -> None:
    """Nor is a master that has just yielded."""
    world = World()
    world.leaving.begin()
    world.leaving.heard(event, VIRTUAL)
    assert world.leaving.awaits_successor and world.done == []


async def test_a_backup_hears_masters_all_the_time() -> None:
    """Only who leaves takes one for his successor."""
    world = World()
    world.leaving.heard(heard(1, 0), VIRTUAL)
    world.leaving.fall_silent()
    world.leaving.end()
    assert world.done == []


async def test_while_it_keeps_the_addresses_their_interface_stays_up() -> None:
    """The kernel tells that the virtual MAC's is up; of one who is no master it is set down at once, but not now."""
    world = World()
    world.leaving.begin()
    world.leaving.release()
    world.leaving.is_up()
    assert "settle" not in world.done
    world.leaving.end()
    world.leaving.is_up()
    assert "settle" not in world.done, "in its turn"


@pytest.mark.parametrize("error", [OSError("refused"), RuntimeError("anything")])
async def test_what_cannot_be_held_silently_goes(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody else has it: two must not answer for it."""
    world = World()
    world.refuses = error
    world.leaving.begin()
    world.leaving.heard(heard(1, 55), VIRTUAL)
    assert world.done[-2:] == [BOTH_CLOSED, "release"] and not world.leaving.keeps
    assert f"the virtual IP cannot be held silently, and goes: {error}" in caplog.text


@pytest.mark.parametrize(
    ("interface", "source_mac", "acquires_s"), [("", "", ACQUIRES_S), ("carp7", OWN, ACQUIRES_VIRTUAL_S)]
)
async def test_the_successor_advertises_before_he_acquires(interface: str, source_mac: str, acquires_s: float) -> None:
    """Silent a moment later, or nobody would answer for the address; what was heard is heard, and what is heard again
    takes no longer."""
    world = World()
    world.ports.virtual_interface = interface
    world.leaving.begin()
    world.leaving.heard(heard(1, 55), source_mac)
    await asyncio.sleep(acquires_s * 0.5)
    world.leaving.heard(heard(1, 55), source_mac)
    world.leaving.bow_out_again()
    await asyncio.sleep(acquires_s * 0.4)
    assert world.done == [] and world.leaving.awaits_successor
    await asyncio.sleep(acquires_s * 0.2)
    assert world.done == ["close ['fe80::3']", "hold silently"] and not world.leaving.awaits_successor


@pytest.mark.parametrize("source_mac", [VIRTUAL, ""], ids=["after an intent", "of named peers"])
async def test_who_speaks_from_the_virtual_mac_has_acquired(source_mac: str) -> None:
    """Or where no intents are said. The wait that an intent began finds nothing to do."""
    world = World()
    world.leaving.begin()
    if source_mac:
        world.leaving.heard(heard(1, 55), OWN)
    assert world.leaving.awaits_successor
    world.leaving.heard(heard(1, 55), source_mac)
    assert world.done == ["close ['fe80::3']", "hold silently"]
    await asyncio.sleep(ACQUIRES_VIRTUAL_S * 1.1)
    assert len(world.done) == 2


async def test_who_takes_his_intent_back_is_no_successor() -> None:
    """His kernel has refused: it is answered for, and the bow-out is said again for the next one."""
    world = World()
    world.leaving.begin()
    world.leaving.heard(heard(1, 55), OWN)
    world.leaving.heard(heard(255, 255), OWN)
    await asyncio.sleep(ACQUIRES_VIRTUAL_S * 1.1)
    world.leaving.bow_out_again()
    world.leaving.catch_up()
    assert world.leaving.awaits_successor and world.done == ["repeat to advertisements"]


async def test_a_successor_of_the_last_time_is_none_of_the_next() -> None:
    """Nor does his wait end that one."""
    world = World()
    world.ports.virtual_interface = ""
    world.leaving.begin()
    world.leaving.heard(heard(1, 55), "")
    world.leaving.heard(heard(1, 55), "")
    world.leaving.end()
    done = len(world.done)
    world.leaving.begin()
    await asyncio.sleep(ACQUIRES_S * 1.1)
    assert world.leaving.awaits_successor and len(world.done) == done


async def test_without_an_interface_there_is_nothing_to_keep() -> None:
    """It went meanwhile, and the addresses with it."""
    world = World()
    world.leaving.begin()
    world.ports = None
    world.leaving.bow_out_again()
    world.leaving.fall_silent()
    assert world.done == [BOTH_CLOSED] and not world.leaving.keeps


async def test_the_bow_out_is_said_again_only_as_long_as_nobody_was_heard() -> None:
    """After that it could only be misunderstood."""
    world = World()
    world.leaving.bow_out_again()
    world.leaving.begin()
    world.leaving.bow_out_again()
    world.leaving.heard(heard(1, 55), VIRTUAL)
    world.leaving.bow_out_again()
    assert world.done.count("repeat to advertisements") == 1


async def test_who_is_master_still_has_no_successor_and_may_stay() -> None:
    """A planned switch to a node that does not take over: what is heard of an inferior one is none, and all is as
    before; nothing is released, and nobody else's address is kept."""
    world = World()
    is_master = True
    leaving = Leaving(7, [VIP], lambda: is_master, lambda: world.ports, world, world.close)
    leaving.begin()
    leaving.heard(heard(1, 200), VIRTUAL)
    assert leaving.awaits_successor and world.done == []
    leaving.stay()
    assert not leaving.keeps and world.done == []
    leaving.begin()
    is_master = False
    leaving.stay()
    assert leaving.keeps
    leaving.heard(heard(1, 55), VIRTUAL)
    assert world.done == ["hold silently"] and leaving.keeps and not leaving.awaits_successor
