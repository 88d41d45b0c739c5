"""Who gives way, of nodes that do not fit together: one of them always stays, and all of them agree which."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.members.reports import MINIMAL
from wsa_proxy.members.sides import Side
from wsa_proxy.members.sides import fits
from wsa_proxy.members.sides import gives_way_to
from wsa_proxy.members.sides import side_of
from wsa_proxy.members.sides import two_masters

SETTINGS = {"virtual_ip": "10.0.0.3/24", "security": "sealed", "advertising": "multicast"}


def side(name: str, priority: int = 100, is_master: bool = False, vhid: int = 1, **settings: str) -> Side:
    return Side(name, vhid, priority, f"10.0.0.{ord(name[0])}", is_master, SETTINGS | settings)


def who_gives_way(*sides: Side, misfit: Callable[[Side, Side], bool] = two_masters) -> dict[str, str]:
    """By name: to whom; each reckons for itself."""
    found = {}
    for own in sides:
        to = gives_way_to(own, [each for each in sides if each is not own], misfit)
        if to is not None:
            found[own.name] = to.name
    return found


@pytest.mark.parametrize(
    ("changes", "misfit"),
    [
        ({}, False),
        ({"virtual_ip": "10.0.0.4/24"}, True),
        ({"virtual_ip": "10.0.0.3/24, 10.0.0.4/24"}, True),
        ({"virtual_ip": "10.0.0.3/25"}, False),
        ({"security": "carp"}, True),
        ({"security": "carp, sealed"}, True),
        ({"security": "sealed, carp"}, False),
        ({"advertising": "unicast"}, True),
        ({"hostname": "other"}, False),
        ({"port": "1", "ca": "2"}, False),
    ],
)
def test_what_makes_two_masters(changes: dict[str, Any], misfit: bool) -> None:
    """Other addresses, a signature that is not accepted, and another way: there neither hears the other. A netmask is
    not signed."""
    one, other = side("a"), side("b", **changes)
    assert two_masters(one, other) is two_masters(other, one) is misfit
    assert not two_masters(one, one) and not two_masters(other, other)


def test_a_list_of_securities_while_a_group_moves() -> None:
    """Each step of a migration fits the one before and the one after it, and the first does not fit the last."""
    steps = ["carp", "carp, sealed", "sealed, carp", "sealed"]
    sides = [side(f"{number}", security=security) for number, security in enumerate(steps)]
    fits = [[not two_masters(one, other) for other in sides] for one in sides]
    assert fits == [
        [True, True, False, False],
        [True, True, True, False],
        [False, True, True, True],
        [False, False, True, True],
    ]


def test_another_id_for_the_same_address() -> None:
    """Groups with nothing in common are no business of each other."""
    assert two_masters(side("a"), side("b", vhid=2))
    assert two_masters(side("a"), side("b", vhid=2, virtual_ip="10.0.0.3/16, 10.0.0.9/16"))
    assert not two_masters(side("a"), side("b", vhid=2, virtual_ip="10.0.0.9/24"))


@pytest.mark.parametrize("name", ["virtual_ip", "security", "advertising"])
def test_what_a_node_does_not_tell_fits(name: str) -> None:
    """A version that knows nothing of it, whatever its id."""
    mute = side("b")
    mute = replace(mute, settings={each: value for each, value in mute.settings.items() if each != name})
    assert not two_masters(side("a"), mute) and not two_masters(mute, side("a")) and not two_masters(mute, mute)
    nothing = Side("c", 2, 1, "", False, {})
    assert not two_masters(side("a"), nothing) and not two_masters(nothing, replace(nothing, vhid=1))


def test_of_two_the_lower_priority_gives_way() -> None:
    """Then the lower address; IPv6 is above IPv4, as values go."""
    low, high = side("b", 100, virtual_ip="10.0.0.4/24"), side("a", 101)
    assert who_gives_way(low, high) == {"b": "a"}
    assert who_gives_way(replace(low, priority=101), high) == {"a": "b"}
    mixed = replace(high, address="fe80::1%eth0")
    assert who_gives_way(replace(low, priority=101), mixed) == {"b": "a"}
    assert who_gives_way(replace(low, priority=101), replace(high, address="no address")) == {"a": "b"}


def test_addresses_are_compared_as_numbers() -> None:
    """Not as texts: .9 is below .10."""
    nine, ten = replace(side("a"), address="10.0.0.9"), replace(side("b", vhid=2), address="10.0.0.10")
    assert who_gives_way(nine, ten) == {"a": "b"}


def test_the_newcomer_gives_way_to_who_serves() -> None:
    """Whatever its priority; two of the newcomer's kind as well."""
    serving = side("a", 1, is_master=True)
    wrong = [side("b", 255, virtual_ip="10.0.0.4/24"), side("c", 254, virtual_ip="10.0.0.4/24")]
    assert who_gives_way(serving, *wrong) == {"b": "a", "c": "a"}
    assert who_gives_way(wrong[0], side("d", 255)) != {}, "without a master one of them does"


def test_of_two_masters_the_one_with_more_friends_stays() -> None:
    """The group of those that fit is the measure, then (priority, address)."""
    right, friend = side("a", 1, is_master=True), side("b", 2)
    wrong = side("c", 255, is_master=True, virtual_ip="10.0.0.4/24")
    assert who_gives_way(right, friend, wrong) == {"c": "a"}
    assert who_gives_way(right, wrong) == {"a": "c"}


def test_who_was_there_counts_still() -> None:
    """The master that all but one fitted has died: its friend, which is alone now, stays, whatever the other's rank."""
    dead, friend = side("a", 200, is_master=True), side("b", 100)
    wrong = side("c", 255, virtual_ip="10.0.0.4/24")
    assert gives_way_to(friend, [wrong], two_masters) is wrong
    assert gives_way_to(friend, [wrong], two_masters, [dead]) is None
    assert gives_way_to(wrong, [friend], two_masters, [dead]) is friend
    serving = replace(wrong, is_master=True)
    assert gives_way_to(friend, [serving], two_masters, [dead]) is serving, "who serves stays"
    assert gives_way_to(friend, [wrong], two_masters, [replace(dead, settings=wrong.settings)]) is wrong


def test_where_serving_is_no_merit_the_many_are_the_measure() -> None:
    """It decides between as many on both sides only."""
    serving = side("a", 1, is_master=True)
    others = [side("b", 2, virtual_ip="10.0.0.4/24"), side("c", 3, virtual_ip="10.0.0.4/24")]
    assert gives_way_to(serving, others, two_masters) is None
    assert gives_way_to(serving, others, two_masters, whoever_serves_stays=False) is others[1]
    assert gives_way_to(others[0], [serving], two_masters, whoever_serves_stays=False) is serving


def test_who_fits_the_measure_stays() -> None:
    """In the middle of a migration the first and the last do not fit each other, and the middle fits both: all stay
    while it serves."""
    first, last = side("a", 250, security="carp"), side("c", 200, security="sealed, carp")
    middle = side("b", 100, is_master=True, security="carp, sealed")
    assert who_gives_way(first, middle, last) == {}
    assert who_gives_way(first, last) == {"c": "a"}


def test_nodes_that_cannot_be_told_apart_decide_by_what_differs() -> None:
    """Both have lost their addresses, and have one name and priority: one stays."""
    one = Side("a", 1, 100, "", False, SETTINGS)
    for other in (replace(one, vhid=2), replace(one, settings=SETTINGS | {"virtual_ip": "10.0.0.4/24"})):
        verdicts = [gives_way_to(one, [other], two_masters), gives_way_to(other, [one], two_masters)]
        assert verdicts.count(None) == 1


def test_a_member_as_a_side() -> None:
    """What of its report matters here."""
    report = replace(MINIMAL, node="b", priority=7, address="10.0.0.2", state="master", settings=SETTINGS)
    assert side_of(report, 3) == Side("b", 3, 7, "10.0.0.2", True, SETTINGS)
    assert not side_of(replace(report, state="backup"), 3).is_master


SIDES = st.builds(
    Side,
    st.sampled_from("abc"),
    st.sampled_from([1, 1, 1, 2]),
    st.sampled_from([1, 100, 255]),
    st.sampled_from(["10.0.0.9", "10.0.0.10", "fe80::1", ""]),
    st.booleans(),
    st.fixed_dictionaries(
        {"virtual_ip": st.sampled_from(["10.0.0.3/24", "10.0.0.4/24", "10.0.0.3/24, 10.0.0.4/24"])},
        optional={
            "security": st.sampled_from(["carp", "sealed", "carp, sealed", "sealed, carp"]),
            "advertising": st.sampled_from(["multicast", "unicast"]),
        },
    ),
)


@given(st.lists(SIDES, min_size=1, max_size=6), st.lists(SIDES, max_size=3))
def test_whoever_they_are(sides: list[Side], absent: list[Side]) -> None:
    """All that gives way gives way to the same one, which stays and serves if anybody does; who fits it stays; and the
    order in which the others are known changes nothing."""

    def gives_way(own: Side, others: Sequence[Side]) -> Side | None:
        return gives_way_to(own, [each for each in others if each is not own], two_masters, absent)

    given_to = [gives_way(own, sides) for own in sides]
    measures = {id(each) for each in given_to if each is not None}
    assert None in given_to, "somebody stays"
    for own, to in zip(sides, given_to, strict=True):
        if to is not None:
            assert two_masters(own, to)
            assert any(to == each and given_to[at] is None for at, each in enumerate(sides)), "the measure stays"
            assert to.is_master or not any(each.is_master for each in sides)
    told = {(each.name, each.vhid, each.priority, each.address, str(sorted(each.settings.items()))) for each in sides}
    if len(told) == len(sides):
        assert len(measures) <= 1, "all give way to one"
    for order in list(permutations(sides))[:24]:
        assert [gives_way(own, order) for own in sides] == given_to


def test_nodes_that_have_known_other_absent_ones_agree_by_what_they_tell() -> None:
    """c remembers a dead friend, b, which has a mistake and the higher priority, has started since and does not."""
    dead = side("a", 255)
    b, c = side("b", 200, virtual_ip="10.0.0.4/24"), side("c", 100)
    b, c = replace(b, fits=fits(b, [c])), replace(c, fits=fits(c, [b, dead]))
    assert (b.fits, c.fits) == (1, 2)
    assert gives_way_to(b, [c], two_masters) is c
    assert gives_way_to(c, [b], two_masters, [dead]) is None
    silent = replace(c, fits=0)
    assert gives_way_to(b, [silent], two_masters) is None, "who tells nothing is counted as it is seen"
