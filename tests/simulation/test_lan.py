"""Virtual time and the LAN: order, cuts, clogging, reflection, and a switch that believes the last announcement."""

from __future__ import annotations

from random import Random

from wsa_proxy.simulation.lan import Advertised
from wsa_proxy.simulation.lan import Announced
from wsa_proxy.simulation.lan import Frame
from wsa_proxy.simulation.lan import Lan
from wsa_proxy.simulation.lan import Timeline
from wsa_proxy.simulation.lan import Weather

FRAME = Advertised(4, b"36 bytes")


def make_lan(weather: Weather) -> tuple[Timeline, Lan, list[tuple[float, int, int]]]:
    """A LAN with ports 0, 1, 2; what arrives is (seconds from the start, receiver, sender)."""
    timeline = Timeline()
    began_at_s = timeline.now
    lan = Lan(timeline, Random, weather)
    arrived: list[tuple[float, int, int]] = []

    def attach(port: int) -> None:
        def receive(frame: Frame, sender: int) -> None:
            arrived.append((timeline.now - began_at_s, port, sender))

        lan.attach(port, receive)

    for port in range(3):
        attach(port)
    return timeline, lan, arrived


def test_what_is_due_at_the_same_time_happens_in_the_order_asked_for() -> None:
    timeline = Timeline()
    seen: list[str] = []
    now = timeline.now
    timeline.at(now + 2, lambda: seen.append("later"))
    timeline.at(now + 1, lambda: seen.append("first"))
    timeline.at(now + 1, lambda: seen.append("second"))
    timeline.at(now - 5, lambda: seen.append("overdue"))
    timeline.run(now + 1, lambda: None)
    assert seen == ["overdue", "first", "second"] and timeline.now == now + 1


def test_it_is_known_to_whom_something_happens() -> None:
    """And the world is looked at before all of it, and at the end."""
    timeline, lan, _ = make_lan(Weather(delay_s_min=0.5, delay_s_max=0.5))
    lan.cuts.add((0, 1))
    lan.send(0, FRAME)
    timeline.at(timeline.now + 0.1, lambda: None)
    looked: list[int | None] = []
    timeline.run(timeline.now + 1, lambda: looked.append(timeline.whose))
    assert looked == [None, None, 2, None]


def test_a_frame_reaches_everybody_but_its_sender_after_its_delay() -> None:
    timeline, lan, arrived = make_lan(Weather(delay_s_min=0.5, delay_s_max=0.5))
    lan.send(0, FRAME)
    timeline.run(timeline.now + 1, lambda: None)
    assert sorted(arrived) == [(0.5, 1, 0), (0.5, 2, 0)]


def test_a_cut_is_one_way_and_a_clog_holds_back() -> None:
    timeline, lan, arrived = make_lan(Weather(delay_s_min=0.5, delay_s_max=0.5))
    lan.cuts.add((0, 1))
    lan.clogged_until_s[0, 2] = timeline.now + 3
    lan.send(0, FRAME)
    lan.send(1, FRAME)
    assert not lan.hears(1, 0) and not lan.hears(2, 0) and lan.hears(0, 1)
    timeline.run(timeline.now + 5, lambda: None)
    assert sorted(arrived) == [(0.5, 0, 1), (0.5, 2, 1), (3.5, 2, 0)]


def test_loss_is_counted_and_duplicates_and_reflections_arrive() -> None:
    timeline, lan, arrived = make_lan(Weather(loss=1.0))
    lan.send(0, FRAME)
    lan.send(0, Announced(1))
    timeline.run(timeline.now + 1, lambda: None)
    assert arrived == [] and lan.lost[0, 1] == 1 and lan.believed == {}
    timeline, lan, arrived = make_lan(Weather(duplicates=1.0, reflection=1.0))
    lan.send(0, FRAME)
    timeline.run(timeline.now + 1, lambda: None)
    assert sorted(receiver for _, receiver, _ in arrived) == [0, 1, 1, 2, 2]


def test_the_switch_believes_the_last_announcement() -> None:
    timeline, lan, _ = make_lan(Weather())
    lan.send(2, Announced(1))
    timeline.run(timeline.now + 1, lambda: None)
    lan.send(1, FRAME)
    timeline.run(timeline.now + 1, lambda: None)
    assert lan.believed == {1: 2}


def test_a_unicast_is_heard_by_its_receiver_and_a_hostile_host() -> None:
    """It shares the fate of that path: a cut, or an IP version lost. The switch learns nothing."""
    timeline, lan, arrived = make_lan(Weather())
    seen: list[int] = []
    lan.tap(9, lambda _, sender: seen.append(sender))
    lan.send_to(0, 2, Advertised(4, bytes(36), from_virtual_mac=True))
    timeline.run(timeline.now + 1, lambda: None)
    assert [(receiver, sender) for _, receiver, sender in arrived] == [(2, 0)] and seen == [0] and not lan.believed
    lan.cuts.add((0, 2))
    lan.cut_versions.add((1, 4))
    lan.send_to(0, 2, FRAME)
    lan.send_to(1, 2, FRAME)
    timeline.run(timeline.now + 1, lambda: None)
    assert len(arrived) == 1 and seen == [0, 0, 1]


def test_what_does_not_leave_its_host_is_missed_by_all_others() -> None:
    _, lan, _ = make_lan(Weather())
    lan.lose(1)
    assert +lan.lost == {(1, 0): 1, (1, 2): 1}
