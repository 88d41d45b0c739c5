"""The bytes between a proxy and its guardian."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from wsa_proxy.net import orders
from wsa_proxy.net.orders import Message


@pytest.mark.parametrize("parts", [[], [b""], [b"a", b"", b"\0" * 70_000]])
def test_a_message_comes_out_as_it_went_in(parts: list[bytes]) -> None:
    sent = Message(orders.WILL, 255, 7, 2**32 - 1, 12345.678, parts)
    read = orders.decode(sent.encode())
    for name in Message.__slots__:
        assert getattr(read, name) == getattr(sent, name)


def test_whatever_is_cut_or_too_long_is_refused() -> None:
    """At every length but those at which a part ends."""
    whole = Message(orders.HOLD, 1, 1, 1, 0.0, [b"abc", b"de"]).encode()
    ends = {len(Message(orders.HOLD, 1, 1, 1, 0.0, parts).encode()) for parts in ([], [b"abc"], [b"abc", b"de"])}
    for length in range(len(whole) + 1):
        if length in ends:
            orders.decode(whole[:length])
        else:
            with pytest.raises(ValueError, match="message"):
                orders.decode(whole[:length])


def test_a_will_that_is_signed_anew_is_a_message_like_the_others() -> None:
    """Made in one go, since one of them precedes each advertisement."""
    assert orders.signed(200, 3, 1.5, b"payload") == Message(orders.SIGNED, 200, 3, 0, 1.5, [b"payload"]).encode()


def test_parts() -> None:
    """A frame, a datagram of either IP version, numbers, seconds."""
    assert orders.decode_frame(orders.frame(7, b"header ") + b"payload") == (7, b"header payload")
    for source, destination, scope in (("10.0.0.1", "10.0.0.2", 0), ("fe80::1", "fe80::2", 5)):
        ends = ip_address(source).packed, ip_address(destination).packed
        part = orders.datagram(ip_address(source).version, scope, *ends) + b"payload"
        assert orders.decode_frame(part) is None
        assert orders.decode_datagram(part) == (ip_address(source).version, scope, *ends, b"payload")
    assert orders.decode_numbers(orders.numbers([0, 99, -1])) == [0, 99, -1]
    assert orders.decode_seconds(orders.seconds(0.25)) == 0.25
