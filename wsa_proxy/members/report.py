"""One report: what a member says of itself, and the bytes that it becomes (msgpack).

A report of another version is used as far as it is known: a key that this version does not know is passed over, one
whose value is not what it should be counts as missing. Without the first four nobody could be told apart, so those must
be right. Every value has a bound, on the way out as well as on the way in, and so has the whole: of a report that would
be too long, what matters least is left out (``CUT``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from typing import Any
from typing import NamedTuple

import msgpack

from wsa_proxy.members import equal
from wsa_proxy.members import values
from wsa_proxy.members.cipher import DATAGRAM_BYTES_MAX
from wsa_proxy.members.cipher import OVERHEAD_BYTES
from wsa_proxy.members.values import NAME_CHARACTERS_MAX
from wsa_proxy.members.values import SECONDS_MAX
from wsa_proxy.members.values import TEXTS_MAX

REPORT_BYTES_MAX = DATAGRAM_BYTES_MAX - OVERHEAD_BYTES
LIFE_BYTES = 8
CHALLENGE_BYTES = 16
WORD_CHARACTERS_MAX = 16
MEMBERS_MAX = 32
"""Lives that one report names: more nodes than any group has."""
SETTINGS_MAX = 64
SWITCH_MAX = 24
CARRY_MAX = 8
NUMBER_MAX = 2**63
BYTE_MAX = 255
PORT_MAX = 65_535
GROUP_MS_MAX = 2**42
"""A sealed counter has 42 bits for it (``carp/seal.py``)."""
CLOCK_MS_MAX = 253_402_300_800_000
"""The end of the year 9999: what lies before can be written as a date."""
CUT = (
    ("versions", 0),
    ("reasons", 1),
    ("hears_s", 0),
    ("maintenance", 1),
    ("reasons", 0),
    ("carry", 4),
    ("copies", 4),
    ("switch", 0),
    ("carry", 0),
    ("answers", 4),
    ("echoes", 4),
    ("copies", 0),
    ("answers", 0),
    ("echoes", 0),
)
"""What is left out of a report that would be longer than a datagram, entry by entry from the last, down to so many:
first what people read, last what the others need to believe the sender. Of a maintenance the reason goes, of ``carry``
why the sender cannot steer; without ``copies`` lists are told again and again. The settings have a bound of their own
(``equal.fitting``), as they must not depend on the rest."""


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
    """It is master and has its sockets; in an answer: the kernel has the virtual IPs, asked when that was made."""
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
    probes_from: int = 0
    """The port of its own address from which it asks whether a virtual IP answers; 0: it does not tell."""
    copies: Mapping[bytes, int] = field(default_factory=dict)
    """By life: the position up to which the sender has taken over its list of clients (``client_list.py``)."""
    carry: Mapping[str, Any] = field(default_factory=dict)
    """What it says of connections that are carried over (``carry_words.py``); empty: it keeps no lists."""


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


_settings_map = values.text_map(SETTINGS_MAX)


def _settings(value: object) -> Mapping[str, str] | None:
    """Of equal ones the same object, so that nobody need compare them name by name."""
    settings = _settings_map(value)
    return None if settings is None else equal.fitting(settings)


def _maintenance(value: object) -> Maintenance | None:
    if not isinstance(value, dict):
        return None
    until, reason = values.name(value.get("until")), values.text(value.get("reason", ""))
    return None if until is None or reason is None else Maintenance(until, reason)


_life, _challenge, _byte = values.bytes_of(LIFE_BYTES), values.bytes_of(CHALLENGE_BYTES), values.below(BYTE_MAX + 1)
_word, _address = values.short_text(WORD_CHARACTERS_MAX), values.short_text(NAME_CHARACTERS_MAX)
_READERS: dict[str, Callable[[object], Any]] = {
    "node": values.name,
    "life": _life,
    "number": values.below(NUMBER_MAX),
    "challenge": _challenge,
    "echoes": values.map_of(_life, _challenge, MEMBERS_MAX),
    "question": _challenge,
    "asked": _life,
    "answers": values.map_of(_life, _challenge, MEMBERS_MAX),
    "state": _word,
    "leaves": values.truth,
    "holds": values.truth,
    "proven_s": values.seconds,
    "priority": _byte,
    "advbase": _byte,
    "advskew": _byte,
    "demotion": _byte,
    "group_ms": values.below(GROUP_MS_MAX),
    "address": _address,
    "health": _word,
    "reasons": values.texts,
    "versions": values.text_map(TEXTS_MAX),
    "clock_ms": values.below(CLOCK_MS_MAX),
    "hears_s": values.map_of(_life, values.seconds, MEMBERS_MAX),
    "advertisement_s": values.seconds,
    "interval_s": values.interval,
    "settings": _settings,
    "fits": values.below(MEMBERS_MAX + 2),
    "maintenance": _maintenance,
    "switch": values.map_of(values.text, values.scalar, SWITCH_MAX),
    "probes_from": values.below(PORT_MAX + 1),
    "copies": values.map_of(_life, values.below(NUMBER_MAX), MEMBERS_MAX),
    "carry": values.map_of(values.text, values.scalar, CARRY_MAX),
}
_REQUIRED = ("node", "life", "number", "challenge")
LASTING = (
    "node", "life", "state", "priority", "advbase", "advskew", "demotion", "address", "health", "reasons", "versions",
    "interval_s", "settings", "fits", "maintenance", "switch",
    "probes_from", "carry",
)  # fmt: skip
_LASTING = "lasting"
_FIELDS = tuple(each.name for each in fields(Report))
_usual = Report(node="", life=bytes(LIFE_BYTES), number=0, challenge=bytes(CHALLENGE_BYTES))
_USUAL = {name: getattr(_usual, name) for name in _FIELDS}
assert tuple(_READERS) == _FIELDS
_CHANGING = tuple(name for name in _FIELDS if name not in LASTING)
