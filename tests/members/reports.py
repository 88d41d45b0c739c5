"""Reports for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from wsa_proxy.members import report as limits
from wsa_proxy.members import values
from wsa_proxy.members.report import Maintenance
from wsa_proxy.members.report import Report

MINIMAL = Report(node="a", life=b"l" * 8, number=1, challenge=b"c" * 16)


def life(number: int) -> bytes:
    """The life of node so many."""
    return number.to_bytes(8)


def challenge(number: int) -> bytes:
    """Likewise."""
    return number.to_bytes(16)


def numbered() -> Callable[[int], bytes]:
    """In the place of chance: 1, 2, 3, ..."""
    count = 0

    def random(length: int) -> bytes:
        nonlocal count
        count += 1
        return count.to_bytes(length)

    return random


_TEXT = st.text(st.characters(exclude_categories=()), max_size=210)
_SCALAR = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | _TEXT | st.binary(max_size=80)
_ANYTHING = st.recursive(
    _SCALAR,
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(_TEXT | st.binary(max_size=9), inner, max_size=10),
    max_leaves=20,
)


def near_reports() -> st.SearchStrategy[dict[str, Any]]:
    """What msgpack may say of a report: its names, with values of any kind, beside others; the first four often right.
    The bounds of numbers and the right lengths come up as well."""
    edges = st.sampled_from([0, 1, 255, 256, 2**42 - 1, 2**42, 2**48, 2**63 - 1, 2**63, 1e9, 1.1e9, 1 / 256, 256.0])
    lives, challenges = st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16)
    maps = st.dictionaries(lives, challenges | edges, max_size=40) | st.dictionaries(_TEXT, _TEXT, max_size=70)
    value = _ANYTHING | edges | lives | challenges | maps | st.lists(_TEXT, max_size=12)
    names = [each for each in MINIMAL.__dataclass_fields__ if each not in ("node", "life", "number", "challenge")]
    rest = st.dictionaries(st.sampled_from([*names, "a name of a later version"]), value, max_size=len(names))
    right = st.just({"node": "a", "life": b"l" * 8, "number": 1, "challenge": b"c" * 16})
    first = right | st.dictionaries(st.sampled_from(["node", "life", "number", "challenge"]), value, max_size=4)
    return st.builds(lambda one, other: {**one, **other}, first, rest)


def reports() -> st.SearchStrategy[Report]:
    """What a node may want to say: of any size, up to more than there may be."""
    lives, challenges = st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16)
    settings = st.dictionaries(_TEXT, _TEXT, max_size=70)
    return st.builds(
        Report,
        node=st.text("abcdefghij.-", min_size=1, max_size=63),
        life=lives,
        number=st.integers(0, limits.NUMBER_MAX - 1),
        challenge=challenges,
        echoes=st.dictionaries(lives, challenges, max_size=40),
        question=st.just(b"") | challenges,
        asked=st.just(b"") | lives,
        answers=st.dictionaries(lives, challenges, max_size=40),
        state=st.sampled_from(["master", "backup", "init"]),
        holds=st.booleans(),
        proven_s=st.floats(0, 1e9),
        priority=st.integers(1, 255),
        advbase=st.integers(0, 255),
        advskew=st.integers(0, 255),
        group_ms=st.integers(0, limits.GROUP_MS_MAX - 1),
        address=st.ip_addresses().map(str),
        health=st.sampled_from(["well", "soft", "hard"]),
        reasons=st.lists(_TEXT, max_size=12).map(tuple),
        versions=st.dictionaries(_TEXT, _TEXT, max_size=10),
        clock_ms=st.integers(0, limits.CLOCK_MS_MAX - 1),
        hears_s=st.dictionaries(lives, st.floats(0, 1e9), max_size=40),
        interval_s=st.floats(values.INTERVAL_S_MIN, values.INTERVAL_S_MAX),
        settings=settings,
        maintenance=st.none() | st.builds(Maintenance, st.just("2026-11-29T02:30:00+00:00"), _TEXT),
        switch=st.dictionaries(_TEXT, _SCALAR, max_size=20),
        copies=st.dictionaries(lives, st.integers(0, limits.NUMBER_MAX - 1), max_size=40),
        carry=st.dictionaries(_TEXT, _SCALAR, max_size=12),
    )


def is_text(value: object, characters_max: int) -> bool:
    """One line that can be shown."""
    return isinstance(value, str) and value.isprintable() and len(value) <= characters_max


def check_bounds(report: Report) -> None:
    """Every value is what ``report.py`` says that it is at most."""
    assert is_text(report.node, 63) and report.node
    assert is_text(report.address, 63) and is_text(report.state, 16) and is_text(report.health, 16)
    assert len(report.life) == 8 and len(report.challenge) == 16
    assert len(report.question) in (0, 16) and len(report.asked) in (0, 8)
    for pairs in (report.echoes, report.answers):
        assert len(pairs) <= 32 and all(len(one) == 8 and len(other) == 16 for one, other in pairs.items())
    assert len(report.hears_s) <= 32
    seconds = [report.proven_s, report.advertisement_s, *report.hears_s.values()]
    assert all(isinstance(each, float) and 0 <= each <= 1e9 for each in seconds)
    assert 1 / 256 <= report.interval_s <= 256
    for value, limit in (
        (report.number, 2**63),
        (report.priority, 256),
        (report.advbase, 256),
        (report.advskew, 256),
        (report.demotion, 256),
        (report.group_ms, 2**42),
        (report.clock_ms, limits.CLOCK_MS_MAX),
    ):
        assert type(value) is int and 0 <= value < limit
    assert type(report.leaves) is bool and type(report.holds) is bool
    assert len(report.reasons) <= 8 and all(is_text(each, 200) for each in report.reasons)
    _check_texts(report.versions, 8)
    _check_texts(report.settings, 64)
    if report.maintenance is not None:
        assert is_text(report.maintenance.until, 63) and is_text(report.maintenance.reason, 200)
    assert len(report.copies) <= 32
    assert all(len(one) == 8 and type(at) is int and 0 <= at < 2**63 for one, at in report.copies.items())
    assert len(report.switch) <= 24 and len(report.carry) <= 8
    for name, each in [*report.switch.items(), *report.carry.items()]:
        assert is_text(name, 200) and isinstance(each, str | bytes | bool | int | float)
        assert not isinstance(each, float) or abs(each) < float("inf")
        assert not isinstance(each, bytes) or len(each) <= 64
        assert not isinstance(each, str) or is_text(each, 200)


def _check_texts(texts: Mapping[str, str], entries_max: int) -> None:
    assert len(texts) <= entries_max
    assert all(is_text(one, 200) and is_text(other, 200) for one, other in texts.items())
