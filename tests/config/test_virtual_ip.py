from __future__ import annotations

import pytest

from wsa_proxy.config.virtual_ip import VIRTUAL_IP_TEXT
from wsa_proxy.config.virtual_ip import MissingPrefix
from wsa_proxy.config.virtual_ip import read_virtual_ip

ADDRESS = "is not an address with a prefix, such as 10.0.0.3/24 or fd00:77::3/64"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.3/24, 10.0.0.4/24", f"{ADDRESS}; write several as a list: [10.0.0.3/24, 10.0.0.4/24]"),
        ("10.0.0.3 255.255.255.0", f"{ADDRESS}; write 10.0.0.3/255.255.255.0"),
        ("10.0.0.3/24:8080", f"{ADDRESS}; the port has a key of its own: port"),
        ("10.0.0.3:8080", f"{ADDRESS}; the port has a key of its own: port"),
        ("10.0.0.03/24", f"{ADDRESS}; write its numbers without leading zeros"),
        ("10.0.0.3-9/24", ADDRESS),
        ("10.0.0.3/255.255.0.255", ADDRESS),
        ("proxy.example.com/24", ADDRESS),
    ],
)
def test_what_was_probably_meant_is_said(text: str, words: str) -> None:
    """Text that is no address comes with the fix where it can be guessed."""
    with pytest.raises(ValueError) as caught:
        read_virtual_ip(text)
    assert str(caught.value) == words


@pytest.mark.parametrize(("text", "usual"), [("10.0.0.3", "10.0.0.3/24"), ("fd00:77::3", "fd00:77::3/64")])
def test_a_prefix_is_asked_for(text: str, usual: str) -> None:
    """Without one the usual prefix goes along, for who knows no better one."""
    with pytest.raises(MissingPrefix) as caught:
        read_virtual_ip(text)
    assert str(caught.value) == usual


@pytest.mark.parametrize(
    "text",
    ["10.0.0.3/24", "10.0.0.3/32", "10.0.0.2/31", "fd00:77::3/64", "fd00:77::3/128", "fe80::3/64", "169.254.7.3/16"],
)
def test_right_ones_are_what_they_say(text: str) -> None:
    """A host of a LAN, of a point-to-point network, or alone."""
    assert str(read_virtual_ip(text)) == text


@pytest.mark.parametrize("value", [5, True, 1.5, [], {}])
def test_other_types_are_no_address(value: object) -> None:
    """A number is never taken for an address."""
    with pytest.raises(ValueError) as caught:
        read_virtual_ip(value)  # type: ignore[arg-type]
    assert str(caught.value) == VIRTUAL_IP_TEXT
