"""What a report says of a switch: there and back, and whatever else it says is missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.members.report import SWITCH_MAX
from wsa_proxy.members.report import Report
from wsa_proxy.members.report import pack
from wsa_proxy.members.report import unpack
from wsa_proxy.members.switch_words import ID_BYTES
from wsa_proxy.members.switch_words import Phase
from wsa_proxy.members.switch_words import Said
from wsa_proxy.members.switch_words import read
from wsa_proxy.members.switch_words import written

ID, LIFE = bytes(range(ID_BYTES)), bytes(range(8))
FULL = Said(
    phase=Phase.MOVE, id=ID, to=LIFE, done_id=ID, done_ok=True, done="node b is master", ready_id=ID, ready="refused",
    held=ID, held_node="b", since="2026-01-01T00:00:00+00:00", only=True, order=ID, order_to="c",
    probe=ID, prober=LIFE, probing=ID, probed=ID, outage_ms=31, failed=1, probes=200,
)  # fmt: skip


def report(**switch: Any) -> Report:
    return Report(node="a", life=LIFE, number=1, challenge=bytes(16), switch=switch)


def test_everything_arrives() -> None:
    """Through the bytes of a report; nothing said is nothing sent."""
    assert len(written(FULL)) <= SWITCH_MAX
    assert read(unpack(pack(report(**written(FULL))))) == FULL
    assert written(Said()) == {} and read(None) == read(report()) == Said()


@pytest.mark.parametrize(
    ("wrong", "good"),
    [
        ({"phase": "jump", "id": ID}, Said(id=ID)),
        ({"phase": 7, "to": LIFE}, Said(to=LIFE)),
        ({"id": ID[1:], "to": LIFE + b"x", "done": 7}, Said()),
        ({"done_ok": "yes", "only": 1, "held": "b"}, Said()),
        ({"outage_ms": -1, "failed": True, "probes": 0.5}, Said()),
        ({"later": True, "order": ID}, Said(order=ID)),
    ],
)
def test_what_is_not_as_it_should_be_is_missing(wrong: dict[str, Any], good: Said) -> None:
    """And what is known beside it is used."""
    assert read(report(**wrong)) == good


WORDS, VALUES = st.sampled_from(list(written(FULL))), st.one_of(st.binary(max_size=20), st.text(), st.integers())


@given(st.dictionaries(WORDS, VALUES))
def test_whatever_comes_is_read(switch: dict[str, Any]) -> None:
    """Never an error."""
    read(report(**switch))
