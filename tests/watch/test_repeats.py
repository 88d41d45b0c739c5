"""What is sent twice is told from what CARP sends twice by itself."""

from __future__ import annotations

from dataclasses import replace

from tests.watch.packets import BOW_OUT
from tests.watch.packets import F1
from tests.watch.packets import MAC_A
from tests.watch.packets import MAC_B
from tests.watch.packets import Sender
from tests.watch.packets import heard
from tests.watch.packets import vrrp_2
from wsa_proxy.carp import wire
from wsa_proxy.watch import repeats
from wsa_proxy.watch.decode import Heard
from wsa_proxy.watch.repeats import Repeats

COUNTER = F1.counter


def look(memory: Repeats, packet: Heard, counter_before: int | None = COUNTER) -> str:
    found = memory.look(packet, counter_before)
    return found.text if found else ""


def test_a_constant_counter_is_no_repetition() -> None:
    """OpenBSD and wsa-proxy's plain nodes say the same in every advertisement, in both IP versions."""
    memory = Repeats()
    for second in range(5):
        for source in ("10.0.0.1", "fe80::1"):
            assert look(memory, heard(F1.packet, second, source)) == ""
    # An answer to an inferior master comes after a quarter of an interval at the earliest.
    assert look(memory, heard(F1.packet, 4.25)) == ""


def test_two_hardware_addresses() -> None:
    """The same bytes from another MAC were relayed or recorded."""
    memory = Repeats()
    assert look(memory, heard(F1.packet)) == ""
    assert look(memory, heard(F1.packet, 5.0, mac=MAC_B)) == (
        f"id 1: the same advertisement from {MAC_A} and then from {MAC_B}: somebody relays or replays it"
    )


def test_in_one_go() -> None:
    """Copies within milliseconds are a switch's."""
    memory = Repeats()
    look(memory, heard(F1.packet))
    assert "of 10.0.0.1 twice within 3 ms" in look(memory, heard(F1.packet, 0.003))


def test_what_this_host_sends_comes_back() -> None:
    """Then it is the network that reflects, not somebody who replays."""
    memory = Repeats()
    assert look(memory, replace(heard(F1.packet), sent_here=True)) == ""
    assert "comes back to it: a switch reflects it" in look(memory, heard(F1.packet, 0.001))


def test_a_bow_out_is_sent_three_times() -> None:
    """At 0, 20 and 100 ms, to be heard; a fourth is too many."""
    memory = Repeats()
    times = (0.0, 0.02, 0.1, 0.12)
    assert [bool(look(memory, heard(BOW_OUT.packet, at_s))) for at_s in times] == [False, False, False, True]


def test_a_replay_of_a_counting_sender() -> None:
    """Whose counter has moved on since does not say the old one again."""
    memory, sender = Repeats(), Sender()
    first, second = sender.payload(0.0), sender.payload(1.0)
    look(memory, heard(first))
    look(memory, heard(second, 1.0))
    counter = wire.decode(second, 255)
    assert isinstance(counter, wire.Advertisement)
    assert "sent again after 9.0 s" in look(memory, heard(first, 9.0), counter.counter)


def test_vrrp_says_the_same_for_ever() -> None:
    """It has no counter; its repetitions mean nothing."""
    memory = Repeats()
    assert [look(memory, heard(vrrp_2(), at_s)) for at_s in (0.0, 0.001)] == ["", ""]


def test_memory_is_bounded() -> None:
    """A flood of invented packets, destinations and MACs is forgotten in its order."""
    memory = Repeats()
    for number in range(repeats.REMEMBERED_MAX + 10):
        payload = wire.encode(wire.Advertisement(1, 1, 0, 0, number, bytes(20)))
        memory.look(replace(heard(F1.packet), payload=payload), None)
    assert len(memory._seen) == repeats.REMEMBERED_MAX
    for number in range(100):
        memory.look(heard(F1.packet, dst=f"224.0.0.{number}"), None)
    assert all(len(each.at_s) <= repeats.PLACES_MAX for each in memory._seen.values())
