from __future__ import annotations

import pytest

from wsa_proxy.config.peer import PEERS_TEXT
from wsa_proxy.config.peer import read_peer

ADDRESS = "is not an address such as 10.0.0.2 or fd00:77::2"
OWN = "name each peer by an address of its own"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.2/24", f"{ADDRESS}; write it without a prefix: 10.0.0.2"),
        ("fd00:77::2/64", f"{ADDRESS}; write it without a prefix: fd00:77::2"),
        ("10.0.0.1, 10.0.0.2", f"{ADDRESS}; write several as a list: [10.0.0.1, 10.0.0.2]"),
        ("b.example.com", ADDRESS),
        ("10.0.0.2:8080", ADDRESS),
        ("10.0.0.02", ADDRESS),
        ("fe80::2%eth0", "has a zone (%); leave it out, the key interface chooses the interface"),
        ("224.0.0.18", f"is a multicast address; {OWN}"),
        ("ff02::12", f"is a multicast address; {OWN}"),
        ("0.0.0.0", f"is an address of 'this host'; {OWN}"),
        ("0.0.0.9", f"is an address of 'this host'; {OWN}"),
        ("::", f"is an address of 'this host'; {OWN}"),
        ("127.0.0.1", f"is a loopback address; {OWN}"),
        ("::1", f"is a loopback address; {OWN}"),
        ("::ffff:10.0.0.2", f"is an IPv4 address in IPv6 form; {OWN}"),
        ("255.255.255.255", f"is the broadcast address; {OWN}"),
        ("240.0.0.1", f"is a reserved address (240.0.0.0/4); {OWN}"),
    ],
)
def test_what_cannot_be_a_peer(text: str, words: str) -> None:
    """With what was probably meant where it can be guessed."""
    with pytest.raises(ValueError) as caught:
        read_peer(text)
    assert str(caught.value) == words


@pytest.mark.parametrize("text", ["10.0.0.2", "169.254.1.2", "fd00:77::2", "2001:db8::2", "fe80::2"])
def test_an_address_of_a_host_is_what_it_says(text: str) -> None:
    """IPv4 and IPv6, link-local ones too."""
    assert str(read_peer(text)) == text


@pytest.mark.parametrize("value", [5, True, 1.5, [], {}])
def test_other_types_are_no_address(value: object) -> None:
    """A number is never taken for an address; a hole in the list was told before."""
    with pytest.raises(ValueError) as caught:
        read_peer(value)  # type: ignore[arg-type]
    assert str(caught.value) == PEERS_TEXT
    assert read_peer(None) is None
