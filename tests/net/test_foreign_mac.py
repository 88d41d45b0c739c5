from __future__ import annotations

import errno
from ipaddress import IPv4Address
from typing import Any

import pytest
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from scapy.layers.l2 import ARP
from scapy.layers.l2 import Ether

from tests.learning_switch import Switch
from tests.learning_switch import Tap
from tests.learning_switch import reaches
from tests.learning_switch import run
from wsa_proxy.net.foreign_mac import ANSWERS_TO_BE_SURE
from wsa_proxy.net.foreign_mac import WITNESSES_MAX
from wsa_proxy.net.foreign_mac import ForeignMacTest
from wsa_proxy.net.foreign_mac import find_witnesses
from wsa_proxy.net.ports import MacVerdict

CLIENT = IPv4Address("10.0.0.3")
NOBODY = IPv4Address("10.0.0.77")


def open_test(lan: Any, switch: Switch, *witnesses: IPv4Address) -> ForeignMacTest:
    with switch.on("a"):
        return ForeignMacTest("eth0", int(lan.ip("-oneline link show dev eth0").split(":")[0]), witnesses or [CLIENT])


def round_of(lan: Any, test: ForeignMacTest) -> MacVerdict:
    """One round of questions, of which one is answered."""
    test.send()
    assert lan.readable(test.fileno_list(), 2.0)
    return test.receive()


def test_a_network_that_carries_it(lan: Any) -> None:
    """A plain switch: one round is enough, and there is nothing to say."""
    switch = Switch(lan)
    test = open_test(lan, switch)
    assert test.verdict() is MacVerdict.UNKNOWN
    test.send()
    lan.until(lambda: test.receive() is MacVerdict.CARRIED, "an answer")
    assert test.sentence() is None
    test.close()
    test.close()
    assert test.fileno_list() == []


@pytest.mark.parametrize(
    "rules",
    [
        ['iifname "a" ether saddr {mac} drop'],
        ['oifname "a" ether daddr {mac} drop'],
        ['iifname "a" ether saddr {mac} drop', 'oifname "a" ether daddr {mac} drop'],
    ],
    ids=["forged transmits", "promiscuous mode", "both"],
)
def test_a_network_that_refuses_it(lan: Any, rules: list[str]) -> None:
    """Frames from or to another hardware address are dropped: refused, as soon as the control was answered often."""
    switch = Switch(lan)
    test = open_test(lan, switch)
    switch.nft("add table bridge port\nadd chain bridge port passing { type filter hook forward priority 0; }\n")
    for rule in rules:
        switch.nft(f"add rule bridge port passing {rule.format(mac=test.mac)}\n")
    for number in range(ANSWERS_TO_BE_SURE):
        assert test.verdict() is MacVerdict.UNKNOWN, number
        assert test.sentence() is None
        verdict = round_of(lan, test)
    assert verdict is MacVerdict.REFUSED
    sentence = test.sentence()
    assert sentence is not None and "on eth0: " in sentence and str(CLIENT) in sentence and test.mac in sentence
    switch.nft("flush ruleset\n")
    test.send()
    lan.until(lambda: test.receive() is MacVerdict.CARRIED, "a late answer corrects it")
    assert test.sentence() is None


def test_nobody_answers(lan: Any) -> None:
    """Without any answer, or without anybody to ask, nothing is known and nothing is said."""
    switch = Switch(lan)
    test = open_test(lan, switch, NOBODY)
    for _ in range(ANSWERS_TO_BE_SURE + 1):
        test.send()
    assert not lan.readable(test.fileno_list(), 0.2)
    with switch.on("a"):
        empty = ForeignMacTest("eth0", int(lan.ip("-oneline link show dev eth0").split(":")[0]), [])
    empty.send()
    assert (test.verdict(), empty.verdict()) == (MacVerdict.UNKNOWN, MacVerdict.UNKNOWN)
    assert test.sentence() is None


def test_one_witness_is_enough(lan: Any) -> None:
    """A witness that is gone does not hide the answers of another."""
    switch = Switch(lan)
    test = open_test(lan, switch, NOBODY, CLIENT)
    test.send()
    lan.until(lambda: test.receive() is MacVerdict.CARRIED, "an answer")


def test_questions_that_change_nobodys_cache(lan: Any) -> None:
    """The probes come from a locally administered address and the host's own, claim no address, and leave no entry."""
    switch = Switch(lan)
    test = open_test(lan, switch)
    with switch.on("a"):
        own = lan.mac("eth0")
    tap = Tap("a")
    test.send()
    lan.until(lambda: test.receive() is MacVerdict.CARRIED, "an answer")
    sent = [Ether(frame) for frame in tap.queued()]
    assert [(frame.src, frame[ARP].hwsrc, frame[ARP].psrc) for frame in sent] == [
        (test.mac, test.mac, "0.0.0.0"),
        (own, own, "0.0.0.0"),
    ]
    assert int(test.mac[:2], 16) & 0b11 == 0b10, "locally administered, not a group"
    assert test.mac != own and test.mac[9:] == own[9:]
    with switch.on("client"):
        assert lan.ip("neighbour show dev eth0") == ""


def test_what_is_no_answer(lan: Any) -> None:
    """Requests, broadcast replies, and replies about other addresses prove nothing."""
    switch = Switch(lan)
    test = open_test(lan, switch)
    with switch.on("client"):
        sender = lan.raw_socket("eth0")
        reply: dict[str, Any] = {"hwsrc": "02:00:00:00:00:03", "hwdst": test.mac, "pdst": "0.0.0.0"}
        for destination, operation, address in (
            ("ff:ff:ff:ff:ff:ff", 2, CLIENT),
            (test.mac, 1, CLIENT),
            (test.mac, 2, NOBODY),
            ("02:00:00:00:00:99", 2, CLIENT),
        ):
            arp = ARP(op=operation, psrc=str(address), **reply)
            for _ in range(ANSWERS_TO_BE_SURE):
                sender.send(bytes(Ether(src=reply["hwsrc"], dst=destination) / arp))
        assert reaches(IPv4Address("10.0.0.1"))  # all of them have passed
    test.receive()
    assert test.verdict() is MacVerdict.UNKNOWN


def test_witnesses(lan: Any) -> None:
    """The default gateway comes first, then neighbours that answered; never the virtual addresses, nor unknown ones."""
    switch = Switch(lan)
    with switch.on("a"):
        index = int(lan.ip("-oneline link show dev eth0").split(":")[0])
        assert find_witnesses(index) == []
        lan.ip("route add default via 10.0.0.9")
        lan.ip("route add 10.8.0.0/16 via 10.0.0.8")
        for address, state in (("10.0.0.20", "failed"), ("10.0.0.21", "stale"), ("10.0.0.100", "reachable")):
            lan.ip(f"neighbour add {address} lladdr 02:00:00:00:00:20 dev eth0 nud {state}")
        assert reaches(CLIENT)
        lan.ip("neighbour add 10.0.0.22 lladdr 02:00:00:00:00:20 dev lo nud reachable")
        found = find_witnesses(index, [IPv4Address("10.0.0.100")])
        assert [str(each) for each in found] == ["10.0.0.9", "10.0.0.3", "10.0.0.21"]
        for number in range(30, 40):
            lan.ip(f"neighbour add 10.0.0.{number} lladdr 02:00:00:00:00:20 dev eth0 nud reachable")
        assert len(find_witnesses(index)) == WITNESSES_MAX


def test_of_many_routes_only_those_that_may_be_a_default_are_decoded(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop stands still meanwhile: 1.2 s with 20,000 routes, in which the leases of other groups end."""
    switch = Switch(lan)
    decoded: list[bytes] = []

    def counting(*data: bytes) -> Any:
        decoded.extend(data)
        return rtmsg(*data)

    with switch.on("a"):
        index = int(lan.ip("-oneline link show dev eth0").split(":")[0])
        lan.ip_batch("\n".join(f"route add 10.8.{number}.0/24 via 10.0.0.8" for number in range(200)))
        lan.ip("route add default via 10.0.0.9")
        monkeypatch.setattr("wsa_proxy.net.foreign_mac.rtmsg", counting)
        assert find_witnesses(index) == [IPv4Address("10.0.0.9")]
    assert len(decoded) == 1


def test_errors(lan: Any) -> None:
    """An interface that is down or missing is an OSError that names it."""
    switch = Switch(lan)
    test = open_test(lan, switch)
    with switch.on("a"):
        lan.ip("link set eth0 down")
        with pytest.raises(OSError, match="cannot ask from another hardware address on eth0") as raised:
            test.send()
        assert raised.value.errno == errno.ENETDOWN
        test.receive()
        with pytest.raises(OSError, match="no-such0"):
            ForeignMacTest("no-such0", 7, [CLIENT])


def test_the_network_card_takes_the_answers(lan: Any) -> None:
    """The card's filter has the test address while the test is open, and no longer: a veth itself filters nothing."""
    switch = Switch(lan)
    test = open_test(lan, switch)

    def listed() -> bool:
        with switch.on("a"):
            return test.mac in run("bridge", "fdb", "show", "dev", "eth0")

    assert listed()
    test.close()
    assert not listed()
