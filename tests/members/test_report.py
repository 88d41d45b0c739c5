"""A report becomes bytes and a report again: within its bounds, whoever made it."""

from __future__ import annotations

from dataclasses import fields
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from typing import Any

import msgpack
import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from tests.members.reports import MINIMAL
from tests.members.reports import challenge
from tests.members.reports import check_bounds
from tests.members.reports import life
from tests.members.reports import near_reports
from tests.members.reports import reports
from wsa_proxy.carp.seal import Seal
from wsa_proxy.members import equal
from wsa_proxy.members.equal import fitting
from wsa_proxy.members.report import CLOCK_MS_MAX
from wsa_proxy.members.report import CUT
from wsa_proxy.members.report import GROUP_MS_MAX
from wsa_proxy.members.report import REPORT_BYTES_MAX
from wsa_proxy.members.report import BadReport
from wsa_proxy.members.report import Maintenance
from wsa_proxy.members.report import Packer
from wsa_proxy.members.report import Report
from wsa_proxy.members.report import head
from wsa_proxy.members.report import pack
from wsa_proxy.members.report import unpack
from wsa_proxy.members.values import INTERVAL_S_MAX
from wsa_proxy.members.values import INTERVAL_S_MIN
from wsa_proxy.members.values import SECONDS_MAX

FULL = Report(
    node="node-a.example.com",
    life=life(1),
    number=7,
    challenge=challenge(1),
    echoes={life(2): challenge(2)},
    question=challenge(3),
    asked=life(2),
    answers={life(2): challenge(4)},
    state="master",
    leaves=True,
    holds=True,
    proven_s=0.25,
    priority=255,
    advbase=1,
    advskew=3,
    demotion=2,
    group_ms=200_000_000_000,
    address="10.0.0.1",
    health="soft",
    reasons=("out of descriptors", "demoted by the operator: kernel update"),
    versions={"wsa-proxy": "0.5", "mitmproxy": "12.2.3"},
    clock_ms=1_795_000_000_000,
    hears_s={life(2): 0.5},
    advertisement_s=0.75,
    interval_s=2.0,
    fits=3,
    settings={"virtual_ip": "10.0.0.3/24"},
    maintenance=Maintenance("2026-11-29T02:30:00+00:00", "new disk"),
    switch={"to": "node-b", "until_s": 2.5, "ready": True, "round": 3, "id": b"12345678"},
    probes_from=40_001,
    copies={life(2): 17},
    carry={"steers": True, "mac": b"\x02\x00\x00\x00\x00\x01"},
)
SMILE = "\U0001f600"


def settings(options: int) -> dict[str, str]:
    """As long as they come: nine virtual IPs, a long host name, and so many options of mitmproxy."""
    named = dict.fromkeys(equal.WORDS, "v" * 60) | {"virtual_ip": "9" * 180, "hostname": "h" * 253}
    return named | {f"option_{number:02}": "o" * 60 for number in range(options)}


LARGEST = Report(
    node="n" * 63,
    life=life(1),
    number=2**63 - 1,
    challenge=challenge(1),
    echoes={life(number): challenge(number) for number in range(40)},
    question=challenge(2),
    asked=life(2),
    answers={life(number): challenge(number) for number in range(40)},
    state="s" * 16,
    leaves=True,
    holds=True,
    proven_s=1.1,
    priority=255,
    advbase=255,
    advskew=255,
    demotion=255,
    group_ms=GROUP_MS_MAX - 1,
    address="a" * 63,
    health="h" * 16,
    reasons=(SMILE * 200,) * 8,
    versions={f"{number}{SMILE * 199}": SMILE * 200 for number in range(8)},
    clock_ms=CLOCK_MS_MAX - 1,
    hears_s={life(number): 1.1 for number in range(40)},
    advertisement_s=1.1,
    interval_s=1.1,
    settings=settings(60),
    maintenance=Maintenance("u" * 63, SMILE * 200),
    switch={f"{number}{SMILE * 199}": SMILE * 200 for number in range(20)},
    copies={life(number): 2**63 - 1 for number in range(40)},
    carry={f"{number}{SMILE * 199}": SMILE * 200 for number in range(20)},
)


def packed(**values: Any) -> bytes:
    """A minimal report with these values, by msgpack alone."""
    first = {"node": "a", "life": b"l" * 8, "number": 1, "challenge": b"c" * 16}
    data: bytes = msgpack.packb(first | values)
    return data


def test_what_is_said_is_heard() -> None:
    """Every field, and a report with the first four alone."""
    assert unpack(pack(FULL)) == FULL
    assert all(getattr(FULL, each.name) != getattr(MINIMAL, each.name) for each in fields(Report))
    assert unpack(pack(MINIMAL)) == MINIMAL


def test_what_is_usual_is_not_said() -> None:
    """The minimal report by hand, as msgpack's specification writes it: what lasts is a map of two in a byte string."""
    by_hand = b"\x83\xa7lasting\xc4\x17\x82\xa4node\xa1a\xa4life\xc4\x08llllllll\xa6number\x01"
    by_hand += b"\xa9challenge\xc4\x10cccccccccccccccc"
    assert pack(MINIMAL) == by_hand
    assert unpack(by_hand) == MINIMAL == unpack(packed())


def test_what_lasts_is_packed_once_and_what_changes_each_time() -> None:
    """As often as it changes; a value in the outer map counts more than one in the inner, and a wrong inner is told."""
    packer = Packer()
    master = replace(MINIMAL, state="master", settings={"port": "8080"})
    for lasting, number in ((MINIMAL, 1), (master, 2), (master, 7), (replace(master, settings={"port": "8081"}), 8)):
        report = unpack(packer.pack(lasting, {"number": number, "challenge": b"d" * 16, "leaves": number == 7}))
        assert report == replace(lasting, number=number, challenge=b"d" * 16, leaves=number == 7)
    inner = msgpack.packb({"node": "a", "life": b"l" * 8, "state": "backup"})
    assert unpack(packed(lasting=inner, state="master")).state == "master"
    assert unpack(packed(lasting=inner)).state == "backup"
    for wrong in (b"\xc1", msgpack.packb([1])):
        with pytest.raises(BadReport):
            unpack(packed(lasting=wrong))


def test_equal_settings_are_the_same_object() -> None:
    """Of two nodes, and of this one itself: nobody need compare them name by name."""
    here = fitting({"port": "8080", "mac": "virtual"})
    b, c = (unpack(pack(replace(MINIMAL, node=name, settings=dict(here)))) for name in ("b", "c"))
    assert b.settings is c.settings is here
    assert unpack(pack(replace(MINIMAL, settings={"port": "8081"}))).settings == {"port": "8081"}


@given(st.binary(max_size=REPORT_BYTES_MAX))
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\x91" * 1300 + b"\xc0")
@example(b"\x81\x91\xc0\xc0")
@example(b"\xd6\xff\xff\xff\xff\xff")
@example(b"\xc7\x0c\xff\xff\xff\xff\xff" + b"\x7f" * 8)
@example(b"\x84\xa1\xff\xc0")
@example(b"\xc1")
def test_any_bytes_are_a_report_or_a_bad_one(data: bytes) -> None:
    """Deep nests, lists that claim four thousand million entries, keys that are lists, times beyond the end."""
    try:
        report = unpack(data)
    except BadReport:
        return
    check_bounds(report)


@given(near_reports())
def test_no_value_is_beyond_its_bound(data: dict[str, Any]) -> None:
    """Whatever the values are; and what was read can be said again, and is the same then."""
    try:
        report = unpack(msgpack.packb(data, unicode_errors="surrogatepass"))
    except BadReport:
        return
    check_bounds(report)
    assert head(msgpack.packb(data, unicode_errors="surrogatepass")) == (report.life, report.number, report.settings)
    assert len(pack(report)) <= REPORT_BYTES_MAX
    if len(msgpack.packb(data, unicode_errors="surrogatepass")) < 300 and not report.settings:
        assert unpack(pack(report)) == report


NUMBERS = st.integers(-(2**63), 2**64 - 1)  # that msgpack has


@given(near_reports(), st.binary(max_size=60) | NUMBERS | st.lists(NUMBERS, max_size=2))
def test_what_lasts_is_as_little_trusted(data: dict[str, Any], other: object) -> None:
    """The map in the map: with any values, or none of a report's; it may hold no third one."""
    name = "lasting"
    inner = msgpack.packb(data, unicode_errors="surrogatepass")
    for lasting in (inner, other, msgpack.packb({name: inner})):
        datagram = packed(**{name: lasting})
        try:
            report = unpack(datagram)
        except BadReport:
            continue
        check_bounds(report)
        assert head(datagram) == (report.life, report.number, report.settings)
        if lasting is not inner:
            assert report == MINIMAL or isinstance(other, bytes)


@pytest.mark.parametrize("name", ["life", "number"])
def test_a_head_has_a_life_and_a_number(name: str) -> None:
    """Without them nobody could tell what is repeated."""
    told = {key: value for key, value in msgpack.unpackb(packed()).items() if key != name}
    with pytest.raises(BadReport):
        head(msgpack.packb(told))


@given(reports())
def test_a_report_fits_into_a_datagram(report: Report) -> None:
    """Whatever the node is told to say; and what the others need to believe it is in it."""
    told = pack(report)
    assert len(told) <= REPORT_BYTES_MAX
    heard = unpack(told)
    check_bounds(heard)
    for name in ("node", "life", "number", "challenge", "question", "asked", "state", "holds", "priority", "advskew"):
        assert getattr(heard, name) == getattr(report, name)
    assert len(heard.echoes) >= min(3, len(report.echoes)) and len(heard.answers) >= min(3, len(report.answers))
    assert heard.settings == equal.fitting(report.settings)


def test_the_largest_report_fits() -> None:
    """Everything at its bound and beyond, with characters of four bytes."""
    told = pack(LARGEST)
    heard = unpack(told)
    assert len(told) <= REPORT_BYTES_MAX
    assert list(heard.echoes)[:4] == [life(number) for number in range(4)]
    assert heard.settings == equal.fitting(LARGEST.settings) and heard.maintenance == Maintenance("u" * 63, "")


def test_what_is_left_out_goes_in_its_order() -> None:
    """Nothing is touched before all that stands before it in CUT is at its end; what people read comes first, then the
    reason of a maintenance and why it cannot steer; then copies, a switch, what is carried, and last what the others
    need to believe the sender."""
    order = ["versions", "reasons", "hears_s", "maintenance", "reasons", "carry", "copies", "switch", "carry"]
    assert [name for name, _ in CUT] == [*order, "answers", "echoes", "copies", "answers", "echoes"]
    seen = set()
    for length in range(1, 200, 3):
        few: Any = {
            name: dict(list(getattr(LARGEST, name).items())[: 1 + length // 12])
            for name in ("echoes", "answers", "copies")
        }
        report = replace(LARGEST, **few, settings={}, reasons=("r" * length,) * 4, switch={"s": "s" * length})
        report = replace(report, carry={str(number): "c" * (length // 4) for number in range(5)})
        report = replace(report, versions={"v": "v" * length}, maintenance=Maintenance("2026", "m" * length))
        said, heard = lengths(report), lengths(unpack(pack(report)))
        step = next((at for at, (name, entries) in enumerate(CUT) if heard[name] > entries), len(CUT))
        left = dict(said)
        for name, entries in CUT[:step]:
            left[name] = min(left[name], entries)
        touched = CUT[step][0] if step < len(CUT) else ""
        assert {**heard, touched: 0} == {**left, touched: 0} and heard[touched] <= left[touched]
        seen.add(step)
    assert len(seen) > 4, f"only {seen} was reached"


def lengths(report: Report) -> dict[str, int]:
    """Of each part that may be left out."""
    bounds = {"versions": 8, "reasons": 8, "switch": 16, "carry": 8}
    found = {name: min(len(getattr(report, name)), bounds.get(name, 32)) for name, _ in CUT if name != "maintenance"}
    maintenance = report.maintenance
    return found | {"maintenance": 0 if maintenance is None else 1 + bool(maintenance.reason)}


def test_the_settings_do_not_depend_on_the_rest() -> None:
    """Two nodes with the same settings say the same of them, whatever else they have to say."""
    for options in (0, 1, 3, 60):
        short = unpack(pack(replace(MINIMAL, settings=settings(options))))
        long = unpack(pack(replace(LARGEST, settings=settings(options))))
        assert short.settings == long.settings


@pytest.mark.parametrize("name", ["node", "life", "number", "challenge"])
@pytest.mark.parametrize("value", [None, "", b"", -1, 2**63, True, 1.0, [], {}, b"l" * 9, "  "])
def test_without_one_of_the_first_four_nobody_can_be_told_apart(name: str, value: object) -> None:
    """The error says which one; nor can such a report be made."""
    with pytest.raises(BadReport, match=name):
        unpack(packed(**{name: value}))
    data = {"node": "a", "life": b"l" * 8, "number": 1, "challenge": b"c" * 16}
    del data[name]
    with pytest.raises(BadReport, match=name):
        unpack(msgpack.packb(data))
    with pytest.raises(ValueError, match=name):
        pack(replace(MINIMAL, **{name: value}))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"\x90", b"\x01", b"\xa3abc", packed() + b"\x00", packed()[:-1]])
def test_what_is_no_report(data: bytes) -> None:
    """Nothing, a list, a number, a text, one byte more, one byte less."""
    with pytest.raises(BadReport):
        unpack(data)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("priority", [0, 255], [256, -1, True, 1.0, "1"]),
        ("advbase", [0, 255], [256]),
        ("advskew", [0, 255], [256]),
        ("demotion", [0, 255], [256]),
        ("group_ms", [0, GROUP_MS_MAX - 1], [GROUP_MS_MAX]),
        ("clock_ms", [0, CLOCK_MS_MAX - 1], [CLOCK_MS_MAX]),
        ("proven_s", [0.0, 5, SECONDS_MAX], [-0.1, 1.1e9, float("nan"), float("inf"), True, "1"]),
        ("advertisement_s", [0.0], [float("nan")]),
        ("interval_s", [INTERVAL_S_MIN, INTERVAL_S_MAX], [0, INTERVAL_S_MIN / 2, 256.1, 1e9, float("nan")]),
        ("question", [b"q" * 16], [b"q" * 15, b"q" * 17, "q" * 16]),
        ("asked", [b"a" * 8], [b"a" * 7]),
        ("holds", [True, False], [1, "yes"]),
        ("leaves", [True], [1]),
        ("echoes", [{b"l" * 8: b"c" * 16}], [[], b"", 1]),
        ("copies", [{b"l" * 8: 0}, {b"l" * 8: 2**63 - 1}], [[], b"", 1]),
        ("carry", [{"drains": True, "settled": 3}], [[], "drains", 1]),
        ("reasons", [["one"]], ["one", {"one": 1}]),
        ("maintenance", [{"until": "2026"}], [{"reason": "x"}, {"until": 1}, {"until": "2026", "reason": 1}, "on"]),
    ],
)
def test_a_value_that_is_not_what_it_should_be_counts_as_missing(name: str, good: list[Any], bad: list[Any]) -> None:
    """The rest of the report stands."""
    for value in good:
        heard = getattr(unpack(packed(**{name: value})), name)
        wanted = {"reasons": ("one",), "maintenance": Maintenance("2026", "")}.get(name, value)
        assert heard == wanted, value
    for value in bad:
        assert unpack(packed(**{name: value}, address="10.0.0.1")) == replace(MINIMAL, address="10.0.0.1"), value


def test_of_a_map_what_is_right_is_taken() -> None:
    """An entry of another version, or more than there may be, does not take the others with it."""
    mixed = {b"l" * 8: b"c" * 16, b"short": b"c" * 16, "text": b"c" * 16, b"m" * 8: "text"}
    assert unpack(packed(echoes=mixed)).echoes == {b"l" * 8: b"c" * 16}
    many = {life(number): challenge(number) for number in range(100)}
    assert list(unpack(packed(answers=many)).answers) == [life(number) for number in range(32)]
    switch: Any = {"a": [1], "b": {}, "c": None, "d": 1, "e": float("nan"), "f": b"x" * 65}
    assert unpack(packed(switch=switch)).switch == {"d": 1} == unpack(packed(carry=switch)).carry
    copies = {b"l" * 8: 1, b"short": 1, b"m" * 8: -1, b"n" * 8: 2**63, b"o" * 8: True, b"p" * 8: 1.0}
    assert unpack(packed(copies=copies)).copies == {b"l" * 8: 1}


def test_a_later_version_is_used_as_far_as_it_is_known() -> None:
    """Names that nobody knows here, of any kind, are passed over."""
    assert unpack(packed(tomorrow={"any": [b"thing"]}, state="master")) == replace(MINIMAL, state="master")
    assert unpack(msgpack.packb({1: 2, None: 3} | msgpack.unpackb(packed()))) == MINIMAL


def test_texts_are_shown_as_they_are_safe() -> None:
    """A name that is no host name, and a reason with a line's end in it; also on the way out, as nothing else is."""
    heard = unpack(packed(node="nöde\n1", reasons=["two\nlines"], state="x" * 17))
    assert (heard.node, heard.reasons, heard.state) == ("n?de 1", ("two lines",), "x" * 13 + "...")
    said = pack(replace(MINIMAL, node="nöde\n1", reasons=("\ud800",)))
    assert unpack(said) == replace(MINIMAL, node="n?de 1", reasons=(" ",))


def test_the_greatest_times_can_be_used() -> None:
    """As a date, and as the time of a sealed counter."""
    assert datetime.fromtimestamp((CLOCK_MS_MAX - 1) / 1000, UTC).year < 10_000
    assert Seal(GROUP_MS_MAX - 1, 0, 0, False, False, 0).pack() < 2**64
