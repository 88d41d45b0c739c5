"""The kernel's tables on a cable of their own.

There the kernel repeats a question only after half a minute, so what resolves within seconds was asked by us.
"""

from __future__ import annotations

import errno
import json
import select
import socket
from ipaddress import IPv4Address
from ipaddress import ip_address

import pytest

from tests.cable import Lan
from tests.cable import Wire
from wsa_proxy.net.neighbour_table import NEIGHBOURS_MAX
from wsa_proxy.net.neighbour_table import ask_again

PORT = 8080
RIGHT4, RIGHT6 = "10.0.0.2", "fd00:77::2"
NOBODY = "10.0.0.66"


def slow_questions(lan: Lan, interface: str = Lan.LEFT) -> None:
    for name in ("arp_cache", "ndisc_cache"):
        lan.ip(f"ntable change name {name} dev {interface} retrans 30000")


def unplug(lan: Lan) -> None:
    with lan.on_the_right():
        lan.ip(f"link set {lan.RIGHT} down")
    lan.until(lambda: not lan.operating(lan.LEFT), "the carrier lost")


def plug(lan: Lan) -> None:
    with lan.on_the_right():
        lan.ip(f"link set {lan.RIGHT} up")
        lan.ip(f"address add {RIGHT6}/64 dev {lan.RIGHT} nodad")  # the kernel took it off with the link
        lan.wait_up(lan.RIGHT)
    lan.wait_up(lan.LEFT)


def table(lan: Lan, interface: str = Lan.LEFT) -> dict[str, tuple[str, str | None]]:
    """iproute2's view: each neighbour's state and hardware address."""
    shown = [lan.ip(f"-{family} -json neigh show nud all dev {interface}") for family in "46"]
    found = [entry for text in shown for entry in json.loads(text)]
    return {entry["dst"]: (entry["state"][0], entry.get("lladdr")) for entry in found}


def waiting(lan: Lan, address: str) -> bool:
    return table(lan).get(address) == ("INCOMPLETE", None)


def begin_to_connect(address: str) -> socket.socket:
    connecting = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    connecting.setblocking(False)
    assert connecting.connect_ex((address, PORT)) == errno.EINPROGRESS
    return connecting


def connected(connecting: socket.socket, within_s: float) -> bool:
    """False when nothing has come of it; a refusal raises."""
    if not select.select([], [connecting], [], within_s)[1]:
        return False
    error = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    assert error == 0, errno.errorcode[error]
    return True


def say_something_to(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.sendto(b"?", (address, 9))


def questions(lan: Lan) -> Wire:
    """The ARP requests on the cable."""
    return lan.wire(lambda frame: frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x01")


def asked_for(wire: Wire, count: int) -> list[str]:
    return sorted(str(IPv4Address(frame[38:42])) for frame in wire.take(count))


@pytest.mark.parametrize("address", [RIGHT4, RIGHT6])
def test_a_neighbour_asked_for_in_vain_is_reached_at_once(lan: Lan, address: str) -> None:
    """A connection begun while the cable was out is neither refused nor left waiting, and the next one is at once."""
    slow_questions(lan)
    with lan.on_the_right():
        listener = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
        mac_of_right = lan.mac(lan.RIGHT)
    unplug(lan)
    begun = begin_to_connect(address)
    lan.until(lambda: waiting(lan, address), "an entry without an answer")
    plug(lan)
    after = begin_to_connect(address)
    assert not connected(after, 0.2) and waiting(lan, address), "the kernel does not help itself"
    assert ask_again(lan.index) == [ip_address(address)]
    assert connected(begun, 5.0) and connected(after, 5.0)
    assert connected(begin_to_connect(address), 5.0)
    assert table(lan)[address] == ("REACHABLE", mac_of_right)
    listener.close()


def lan_mac_of_right(lan: Lan) -> str:
    with lan.on_the_right():
        return lan.mac(lan.RIGHT)


def test_all_others_stay_as_they_are(lan: Lan) -> None:
    """Permanent, resolved and failed entries, and those of another interface, are neither changed nor asked for."""
    slow_questions(lan)
    states = ("permanent", "noarp", "reachable", "stale", "failed")
    for number, state in enumerate(states, 10):
        lladdr = "" if state == "failed" else f"lladdr 02:00:00:00:00:{number}"
        lan.ip(f"neigh add 10.0.0.{number} dev {lan.LEFT} {lladdr} nud {state}")
    lan.ip(f"neigh add fd00:77::10 dev {lan.LEFT} lladdr 02:00:00:00:00:10 nud permanent")
    lan.ip("link add other type veth peer name rehto")
    lan.ip("address add 10.1.0.1/24 dev other")
    lan.ip("link set rehto up")
    lan.ip("link set other up")
    lan.wait_up("other")
    slow_questions(lan, "other")
    wire = questions(lan)
    say_something_to(NOBODY)
    say_something_to("10.1.0.66")
    assert asked_for(wire, 1) == [NOBODY]
    before = table(lan)
    assert [before[f"10.0.0.{number}"][0].lower() for number, _ in enumerate(states, 10)] == list(states)
    assert before[NOBODY] == table(lan, "other")["10.1.0.66"] == ("INCOMPLETE", None)
    assert ask_again(lan.index) == [ip_address(NOBODY)]
    assert table(lan) == before
    assert asked_for(wire, 1) == [NOBODY]


def test_a_neighbour_that_failed_needs_no_help(lan: Lan) -> None:
    """The next packet asks for it at once, which is why it is left alone."""
    slow_questions(lan)
    lan.ip(f"neigh add {NOBODY} dev {lan.LEFT} nud failed")
    wire = questions(lan)
    assert ask_again(lan.index) == []
    assert table(lan)[NOBODY] == ("FAILED", None)
    say_something_to(NOBODY)
    assert asked_for(wire, 1) == [NOBODY]


def test_not_more_than_so_many_at_once(lan: Lan) -> None:
    """A scan of the LAN in flight when the cable went out does not hold the loop up."""
    slow_questions(lan)
    wire = questions(lan)
    for number in range(100, 100 + NEIGHBOURS_MAX + 5):
        say_something_to(f"10.0.0.{number}")
    everybody = asked_for(wire, NEIGHBOURS_MAX + 5)
    asked = ask_again(lan.index)
    assert len(asked) == NEIGHBOURS_MAX and {str(address) for address in asked} <= set(everybody)
    assert asked_for(wire, NEIGHBOURS_MAX) == sorted(map(str, asked))


def test_without_rights_or_without_the_interface(lan: Lan) -> None:
    """Refused by the kernel: an error that names the neighbour; no such interface: nobody to ask for."""
    slow_questions(lan)
    assert ask_again(999) == []
    say_something_to(NOBODY)
    lan.lose_privileges()
    with pytest.raises(OSError, match=f"cannot ask for neighbour {NOBODY} again: ") as raised:
        ask_again(lan.index)
    assert raised.value.errno == errno.EPERM
