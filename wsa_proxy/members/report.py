"""One report: what a member says of itself, and the bytes that it becomes (msgpack).

A report of another version is used as far as it is known: a key that this version does not know is passed over, one
whose value is not what it should be counts as missing. Without the first four nobody could be told apart, so those must
be right. Every value has a bound, on the way out as well as on the way in, and so has the whole: of a report that would
be too long, what matters least is left out (``CUT``).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from types import MappingProxyType
from typing import Any
from typing import NamedTuple

import msgpack

from wsa_proxy.members import equal
from wsa_proxy.members.cipher import DATAGRAM_BYTES_MAX
from wsa_proxy.members.cipher import OVERHEAD_BYTES
from wsa_proxy.members.text import one_line

REPORT_BYTES_MAX = DATAGRAM_BYTES_MAX - OVERHEAD_BYTES
LIFE_BYTES = 8
CHALLENGE_BYTES = 16
NAME_CHARACTERS_MAX = 63
"""Of a node's name, as its configuration allows, an address and a date: ASCII, as are state and health."""
WORD_CHARACTERS_MAX = 16
TEXTS_MAX = 8
MEMBERS_MAX = 32
"""Lives that one report names: more nodes than any group has."""
SETTINGS_MAX = 64
SWITCH_MAX = 24
SCALAR_BYTES_MAX = 64
NUMBER_MAX = 2**63
BYTE_MAX = 255
GROUP_MS_MAX = 2**42
"""A sealed counter has 42 bits for it (``carp/seal.py``)."""
CLOCK_MS_MAX = 253_402_300_800_000
"""The end of the year 9999: what lies before can be written as a date."""
SECONDS_MAX = 1e9
INTERVAL_S_MIN, INTERVAL_S_MAX = 1 / 256, 256.0
"""Between two advertisements, as CARP can say it: whoever says more would be fresh for ever."""
CUT = (
    ("versions", 0),
    ("reasons", 1),
    ("hears_s", 0),
    ("maintenance", 1),
    ("reasons", 0),
    ("switch", 0),
    ("answers", 4),
    ("echoes", 4),
    ("answers", 0),
    ("echoes", 0),
)
"""What is left out of a report that would be longer than a datagram, entry by entry from the last, down to so many:
first what people read, last what the others need to believe the sender. Of a maintenance the reason goes. The settings
have a bound of their own (``equal.fitting``), as they must not depend on the rest."""


class BadReport(ValueError):
    """Authentic bytes that are no report."""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What the operator of the member has said."""

    until: str
    """ISO 8601, UTC."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a member says. A *life* is one process: random, new at each start."""

    node: str
    life: bytes
    number: int
    """Grows with each report of a life."""
    challenge: bytes
    """To be repeated by everybody who hears it."""
    echoes: Mapping[bytes, bytes] = field(default_factory=dict)
    """By life: the newest challenge of everybody whom the sender hears."""
    question: bytes = b""
    """To be repeated at once by whoever is asked; empty if nobody is."""
    asked: bytes = b""
    """The life that is asked; empty: the owner of the virtual IPs."""
    answers: Mapping[bytes, bytes] = field(default_factory=dict)
    """By life: the question that this report answers."""
    state: str = ""
    leaves: bool = False
    """An orderly end: the last report of this life."""
    holds: bool = False
    """The kernel has the virtual IPs, asked when the report was made."""
    proven_s: float = SECONDS_MAX
    """So long ago a self-test of the proxy passed."""
    priority: int = 0
    advbase: int = 0
    advskew: int = 0
    """As it would advertise now."""
    demotion: int = 0
    group_ms: int = 0
    """The time of a sealed group, as this member knows it; 0: it does not."""
    address: str = ""
    """Its own, from which it sends."""
    health: str = ""
    """``well``, ``soft`` or ``hard``."""
    reasons: tuple[str, ...] = ()
    """Why it does not take part, or is demoted; why it is not ready."""
    versions: Mapping[str, str] = field(default_factory=dict)
    clock_ms: int = 0
    """Its wall clock, since 1970."""
    hears_s: Mapping[bytes, float] = field(default_factory=dict)
    """By life: how long ago its last report was believed here."""
    advertisement_s: float = SECONDS_MAX
    """How long the sender has heard no advertisement of another node that it believed, in the state that it is in."""
    interval_s: float = 1.0
    """Between two reports of this member."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What must be equal (``equal.py``)."""
    fits: int = 0
    """How many nodes fit the sender, itself among them (``sides.py``); 0: it does not tell."""
    maintenance: Maintenance | None = None
    switch: Mapping[str, Any] = field(default_factory=dict)
    """What a planned switch needs to say; see ``runtime``."""


_packb: Callable[[object], bytes] = msgpack.Packer().pack
"""One for all: each has a buffer of a quarter of a megabyte, which ``msgpack.packb`` makes anew for each report."""


class Packer:
    """Makes the bytes of the reports of one group. What hardly ever changes is packed once, as a map of its own."""

    def __init__(self) -> None:
        self._lasting: Report | None = None
        self._packed = b""

    def pack(self, lasting: Report, changing: Mapping[str, Any]) -> bytes:
        """Of ``lasting`` the values named in LASTING are taken, and looked at once for each such object; ``changing``
        are the others, by name. At most REPORT_BYTES_MAX bytes; what is empty or as usual is left out. Raises
        ValueError when one of the values that every report needs is not what it should be."""
        if lasting is not self._lasting:
            self._packed = _packb(_data({name: getattr(lasting, name) for name in LASTING}))
            self._lasting = lasting
        data = _data(changing)
        packed: bytes = _packb({_LASTING: self._packed} | data)
        if len(packed) <= REPORT_BYTES_MAX:
            return packed
        return _cut(_data({name: getattr(lasting, name) for name in LASTING}) | data)


def pack(report: Report) -> bytes:
    """One report alone, as ``Packer.pack`` has it."""
    return Packer().pack(report, {name: getattr(report, name) for name in _CHANGING})


def _data(values: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, given in values.items():
        value = equal.fitting(given) if name == "settings" else given
        if name in _REQUIRED or value != _USUAL[name]:
            bounded = _READERS[name](_plain(value))
            if bounded is None and name in _REQUIRED:
                raise ValueError(f"a report with {name}={value!r}")
            if bounded is not None:
                data[name] = _plain(bounded)
    return data


def _cut(data: dict[str, Any]) -> bytes:
    packed: bytes = _packb(data)
    for name, entries in CUT:
        while len(packed) > REPORT_BYTES_MAX and len(kept := data.get(name, ())) > entries:
            data[name] = kept[:-1] if isinstance(kept, list) else dict(list(kept.items())[:-1])
            packed = _packb(data)
    return packed


def unpack(packed: bytes) -> Report:
    """The report. Raises BadReport."""
    data = _map_of(packed)
    lasting = data.get(_LASTING)
    known = dict(_read_lasting(lasting)) if isinstance(lasting, bytes) else {}
    known |= _known(data)
    missing = [name for name in _REQUIRED if name not in known]
    if missing:
        raise BadReport(f"without a usable {', '.join(missing)}")
    return Report(**known)


class Head(NamedTuple):
    """What tells whether the rest is worth reading."""

    life: bytes
    number: int
    settings: Mapping[str, str]


def head(packed: bytes) -> Head:
    """Of the same report as ``unpack``, at a sixth of the cost: what is repeated is known by it. Raises BadReport."""
    data = _map_of(packed)
    lasting = data.get(_LASTING)
    known = _read_lasting(lasting) if isinstance(lasting, bytes) else {}
    known = known | _known({name: data[name] for name in Head._fields if name in data})
    if "life" not in known or "number" not in known:
        raise BadReport("without a usable life or number")
    return Head(known["life"], known["number"], known.get("settings", {}))


@functools.lru_cache(maxsize=1024)
def _read_lasting(packed: bytes) -> dict[str, Any]:
    return _known(_map_of(packed))


def _known(data: Mapping[Any, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for name in data:
        read = _READERS.get(name) if isinstance(name, str) else None
        if read is not None and (value := read(data[name])) is not None:
            known[name] = value
    return known


def _map_of(packed: bytes) -> dict[Any, Any]:
    try:
        data = msgpack.unpackb(packed, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BadReport(f"not msgpack: {error}") from error
    if not isinstance(data, dict):
        raise BadReport("not a map")
    return data


_SCALARS = {str, bytes, int, float, bool, type(None), dict}


def _plain(value: object) -> object:
    """As msgpack has it."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, Maintenance):
        return {"until": value.until, "reason": value.reason}
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


# -- reading: each answers None for what is not what it should be ------------------------------------------------------


def _text(value: object) -> str | None:
    return one_line(value) if isinstance(value, str) else None


def _short(characters_max: int) -> Callable[[object], str | None]:
    def read(value: object) -> str | None:
        if not isinstance(value, str):
            return None
        return one_line(value if value.isascii() else value.encode("ascii", "replace").decode(), characters_max)

    return read


def _name(value: object) -> str | None:
    return (_short(NAME_CHARACTERS_MAX)(value) or "").strip() or None


def _below(limit: int) -> Callable[[object], int | None]:
    def read(value: object) -> int | None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return value if whole and 0 <= value < limit else None  # type: ignore[operator,return-value]

    return read


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= SECONDS_MAX:
        return None
    return float(value)


def _interval(value: object) -> float | None:
    seconds = _seconds(value)
    return seconds if seconds is not None and INTERVAL_S_MIN <= seconds <= INTERVAL_S_MAX else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _bytes(length: int) -> Callable[[object], bytes | None]:
    return lambda value: value if isinstance(value, bytes) and len(value) == length else None


def _map[Key, Value](
    key: Callable[[object], Key | None], value: Callable[[object], Value | None], entries_max: int
) -> Callable[[object], dict[Key, Value] | None]:
    def read(given: object) -> dict[Key, Value] | None:
        if not isinstance(given, dict):
            return None
        pairs = ((key(one), value(other)) for one, other in list(given.items())[:entries_max])
        return {one: other for one, other in pairs if one is not None and other is not None}

    return read


def _text_map(entries_max: int) -> Callable[[object], Mapping[str, str] | None]:
    """Of texts, which hardly ever change: read once."""
    read = _map(_text, _text, entries_max)

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


_settings_map = _text_map(SETTINGS_MAX)


def _settings(value: object) -> Mapping[str, str] | None:
    """Of equal ones the same object, so that nobody need compare them name by name."""
    settings = _settings_map(value)
    return None if settings is None else equal.fitting(settings)


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(text for each in value[:TEXTS_MAX] if (text := _text(each)) is not None)


def _maintenance(value: object) -> Maintenance | None:
    if not isinstance(value, dict):
        return None
    until, reason = _name(value.get("until")), _text(value.get("reason", ""))
    return None if until is None or reason is None else Maintenance(until, reason)


def _anything(value: object) -> object:
    """A scalar of a bounded size."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, bytes):
        return value if len(value) <= SCALAR_BYTES_MAX else None
    return value if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)) else None


_life, _challenge, _byte = _bytes(LIFE_BYTES), _bytes(CHALLENGE_BYTES), _below(BYTE_MAX + 1)
_word, _address = _short(WORD_CHARACTERS_MAX), _short(NAME_CHARACTERS_MAX)
_READERS: dict[str, Callable[[object], Any]] = {
    "node": _name,
    "life": _life,
    "number": _below(NUMBER_MAX),
    "challenge": _challenge,
    "echoes": _map(_life, _challenge, MEMBERS_MAX),
    "question": _challenge,
    "asked": _life,
    "answers": _map(_life, _challenge, MEMBERS_MAX),
    "state": _word,
    "leaves": _truth,
    "holds": _truth,
    "proven_s": _seconds,
    "priority": _byte,
    "advbase": _byte,
    "advskew": _byte,
    "demotion": _byte,
    "group_ms": _below(GROUP_MS_MAX),
    "address": _address,
    "health": _word,
    "reasons": _texts,
    "versions": _text_map(TEXTS_MAX),
    "clock_ms": _below(CLOCK_MS_MAX),
    "hears_s": _map(_life, _seconds, MEMBERS_MAX),
    "advertisement_s": _seconds,
    "interval_s": _interval,
    "settings": _settings,
    "fits": _below(MEMBERS_MAX + 2),
    "maintenance": _maintenance,
    "switch": _map(_text, _anything, SWITCH_MAX),
}
_REQUIRED = ("node", "life", "number", "challenge")
LASTING = (
    "node", "life", "state", "priority", "advbase", "advskew", "demotion", "address", "health", "reasons", "versions",
    "interval_s", "settings", "fits", "maintenance", "switch",
)  # fmt: skip
_LASTING = "lasting"
_FIELDS = tuple(each.name for each in fields(Report))
_usual = Report(node="", life=bytes(LIFE_BYTES), number=0, challenge=bytes(CHALLENGE_BYTES))
_USUAL = {name: getattr(_usual, name) for name in _FIELDS}
assert tuple(_READERS) == _FIELDS
_CHANGING = tuple(name for name in _FIELDS if name not in LASTING)
