"""What is said of connections that are carried over: as it was meant, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.members.reports import MINIMAL
from wsa_proxy.members.carry_words import NOTHING
from wsa_proxy.members.carry_words import WHY_CHARACTERS_MAX
from wsa_proxy.members.carry_words import Carried
from wsa_proxy.members.carry_words import read
from wsa_proxy.members.carry_words import written
from wsa_proxy.members.report import pack
from wsa_proxy.members.report import unpack

MAC = b"\x02\x00\x00\x00\x00\x01"
FULL = Carried(drains=True, settled=7, mac=MAC, steers=True, why_not="no nf_tables")


@pytest.mark.parametrize("carried", [FULL, NOTHING, replace(NOTHING, settled=0), replace(NOTHING, mac=MAC)])
def test_what_is_said_is_heard(carried: Carried) -> None:
    """By way of a report; position 0 is a position."""
    assert read(unpack(pack(replace(MINIMAL, carry=written(carried))))) == carried


def test_something_is_always_said() -> None:
    """Or a node that keeps lists could not be told from one whose version has none; the reason comes last."""
    assert written(NOTHING) == {"steers": False}
    assert list(written(FULL)) == ["steers", "drains", "mac", "settled", "why_not"]
    assert read(None) == read(MINIMAL) == NOTHING
    assert written(replace(NOTHING, why_not="x" * 500))["why_not"] == "x" * WHY_CHARACTERS_MAX


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("drains", 1),
        ("settled", -1),
        ("settled", True),
        ("mac", MAC[1:]),
        ("mac", "02"),
        ("mac", bytes(6)),
        ("mac", b"\xff" * 6),
        ("mac", b"\x01\x00\x5e\x00\x00\x12"),
        ("steers", "yes"),
        ("x", 1),
    ],
)
def test_what_is_not_as_it_should_be_is_missing(name: str, value: bool | int | bytes | str) -> None:
    """The rest stands."""
    assert read(replace(MINIMAL, carry={"why_not": "so", name: value})) == Carried(why_not="so")
    assert len(read(replace(MINIMAL, carry={"why_not": "\u00e9" * 500})).why_not) == WHY_CHARACTERS_MAX
