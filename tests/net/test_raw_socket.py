from __future__ import annotations

import errno
import socket
import time
from typing import Any

import pytest

from tests.net.test_packet_socket import PAYLOAD
from tests.net.test_packet_socket import ipv4_frame
from tests.net.test_packet_socket import open_socket
from wsa_proxy.net import raw_socket
from wsa_proxy.net.raw_socket import ACCEPT
from wsa_proxy.net.raw_socket import REJECT
from wsa_proxy.net.raw_socket import load_half
from wsa_proxy.net.raw_socket import open_receiver
from wsa_proxy.net.raw_socket import open_sender
from wsa_proxy.net.raw_socket import own_mac
from wsa_proxy.net.raw_socket import queued_frames
from wsa_proxy.net.raw_socket import skip

ETHERTYPE_EXPERIMENTAL = 0x88B5


def frame(number: int) -> bytes:
    return bytes.fromhex("ffffffffffff02000000000288b5") + number.to_bytes(2) + bytes(44)


def test_filter_is_there_before_the_first_frame(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that arrives while the socket is being opened does not slip past the filter."""
    with lan.on_the_right():
        sender = open_sender(lan.RIGHT, socket.if_nametoindex(lan.RIGHT))
    real_attach = raw_socket.attach_filter

    def attach(receiver: Any, program: Any) -> None:
        sender.send(frame(7))
        real_attach(receiver, program)
        sender.send(frame(7))

    monkeypatch.setattr(raw_socket, "attach_filter", attach)
    program = [load_half(14), skip(8, 0, 1), ACCEPT, REJECT]
    receiver = open_receiver(lan.LEFT, lan.index, ETHERTYPE_EXPERIMENTAL, program)
    for number in (7, 8, 9):
        sender.send(frame(number))
    assert lan.readable([receiver.fileno()], 1.0)
    assert list(queued_frames(receiver)) == [frame(8)]


@pytest.mark.parametrize("values", [(255, 255), (255, 0), (1, 255)], ids=str)
def test_of_a_bow_out_it_is_known_how_long_it_has_waited(lan: Any, values: tuple[int, int]) -> None:
    """Who is read late must not act late: a worse node would be first. Of other advertisements nobody asks."""
    advertisements = open_socket(lan)
    payload = bytearray(PAYLOAD)
    payload[5], payload[2] = values
    before_s = time.monotonic()
    lan.send_from_the_right(ipv4_frame(bytes(payload)))
    assert lan.readable(advertisements.fileno_list(), 5.0)
    time.sleep(0.05)
    (packet,) = advertisements.receive()
    if values == (255, 255):
        assert 0.05 <= packet.waited_s <= time.monotonic() - before_s + 0.001
    else:
        assert packet.waited_s == 0.0


def test_own_hardware_address(lan: Any) -> None:
    """The hardware address is the interface's present one; an interface that is gone has none."""
    sender = open_sender(lan.LEFT, lan.index)
    assert own_mac(sender) == lan.mac()
    lan.ip(f"link set {lan.LEFT} address 02:00:00:00:00:77")
    assert own_mac(sender) == "02:00:00:00:00:77"
    lan.ip(f"link delete {lan.LEFT}")
    with pytest.raises(OSError) as raised:
        own_mac(sender)
    assert raised.value.errno == errno.ENODEV


def test_without_privilege(lan: Any) -> None:
    """Without CAP_NET_RAW the error says so and names the interface."""
    lan.lose_privileges()
    with pytest.raises(PermissionError, match=f"{lan.LEFT}.*CAP_NET_RAW"):
        open_sender(lan.LEFT, lan.index)
