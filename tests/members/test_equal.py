"""The settings that must be equal: how they are carried, and how a difference is said."""

from __future__ import annotations

import hashlib
from ipaddress import ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.members.equal import ADDRESSES_CHARACTERS_MAX
from wsa_proxy.members.equal import MORE
from wsa_proxy.members.equal import SETTINGS_BYTES_MAX
from wsa_proxy.members.equal import VALUE_CHARACTERS_MAX
from wsa_proxy.members.equal import WORDS
from wsa_proxy.members.equal import Mismatch
from wsa_proxy.members.equal import addresses_text
from wsa_proxy.members.equal import compare
from wsa_proxy.members.equal import fitting
from wsa_proxy.members.equal import short

OURS = {
    "id": "1",
    "virtual_ip": "10.0.0.3/24",
    "hostname": "proxy.example.com",
    "failover_handling": "preemptive",
    "advertisement_interval": "1 s",
    "security": "sealed",
    "advertising": "multicast",
    "mac": "interface",
    "port": "8080",
    "ca": "0011223344556677",
}
NAMES = st.sampled_from([*WORDS, "body_size_limit", "ssl_insecure", *(f"option_{number}" for number in range(9))])
VALUES = st.text(max_size=300) | st.sampled_from(["", "a", "b"])
SETTINGS = st.dictionaries(NAMES, VALUES, max_size=24)


def texts(theirs: dict[str, str], ours: dict[str, str] | None = None, optional: tuple[str, ...] = ()) -> list[str]:
    return [each.text for each in compare(OURS if ours is None else ours, theirs, optional)]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("id", "2", "Failover Group ID 2, here 1"),
        ("virtual_ip", "10.0.0.4/24", "VIP 10.0.0.4/24, here 10.0.0.3/24"),
        ("virtual_ip", "10.0.0.3/16", "netmask 10.0.0.3/16, here 10.0.0.3/24"),
        ("virtual_ip", "10.0.0.3/24, 10.0.0.9/24", "VIP 10.0.0.3/24, 10.0.0.9/24, here 10.0.0.3/24"),
        ("hostname", "b.example.com", "hostname b.example.com, here proxy.example.com"),
        ("failover_handling", "non-preemptive", "Failover Handling non-preemptive, here preemptive"),
        ("advertisement_interval", "3 s", "advertisement interval 3 s, here 1 s"),
        ("security", "carp", "security carp, here sealed"),
        ("advertising", "unicast", "advertisements unicast, here multicast"),
        ("mac", "virtual", "mac virtual, here interface"),
        ("port", "3128", "port 3128, here 8080"),
        ("ca", "8899aabbccddeeff", "certificate authority of mitmproxy 8899aabbccddeeff, here 0011223344556677"),
    ],
)
def test_each_difference_is_said_in_the_words_of_the_configuration(name: str, value: str, text: str) -> None:
    """As issue 6 has it: "node b: VIP 10.0.0.4/24, here 10.0.0.3/24" is the name of the node and this."""
    assert texts(OURS | {name: value}) == [text]


def test_equal_settings_differ_in_nothing() -> None:
    """Whatever their order, and where one of the versions does not know all of them."""
    assert texts(dict(reversed(OURS.items()))) == []
    assert texts({"virtual_ip": "10.0.0.3/24"}) == texts({}) == []
    assert texts(OURS | {"of a later version": "1"}) == []


def test_the_gravest_comes_first() -> None:
    """In the order of WORDS, options last; a netmask where the virtual IP would stand."""
    other = {name: f"x{value}" for name, value in OURS.items()} | {"zeta": "1", "alpha": "2"}
    found = [each.name for each in compare(OURS | {"alpha": "1", "zeta": "2"}, other, ["zeta", "alpha"])]
    assert found == [name for name in WORDS if name in OURS] + ["alpha", "zeta"]
    found = [each.name for each in compare(OURS, OURS | {"id": "2", "virtual_ip": "10.0.0.3/16", "port": "1"})]
    assert found == ["id", "netmask", "port"]


def test_an_option_that_is_as_usual_is_not_there() -> None:
    """So one that only one of the nodes tells differs, unlike the other settings; said once if both tell it."""
    optional = ("ssl_insecure", "body_size_limit", "secrets")
    assert texts(OURS | {"ssl_insecure": "true"}, optional=optional) == ["option ssl_insecure true, here none"]
    assert texts(OURS, OURS | {"ssl_insecure": "true"}, optional) == ["option ssl_insecure none, here true"]
    both = texts(OURS | {"ssl_insecure": "true"}, OURS | {"ssl_insecure": "maybe"}, optional)
    assert both == ["option ssl_insecure true, here maybe"]
    assert texts(OURS | {"secrets": "a, b"}, optional=optional) == ["list of Shared Secrets a, b, here none"]
    assert texts(OURS | {"port": "1"}, optional=iter(optional)) == ["port 1, here 8080"]  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "limit"), [("x" * 60, 60), ("x" * 180, 180), ("", 60)])
def test_a_short_value_is_itself(value: str, limit: int) -> None:
    assert short(value, limit) == value


def test_a_long_value_is_its_beginning_and_a_digest() -> None:
    """The digest is that of the whole: ``printf %0100d 0 | sha256sum``."""
    value = "0" * 100
    assert short(value) == "0" * 48 + "... " + hashlib.sha256(value.encode()).hexdigest()[:8]
    assert len(short(value)) == VALUE_CHARACTERS_MAX and short(value) != short("0" * 99 + "1")
    assert short(short(value)) == short(value)


@given(SETTINGS)
def test_the_settings_fit(settings: dict[str, str]) -> None:
    """Within their bytes, each within its characters, the same a second time and in any order; what is carried under a
    name is what was told by it."""
    carried = fitting(settings)
    assert sum(len(name.encode()) + len(value.encode()) + 6 for name, value in carried.items()) <= SETTINGS_BYTES_MAX
    assert fitting(carried) == carried == fitting(dict(reversed(settings.items())))
    for name, value in carried.items():
        assert value.isprintable() and len(value) <= (ADDRESSES_CHARACTERS_MAX if name == "virtual_ip" else 60)
        if name != MORE:
            assert fitting({name: settings[name]}) == {name: value}


@given(SETTINGS, SETTINGS)
def test_a_difference_is_found_however_long_the_settings(ours: dict[str, str], theirs: dict[str, str]) -> None:
    """Equal ones never differ, carried or not. Others of the same names always do; and what is said is true."""
    optional = {*ours, *theirs} - WORDS.keys()
    assert compare(ours, fitting(ours), optional) == compare(fitting(ours), ours, optional) == []
    found = compare(ours, fitting(theirs), optional)
    assert found == compare(ours, theirs, optional)
    same = {name: theirs.get(name, value) for name, value in ours.items() if name != MORE}
    mine = {name: value for name, value in ours.items() if name != MORE}
    if fitting(same) != fitting(mine):
        assert compare(mine, fitting(same), optional)
    for each in found:
        if each.name not in (MORE, "netmask"):
            assert ours.get(each.name) != theirs.get(each.name)


def test_what_has_no_room_is_known_by_its_fingerprint() -> None:
    """Its names are not said to be missing; a difference in it is found all the same."""
    long = OURS | {f"option_{number:02}": "x" * 60 for number in range(20)}
    carried = fitting(long)
    assert MORE in carried and "option_19" not in carried and OURS.items() <= carried.items()
    optional = [name for name in long if name not in OURS]
    assert compare(long, carried, optional) == []
    assert (
        len(compare(OURS, carried, [*optional, MORE]))
        == len(compare(OURS, carried, optional))
        == len(carried) - len(OURS)
    )
    (found,) = compare(long, fitting(long | {"option_19": "y"}), optional)
    assert found.name == MORE and found.text.startswith("fingerprint of the options that a report has no room for ")
    few = OURS | {"option_00": "x" * 60, "option_19": "x" * 60}
    names = {each.name for each in compare(few, carried, optional)}
    assert "option_19" not in names and {MORE, "option_01"} <= names


def test_virtual_ips_in_one_order() -> None:
    """IPv4 first, by value, with their prefix."""
    texts = ["fd00::3/64", "10.0.0.10/24", "10.0.0.9/24", "fd00::3/48"]
    assert addresses_text(map(ip_interface, texts)) == "10.0.0.9/24, 10.0.0.10/24, fd00::3/64, fd00::3/48"


def test_a_mismatch_has_no_empty_words() -> None:
    """What is not set is "none"."""
    assert Mismatch("hostname", "", "a").text == "hostname none, here a"
