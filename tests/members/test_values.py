"""The values of a report: what is right is read, what is not is None, and nothing raises. ``test_report.py`` has the
same through whole reports."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsa_proxy.members import values

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300) | st.binary(max_size=100),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=9),
)
READERS: list[Callable[[object], object]] = [
    values.text, values.short_text(16), values.name, values.below(256), values.seconds, values.interval, values.truth,
    values.bytes_of(8), values.map_of(values.text, values.seconds, 3), values.text_map(3), values.texts, values.scalar,
]  # fmt: skip


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (values.text, "two\nlines", "two lines"),
        (values.text, b"bytes", None),
        (values.short_text(4), "é1234", "?..."),
        (values.name, " a ", "a"),
        (values.name, "  ", None),
        (values.below(10), 9, 9),
        (values.below(10), 10, None),
        (values.below(10), -1, None),
        (values.below(10), True, None),
        (values.seconds, 1, 1.0),
        (values.seconds, math.nan, None),
        (values.seconds, values.SECONDS_MAX * 2, None),
        (values.interval, 0, None),
        (values.interval, 1 / 256, 1 / 256),
        (values.truth, 1, None),
        (values.bytes_of(2), b"ab", b"ab"),
        (values.bytes_of(2), b"abc", None),
        (values.map_of(values.text, values.seconds, 2), {"a": 1, "b": "x", "c": 2}, {"a": 1.0}),
        (values.text_map(2), {"a": "b", "c": ["unhashable"]}, {"a": "b"}),
        (values.texts, ["a", 1, "b"], ("a", "b")),
        (values.scalar, math.inf, None),
        (values.scalar, b"x" * 65, None),
    ],
)
def test_each_kind(read: Callable[[object], object], value: object, expected: object) -> None:
    """One that is right, or none."""
    found = read(value)
    assert (found == expected and type(found) is type(expected)) or dict(found or {}) == expected  # type: ignore[call-overload]


@given(ANYTHING)
def test_nothing_raises(value: object) -> None:
    """Whatever msgpack can make."""
    for read in READERS:
        read(value)
