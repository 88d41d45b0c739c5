"""The values of a report, read: each of these answers None for what is not what it should be."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from collections.abc import Mapping
from types import MappingProxyType

from wsa_proxy.members.text import one_line

NAME_CHARACTERS_MAX = 63
"""Of a node's name, as its configuration allows, an address and a date: ASCII, as are state and health."""
TEXTS_MAX = 8
SCALAR_BYTES_MAX = 64
SECONDS_MAX = 1e9
INTERVAL_S_MIN, INTERVAL_S_MAX = 1 / 256, 256.0
"""Between two advertisements, as CARP can say it: whoever says more would be fresh for ever."""

type Reader[Value] = Callable[[object], Value | None]


def text(value: object) -> str | None:
    """Shown as it is safe, and cut."""
    return one_line(value) if isinstance(value, str) else None


def short_text(characters_max: int) -> Callable[[object], str | None]:
    """In ASCII, so many characters at most."""

    def read(value: object) -> str | None:
        if not isinstance(value, str):
            return None
        return one_line(value if value.isascii() else value.encode("ascii", "replace").decode(), characters_max)

    return read


def name(value: object) -> str | None:
    """Of a node: a short text that is not empty."""
    return (short_text(NAME_CHARACTERS_MAX)(value) or "").strip() or None


def below(limit: int) -> Callable[[object], int | None]:
    """A whole number from 0 on, less than that."""

    def read(value: object) -> int | None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return value if whole and 0 <= value < limit else None  # type: ignore[operator,return-value]

    return read


def seconds(value: object) -> float | None:
    """A duration."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= SECONDS_MAX:
        return None
    return float(value)


def interval(value: object) -> float | None:
    """Between two advertisements."""
    given = seconds(value)
    return given if given is not None and INTERVAL_S_MIN <= given <= INTERVAL_S_MAX else None


def truth(value: object) -> bool | None:
    """Nothing but true and false."""
    return value if isinstance(value, bool) else None


def bytes_of(length: int) -> Callable[[object], bytes | None]:
    """Exactly so many."""
    return lambda value: value if isinstance(value, bytes) and len(value) == length else None


def map_of[Key, Value](
    key: Callable[[object], Key | None], value: Callable[[object], Value | None], entries_max: int
) -> Callable[[object], dict[Key, Value] | None]:
    """The entries of which both parts are what they should be, of so many at most."""

    def read(given: object) -> dict[Key, Value] | None:
        if not isinstance(given, dict):
            return None
        pairs = ((key(one), value(other)) for one, other in list(given.items())[:entries_max])
        return {one: other for one, other in pairs if one is not None and other is not None}

    return read


def text_map(entries_max: int) -> Callable[[object], Mapping[str, str] | None]:
    """Of texts, which hardly ever change: read once."""
    read = map_of(text, text, entries_max)

    @functools.lru_cache(maxsize=1024)
    def read_items(items: tuple[tuple[object, object], ...]) -> Mapping[str, str]:
        return MappingProxyType(read(dict(items)) or {})

    def read_map(given: object) -> Mapping[str, str] | None:
        if not isinstance(given, dict):
            return None
        try:
            return read_items(tuple(given.items()))
        except TypeError:  # a list among them, which has no hash
            return read(given)

    return read_map


def texts(value: object) -> tuple[str, ...] | None:
    """Those of a list, TEXTS_MAX at most."""
    if not isinstance(value, list):
        return None
    return tuple(one for each in value[:TEXTS_MAX] if (one := text(each)) is not None)


def scalar(value: object) -> object:
    """A scalar of a bounded size."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, bytes):
        return value if len(value) <= SCALAR_BYTES_MAX else None
    return value if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)) else None
