"""One interface is heard for a while; the rest of it is in test_run.py, where each fault is built."""

from __future__ import annotations

import errno
import os
import time
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.network import Chatter
from tests.doctor.patients import group
from tests.watch.packets import BEGIN_S
from tests.watch.packets import F1
from tests.watch.packets import SECRET
from tests.watch.packets import Sender
from tests.watch.packets import configuration
from tests.watch.packets import frame
from wsa_proxy.doctor.listening import HEARD_MAX
from wsa_proxy.doctor.listening import PROBES
from wsa_proxy.doctor.listening import Ear
from wsa_proxy.doctor.listening import listen
from wsa_proxy.net.host import InterfaceFacts
from wsa_proxy.net.host import read_host
from wsa_proxy.net.ports import MacVerdict
from wsa_proxy.watch.groups import read_groups

RIGHT = IPv4Address("10.0.0.2")


def interface_of(lan: Any) -> InterfaceFacts:
    return next(each for each in read_host().interfaces if each.name == lan.LEFT)


def test_what_is_heard_and_what_gets_through(lan: Any) -> None:
    """Packets of others, who answers, and the count behind the ingress hook; own ones are not counted."""
    ear = Ear(interface_of(lan), [group(addresses=(RIGHT,))], None, ask_mac=False)
    own = lan.raw_socket(lan.LEFT)
    own.send(frame(F1.packet))
    with Chatter(lan, lambda: frame(F1.packet, mac="02:00:00:00:00:0b")):
        listen([ear], 0.8)
    sound = ear.sound()
    ear.close()
    others = [heard for heard, _ in sound.heard if not heard.sent_here]
    assert 0.8 <= sound.seconds < 5 and len(others) >= 2 and len(sound.heard) == len(others) + 1
    assert sound.came_in == {4: len(others)} and sound.got_through[4] >= len(others)
    with lan.on_the_right():
        assert sound.answers == {RIGHT: frozenset({lan.mac(lan.RIGHT)})}
    assert (sound.probes_sent, sound.probes_back, sound.mac_verdict) == (PROBES, 0, None)


def test_two_believed_masters_only(lan: Any, tmp_path: Path) -> None:
    """Two with the file's secret are told; of one that nobody believes another check tells."""
    watched = read_groups(configuration(tmp_path), None)
    for secret, told in ((SECRET, 1), ("another-secret-1", 0)):
        ear = Ear(interface_of(lan), [group()], watched, ask_mac=False)
        senders = [
            (Sender(), "02:00:00:00:00:0b", "10.0.0.2"),
            (Sender(secret=secret), "02:00:00:00:00:0c", "10.0.0.4"),
        ]
        began_s = at_s = time.time()
        while at_s - began_s < 1.5:  # longer than an interval
            for sender, mac, source in senders:
                at_s = max(at_s + 0.002, time.time())  # of two of one millisecond the second would be a copy
                lan.send_from_the_right(frame(sender.payload(at_s - BEGIN_S), source, mac))
                ear.hear(0.1)
        masters = ear.sound().masters
        assert len(masters) == told, masters
        ear.close()


def test_a_flood_fills_no_memory(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HEARD_MAX <= 10_000
    monkeypatch.setattr("wsa_proxy.doctor.listening.HEARD_MAX", 3)
    ear = Ear(interface_of(lan), [group()], None, ask_mac=False)
    lan.send_from_the_right(*[frame(F1.packet)] * 9)
    while ear._session.ledger.heard < 9:
        ear.hear(5.0)
    assert len(ear.sound().heard) == 3
    ear.close()


def test_a_member_is_a_witness_where_this_host_knows_nobody(lan: Any) -> None:
    """Of one that is not on this LAN comes no answer, which says nothing."""
    for witness, verdict in ((RIGHT, MacVerdict.CARRIED), (IPv4Address("10.9.9.9"), MacVerdict.UNKNOWN)):
        lan.ip(f"neighbour flush dev {lan.LEFT}")
        ear = Ear(interface_of(lan), [group()], None, ask_mac=True, witnesses=[witness])
        listen([ear], 0.3)
        assert ear.sound().mac_verdict is verdict
        ear.close()


def test_nothing_stays_open(lan: Any) -> None:
    """Neither after the end, nor when the last socket cannot be had."""
    interface = interface_of(lan)
    Ear(interface, [group()], None, ask_mac=True).close()
    before = len(os.listdir("/proc/self/fd"))
    Ear(interface, [group()], None, ask_mac=True).close()
    with pytest.raises(OSError, match="left"):
        Ear(InterfaceFacts(lan.LEFT, 99, interface.mac, True, True, False, ()), [group()], None, ask_mac=True)
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_interface_that_goes_down_meanwhile(lan: Any) -> None:
    ear = Ear(interface_of(lan), [group()], None, ask_mac=False)
    lan.ip(f"link set {lan.LEFT} down")
    with pytest.raises(OSError) as raised:
        listen([ear], 1.0)
    assert raised.value.errno == errno.ENETDOWN
    ear.close()
