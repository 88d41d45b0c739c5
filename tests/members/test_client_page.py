"""A page becomes bytes and a page again, within its bounds; what is none is refused as a whole."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from tests.members.clients import client
from tests.members.clients import client_6
from tests.members.reports import challenge
from tests.members.reports import life
from wsa_proxy.members import report
from wsa_proxy.members.client_page import CLIENT_BYTES
from wsa_proxy.members.client_page import BadPage
from wsa_proxy.members.client_page import Page
from wsa_proxy.members.client_page import is_page
from wsa_proxy.members.client_page import joined
from wsa_proxy.members.client_page import pack
from wsa_proxy.members.client_page import room
from wsa_proxy.members.client_page import unpack
from wsa_proxy.members.report import NUMBER_MAX
from wsa_proxy.members.report import REPORT_BYTES_MAX

DATA: dict[str, Any] = {
    "life": life(1),
    "number": 7,
    "after": 3,
    "last": 5,
    "top": 9,
    "floor": 2,
    "echoes": {life(2): challenge(2)},
    "listed_4": client(1) + client(2),
    "listed_6": client_6(1),
    "ended_4": client(3),
    "ended_6": b"",
}
PAGE = Page(**DATA)


def packed(**values: Any) -> bytes:
    """By msgpack alone."""
    data: bytes = msgpack.packb({name: value for name, value in (DATA | values).items() if value is not ...})
    return b"\xc1" + data


def test_what_is_said_is_heard() -> None:
    """Every field; the clients one by one."""
    assert unpack(pack(PAGE)) == PAGE == unpack(packed())
    assert PAGE.listed == [client(1), client(2), client_6(1)] and PAGE.ended == [client(3)]
    assert joined([client_6(1), client(2), client(1)]) == (client(2) + client(1), client_6(1))
    assert [len(client(1)), len(client_6(1))] == list(CLIENT_BYTES)


def test_a_page_is_no_report() -> None:
    """Nor is a report a page: one byte tells, and whoever knows no pages refuses it."""
    told = report.pack(report.Report(node="a", life=life(1), number=1, challenge=challenge(1)))
    assert is_page(packed()) and not is_page(told)
    for read in (report.head, report.unpack):
        with pytest.raises(report.BadReport):
            read(packed())
    with pytest.raises(BadPage):
        unpack(told)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 32])
@pytest.mark.parametrize("make", [client, client_6])
def test_the_largest_page_fits(count: int, make: Any) -> None:
    """With so many echoes, the largest numbers, and all the clients that there is room for; and there is room."""
    echoes = {life(number): challenge(number) for number in range(count)}
    most = room(count) // len(make(0))
    assert most >= 9 if count == 32 else most >= 20
    four, six = joined(make(number) for number in range(most))
    for clients in ({"listed_4": four, "listed_6": six}, {"ended_4": four, "ended_6": six}):
        numbers = dict.fromkeys(("number", "last", "top"), NUMBER_MAX - 1)
        page = Page(
            **DATA | numbers | {"echoes": echoes} | dict.fromkeys(("listed_4", "listed_6", "ended_4"), b"") | clients
        )
        assert REPORT_BYTES_MAX - 100 < len(pack(page)) <= REPORT_BYTES_MAX and unpack(pack(page)) == page


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("life", [b"", b"l" * 7, b"l" * 9, "l" * 8, 1]),
        ("number", [-1, NUMBER_MAX, True, 1.0, "1"]),
        ("after", [-1, 5, 6]),
        ("last", [3, 0, 10]),
        ("top", [4, NUMBER_MAX]),
        ("floor", [-1, 10]),
        ("echoes", [[], b"", 1]),
        ("listed_4", [b"x", client(1) + b"x", client(1)[:-1], client_6(1)[:-1], "x" * 12, 1, [client(1)]]),
        ("listed_6", [client(1), client_6(1) + client(1)]),
        ("ended_4", [b"x" * 13]),
        ("ended_6", [b"x" * 35]),
    ],
)
def test_half_of_a_page_is_worth_nothing(name: str, bad: list[Any]) -> None:
    """One value that is missing, or not what it should be: a copy that misses a change would be wrong for good."""
    for value in [..., None, {}, *bad]:
        if (name, value) != ("echoes", {}):
            with pytest.raises(BadPage):
                unpack(packed(**{name: value}))
    assert unpack(packed(tomorrow=[1])) == PAGE


@given(st.binary(max_size=200))
@example(b"\xc1")
@example(b"\xc1\x90")
@example(b"\xc1\x81\x91\xc0\xc0")
@example(b"\xc1\xdd\xff\xff\xff\xff")
@example(b"\xc1\xd6\xff\xff\xff\xff\xff")
def test_any_bytes_are_a_page_or_a_bad_one(data: bytes) -> None:
    """Whatever msgpack makes of it."""
    for each in (data, b"\xc1" + data, packed() + data, packed()[:-1] + data):
        try:
            page = unpack(each)
        except BadPage:
            continue
        assert {len(one) for one in [*page.listed, *page.ended]} <= set(CLIENT_BYTES) and page.after < page.last
