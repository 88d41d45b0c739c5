"""The table that steers: what is in it, how it changes, and that it ends."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tests.net.steered import OLD
from tests.net.steered import VHID
from tests.net.steered import client
from tests.net.steered import content
from tests.net.steered import contents
from tests.net.steered import forwarded
from tests.net.steered import nft
from tests.net.steered import packed
from tests.net.steered import segment
from tests.net.steered import steered
from wsa_proxy.net.nft_messages import delete_table
from wsa_proxy.net.nft_socket import NftSocket
from wsa_proxy.net.steering import Steering

RULES = """
    vlan id != 0 accept
    ether type 8021ad vlan id != 0 accept
    ether daddr set ip daddr . tcp dport . ip saddr . tcp sport map @clients4-left ether saddr set OWN counter \
packets 0 bytes 0 fwd to "left"
    ip daddr . tcp dport != @opening4-left accept
    tcp flags syn / syn,ack add @begun4-left { ip daddr . tcp dport . ip saddr . tcp sport }
    ether daddr set ip6 daddr . tcp dport map @unknown6-left ether saddr set OWN counter packets 0 bytes 0 fwd to "left"
    type filter hook ingress device "left" priority 100; policy accept;
    meta pkttype host meta protocol ip meta l4proto tcp jump steer4-left
"""


def open_steering() -> Steering:
    steering = Steering()
    assert steering.trouble is None
    return steering


def test_as_nft_lists_it(lan: Any) -> None:
    """An operator reads rules, not numbers: nft knows every field that is looked at."""
    assert nft("list", "ruleset") == ""
    steering = open_steering()
    assert nft("list", "ruleset") == "", "the try at the start is over"
    steering.steer(VHID, steered(lan, [client(4), client(6)], unknown=(4, 6)))
    listing = nft("list", "ruleset")
    for line in RULES.strip().splitlines():
        assert line.strip().replace("OWN", lan.mac()) in listing
    assert "@nh" not in listing and "@th" not in listing and "@ll" not in listing
    assert "flags owner" in listing
    old, found = OLD.hex(":"), content(steering)
    assert found["clients4-left"] == [f"10.0.0.100 . 8080 . 10.0.0.2 . 40000 : {old}"]
    assert found["clients6-left"] == [f"fd00:77::100 . 8080 . fd00:77::2 . 40000 : {old}"]
    assert found["unknown6-left"] == [f"fd00:77::100 . 8080 : {old}"]
    assert found["opening4-left"] == ["10.0.0.100 . 8080"]
    assert f"fd00:77::100 . {old}" in found["members6-left"]
    steering.steer(VHID, None)
    assert nft("list", "ruleset") == ""


def test_a_change_that_is_refused_changes_nothing(lan: Any) -> None:
    """Half of a transaction is never in force, and the next one that makes sense is carried out."""
    steering = open_steering()
    steering.steer(VHID, steered(lan, [client(4)]))
    before = content(steering)
    with pytest.raises(OSError) as raised:
        steering.steer(VHID, steered(lan, [client(4, 40_001), client(4)[:-1] + b"long"]))
    assert raised.value.errno == errno.EINVAL and content(steering) == before
    with pytest.raises(OSError, match="there is no interface gone"):
        steering.steer(VHID, steered(lan, [client(4, 40_001)], more_devices=("gone",)))
    assert content(steering) == before
    steering.steer(VHID, steered(lan, [client(4, 40_001)]))
    assert content(steering) != before


def test_no_frame_is_lost_when_the_unknown_become_listed(lan: Any) -> None:
    """While the first second's rule goes and the list comes, and back, in the midst of frames of one connection."""
    steering = open_steering()
    first, settled = steered(lan, unknown=(4,)), steered(lan, [client(4)])
    steering.steer(VHID, first)
    frame = bytes(segment(4, packed(lan.mac()), "A"))
    with lan.on_the_right():
        sender = lan.raw_socket(lan.RIGHT)
    sender.setblocking(True)
    sent = 0
    ended = threading.Event()

    def keep_sending() -> None:
        nonlocal sent
        while not ended.is_set():
            sender.send(frame)
            sent += 1

    thread = threading.Thread(target=keep_sending)
    thread.start()
    changes = 0
    while changes < 300 or sent < 1000:
        steering.steer(VHID, settled)
        steering.steer(VHID, first)
        changes += 1
    ended.set()
    thread.join()
    lan.until(lambda: forwarded() == sent, f"all {sent} frames leave, not only {forwarded()}")


def test_what_goes_last_is_asked_for_again(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that takes the list, and then refuses that the unknown go: the next time they do."""
    steering = open_steering()
    steering.steer(VHID, steered(lan, unknown=(4,)))
    settled = steered(lan, [client(4)])
    left = [1]

    def transact(self: NftSocket, messages: Sequence[bytes]) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOMEM, "as a kernel says it")
        real(self, messages)

    real = NftSocket.transact
    with monkeypatch.context() as patched:
        patched.setattr(NftSocket, "transact", transact)
        with pytest.raises(OSError, match="as a kernel says it"):
            steering.steer(VHID, settled)
    found = content(steering)
    assert found["clients4-left"] != [] and found["unknown4-left"] != []
    steering.steer(VHID, settled)
    found = content(steering)
    assert found["clients4-left"] != [] and found["unknown4-left"] == []


def test_what_is_made_anew_needs_nothing_in_between(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The own hardware address has changed while the unknown were steered: the new table has them no more, or what has
    begun here would be unknown to it, and go away."""
    steering = open_steering()
    steering.steer(VHID, steered(lan, unknown=(4,)))
    ours = [segment(4, packed(lan.mac()), flags, sport=50_000) for flags in "SA"]
    lan.send_from_the_right(*ours)
    lan.ip("link set left address 02:00:00:00:00:77")
    ours = [segment(4, packed(lan.mac()), "A", sport=50_000)]
    elsewhere: list[int] = []

    def transact(self: NftSocket, messages: Sequence[bytes]) -> None:
        real(self, messages)
        lan.send_from_the_right(*ours)
        elsewhere.append(forwarded())

    real = NftSocket.transact
    with monkeypatch.context() as patched:
        patched.setattr(NftSocket, "transact", transact)
        steering.steer(VHID, steered(lan, [client(4)]))
    assert set(elsewhere) == {0}
    assert content(steering)["clients4-left"] != []


def test_devices_that_go_while_the_unknown_are_steered(lan: Any) -> None:
    """One group's are made anew, another's are gone: the first one's unknown go all the same."""
    for device in ("carp42", "carp43"):
        lan.ip(f"link add {device} link left type macvlan")
    steering = open_steering()
    steering.steer(43, steered(lan, [client(6)], more_devices=("carp43",)))
    steering.steer(VHID, steered(lan, [client(4)], unknown=(4,), more_devices=("carp42",)))
    lan.ip("link delete carp43")
    lan.ip(f"link delete {lan.LEFT}")
    lan.cable()
    lan.ip("link add carp42 link left type macvlan")
    steering.steer(VHID, steered(lan, [client(4)], more_devices=("carp42",)))
    found = content(steering)
    assert found["clients4-left"] != [] and found["unknown4-left"] == []


def test_one_group_ends_and_the_others_stay(lan: Any) -> None:
    """Also on the same device: each has elements of its own."""
    steering = open_steering()
    other = steered(lan, [client(6)], unknown=(6,))
    steering.steer(1, other)
    alone = content(steering)
    steering.steer(2, steered(lan, [client(4)], unknown=(4,), more_devices=("lo",)))
    assert "in-lo" in content(steering) and alone != content(steering)
    steering.steer(2, None)
    steering.steer(2, None)
    assert content(steering) == alone
    steering.steer(1, None)
    assert nft("list", "ruleset") == ""


def test_ten_thousand_clients(lan: Any) -> None:
    """In one transaction, of several messages: an attribute holds some 1,400 of IPv4's, 900 of IPv6's."""
    steering = open_steering()
    clients = [client(version, port) for version in (4, 6) for port in range(20_000, 30_000)]
    steering.steer(VHID, steered(lan, clients))
    found = content(steering)
    assert [len(set(found[f"clients{version}-left"])) for version in (4, 6)] == [10_000, 10_000]
    steering.steer(VHID, steered(lan, clients[9_999:10_001]))
    found = content(steering)
    assert [len(found[f"clients{version}-left"]) for version in (4, 6)] == [1, 1]


def test_a_firewall_that_is_loaded_anew_leaves_it_alone(lan: Any) -> None:
    """It is ours, and nobody else's to change: neither flushed nor edited, and it goes when we want."""
    steering = open_steering()
    steering.steer(VHID, steered(lan, [client(4)]))
    before = content(steering)
    nft("flush", "ruleset")
    assert content(steering) == before
    for command in ("delete table", "flush table"):
        refused = subprocess.run(["nft", *command.split(), "netdev", steering.table], capture_output=True, text=True)
        assert "Operation not permitted" in refused.stderr
    assert content(steering) == before
    steering.close()
    steering.close()
    assert nft("list", "ruleset") == ""


@contextmanager
def child(run: Callable[[], None]) -> Iterator[None]:
    """Another process, in which this has run; it is killed in the end."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            run()
            os.write(writing, b"!")
            signal.pause()
        finally:
            os._exit(1)
    try:
        os.close(writing)
        assert os.read(reading, 1) == b"!", "the child has failed"
        yield
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def test_killed_it_leaves_nothing(lan: Any) -> None:
    """Nobody has to clean up behind a dead proxy: the kernel does, before the process is gone."""
    kept: list[Steering] = []

    def steer() -> None:
        kept.append(open_steering())
        kept[0].steer(VHID, steered(lan, [client(4)]))

    with child(steer):
        assert "clients4-left" in nft("list", "ruleset")
    assert nft("list", "ruleset") == ""


def test_a_forked_child_does_not_keep_it(lan: Any) -> None:
    """Workers of some addon live on when the proxy is dead; what they inherit does not."""
    steering = open_steering()
    steering.steer(VHID, steered(lan, [client(4)]))
    with child(lambda: None):
        assert "clients4-left" in nft("list", "ruleset"), "the child has not ended it"
        steering.close()
        assert nft("list", "ruleset") == ""


def test_two_processes_of_one_host(lan: Any) -> None:
    """Each has a table of its own, and the end of one is not that of the other."""
    first, second = open_steering(), open_steering()
    for each in (first, second):
        each.steer(VHID, steered(lan, [client(4)]))
    assert contents().keys() == {first.table, second.table}
    first.close()
    assert contents().keys() == {second.table}


def test_a_device_that_is_made_anew(lan: Any) -> None:
    """Asked again, it looks at the new one, and sends by the new one; other groups' devices may be gone meanwhile."""
    lan.ip("link add carp42 link left type macvlan")
    lan.ip("link add carp43 link left type macvlan")
    steering = open_steering()
    steering.steer(43, steered(lan, [client(6)], more_devices=("carp43",)))
    wanted = steered(lan, [client(4)], more_devices=("carp42",))
    steering.steer(VHID, wanted)
    before = content(steering)
    steering.steer(VHID, wanted)
    lan.ip("link delete carp43")
    lan.ip(f"link delete {lan.LEFT}")
    lan.cable()
    lan.ip("link add carp42 link left type macvlan")
    again = steered(lan, [client(4)], more_devices=("carp42",))
    steering.steer(VHID, again)
    found = content(steering)
    assert found["clients4-left"] == before["clients4-left"] and found["clients6-left"] == []
    assert 'fwd to "left"' in nft("list", "ruleset")
    frame = segment(4, packed(lan.mac()), "A")
    lan.send_from_the_right(frame)
    lan.until(lambda: forwarded() == 1, "the frame is steered")
    steering.steer(43, None)
    steering.steer(VHID, None)
    assert nft("list", "ruleset") == ""


def test_a_table_that_is_lost_is_made_again(lan: Any) -> None:
    """Whatever has removed it, the next change brings all of it back."""
    steering = open_steering()
    steering.steer(1, steered(lan, [client(6)]))
    steering.steer(2, steered(lan, [client(4)]))
    wanted = content(steering)
    assert steering._socket is not None
    steering._socket.transact([delete_table(steering.table)])
    steering.steer(2, steered(lan, [client(4, 40_001)]))
    steering.steer(2, steered(lan, [client(4)]))
    assert content(steering) == wanted
    steering._socket.transact([delete_table(steering.table)])
    steering.steer(2, None)
    assert content(steering)["clients6-left"] == wanted["clients6-left"]
    steering._socket.transact([delete_table(steering.table)])
    steering.steer(1, None)
    assert nft("list", "ruleset") == ""


def test_lost_together_with_the_last_device(lan: Any) -> None:
    """Then there is nothing to make again, and no empty table stays."""
    lan.ip("link add carp42 link left type macvlan")
    steering = open_steering()
    steering.steer(1, steered(lan, [client(6)], more_devices=("carp42",)))
    steering.steer(2, steered(lan, [client(4)]))
    lan.ip("link delete carp42")
    assert steering._socket is not None
    steering._socket.transact([delete_table(steering.table)])
    steering.steer(2, None)
    assert nft("list", "ruleset") == ""


def test_without_the_right_to_it(lan: Any) -> None:
    """It says so, and steers nothing; to want nothing is no error."""
    lan.lose_privileges()
    steering = Steering()
    assert steering.trouble == "the process needs CAP_NET_ADMIN"
    steering.steer(VHID, None)
    with pytest.raises(OSError, match="the process needs CAP_NET_ADMIN"):
        steering.steer(VHID, steered(lan, [client(4)]))


@pytest.mark.parametrize(
    ("tries", "trouble"),
    [
        (0, "this kernel has no nf_tables: Operation not supported"),
        (1, "this kernel's nf_tables knows no owner of a table, which came with Linux 5.12: Operation not supported"),
        (
            2,
            "this kernel's nf_tables cannot forward what comes in (nft_fwd_netdev): Operation not supported",
        ),
    ],
)
def test_a_kernel_that_cannot(lan: Any, monkeypatch: pytest.MonkeyPatch, tries: int, trouble: str) -> None:
    """What it lacks is named; nothing of the try stays."""
    left = [tries]

    def transact(self: NftSocket, messages: Sequence[bytes]) -> None:
        if left[0] == 0:
            raise OSError(errno.EOPNOTSUPP, "as a kernel says it")
        left[0] -= 1
        real(self, messages)

    real = NftSocket.transact
    monkeypatch.setattr(NftSocket, "transact", transact)
    assert Steering().trouble == trouble
    assert nft("list", "ruleset") == ""


def test_a_kernel_without_netfilter(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is not even a socket for it."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPROTONOSUPPORT, "as a kernel says it")

    monkeypatch.setattr(socket, "socket", refuse)
    assert Steering().trouble == ("this kernel has no netfilter (CONFIG_NETFILTER_NETLINK): Protocol not supported")
